"""Reads Parquet files where they lie, without a copy in any cache.

Columns for sampling are read alone, so no image is touched for them. A row is read
from its row group, forwards and a few rows at a time, so that memory holds one page
of the file and not a whole group of photos. Reading a later row of the same group
goes on from there.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from geostore.dataset.addresses import Address
from geostore.dataset.rows import Rows
from geostore.errors import DatasetError, MachineError
from geostore.imaging.causes import GO_ON, cause_of, patiently

_N = TypeVar("_N", bound=np.generic)

_BUFFER_BYTES = 2**20
"""How much of a column is read from the disk at once."""

_BATCH_BYTES = 2 * 2**20
"""About how much is decoded at once."""

_MOST_ROWS = 1024
"""Decoded at once where rows are small."""


class ParquetRows(Rows):
    """The rows of Parquet files, in the order of the files."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Read the footers. Raises DatasetError where a file is no Parquet or is damaged."""
        self._files = tuple(files)
        self._lock = threading.Lock()
        self._groups: list[tuple[int, int]] = []
        """File and row group, by number of the group in the dataset."""
        starts = [0]
        schemas: dict[str, tuple[str, Any]] = {}
        names: dict[str, None] = {}
        self.labels: Mapping[str, list[str]] = {}
        for number, file in enumerate(self._files):
            with errors_of(file), pq.ParquetFile(file) as opened:
                footer, schema = opened.metadata, opened.schema_arrow
            for group in range(footer.num_row_groups):
                self._groups.append((number, group))
                starts.append(starts[-1] + footer.row_group(group).num_rows)
            _refuse_twins(schema.names, file)
            names.update(dict.fromkeys(schema.names))
            schemas.setdefault(str(schema.remove_metadata()), (str(file), _decoded_schema(schema)))
            self.labels = {**_labels(schema.metadata or {}), **self.labels}
        self._starts = starts
        self._schemas = tuple(schemas.values())
        self.num_rows: int = starts[-1]
        self.columns: tuple[str, ...] = tuple(names)
        self._opened: tuple[int, Any] | None = None
        self._cursor: _Cursor | None = None
        self.select([Address(name) for name in self.columns])

    def schemas(self) -> Iterator[tuple[str, Any]]:
        """A file and its schema, for each schema that differs."""
        yield from self._schemas

    def select(self, addresses: Sequence[Address]) -> None:
        """Choose the columns that `find` gives, and of structs the fields."""
        with self._lock:
            self._selected = tuple(addresses)
            self._cursor = None

    def find(self, row: int) -> tuple[Any, int]:
        """A batch of this one row. Raises MachineError where its file cannot be read now."""
        number = bisect_right(self._starts, row) - 1
        file = self._groups[number][0]
        with _reading(self._files[file]):
            return patiently(lambda: self._read(row, number))

    def _read(self, row: int, number: int) -> tuple[Any, int]:
        file, group = self._groups[number]
        # One row at a time: each thread would hold a page, which can be 100 MB of photos.
        with self._lock:
            cursor = self._cursor
            wanted = row - self._starts[number]
            if cursor is None or cursor.number != number or cursor.start > wanted:
                self._cursor = None  # frees its page before the next one is read
                cursor = _Cursor(number, self._open(file), group, self._selected)
                self._cursor = cursor
            try:
                return cursor.read(wanted), 0
            except BaseException:
                # It has lost its place, and the file may be another one when it is back.
                self._cursor = None
                self._close()
                raise

    def iter_column(self, address: Address) -> Iterator[Any]:
        """A whole column, one file after another; a file without it has nulls."""
        for file in self._files:
            with errors_of(file), pq.ParquetFile(file) as opened:
                table = opened.read(columns=[address.fields])
                if address.column in table.column_names:
                    yield decoded(table.column(address.column))
                else:
                    yield pa.chunked_array([pa.nulls(opened.metadata.num_rows)])

    def find_longer(self, address: Address) -> str | None:
        """The first row group in which a list has several items; reads the footers alone."""
        number = 0
        for file in self._files:
            with errors_of(file):
                footer = pq.read_metadata(file)
            for group in map(footer.row_group, range(footer.num_row_groups)):
                columns = map(group.column, range(group.num_columns))
                inside = (
                    c for c in columns if f"{c.path_in_schema}.".startswith(f"{address.fields}.")
                )
                # A column has a value for each item, and one for each row without any.
                if any(column.num_values > group.num_rows for column in inside):
                    last = self._starts[number + 1] - 1
                    return f"a row from {self._starts[number]} to {last} has several of them"
                number += 1
        return None

    def reorder(self, numbers: npt.NDArray[_N]) -> npt.NDArray[_N]:
        """The same numbers: rows stand in the order of the files."""
        return numbers

    def _open(self, number: int) -> Any:
        """A file, kept open until another is read, because a long footer takes time to read."""
        if self._opened is not None and self._opened[0] == number:
            return self._opened[1]
        self._close()
        # Not mapped: where a mapped file fails on its disk, the process dies of it.
        opened = pq.ParquetFile(self._files[number], buffer_size=_BUFFER_BYTES, pre_buffer=False)
        self._opened = (number, opened)
        return opened

    def _close(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None


class _Cursor:
    """Reads the rows of one group forwards.

    number: of the group in the dataset. start: the first row that can still be read.
    """

    def __init__(self, number: int, opened: Any, group: int, addresses: Sequence[Address]) -> None:
        self.number = number
        self.start = 0
        self._names = [*dict.fromkeys(address.column for address in addresses)]
        self._batch: Any = None
        about = opened.metadata.row_group(group)
        a_row = max(about.total_byte_size // max(about.num_rows, 1), 1)
        self._batches = opened.iter_batches(
            batch_size=min(max(_BATCH_BYTES // a_row, 1), _MOST_ROWS),
            row_groups=[group],
            columns=[*dict.fromkeys(address.fields for address in addresses)],
            use_threads=False,
        )

    def read(self, row: int) -> Any:
        """A batch of one row of the group."""
        while self._batch is None or row >= self.start + self._batch.num_rows:
            if self._batch is not None:
                self.start += self._batch.num_rows
            self._batch = next(self._batches)
        batch = self._batch.slice(row - self.start, 1)
        has = set(batch.schema.names)
        return pa.RecordBatch.from_arrays(
            [decoded(batch.column(n)) if n in has else pa.nulls(1) for n in self._names],
            names=self._names,
        )


def decoded(column: Any) -> Any:
    """A column with each value written out, where the file has numbers of values."""
    if not pa.types.is_dictionary(column.type):
        return column
    return column.cast(column.type.value_type)


def _decoded_schema(schema: Any) -> Any:
    return pa.schema(
        [
            pa.field(field.name, field.type.value_type)
            if pa.types.is_dictionary(field.type)
            else field
            for field in schema
        ]
    )


def _labels(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Column to the names of its classes, as `datasets` writes them into a file's schema."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: [str(label) for label in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
            if feature.get("names")
        }
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}  # another program's own metadata


def _refuse_twins(names: Sequence[str], file: Path) -> None:
    twins = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twins:
        raise DatasetError(f"{file} has several columns of one name: {', '.join(twins)}")


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Say what keeps a file from being read that could be read when it was opened.

    It is no fact about a photo, not even where the file is damaged: the run has to stop.
    """
    try:
        yield
    except (pa.ArrowException, OSError, IndexError, ValueError, StopIteration) as error:
        cause = cause_of(error)
        remedy = "put back the file as it was" if cause is None else cause.remedy
        raise MachineError(
            f"{file} cannot be read: {_words(error)}; {remedy}, {GO_ON}",
            condition="disk" if cause is None else cause.condition,
        ) from error


@contextmanager
def errors_of(file: Path) -> Iterator[None]:
    """Name the file in what goes wrong with it. Raises DatasetError."""
    try:
        yield
    except (pa.ArrowException, OSError, IndexError, ValueError) as error:
        words = _words(error)
        if _is_pointer(file):
            words = "it is a pointer of Git LFS, without the data; run git lfs pull in its folder"
        raise DatasetError(f"{file} cannot be read as Parquet: {words}") from error


def _is_pointer(file: Path) -> bool:
    """Whether git left a pointer in place of the file, as a clone without Git LFS does."""
    start = b"version https://git-lfs"
    try:
        with file.open("rb") as stream:
            return stream.read(len(start)) == start
    except OSError:
        return False


def _words(error: Exception) -> str:
    if isinstance(error, StopIteration):
        return "it has changed while it was read"
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
