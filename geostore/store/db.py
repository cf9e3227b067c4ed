"""A connection to a store's file: runs the statements of ``sql/store`` by name.

Every room above the store reads and writes through a `Db`. It alone turns
SQLite's errors into a `StoreError`, while a statement runs and while its rows
are fetched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from geostore.errors import RowRefused, StoreLockedError
from geostore.sqlfiles import store_statements
from geostore.store.errors import store_error

Row = sqlite3.Row
"""One row of a statement: values by column name or by place."""


class Rows(sqlite3.Cursor):
    """The rows of one statement, fetched one by one as the caller asks. Raises StoreError."""

    path: Path
    """The store's file, for error messages."""

    def fetchone(self) -> Any:
        """The next row; None after the last."""
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows, at most `size` of them; [] after the last."""
        try:
            return super().fetchmany(self.arraysize if size is None else size)
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    def tuples(self) -> list[tuple[Any, ...]]:
        """All rows that are left, by place alone: reading many is quicker without names."""
        self.row_factory = None
        return self.fetchall()

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error


class Db:
    """One connection to a store's file. Not for use by two threads at once.

    Outside of `transaction` each statement commits by itself.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self._mappings: dict[str, dict[int, float]] = {}
        self._in_transaction = False
        self._changed: dict[int, None] = {}

    def run(self, name: str, /, **values: Any) -> Rows:
        """Run a statement of ``sql/store`` with named parameters. Raises StoreError."""
        return self.execute(store_statements()[name], values)

    def execute(self, statement: str, values: Mapping[str, Any] | None = None) -> Rows:
        """Run a statement that is not one of ``sql/store``. Raises StoreError."""
        rows: Rows = self.connection.cursor(Rows)
        rows.path = self.path
        try:
            rows.execute(statement, values or {})
        except OverflowError as error:
            raise RowRefused(f"{self.path}: a number is too large for SQLite") from error
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error
        return rows

    def run_many(self, name: str, values: Iterable[Mapping[str, Any]]) -> int:
        """Run a statement once for each set of parameters; the number of rows changed in all."""
        try:
            return self.connection.executemany(store_statements()[name], values).rowcount
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    def number(self, name: str, /, **values: Any) -> int:
        """Run a statement that gives one whole number."""
        return int(self.run(name, **values).fetchone()[0])

    def mapping(self, name: str) -> dict[int, float]:
        """Numbers that statements of this connection read as a function: name(key), null for none.

        The same mapping at every call. Whoever fills it changes it in place: to SQLite another
        function would make it prepare the statements that call it again.
        """
        if name not in self._mappings:
            values = self._mappings[name] = {}
            self.connection.create_function(name, 1, values.get)
        return self._mappings[name]

    def set_busy_timeout(self, seconds: float) -> float:
        """Wait so long for a lock of another process from now on; the seconds it was before."""
        before = self.execute("pragma busy_timeout").fetchone()[0]
        self.execute(f"pragma busy_timeout = {round(1000 * seconds)}")
        return float(before) / 1000

    def facts_changed(self, trace_ids: Iterable[int]) -> None:
        """Let the rows of `trace_facts` of some traces be written anew from what they follow from.

        Inside of `transaction` that is done once, before it commits, whatever changes them until
        then; outside of one at once. A trace that is open then has no row.
        """
        self._changed.update(dict.fromkeys(trace_ids))
        if not self._in_transaction:
            self._write_facts()

    def _write_facts(self) -> None:
        if self._changed:
            self.run_many("put_trace_facts", [{"trace_id": trace_id} for trace_id in self._changed])
            self._changed.clear()

    @contextmanager
    def transaction(self, *, still_locked: Callable[[], None] | None = None) -> Iterator[None]:
        """Write all or nothing. Raises StoreError.

        still_locked: called each time the busy timeout has passed without the write lock; the
        wait goes on unless it raises. None: the first time raises StoreLockedError.
        """
        # Immediate: a transaction that reads first and asks for the write lock later fails at
        # once where another process has written in between, whatever the time it may wait.
        while True:
            try:
                self.execute("begin immediate")
                break
            except StoreLockedError:
                if still_locked is None:
                    raise
                still_locked()
        self._in_transaction = True
        try:
            yield
            self._write_facts()
            self.execute("commit")
        except BaseException:
            self._changed.clear()
            # On some errors, such as a full disk, SQLite has rolled back already.
            if self.connection.in_transaction:
                self.execute("rollback")
            raise
        finally:
            self._in_transaction = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read the store as it is at one moment, while others may write. Raises StoreError."""
        self.execute("begin")
        try:
            yield
        finally:
            self.execute("commit")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Write all or nothing inside a transaction; an error takes back only this part of it."""
        self.execute("savepoint part")
        try:
            yield
        except BaseException:
            if self.connection.in_transaction:
                self.execute("rollback to part")
            raise
        finally:
            if self.connection.in_transaction:
                self.execute("release part")

    def close(self) -> None:
        """Close the connection; may be called twice. The file stays whole without it."""
        self.connection.close()


def utc_now() -> str:
    """Now as ISO-8601 UTC with milliseconds, which sorts as text."""
    return _iso(datetime.now(UTC))


def utc_in(seconds: float) -> str:
    """The time `seconds` from now, as `utc_now` writes it."""
    return _iso(datetime.now(UTC) + timedelta(seconds=seconds))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
