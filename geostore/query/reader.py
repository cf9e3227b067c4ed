"""DuckDB over the store: one statement at a time, which can only read.

The store is attached read-only, also while `generate` writes to it, and a
statement sees the store as it is at one moment. A statement can open no other
file. Nothing is downloaded: the extension that reads SQLite comes as a Python
package.

DuckDB has its own SQLite. A process that has the store open with Python's SQLite
must not read it here: neither knows the other's locks, and closing the file in one
drops the locks of the other.
Source: https://www.sqlite.org/howtocorrupt.html, section 2.2.1.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from geostore.errors import QueryError, QueryTimeoutError, StoreError, StoreVersionError
from geostore.query.headers import VIEWS, find_question
from geostore.query.interrupts import close_soon, interruptible
from geostore.query.limits import Limits
from geostore.query.parameters import values_for, values_of_own
from geostore.query.responses import asks_for_responses
from geostore.query.statements import check_reads_only, parameter_names
from geostore.query.thresholds import (
    USUAL_KM,
    check_km,
    has_columns_of_km,
    with_columns_of_km,
)
from geostore.sqlfiles import load_sql
from geostore.store.errors import damaged
from geostore.store.files import require_store_file
from geostore.store.migrations import missing_steps
from geostore.store.opening import check_store
from geostore.text.tables import QueryResult

T = TypeVar("T")

# DuckDB's excerpt of a statement; a string in it may hold line breaks and look like one.
_EXCERPT = re.compile(r"\n+(?P<line>LINE \d+: (?P<text>[^\n]*))\n(?P<caret> *\^)\Z")
_SHOW_TABLES = re.compile(r"\s*show\s+tables\s*;?\s*", re.IGNORECASE)
_USES_KM = re.compile(r"\baccuracy_(?:km|results)\b", re.IGNORECASE)
_ROWS_AT_ONCE = 10_000
_DAMAGED = "database disk image is malformed"


def run_query(
    store: str | os.PathLike[str],
    statement_or_name: str,
    reward: str | None = None,
    km: Iterable[float] | None = None,
    parameters: Mapping[str, object] | None = None,
) -> QueryResult:
    """Answer one question: a named query, or one statement in DuckDB's SQL.

    One word alone is a name. reward, km: as for `open_reader`. parameters: values by name; the
    statement names each with a dollar. Raises QueryError (an unknown name, several statements, a
    statement that may write or uses no distances while some are given, an error of DuckDB),
    StoreError (no such store).
    """
    check_uses_km(statement_or_name, km)  # refuse before the slow opening, also an unknown name
    with open_reader(store, reward=reward, km=km) as reader:
        return ask(reader, statement_or_name, parameters)


def ask(
    reader: duckdb.DuckDBPyConnection,
    statement_or_name: str,
    parameters: Mapping[str, object] | None = None,
    *,
    timeout: float | None = None,
) -> QueryResult:
    """`run_query` with an open reader. timeout: as for `read_answer`. Raises QueryError."""
    return read_answer(reader, statement_or_name, _fetch_rows, parameters, timeout=timeout)


def read_answer(
    reader: duckdb.DuckDBPyConnection,
    statement_or_name: str,
    fetch: Callable[[duckdb.DuckDBPyConnection], T],
    parameters: Mapping[str, object] | None = None,
    *,
    timeout: float | None = None,
) -> T:
    """What `fetch` makes of the answer to a question. Raises QueryError.

    fetch: reads all rows without a pause, because the transaction lasts until then, and a
    checkpoint waits for it. timeout: seconds until the last row is read; None for no limit.
    """
    work = partial(_answer, reader, statement_or_name, fetch, parameters)
    try:
        return interruptible(reader, work, seconds=timeout)
    except duckdb.OutOfMemoryException as error:
        raise QueryError(_out_of_room(error)) from error
    except duckdb.Error as error:
        sentence = _with_caret(error, statement_or_name)
        if find_question(statement_or_name):  # whose error() says it all
            sentence = sentence.removeprefix("Invalid Input Error: ")
        raise QueryError(sentence) from error


def _answer(
    reader: duckdb.DuckDBPyConnection,
    statement_or_name: str,
    fetch: Callable[[duckdb.DuckDBPyConnection], T],
    parameters: Mapping[str, object] | None,
) -> T:
    if question := find_question(statement_or_name):
        statement = _with_named_km(reader, question.statement)
        # A question of ours that has responses in its answer names them.
        _let_read_responses(reader, "final_response" in statement)
        return fetch(reader.execute(statement, values_for(question, parameters)))
    statement = statement_or_name
    if _is_confined(reader):
        check_reads_only(reader, statement)
    names = parameter_names(reader, statement)
    if _SHOW_TABLES.fullmatch(statement):
        # DuckDB's own answer has a name twice where a view takes the place of a table.
        statement = load_sql("reader", "readable")
    _let_read_responses(reader, asks_for_responses(statement))
    # DuckDB takes no values, not even none, for several statements at once.
    return fetch(reader.execute(statement, values_of_own(names, parameters) or None))


def _let_read_responses(reader: duckdb.DuckDBPyConnection, value: bool) -> None:
    """Let trace_results have final responses, which are most of a store, or null in their place."""
    reader.execute("set variable with_responses = $value", {"value": value})


def _with_named_km(reader: duckdb.DuckDBPyConnection, statement: str) -> str:
    """A named question's statement, with columns of the distances that the reader has."""
    if not has_columns_of_km(statement):
        return statement
    named_km = reader.execute(load_sql("reader", "named_km")).fetchone()
    if named_km is None or named_km[0] is None:
        return statement
    return with_columns_of_km(statement, named_km[0])


def _fetch_rows(cursor: duckdb.DuckDBPyConnection) -> QueryResult:
    columns = tuple(column[0] for column in cursor.description or ())
    rows: list[tuple[Any, ...]] = []
    # Part by part, since an interrupt is looked for between two calls.
    while part := cursor.fetchmany(_ROWS_AT_ONCE):
        rows += part
    return QueryResult(tuple(each_once(columns)), rows)


@contextmanager
def one_moment(reader: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let all questions inside see the store as it is at one moment.

    Leave it soon: until then no writer can shorten the store's write-ahead log.
    """
    reader.execute("begin")
    try:
        yield
    finally:
        reader.execute("rollback")


def take_parameters(
    reader: duckdb.DuckDBPyConnection, *, reward: str | None, km: Iterable[float] | None = None
) -> None:
    """Let the views use these from now on; as for `open_reader`. Raises QueryError."""
    distances = USUAL_KM if km is None else check_km(km)
    values = {
        "reward_spec": reward,
        "accuracy_km": list(distances),
        "named_km": None if km is None else list(distances),
    }

    def take() -> None:
        for name, value in values.items():
            reader.execute(f"set variable {name} = $value", {"value": value})

    # With the first value DuckDB imports numpy, and takes a Ctrl-C meanwhile for an import that
    # failed: the command would go on as if nobody had pressed it.
    interruptible(reader, take)


# --- the connection --------------------------------------------------------------------------


@contextmanager
def open_reader(
    store: str | os.PathLike[str],
    *,
    reward: str | None = None,
    km: Iterable[float] | None = None,
    limits: Limits | None = None,
    unsafe: bool = False,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection in which the store's tables and views have plain names.

    reward: the sha256 of the reward spec whose scores the views take; None: the
    store's default. km: the distances of accuracy; None: `thresholds.USUAL_KM`.
    limits: of memory and threads; None: the usual. unsafe: let statements do all that
    DuckDB can, such as reading and writing files; the store stays attached read-only.
    Not for a process that has the same store open in Python's SQLite. Raises
    StoreError where the file is missing, is not a store, or cannot be read, and
    QueryError for a bad distance.
    """
    path = Path(store)
    require_store_file(path)
    # For queries that do not fit in memory; the default would be in the working folder.
    temporary = Path(tempfile.gettempdir()) / f"geostore-duckdb-{os.getpid()}"
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # Otherwise a name in a statement could be a variable of this program.
            "python_enable_replacements": False,
            **(limits or Limits()).settings(temporary),
        },
    )
    try:
        interruptible(connection, partial(_attach, connection, path))
        if not unsafe:
            interruptible(connection, partial(_confine, connection))
        take_parameters(connection, reward=reward, km=km)
        yield connection
    except QueryTimeoutError:
        _leave(connection, temporary)
        raise
    except Exception as error:
        connection.close()
        if _DAMAGED in str(error) and isinstance(error, QueryError | duckdb.Error):
            raise damaged(_DAMAGED, path) from error
        raise
    except BaseException:
        _leave(connection, temporary)
        raise
    connection.close()


def _leave(connection: duckdb.DuckDBPyConnection, temporary: Path) -> None:
    """Go on after Ctrl-C or a time limit, though DuckDB may work on what it cannot interrupt."""
    close_soon(connection)
    shutil.rmtree(temporary, ignore_errors=True)


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    _load_sqlite(connection)
    # With several threads DuckDB reads each part of a table through a connection of its own, which
    # sees what was committed when it was opened: beside a writer, a statement would find a trace in
    # one table and not in another, or twice. With one thread all go through the transaction's own.
    connection.execute("set sqlite_disable_multithreaded_scans = true")
    # It would be drawn on standard output, amid the rows of an answer.
    connection.execute("set enable_progress_bar = false")
    try:
        # Absolute, because DuckDB would read the start of sqlite:name as a prefix.
        connection.execute(f"attach {_quoted(path.resolve())} as store (type sqlite, read_only)")
        connection.execute("use store")
        _check_schema(connection, path)
        connection.execute(load_sql("analytics", VIEWS))
        connection.execute(load_sql("reader", "remember_names"))
    except duckdb.Error as error:
        raise _unreadable(path, error) from error


def _confine(connection: duckdb.DuckDBPyConnection) -> None:
    """Let statements reach nothing but the store from now on.

    In this order: the second forbids further changes, so that a statement cannot undo them.
    """
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _is_confined(reader: duckdb.DuckDBPyConnection) -> bool:
    row = reader.execute(load_sql("reader", "reaches_out")).fetchone()
    return row is None or row[0] is not True


def _check_schema(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Raise StoreError unless the store has the schema that the views are written for.

    A query never writes, so it cannot bring the schema up to date itself.
    """
    steps = [row[0] for row in connection.execute(load_sql("reader", "schema_steps")).fetchall()]
    if not steps:
        check_store(path)
    if missing := missing_steps(steps, path):
        raise StoreVersionError(
            f"the schema of {path} lacks {', '.join(missing)}; bring it up to date with a command "
            f"that writes, such as: geostore rescore --store {path}"
        )


def _load_sqlite(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the SQLite extension from its package; DuckDB checks its signature."""
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


def _unreadable(path: Path, error: duckdb.Error) -> StoreError:
    if _DAMAGED in str(error):
        return damaged(_DAMAGED, path)
    if not isinstance(error, duckdb.CatalogException) and not os.access(path.parent, os.W_OK):
        return StoreError(
            f"{path} cannot be read: SQLite has to make a file beside it, and the folder "
            f"{path.parent} is read-only; copy the store to a folder of yours and query the copy"
        )
    try:
        check_store(path)
    except StoreError as why:
        return why
    return StoreError(f"{path} cannot be read: {_one_line(error)}")


def _quoted(path: object) -> str:
    """A path as a literal; load and attach take no parameters."""
    return "'" + str(path).replace("'", "''") + "'"


# --- statements ------------------------------------------------------------------------------


def check_uses_km(statement_or_name: str, km: Iterable[float] | None) -> str:
    """The statement that is asked. Raises QueryError where distances are given that it ignores."""
    question = find_question(statement_or_name)
    statement = statement_or_name if question is None else question.statement
    uses = _USES_KM.search(statement) or (question is not None and has_columns_of_km(statement))
    if km is not None and not uses:
        asked = "this statement" if question is None else f"the query {statement_or_name.strip()}"
        raise QueryError(
            f"{asked} uses no distances of --km (km in Python); leave them out, ask the query "
            "accuracy, by_country, calibration or turn_budget, or write SQL over the view "
            "accuracy_results or the list accuracy_km()"
        )
    return statement


def each_once(columns: Iterable[str]) -> list[str]:
    """Column names with a number after repeated ones, as DuckDB writes them in a subquery."""
    names: list[str] = []
    for column in columns:
        name, number = column, 0
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return names


def _one_line(error: duckdb.Error) -> str:
    """DuckDB's sentence, without the statement it repeats below."""
    return " ".join(_EXCERPT.split(str(error))[0].split())


def _out_of_room(error: duckdb.Error) -> str:
    what = "room on disk" if "max_temp_directory_size" in str(error) else "memory"
    return (
        f"the statement needs more {what} than it may use; ask for less at once, or allow it more "
        "(--memory 4GB, or GEOSTORE_QUERY_MEMORY in the environment)"
    )


def _with_caret(error: duckdb.Error, statement: str) -> str:
    """DuckDB's sentence, and below it the line of the statement with a caret at the place."""
    excerpt = _EXCERPT.search(str(error))
    # DuckDB also shows lines of a view, and of what it makes of a pivot, which nobody wrote here.
    if excerpt is None or excerpt["text"].strip(".") not in statement:
        return _one_line(error)
    # A tab is one column to DuckDB, and several to a terminal.
    line = excerpt["line"].replace("\t", " ")
    return f"{_one_line(error)}\n{line}\n{excerpt['caret']}"
