"""Reads what `verify` needs of a store, and lets SQLite check its file."""

from __future__ import annotations

import sqlite3
import threading
from array import array
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from geostore.errors import StoreError
from geostore.sqlfiles import load_sql
from geostore.store.errors import store_error
from geostore.store.snapshot import connect_to_read


@dataclass(frozen=True, slots=True)
class LostReference:
    """A row that points to a row which is not there; rowid None where a table has none."""

    table: str
    rowid: int | None
    parent: str


@dataclass(slots=True)
class FileState:
    """What SQLite finds wrong with the file of a store; both empty where it is sound."""

    damage: list[str] = field(default_factory=list)
    lost: list[LostReference] = field(default_factory=list)


class FileCheck:
    """SQLite's integrity and foreign key checks, in a thread of their own. A context manager.

    They read the whole file, which takes long where it is large, while Python can go on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state = FileState()
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="file check", daemon=True)

    def __enter__(self) -> FileCheck:
        self._connection = connect_to_read(self._path)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._connection is not None
        self._connection.interrupt()
        self._thread.join()
        self._connection.close()

    def result(self) -> FileState:
        """What was found, when all is read."""
        self._thread.join()
        return self._state

    def _run(self) -> None:
        assert self._connection is not None
        try:
            for row in self._connection.execute(load_sql("store", "integrity_check")):
                if row[0] != "ok":
                    # Some findings are a list in one text, under a heading of SQLite's.
                    lines = str(row[0]).splitlines()
                    self._state.damage += [line for line in lines if not line.startswith("***")]
            for row in self._connection.execute(load_sql("store", "foreign_key_check")):
                self._state.lost.append(LostReference(row[0], row[1], row[2]))
        except sqlite3.Error as error:
            self._state.damage.append(str(error))


@dataclass(frozen=True, slots=True)
class TraceIds:
    """The traces of one dataset that hold a response: ids, and beside each that of its sample.

    Sixteen bytes a trace; those of one photo are neighbours.
    """

    dataset_id: int
    traces: array[int]
    samples: array[int]


def iter_trace_ids(path: Path) -> Iterator[TraceIds]:
    """The traces with a response, dataset by dataset, by row number. Raises StoreError."""
    try:
        with closing(connect_to_read(path)) as connection:
            ids = [row["id"] for row in connection.execute(load_sql("store", "snapshot_datasets"))]
            for dataset_id in ids:
                found = TraceIds(dataset_id, array("q"), array("q"))
                for row in connection.execute(
                    load_sql("store", "traces_with_turns"), {"dataset_id": dataset_id}
                ):
                    found.traces.append(row[0])
                    found.samples.append(row[1])
                yield found
    except sqlite3.Error as error:
        raise store_error(error, path) from error


def turn_versions(path: Path, trace_id: int, turn: int) -> dict[str, str]:
    """The versions of the run that stored a turn; empty where that is not known."""
    row = _first(path, "turn_versions", trace_id=trace_id, turn=turn)
    return {} if row is None else dict(orjson.loads(row["versions"]))


def find_photo(path: Path, trace_id: int, sha256: str) -> int | None:
    """The row of a trace's dataset under which the store knows a photo by its stored bytes."""
    row = _first(path, "find_photo", trace_id=trace_id, sha256=sha256)
    return None if row is None else int(row["sample_index"])


def _first(path: Path, statement: str, **values: object) -> sqlite3.Row | None:
    try:
        with closing(connect_to_read(path)) as connection:
            found: sqlite3.Row | None = connection.execute(
                load_sql("store", statement), values
            ).fetchone()
            return found
    except (sqlite3.Error, StoreError):
        return None  # it only explains what was found; that it cannot be read is told elsewhere
