"""Reads what `verify` needs of a store, and lets SQLite check its file."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from geostore.errors import StoreError
from geostore.store.db import Db, Row
from geostore.store.opening import open_to_read


@dataclass(frozen=True, slots=True)
class BrokenReference:
    """A row that refers to a row which does not exist."""

    table: str
    """The table of the row that refers."""
    rowid: int | None
    """That row's id; None in a table without row ids."""
    parent: str
    """The table in which the row is missing."""


@dataclass(slots=True)
class FileState:
    """What SQLite finds wrong with the file of a store."""

    damage: list[str] = field(default_factory=list)
    """SQLite's sentences about pages, indexes and constraints; empty where all are sound."""
    broken: list[BrokenReference] = field(default_factory=list)
    """References to rows that do not exist; empty where all exist."""


class FileCheck:
    """Runs SQLite's integrity and foreign key checks in a thread. A context manager.

    The checks read the whole file, which takes long where it is large; the caller's
    Python code runs meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state = FileState()
        self._db: Db | None = None
        self._thread = threading.Thread(target=self._run, name="file check", daemon=True)

    def __enter__(self) -> FileCheck:
        self._db = open_to_read(self._path)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._db is not None
        # Otherwise an error of the caller would wait until the whole file is read.
        self._db.connection.interrupt()
        self._thread.join()
        self._db.close()

    def result(self) -> FileState:
        """Wait until the whole file is read; what the checks found."""
        self._thread.join()
        return self._state

    def _run(self) -> None:
        assert self._db is not None
        try:
            for row in self._db.run("integrity_check"):
                if row[0] != "ok":
                    # SQLite gives some findings as one text: a heading with "***", then a list.
                    lines = str(row[0]).splitlines()
                    self._state.damage += [line for line in lines if not line.startswith("***")]
            for row in self._db.run("foreign_key_check"):
                self._state.broken.append(BrokenReference(row[0], row[1], row[2]))
        except StoreError as error:
            self._state.damage.append(str(error))


@dataclass(frozen=True, slots=True)
class TraceIds:
    """The traces of one dataset that hold a response. Takes 16 bytes a trace."""

    dataset_id: int
    """The id of its row in `datasets`."""
    traces: array[int]
    """Ids of traces, in order of row numbers; traces of one photo stand side by side."""
    samples: array[int]
    """At the same place, the id of the trace's sample."""


def iter_trace_ids(path: Path) -> Iterator[TraceIds]:
    """The traces with a response, one dataset after another. Raises StoreError."""
    with closing(open_to_read(path)) as db:
        ids = [row["id"] for row in db.run("snapshot_datasets")]
        for dataset_id in ids:
            of_dataset = TraceIds(dataset_id, array("q"), array("q"))
            for row in db.run("traces_with_turns", dataset_id=dataset_id):
                of_dataset.traces.append(row[0])
                of_dataset.samples.append(row[1])
            yield of_dataset


def turn_versions(path: Path, trace_id: int, turn: int) -> dict[str, str]:
    """The versions of the run that stored a turn; empty where the run is not known."""
    row = _first(path, "turn_versions", trace_id=trace_id, turn=turn)
    return {} if row is None else dict(orjson.loads(row["versions"]))


def find_photo(path: Path, trace_id: int, sha256: str) -> int | None:
    """The row number of a photo in a trace's dataset, by the hash of its stored bytes, or None."""
    row = _first(path, "find_photo", trace_id=trace_id, sha256=sha256)
    return None if row is None else int(row["sample_index"])


def _first(path: Path, statement: str, **values: object) -> Row | None:
    try:
        with closing(open_to_read(path)) as db:
            row: Row | None = db.run(statement, **values).fetchone()
            return row
    except StoreError:
        return None  # the result only explains a finding; verify reports an unreadable store itself
