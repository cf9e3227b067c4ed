"""Reads the table of an image folder: CSV, JSON lines or Parquet, with text as it stands.

A cell of a CSV file is text. A column becomes numbers only where that loses nothing:
postal codes keep their zeros, and Namibia's code is NA.
"""

from __future__ import annotations

import csv
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from geostore.dataset.parquet import decoded, errors_of
from geostore.errors import DatasetError

NAMES = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})
"""Of the table of an image folder, in lower case."""

SUFFIXES = frozenset({".csv", ".tsv", ".jsonl"})
"""Of tables that can be named by themselves."""

_BLOCK_BYTES = 8 * 2**20
"""No row of a CSV file can be longer."""

_ROWS_AT_A_TIME = 20_000

_WHOLE = r"^(0|-?[1-9][0-9]{0,17})$"
_DECIMAL = r"^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]+(e[+-][0-9]{2,3})?|-?[1-9]e[+-][0-9]{2,3})$"
_EXACT_DIGITS = 15
"""A float holds this many digits of any number."""

_PLAIN_PATH = re.compile(r"[^/\\.][^/\\]*(/[^/\\.][^/\\]*)*")
"""A path that is written in one way only."""


def read_tables(files: Sequence[Path], folder: Path) -> Any:
    """The rows of tables, one after another, as one Arrow table.

    A column `file_name` becomes `image`, `X_file_name` becomes `X`, and `file_names`
    becomes `images`. Their paths start at the folder of their table, and are changed to
    start at `folder`, in the letter case of the files. Raises DatasetError.
    """
    listings = _Listings(folder)
    tables = []
    for file in files:
        table = read_table(file)
        photos = {_photo_column(name) for name in table.column_names} - {None}
        # As `datasets` does: file_name is the image, and another column of that name goes.
        table = table.drop_columns([name for name in table.column_names if name in photos])
        names = [_photo_column(name) or name for name in table.column_names]
        twins = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twins:
            raise DatasetError(f"{file} has several columns of one name: {', '.join(twins)}")
        where = os.path.relpath(file.parent, folder)
        for place, name in enumerate(table.column_names):
            if _photo_column(name):
                column = listings.located(table.column(place), where)
                table = table.set_column(place, name, column)
        tables.append(table.rename_columns(names))
    return _joined(tables)


def read_table(file: Path) -> Any:
    """The rows of a table, with its columns as they are. Raises DatasetError."""
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        with errors_of(file), pq.ParquetFile(file) as opened:
            table = opened.read()
        return pa.table([decoded(column) for column in table.columns], names=table.column_names)
    try:
        table = _read_json_lines(file) if suffix == ".jsonl" else _read_csv(file)
    except UnicodeError as error:
        raise DatasetError(f"{file} is not in UTF-8; save it again as UTF-8") from error
    except (OSError, pa.ArrowException, csv.Error) as error:
        reason = str(error).strip().splitlines()[0]
        raise DatasetError(f"{file} cannot be read: {reason}") from error
    return table


def _photo_column(name: str) -> str | None:
    """The name in the dataset of a column with names of files; None for any other column."""
    lower = name.lower()
    if lower in ("file_name", "file_names"):
        return "images" if lower.endswith("s") else "image"
    for end in ("_file_name", "_file_names"):
        if lower.endswith(end):
            return name[: -len(end)]
    return None


def _read_csv(file: Path) -> Any:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        blank = 0
        while (start := stream.readline()) and not start.strip():
            blank += 1
        # Spreadsheets write semicolons where the comma is the decimal mark.
        unquoted = re.sub(r'"[^"]*"', "", start)
        delimiter = max(",;\t", key=unquoted.count)
        header = next(csv.reader(chain([start], stream), delimiter=delimiter), [])
    if not header:
        raise DatasetError(f"{file} is empty; its first line names the columns")
    try:
        table = arrow_csv.read_csv(
            file,
            read_options=arrow_csv.ReadOptions(block_size=_BLOCK_BYTES, skip_rows=blank),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid as error:
        raise DatasetError(f"{file} {_csv_fault(str(error))}") from error
    names = [name.strip() for name in table.column_names]
    columns = [
        column if _photo_column(name) else _as_numbers(column)
        for name, column in zip(names, table.columns, strict=True)
    ]
    return pa.table(columns, names=names)


def _csv_fault(words: str) -> str:
    if "UTF8" in words:
        return "is not in UTF-8; save it again as UTF-8"
    cells = re.search(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+): (.{0,60})", words)
    if cells is None:
        return f"cannot be read as CSV: {words.splitlines()[0]}"
    return (
        f"has {cells[3]} cells in a row where its first line names {cells[2]} columns: "
        f"{cells[4]!r}; put cells that hold a comma into quotes"
    )


def _as_numbers(column: Any) -> Any:
    """A column of text as numbers where that loses nothing; otherwise as it is."""
    filled = (chunk.drop_null() for chunk in column.chunks)
    first = next((chunk[0].as_py() for chunk in filled if len(chunk)), "")
    if not re.match(_DECIMAL, first) or not _all_match(column, _DECIMAL):
        return column
    if _all_match(column, _WHOLE):
        return column.cast(pa.int64())
    numbers = column.cast(pa.float64())
    if _is_exact(column, numbers) or _is_rounded(column):
        return numbers
    return column


def _is_exact(cells: Any, numbers: Any) -> bool:
    """Whether the numbers, written again, are these cells."""
    whole = pc.invert(pc.match_substring_regex(cells, r"[.e]"))
    written = pc.if_else(whole, pc.binary_join_element_wise(cells, ".0", ""), cells)
    pairs = zip(numbers.to_pylist(), written.to_pylist(), strict=True)
    return all(text is None or repr(number) == text for number, text in pairs)


def _is_rounded(cells: Any) -> bool:
    """Whether all cells have as many decimals, as a program rounds; versions (1.9, 1.10) do not."""
    decimals = pc.utf8_length(pc.replace_substring_regex(cells, r"^[^.]*\.?|e.*", ""))
    lengths = pc.min_max(decimals).as_py()
    short = pc.max(pc.utf8_length(cells)).as_py() <= _EXACT_DIGITS
    return bool(short and 0 < lengths["min"] == lengths["max"])


def _all_match(column: Any, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(column, pattern)).as_py())  # nulls aside


def _read_json_lines(file: Path) -> Any:
    tables = []
    with file.open(encoding="utf-8-sig", newline="\n") as stream:
        rows = _json_rows(stream, file)
        while chunk := list(islice(rows, _ROWS_AT_A_TIME)):
            names = dict.fromkeys(name for row in chunk for name in row)
            tables.append(pa.table({n: _as_array([row.get(n) for row in chunk]) for n in names}))
    if not tables:
        raise DatasetError(f"{file} has no rows")
    return _joined(tables)


def _json_rows(lines: Iterable[str], file: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{file}: line {number} is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise DatasetError(f"{file}: line {number} is no JSON object")
        yield row


def _as_array(values: list[Any]) -> Any:
    """Values of JSON as an array; as text where they are of several kinds."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeError):
        return _as_texts(values)


def _as_texts(values: list[Any]) -> Any:
    texts = [v if v is None or isinstance(v, str) else json.dumps(v, default=str) for v in values]
    # JSON can write half a surrogate pair, which no text holds.
    return pa.array([t and t.encode("utf-8", "replace").decode() for t in texts], pa.string())


def _joined(tables: Sequence[Any]) -> Any:
    """Tables one after another. Columns that differ in kind become text in all of them."""
    names = dict.fromkeys(name for table in tables for name in table.column_names)
    differ = [
        name for name in names if not _fit([t for t in tables if name in t.column_names], name)
    ]
    alike = []
    for table in tables:
        for place, name in enumerate(table.column_names):
            if name in differ:
                texts = pa.chunked_array([_as_texts(table.column(place).to_pylist())])
                table = table.set_column(place, name, texts)
        alike.append(table)
    return pa.concat_tables(alike, promote_options="permissive")


def _fit(tables: Sequence[Any], name: str) -> bool:
    """Whether a column is of one kind in all tables, or of kinds that lose nothing as one."""
    try:
        pa.concat_tables([table.select([name]) for table in tables], promote_options="permissive")
    except pa.ArrowException:  # also for a whole number that a float does not hold
        return False
    return True


class _Listings:
    """The names of the files of folders, each listed once.

    folder: of the dataset.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, frozenset[str]] = {}
        self._any_case: dict[str, dict[str, list[str]]] = {}

    def located(self, column: Any, where: str) -> Any:
        """Paths that start at `where`, one or a list in a row, as paths from the folder."""
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            paths = ((self._path(name, where) for name in c.to_pylist()) for c in column.chunks)
            return pa.chunked_array([pa.array(p, pa.string()) for p in paths], pa.string())
        if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
            lists = [[self._path(n, where) for n in names or ()] for names in column.to_pylist()]
            return pa.chunked_array([pa.array(lists, pa.list_(pa.string()))])
        return column  # numbers or objects: the check of types says that it is no image

    def _path(self, name: str | None, where: str) -> str | None:
        if not name:
            return None
        if "://" in name:
            return name  # an address is no file, and `PhotoFiles` says so
        if where != os.curdir or not _PLAIN_PATH.fullmatch(name):
            # Tables that were written on Windows have backslashes.
            name = os.path.normpath(os.path.join(where, name.replace("\\", "/")))
        parent, _, base = name.rpartition("/")
        if parent not in self._names:
            try:
                self._names[parent] = frozenset(os.listdir(self._folder / parent))
            except (OSError, ValueError):  # ValueError: a NUL in the name
                self._names[parent] = frozenset()
        if base in self._names[parent]:
            return name
        # Disks of other systems take any letter case.
        if parent not in self._any_case:
            by_case: dict[str, list[str]] = self._any_case.setdefault(parent, {})
            for one in self._names[parent]:
                by_case.setdefault(_any_case(one), []).append(one)
        same = self._any_case[parent].get(_any_case(base), [])
        return name if len(same) != 1 else os.path.join(parent, same[0])


def _any_case(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
