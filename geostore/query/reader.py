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

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import duckdb

from geostore.errors import QueryError, StoreError
from geostore.sqlfiles import describe_sql, load_sql, sql_names
from geostore.text.tables import QueryResult

_VIEWS = "views"
_NAME = re.compile(r"[A-Za-z0-9_-]+")
# These open files of their own, or run text that no check has seen.
_REFUSED_FUNCTIONS = frozenset({b"sqlite_scan", b"sqlite_attach", b"sqlite_query", b"query"})
_WORD = re.compile(rb'"(?:[^"]|"")*"|[A-Za-z_][A-Za-z0-9_$]*')


def list_queries() -> list[tuple[str, str]]:
    """The queries that have names, each with what it answers, by name."""
    return [(name, describe_sql("analytics", name)) for name in _query_names()]


def run_query(
    store: str | os.PathLike[str], statement_or_name: str, reward: str | None = None
) -> QueryResult:
    """Answer one question: a named query, or one statement in DuckDB's SQL.

    A word alone is meant as a name. reward: see `open_reader`. Raises QueryError
    (unknown name, not one statement, not reading, DuckDB's own complaint),
    StoreError (no such store).
    """
    statement = _statement(statement_or_name)  # before the work of opening
    with open_reader(store, reward=reward) as reader:
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
def open_reader(
    store: str | os.PathLike[str], *, reward: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection in which the store's tables and `trace_results` have plain names.

    reward: the sha256 of the reward spec that the views take scores from; None
    for the store's default.
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
            connection.execute("set variable reward_spec = $sha256", {"sha256": reward})
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
