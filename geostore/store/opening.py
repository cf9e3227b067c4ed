"""Opens the SQLite file of a store: the one place that sets pragmas, with the reason for each."""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Literal

from geostore.errors import StoreError
from geostore.store.db import Db
from geostore.store.errors import store_error
from geostore.store.files import put_in_place, require_store, require_store_file
from geostore.store.math_functions import add_missing_math
from geostore.store.migrations import migrate
from geostore.store.requirements import native_functions, require_platform, require_sqlite

Durability = Literal["full", "normal"]
BUSY_TIMEOUT = 30.0
"""Seconds to wait for another process's transaction; they are all short."""


def open_db(path: Path, *, create: bool, durability: Durability, wait: float) -> Db:
    """A connection to a store, for reading and writing.

    create: make the store where there is none. wait: seconds for a lock of
    another process. Raises StoreError (not there, not a store, read-only, full,
    SQLite too old), StoreVersionError (a newer or unknown schema), StoreLockedError.
    """
    require_platform()
    if create and not path.exists():
        if not path.parent.is_dir():
            raise StoreError(f"cannot make {path}: there is no folder {path.parent}")
        put_in_place(path, _new_store(path))
    require_store_file(path)
    connection = None
    try:
        # Absolute, because SQLite may take file:name for an address. Transactions are begun by
        # hand; a thread other than the opener's may use it.
        connection = sqlite3.connect(
            path.absolute(), timeout=wait, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        native = native_functions(connection)
        require_sqlite(native)
        add_missing_math(connection, native)
        # Off by default in SQLite, and per connection.
        connection.execute("pragma foreign_keys = on")
        require_store(connection, path)
        migrate(connection, path)
        # Readers and one writer at the same time; a commit is one append to the log.
        mode = _use_write_ahead_log(connection, wait)
        if mode != "wal":
            raise StoreError(
                f"{path} cannot use a write-ahead log (journal mode stays {mode}); "
                "put the store on a local disk"
            )
        # Full syncs the log at every commit, normal only when it is folded into the file.
        connection.execute(f"pragma synchronous = {durability}")
        if sys.platform == "darwin":
            # On macOS fsync gives the data to the drive, which may still lose it in a power cut.
            connection.execute("pragma fullfsync = on")
            connection.execute("pragma checkpoint_fullfsync = on")
        # A schema that was just moved to the log is read with the next statement, which fails
        # ("database table is locked") if that is a checkpoint.
        connection.execute("pragma table_info(traces)").fetchall()
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise store_error(error, path) from error
        raise
    return Db(path, connection)


def _new_store(path: Path) -> bytes:
    """The file of a store without rows."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        require_sqlite(native_functions(connection))
        migrate(connection, path)
        return connection.serialize()


def _use_write_ahead_log(connection: sqlite3.Connection, wait: float) -> str:
    """Switch to it, once per file; the journal mode that holds now.

    SQLite does not wait by itself for the lock that the switch needs where it
    could be waiting for ever, so this does.
    """
    end = time.monotonic() + wait
    while True:
        try:
            return str(connection.execute("pragma journal_mode = wal").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)


def check_store(path: Path) -> None:
    """Raise StoreError unless the file is a store, with the sentence of `open_db`. Writes nothing.

    For a process that reads the file with another SQLite and could not.
    """
    require_store_file(path)
    with closing(open_to_read(path)) as db:
        try:
            require_store(db.connection, path)
        except sqlite3.Error as error:
            raise store_error(error, path) from error


def open_to_read(path: Path) -> Db:
    """A connection that cannot write. Another thread than the caller's may use it.

    The store must have been opened for writing before, so that its schema is there.
    Raises StoreError.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    connection.row_factory = sqlite3.Row
    return Db(path, connection)
