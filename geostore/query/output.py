"""Writes answers as they are read: to a terminal, a pipe or a file, in each format.

A statement's transaction lasts until its last row is read, and until then no writer can
shorten the store's write-ahead log. So what a pipe gets is held back until the answer is
complete, as far as memory allows: who reads it may pause.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from geostore.errors import QueryError
from geostore.query.limits import Limits
from geostore.query.reader import check_uses_km, each_once, open_reader, read_answer
from geostore.query.unplaced import asks_for_places, unplaced_line_of
from geostore.text.beside import written_beside
from geostore.text.row_formats import PARTS
from geostore.text.tables import QueryResult, format_table
from geostore.text.terminal import output_width

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ROWS_AT_ONCE = 10_000
_MOST_HELD = 64 * 2**20  # characters of an answer in memory
_MOST_IN_A_TABLE = 4_000_000  # values; half a gigabyte as Python's objects
_COLLECTED = ("table", "markdown")
"""Formats that need all rows at once, to align columns."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of an answer."""

    columns: tuple[str, ...]
    """Their names, none twice."""
    rows: int
    """How many."""
    has_more: bool
    """Whether a limit left rows out."""


def write_answer(
    reader: DuckDBPyConnection,
    asked: str,
    parameters: Mapping[str, object] | None,
    *,
    format: str,
    limit: int | None = None,
    file: Path | None = None,
    timeout: float | None = None,
) -> Written:
    """Answer a question into a file, or on stdout. Raises QueryError, OSError.

    asked: a statement or a name, as for `reader.ask`. format: of `SUFFIXES`. limit: at most so many
    rows. file: written beside its place and renamed; None for stdout, and parquet only to a file.
    """
    if file is None:
        held = _Held(sys.stdout)
        width = output_width()
        write = partial(_write_text, out=held, format=format, limit=limit, width=width)
        written = read_answer(reader, asked, write, parameters, timeout=timeout)
        held.release()
        return written
    with written_beside(file) as part:
        if format == "parquet":
            from geostore.query.arrow import write_parquet

            write_file = partial(write_parquet, path=part, limit=limit)
            columns, rows, has_more = read_answer(
                reader, asked, write_file, parameters, timeout=timeout
            )
            return Written(tuple(columns), rows, has_more)
        with part.open("w", encoding="utf-8", newline="") as out:
            write = partial(_write_text, out=out, format=format, limit=limit, width=None)
            return read_answer(reader, asked, write, parameters, timeout=timeout)


def print_answer(
    store: str | os.PathLike[str],
    asked: str,
    parameters: Mapping[str, object] | None = None,
    *,
    reward: str | None = None,
    km: Iterable[float] | None = None,
    format: str = "table",
    limit: int | None = None,
    file: Path | None = None,
    timeout: float | None = None,
    limits: Limits | None = None,
    unsafe: bool = False,
) -> tuple[Written, str | None]:
    """`write_answer` with a reader of its own; beside it a sentence about traces without a place.

    None in its stead where the question asks for no place, or none is missing. reward, km, limits,
    unsafe: as for `open_reader`. Raises QueryError, StoreError, OSError.
    """
    statement = check_uses_km(asked, km)  # refuse before the slow opening, also an unknown name
    if file is not None and file.exists() and Path(store).exists() and file.samefile(store):
        raise QueryError(f"{file} is the store itself; write the answer to another file")
    with open_reader(store, reward=reward, km=km, limits=limits, unsafe=unsafe) as reader:
        written = write_answer(
            reader, asked, parameters, format=format, limit=limit, file=file, timeout=timeout
        )
        if not asks_for_places(statement, *written.columns):
            return written, None
        return written, unplaced_line_of(reader)


class _Held:
    """Holds text back until `release`, or until it is too much."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._parts: list[str] = []
        self._room = _MOST_HELD

    def write(self, text: str) -> None:
        self._parts.append(text)
        self._room -= len(text)
        if self._room < 0:
            self.release()

    def release(self) -> None:
        for part in self._parts:
            self._out.write(part)
        self._parts.clear()


class _Rows:
    """The rows of a cursor, some at a time, up to a limit; then whether there were more."""

    def __init__(self, cursor: DuckDBPyConnection, limit: int | None, most_values: int | None):
        self.columns = tuple(each_once(column[0] for column in cursor.description or ()))
        self.count = 0
        self.has_more = False
        self._cursor = cursor
        self._limit = limit
        self._most_values = most_values

    def __iter__(self) -> Iterator[Sequence[tuple[Any, ...]]]:
        # Part by part, since an interrupt is looked for between two calls.
        while part := self._cursor.fetchmany(_ROWS_AT_ONCE):
            if self._limit is not None and self.count + len(part) > self._limit:
                part = part[: self._limit - self.count]
                self.has_more = True
            self.count += len(part)
            if self._most_values and self.count * len(self.columns) > self._most_values:
                raise QueryError(
                    f"the answer has over {self.count - len(part):,} rows, too many for a table in "
                    "memory; take the first ones (--limit 1000), or write it row by row: --format "
                    "csv, jsonl or parquet"
                )
            yield part
            if self.has_more:
                return


def _write_text(
    cursor: DuckDBPyConnection,
    *,
    out: TextIO | _Held,
    format: str,
    limit: int | None,
    width: int | None,
) -> Written:
    rows = _Rows(cursor, limit, _MOST_IN_A_TABLE if format in _COLLECTED else None)
    if format == "table":
        result = QueryResult(rows.columns, [row for part in rows for row in part])
        out.write(format_table(result, width, has_more=rows.has_more) + "\n")
    else:
        for part in PARTS[format](rows.columns, rows):
            out.write(part)
    return Written(rows.columns, rows.count, rows.has_more)
