"""Files of rows in an export: one for each split, or shards of so many rows.

`json_lines` writes JSON, a row a line; `parquet_rows` writes Parquet. Files are opened when
their first row comes. What is in them follows from the rows, their order and the options
alone: no file holds a time, and none depends on how much memory there is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from geostore.export.files.folder import ExportFolder, StreamedFile
from geostore.export.files.row_images import IMAGE_COLUMNS
from geostore.export.files.row_index import INDEX, index_line
from geostore.export.options import Compression, ExportOptions
from geostore.records import StoredTrace
from geostore.text.json_lines import json_bytes

if TYPE_CHECKING:
    import pyarrow

ROW_GROUP_BYTES = 4 * 1024 * 1024
"""About how many bytes of values a row group of Parquet holds; memory holds a few times as many."""

SUFFIXES: dict[Compression | None, str] = {None: "", "gzip": ".gz", "zstd": ".zst"}
"""What a compressed file has behind its name."""

WriteRow = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What the reader of a format takes in one file."""

    rows: int | None = None
    """Rows at most; None: any number."""
    size: int | None = None
    """Bytes at most; None: any number."""


NO_LIMITS = FileLimits()


@dataclass(slots=True)
class _OpenFile:
    stack: ExitStack
    """Closes the file."""
    write: WriteRow | None = None
    rows: int = 0
    """Rows in the file so far."""
    size: int = 0
    """Bytes of its rows as JSON, where its reader limits them."""


@dataclass(slots=True)
class RowFiles:
    """The files of rows of an export. Made by `json_lines` and `parquet_rows`."""

    folder: ExportFolder
    """Where they are written."""
    stem: str
    """The name of the files without suffix, where the export has no splits."""
    suffix: str
    """Behind their names, such as ``.jsonl``."""
    shard_size: int | None
    """Rows in a file at most; None: all."""
    limits: FileLimits
    """What the reader of the files takes; a file that would be over it ends, and another begins."""
    open_file: Callable[[str], AbstractContextManager[WriteRow]]
    """Opens a file by its name and gives the function that writes a row."""
    between: str = ""
    """Between the name of a split and the number of a file, such as ``/data``."""
    measure: Callable[[dict[str, Any]], int] = lambda row: len(json_bytes(row)) + 1
    """The bytes that a row takes in a file, for the limit on them."""
    by_split: dict[str, list[str]] = field(default_factory=dict)
    """By split, or `stem` without splits: the names of its files, in order."""
    counts: dict[str, int] = field(default_factory=dict)
    """By split likewise: its rows so far, in all of its files."""
    counts_by_file: dict[str, int] = field(default_factory=dict)
    """By the name of a file: the rows in it so far."""
    _open: dict[str, _OpenFile] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _index: StreamedFile | None = None

    @property
    def names(self) -> list[str]:
        """The names of all files, split by split in the order of their first rows."""
        return [name for names in self.by_split.values() for name in names]

    def write(
        self,
        row: dict[str, Any],
        split: str | None = None,
        trace: StoredTrace | None = None,
        *,
        images: int | None = None,
    ) -> None:
        """Append a row to the file of its split; None: the export has no splits.

        trace: the one that the row holds whole, for the index; None: it holds none.
        images: how many its messages hold themselves; None: they stand in columns of their own.
        """
        split = split or self.stem
        file = self._open.get(split)
        if file is None:
            file = self._open[split] = _OpenFile(self._stack.enter_context(ExitStack()))
            self.by_split[split] = []
            self.counts[split] = 0
        limits = self.limits
        size = 0 if limits.size is None else self.measure(row)
        if file.rows in (self.shard_size, limits.rows) or (
            limits.size is not None and file.rows and file.size + size > limits.size
        ):
            file.stack.close()
            file.write, file.rows, file.size = None, 0, 0
        if file.write is None:
            names = self.by_split[split]
            # Where only a limit of the reader ends files, nearly every export has one alone.
            shard = "" if self.shard_size is None and not names else f"-{len(names):05d}"
            names.append(f"{split}{self.between}{shard}{self.suffix}")
            file.write = file.stack.enter_context(self.open_file(names[-1]))
        file.write(row)
        file.rows += 1
        self.counts_by_file[self.by_split[split][-1]] = file.rows
        self.counts[split] += 1
        self.folder.rows += 1
        if images is None:
            images = sum(len(row.get(column) or ()) for column in IMAGE_COLUMNS)
        self.folder.images += images
        file.size += size
        if trace is not None:
            if self._index is None:
                self._index = self._stack.enter_context(self.folder.stream(INDEX))
            self.folder.indexed += 1
            self._index.write(index_line(trace, self.by_split[split][-1], file.rows, row))

    @contextmanager
    def closing(self) -> Iterator[RowFiles]:
        """Itself; its files are finished at the end."""
        with self._stack:
            yield self
            # In the order of their first rows; after an error the stack closes them unfinished.
            for file in self._open.values():
                file.stack.close()


def json_lines(
    folder: ExportFolder, stem: str, options: ExportOptions, limits: FileLimits = NO_LIMITS
) -> AbstractContextManager[RowFiles]:
    """JSONL files in the export: ``<stem>.jsonl``, or one with the name of each split.

    The options `shard_size` and `compress` hold: ``train-00000.jsonl.gz``.
    limits: of the reader; where they end a file, ``<stem>-00001.jsonl`` follows ``<stem>.jsonl``.
    """

    @contextmanager
    def open_file(name: str) -> Iterator[WriteRow]:
        with folder.stream(name) as file, _compressed(file, options.compress) as write:
            yield lambda row: write(json_bytes(row, option=orjson.OPT_APPEND_NEWLINE))

    suffix = f".jsonl{SUFFIXES[options.compress]}"
    return RowFiles(folder, stem, suffix, options.shard_size, limits, open_file).closing()


def parquet_rows(
    folder: ExportFolder, stem: str, schema: pyarrow.Schema, options: ExportOptions
) -> AbstractContextManager[RowFiles]:
    """Parquet files in the export: ``<stem>.parquet``, or one with the name of each split.

    A row is a dict with a value for every column of the schema; the option `shard_size` holds.
    Text is compressed with zstd, bytes are not, because images are compressed already.
    A struct's member that the schema does not name is dropped by pyarrow without a word.
    """

    @contextmanager
    def open_file(name: str) -> Iterator[WriteRow]:
        with folder.stream(name) as file, _parquet_writer(file, schema) as write:
            yield write

    return RowFiles(folder, stem, ".parquet", options.shard_size, NO_LIMITS, open_file).closing()


@contextmanager
def _compressed(
    file: StreamedFile, compression: Compression | None
) -> Iterator[Callable[[bytes], Any]]:
    """The function that writes bytes into a file, compressed."""
    if compression is None:
        yield file.write
    elif compression == "gzip":
        # wbits 31 writes a header of gzip without a time or a name.
        compressor = zlib.compressobj(wbits=31)
        yield lambda data: file.write(compressor.compress(data))
        file.write(compressor.flush())
    else:
        # Imported here: a command that writes no such file need not load it.
        import pyarrow

        with pyarrow.CompressedOutputStream(pyarrow.PythonFile(Sink(file), "w"), "zstd") as out:
            yield out.write


@contextmanager
def _parquet_writer(file: StreamedFile, schema: pyarrow.Schema) -> Iterator[WriteRow]:
    import pyarrow
    from pyarrow import parquet

    texts, others = _leaves(schema)
    rows: list[dict[str, Any]] = []
    size = 0
    columns = set(schema.names)
    writer = parquet.ParquetWriter(
        pyarrow.PythonFile(Sink(file), "w"),
        schema,
        version="2.6",
        data_page_version="1.0",
        compression=dict.fromkeys((*texts, *others), "zstd"),
        use_dictionary=texts,
        write_statistics=False,
    )

    def write_group() -> None:
        nonlocal size
        table = pyarrow.Table.from_pylist(rows, schema)
        writer.write_table(table, row_group_size=len(rows))
        rows.clear()
        size = 0

    def write(row: dict[str, Any]) -> None:
        nonlocal size
        if row.keys() != columns:
            raise ValueError(f"a row has {sorted(row)} and not the columns {sorted(columns)}")
        rows.append(row)
        size += row_size(row)
        if size >= ROW_GROUP_BYTES:
            write_group()

    with writer:
        yield write
        if rows:
            write_group()


def _leaves(schema: pyarrow.Schema) -> tuple[list[str], list[str]]:
    """The paths of a schema's columns of text, and of all others but those of bytes."""
    import pyarrow

    texts: list[str] = []
    others: list[str] = []

    def visit(path: str, type: pyarrow.DataType) -> None:
        if pyarrow.types.is_struct(type):
            for member in type:
                visit(f"{path}.{member.name}", member.type)
        elif pyarrow.types.is_list(type) or pyarrow.types.is_large_list(type):
            visit(f"{path}.list.element", type.value_type)
        elif pyarrow.types.is_string(type) or pyarrow.types.is_large_string(type):
            texts.append(path)
        elif not (pyarrow.types.is_binary(type) or pyarrow.types.is_large_binary(type)):
            others.append(path)

    for column in schema:
        visit(column.name, column.type)
    return texts, others


def row_size(value: Any) -> int:
    """About how many bytes a value of a row takes."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(map(row_size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(row_size, value))
    return 8


class Sink:
    """An export's file as pyarrow wants one to write into."""

    closed = False

    def __init__(self, file: StreamedFile) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        """Append to the file."""
        self._file.write(data)
        return len(data)

    def writable(self) -> bool:
        """What pyarrow asks first."""
        return True

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """The export closes its file itself."""
