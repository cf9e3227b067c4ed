"""One short transaction, for writers that get a connection and not a store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def short_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the write lock at once. Raises sqlite3.Error."""
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
