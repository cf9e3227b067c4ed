"""DuckDB over the store: one statement at a time, which can only read.

The store is attached read-only, also while a generate writes to it, and a
statement sees one moment of it. Nothing is downloaded: the extension that reads
SQLite comes with its Python package. Files other than the store are out of
reach of a statement.

DuckDB carries its own SQLite. A process that holds the same store open with
Python's SQLite must not read it here: the two do not know of each other's
locks, and closing one drops those of the other.
Source: https://www.sqlite.org/howtocorrupt.html, section 2.2.1.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
from rich.cells import cell_len

from geostore.errors import QueryError, StoreError
from geostore.sqlfiles import describe_sql, load_sql, sql_names

_VIEWS = "views"
_NAME = re.compile(r"[A-Za-z0-9_-]+")
# These open files of their own, or run text that no check has seen.
_REFUSED_FUNCTIONS = frozenset({b"sqlite_scan", b"sqlite_attach", b"sqlite_query", b"query"})
_WORD = re.compile(rb'"(?:[^"]|"")*"|[A-Za-z_][A-Za-z0-9_$]*')


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows as DuckDB gives them to Python; `columns` are their names, in order, each once."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def list_queries() -> list[tuple[str, str]]:
    """The queries that have names, each with what it answers, by name."""
    return [(name, describe_sql("analytics", name)) for name in _query_names()]


def run_query(store: str | os.PathLike[str], statement_or_name: str) -> QueryResult:
    """Answer one question: a named query, or one statement in DuckDB's SQL.

    A word alone is meant as a name. Raises QueryError (unknown name, not one
    statement, not reading, DuckDB's own complaint), StoreError (no such store).
    """
    statement = _statement(statement_or_name)  # before the work of opening
    with open_reader(store) as reader:
        return _run(reader, statement)


def ask(reader: duckdb.DuckDBPyConnection, statement_or_name: str) -> QueryResult:
    """`run_query` through a reader that is open. Raises QueryError."""
    return _run(reader, _statement(statement_or_name))


def _run(reader: duckdb.DuckDBPyConnection, statement: str) -> QueryResult:
    try:
        cursor = reader.execute(statement)
        columns = tuple(column[0] for column in cursor.description or ())
        return QueryResult(_each_once(columns), cursor.fetchall())
    except duckdb.Error as error:
        raise QueryError(_one_line(error)) from error


# --- the connection --------------------------------------------------------------------------


@contextmanager
def open_reader(store: str | os.PathLike[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection in which the store's tables and `trace_results` have plain names.

    Not for a process that has the same store open in Python's SQLite. Raises
    StoreError where the file is missing, no store, or cannot be read.
    """
    path = _existing_store(Path(store))
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # A name in a statement is a table, never a variable of this program.
            "python_enable_replacements": False,
            # Made only by a query too large for memory; the default is below the working folder.
            "temp_directory": str(Path(tempfile.gettempdir()) / f"geostore-duckdb-{os.getpid()}"),
        },
    )
    with connection:
        _load_sqlite(connection)
        try:
            connection.execute(f"attach {_quoted(path)} as store (type sqlite, read_only)")
            connection.execute("use store")
            connection.execute(load_sql("analytics", _VIEWS))
        except duckdb.Error as error:
            raise _unreadable(path, error) from error
        # In this order, after which neither can be taken back.
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield connection


def _load_sqlite(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the extension from its package; DuckDB checks its signature."""
    try:
        folder = files("duckdb_extension_sqlite_scanner") / "extensions"
    except ModuleNotFoundError as error:
        raise QueryError(
            "DuckDB's extension for SQLite is missing; "
            f"install duckdb-extension-sqlite-scanner=={duckdb.__version__}"
        ) from error
    file = folder / f"v{duckdb.__version__}" / "sqlite_scanner.duckdb_extension"
    if not file.is_file():
        raise QueryError(
            "DuckDB and its extension for SQLite are of different versions; "
            f"install duckdb-extension-sqlite-scanner=={duckdb.__version__}"
        )
    try:
        connection.execute(f"load {_quoted(file)}")
    except duckdb.Error as error:
        raise QueryError(
            f"DuckDB cannot load its extension for SQLite: {_one_line(error)}"
        ) from error


def _existing_store(path: Path) -> Path:
    if path.is_dir():
        raise StoreError(f"{path} is a folder; a store is one file, such as geostore.db")
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError as error:
        raise StoreError(f"no store at {path}; geostore generate makes one") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    if start != b"SQLite format 3\x00":
        raise StoreError(f"{path} is not a SQLite file, so it is no store; name another")
    # Absolute: DuckDB gives a meaning to what looks like a prefix, as in sqlite:name.
    return path.resolve()


def _unreadable(path: Path, error: duckdb.Error) -> StoreError:
    if isinstance(error, duckdb.CatalogException):
        return StoreError(f"{path} is a SQLite file, but no store of geostore's; name another")
    if not os.access(path.parent, os.W_OK):
        return StoreError(
            f"{path} cannot be read in the folder {path.parent}, which is read-only: SQLite has to "
            "make a file beside the store; copy the store to a folder of yours and query the copy"
        )
    return StoreError(f"{path} cannot be read: {_one_line(error)}")


def _quoted(path: object) -> str:
    """A path as a literal; load and attach take no parameters."""
    return "'" + str(path).replace("'", "''") + "'"


# --- statements ------------------------------------------------------------------------------


def _query_names() -> list[str]:
    return [name for name in sql_names("analytics") if name != _VIEWS]


def _statement(statement_or_name: str) -> str:
    """The statement that is meant, which only reads."""
    name = statement_or_name.strip()
    if _NAME.fullmatch(name):
        if name.replace("-", "_") not in _query_names():
            raise QueryError(f"no query {name!r}; there are: {', '.join(_query_names())}")
        return load_sql("analytics", name.replace("-", "_"))
    try:
        _check_reads_only(statement_or_name)
    except duckdb.Error as error:
        raise QueryError(_one_line(error)) from error
    return statement_or_name


def _check_reads_only(statement: str) -> None:
    """Raise QueryError unless this is one statement that only reads.

    That the store is attached read-only and files are closed to DuckDB is not
    enough: attach and some functions open SQLite files past both.
    """
    found = duckdb.extract_statements(statement)
    if len(found) != 1:
        raise QueryError(f"a query is one statement, and this is {len(found) or 'none'}")
    tokens = _tokens(statement)
    words = [word for _, word in tokens]
    kind = found[0].type
    if kind == duckdb.StatementType.EXPLAIN:
        # Explain analyze runs what it explains.
        _check_reads_only(statement.encode()[_explained(tokens) :].decode())
    elif kind != duckdb.StatementType.SELECT or words[0] in (b"pragma", b"call"):
        raise QueryError(
            f"a query only reads, and {words[0].decode().upper()} may do more; "
            "write select, with, from, describe, show, summarize or explain"
        )
    for word, following in pairwise(words):
        if following == b"(" and word.strip(b'"') in _REFUSED_FUNCTIONS:
            raise QueryError(
                f"a query only reads this store, and {word.decode()}() may open other files"
            )


def _tokens(statement: str) -> list[tuple[int, bytes]]:
    """Offset and text of each token, in lower case; a string constant's text is empty."""
    data = statement.encode()
    tokens = []
    for offset, kind in duckdb.tokenize(statement):
        word = _WORD.match(data, offset)
        if kind == duckdb.token_type.string_const:
            text = b""
        elif word is not None:
            text = word.group().lower()
        else:
            text = data[offset : offset + 1]
        tokens.append((offset, text))
    return tokens


def _explained(tokens: list[tuple[int, bytes]]) -> int:
    """Where in an explain statement the explained one begins."""
    words = [word for _, word in tokens]
    place = 2 if words[1:2] == [b"analyze"] else 1
    if words[place : place + 1] == [b"("] and words[place + 1 : place + 2] in (
        [b"format"],
        [b"analyze"],
    ):
        place = words.index(b")", place) + 1
    return tokens[place][0]


def _each_once(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Column names with a number after those that come again, as DuckDB does in a subquery."""
    names: list[str] = []
    for column in columns:
        name, number = column, 0
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return tuple(names)


def _one_line(error: duckdb.Error) -> str:
    """DuckDB's sentence, without the statement it repeats below."""
    text = str(error).split("\n\nLINE ")[0].split("\nLINE ")[0]
    return " ".join(text.split())


# --- what is printed -------------------------------------------------------------------------

_LONGEST_CELL = 80
_WIDEST = 120


def format_table(result: QueryResult) -> str:
    """Plain aligned text, the same in a terminal and out of it.

    Fractions have three decimals where all of a column are below 10, else one;
    degrees have five. Long text is cut. A few rows of many columns are turned
    over, so that a row of the result is a column beside the names.
    """
    if result.columns == ("explain_key", "explain_value"):
        return "\n".join(str(row[1]).rstrip() for row in result.rows)  # a drawing of its own
    rows = _cells(result)
    names = tuple(map(_cut, result.columns))
    numbers = [_is_number(result, place) for place in range(len(result.columns))]
    lines = _aligned([names, *rows], numbers)
    if 1 <= len(rows) <= 6 and max(map(_width, lines)) > _WIDEST:
        return format_turned(result)
    rule = "  ".join("-" * width for width in _widths([names, *rows]))
    counted = f"({len(rows):,} row{'' if len(rows) == 1 else 's'})"
    return "\n".join([lines[0], rule, *lines[1:], counted])


def format_turned(result: QueryResult) -> str:
    """Plain aligned text with a line for each column of the result."""
    turned = list(zip(map(_cut, result.columns), *_cells(result), strict=True))
    return "\n".join(_aligned(turned, [False] + [True] * len(result.rows)))


def format_csv(result: QueryResult) -> str:
    """CSV with a header; nothing for null, true and false, full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(result.columns)
    for row in result.rows:
        values = map(_plain, row)
        writer.writerow(json.dumps(v) if isinstance(v, bool | dict | list) else v for v in values)
    return out.getvalue().removesuffix("\n")


def format_json(result: QueryResult) -> str:
    """A JSON array with one object per row and line; what is no number is null."""
    objects = (dict(zip(result.columns, map(_plain, row), strict=True)) for row in result.rows)
    lines = ",\n".join(json.dumps(o, ensure_ascii=False, allow_nan=False) for o in objects)
    return f"[\n{lines}\n]" if lines else "[]"


FORMATS: Mapping[str, Callable[[QueryResult], str]] = MappingProxyType(
    {"table": format_table, "csv": format_csv, "json": format_json}
)


def _plain(value: Any) -> Any:
    """A value of DuckDB's as what JSON has; times in ISO-8601."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(_plain(k)): _plain(v) for k, v in value.items()}
    return value.hex() if isinstance(value, bytes) else str(value)


def _cells(result: QueryResult) -> list[tuple[str, ...]]:
    columns = []
    for place, name in enumerate(result.columns):
        values = [row[place] for row in result.rows]
        fractions = [
            abs(float(v)) for v in values if isinstance(v, float | Decimal) and math.isfinite(v)
        ]
        decimals = 3 if max(fractions, default=0) < 10 else 1
        if name in ("lat", "lon") or name.endswith(("_lat", "_lon")):
            decimals = 5
        columns.append([_cell(v, decimals) for v in values])
    return list(zip(*columns, strict=True))


def _cell(value: Any, decimals: int) -> str:
    if isinstance(value, float | Decimal):
        return f"{value:.{decimals}f}"
    plain = _plain(value)
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    return "" if plain is None else _cut(str(plain))


def _cut(text: str) -> str:
    # A teacher's words may hold line breaks, and escapes that a terminal would obey.
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def _is_number(result: QueryResult, place: int) -> bool:
    values = [row[place] for row in result.rows if row[place] is not None]
    return bool(values) and all(
        isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in values
    )


def _aligned(rows: Sequence[Sequence[str]], to_the_right: Sequence[bool]) -> list[str]:
    widths = _widths(rows)
    lines = []
    for row in rows:
        cells = []
        for cell, width, right in zip(row, widths, to_the_right, strict=True):
            space = " " * (width - _width(cell))
            cells.append(space + cell if right else cell + space)
        lines.append("  ".join(cells).rstrip())
    return lines


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(_width, column)) for column in zip(*rows, strict=True)]


def _width(text: str) -> int:
    """Columns of a terminal: East Asian characters take two."""
    return cell_len(text)
