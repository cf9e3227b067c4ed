"""An open store: its connection, and one object for each topic.

Every row has a natural key, and every write is insert-or-ignore or an update
that names the state it expects, so writing twice changes nothing. Methods of the
topics do not begin transactions: a caller groups them in `Db.transaction`, and
outside of it each statement commits by itself.
"""

from __future__ import annotations

import os
from pathlib import Path

from geostore.store.claims import Claims
from geostore.store.db import Db
from geostore.store.exports import Exports
from geostore.store.opening import BUSY_TIMEOUT, Durability, open_db
from geostore.store.recipes import Recipes
from geostore.store.runs import Runs
from geostore.store.samples import Samples
from geostore.store.traces import Traces


class Store:
    """One connection to a store. Use as a context manager; not for two threads at once."""

    db: Db
    """Runs the statements; rooms above the store use it for their own rows."""
    samples: Samples
    """Datasets and their rows."""
    recipes: Recipes
    """Recipes by hash."""
    runs: Runs
    """Processes that generate."""
    claims: Claims
    """Which run works on which trace."""
    traces: Traces
    """Turns, calls, failures and answers, and whole traces."""
    exports: Exports
    """Exports that were written."""

    def __init__(self, db: Db) -> None:
        self.db = db
        self.samples = Samples(db)
        self.recipes = Recipes(db)
        self.runs = Runs(db)
        self.claims = Claims(db)
        self.traces = Traces(db)
        self.exports = Exports(db)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        durability: Durability = "full",
        busy_timeout: float = BUSY_TIMEOUT,
    ) -> Store:
        """Open a store for reading and writing, and bring its schema up to date.

        create: make the store where there is none.
        durability: ``full`` syncs at every commit, so every commit survives a power
            cut; ``normal`` syncs at checkpoints, and a power cut (not a crash of the
            process) may lose the last commits.
        busy_timeout: seconds to wait for a lock of another process.

        Raises StoreError (missing, not a store, read-only, full), StoreVersionError
        (a newer or unknown schema), StoreLockedError.
        """
        where = Path(path)
        return cls(open_db(where, create=create, durability=durability, wait=busy_timeout))

    @property
    def path(self) -> Path:
        """The store's file."""
        return self.db.path

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. The file stays whole without it too."""
        self.db.close()
