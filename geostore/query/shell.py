"""One session of `geostore sql`: statements, named questions and words, over one kept reader.

A statement ends with a semicolon, and may go over several lines. A named question and a word
of the shell's are one line. An error ends a statement and not the session.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from geostore.errors import GeostoreError, QueryError, QueryTimeoutError
from geostore.query.headers import find_question, question, question_names, questions
from geostore.query.interrupts import interruptible
from geostore.query.limits import Limits
from geostore.query.output import write_answer
from geostore.query.parameters import read_parameters
from geostore.query.question_help import format_question
from geostore.query.reader import open_reader
from geostore.query.unplaced import asks_for_places, unplaced_line_of
from geostore.sqlfiles import load_sql
from geostore.text.nearest import did_you_mean
from geostore.text.tables import QueryResult, format_table
from geostore.text.terminal import format_entries, prose_width

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WORDS: Mapping[str, str] = {
    "tables": "the tables and views",
    "columns NAME": "the columns of one",
    "list": "the named questions",
    "help NAME": "what a question answers, its parameters and columns",
    "NAME km=50": "ask a named question, with values for its parameters",
    "select ...;": "a statement of DuckDB's SQL, over several lines until the semicolon",
    "exit": "leave, as Ctrl-D does; Ctrl-C ends a statement",
}
"""What can be typed, each with what it does; `help` shows it."""

_OF_PSQL = {"\\d": "tables", "\\dt": "tables", "\\l": "list", "\\?": "help", "\\q": "exit"}
_LEAVE = ("exit", "quit")
_PIECE = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)"
    r"|'(?:[^']|'')*(?:'|\Z)|\"(?:[^\"]|\"\")*(?:\"|\Z)"
    r"|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)"
    r"|;|[^;'\"$/-]+|.",
    re.DOTALL,
)
"""A comment, a text in quotes, a semicolon, or what stands between."""
_COMMENT = ("--", "/*")


def split_statements(text: str) -> tuple[list[str], str]:
    """The statements that end with a semicolon, without it, and what stands behind the last one."""
    statements: list[str] = []
    pieces: list[str] = []
    for match in _PIECE.finditer(text):
        if match[0] == ";":
            statements.append("".join(pieces).strip())
            pieces.clear()
        else:
            pieces.append(match[0])
    return [statement for statement in statements if statement], "".join(pieces).strip()


def is_complete(text: str) -> bool:
    """Whether what was typed can be run: nothing, a line for the shell, or statements."""
    _, rest = split_statements(text)
    return _says_nothing(rest) or _is_line(text)


def _says_nothing(text: str) -> bool:
    """Whether this is nothing but comments."""
    return all(
        match[0].startswith(_COMMENT) or match[0].isspace() for match in _PIECE.finditer(text)
    )


def _is_line(text: str) -> bool:
    """Whether this is one line for the shell and not SQL: a word of its own, or a question."""
    word, *rest = text.strip().removesuffix(";").split(maxsplit=1) or [""]
    if "\n" in text.strip():
        return False
    if word in _OF_PSQL or word in _LEAVE or word in ("tables", "list", "columns", "help"):
        return True
    is_name = word.replace("-", "_") in question_names()
    return is_name and (not rest or "=" in rest[0].split()[0])


@dataclass(frozen=True, slots=True)
class Asked:
    """How a session asks and answers."""

    store: Path
    """The store's file."""
    reward: str | None = None
    """As for `open_reader`."""
    km: tuple[float, ...] | None = None
    """As for `open_reader`."""
    format: str = "table"
    """Any but parquet."""
    limit: int | None = None
    """At most so many rows of an answer."""
    timeout: float | None = None
    """Seconds that a statement may take."""
    limits: Limits | None = None
    """Of memory and threads; None: the usual."""
    unsafe: bool = False
    """As for `open_reader`."""
    with_time: bool = False
    """Whether a line below each answer says how long it took."""


class Shell:
    """Answers what is typed. Use as a context manager, in one thread."""

    def __init__(self, asked: Asked, say: Callable[[str], None]) -> None:
        """say: shows a sentence that is no answer, such as an error."""
        self._asked = asked
        self._say = say
        self._open = ExitStack()
        self._reader: DuckDBPyConnection | None = None
        self._rest = ""
        self.failures = 0
        self.has_left = False

    def __enter__(self) -> Shell:
        """Open the store. Raises what `open_reader` raises."""
        self.reader  # noqa: B018  # opens it, so that a wrong path is an error at once
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._open.close()

    @property
    def reader(self) -> DuckDBPyConnection:
        """The kept reader; opened anew where the last one still works on what was given up."""
        if self._reader is None:
            asked = self._asked
            context = open_reader(
                asked.store,
                reward=asked.reward,
                km=asked.km,
                limits=asked.limits,
                unsafe=asked.unsafe,
            )
            self._reader = self._open.enter_context(context)
        return self._reader

    @cached_property
    def columns(self) -> dict[str, list[str]]:
        """The columns of each table and view that can be read."""
        tables: dict[str, list[str]] = {}
        for table, column, _ in self._rows_of_columns():
            tables.setdefault(table, []).append(column)
        return tables

    def feed(self, text: str) -> None:
        """Run what is complete, and keep the rest until more comes. Errors are said."""
        if not self._rest and _is_line(text):
            self._try(text.strip().removesuffix(";").strip(), self._line)
            return
        statements, self._rest = split_statements(f"{self._rest}\n{text}")
        if _says_nothing(self._rest) and "/*" not in self._rest:
            self._rest = ""  # so that a word of the shell's may follow a comment
        for statement in statements:
            self._try(statement, self._line if _is_line(statement) else self._statement)

    def finish(self) -> None:
        """Run what was not ended with a semicolon."""
        if self._rest and not is_complete(self._rest):
            self.feed(";")
        self._rest = ""

    def _try(self, text: str, run: Callable[[str], None]) -> None:
        began = time.monotonic()
        try:
            run(text)
        except KeyboardInterrupt:
            self._say("interrupted")
            self._look_at_reader()
            self.failures += 1
        except QueryTimeoutError as error:
            self._say(str(error))
            self._look_at_reader()
            self.failures += 1
        except (GeostoreError, MemoryError) as error:
            self._say(str(error) or "the memory is used up; ask for less at once")
            self.failures += 1
        else:
            if self._asked.with_time and run == self._statement:
                print(f"{time.monotonic() - began:.2f} s")

    def _look_at_reader(self) -> None:
        """Give the reader up where it still works on what it could not interrupt."""
        reader = self.reader
        look = load_sql("reader", "reaches_out")
        try:
            interruptible(reader, lambda: reader.execute(look), seconds=1.0)
        except QueryTimeoutError as error:
            with suppress(QueryTimeoutError):
                self._open.__exit__(type(error), error, error.__traceback__)
            self._open = ExitStack()
            self._reader = None

    # --- what can be typed -------------------------------------------------------------------

    def _statement(self, statement: str) -> None:
        self._answer(statement, {})

    def _line(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        word = _OF_PSQL.get(word, word)
        if word == "tables" and rest:
            word = "columns"  # \d NAME
        if word in _LEAVE:
            self.has_left = True
        elif word == "tables":
            rows = [(name, len(columns)) for name, columns in self.columns.items()]
            print(format_table(QueryResult(("table", "columns"), rows)))
        elif word == "columns":
            self._show_columns(rest)
        elif word == "list":
            print(format_entries(((q.name, q.title) for q in questions()), prose_width()))
        elif word == "help":
            self._help(rest)
        else:
            self._ask(line)

    def _ask(self, line: str) -> None:
        """Ask a named question with values, such as ``tool_lift km=50``."""
        try:
            name, *values = shlex.split(line)
        except ValueError as error:
            raise QueryError(f"a quote is not closed in: {line}") from error
        texts = {}
        for value in values:
            parameter, equals, text = value.partition("=")
            if not equals:
                raise QueryError(
                    f"{value!r} is not name=value; a value with spaces stands in quotes"
                )
            texts[parameter] = text
        began = time.monotonic()
        self._answer(name, read_parameters(question(name), texts))
        if self._asked.with_time:
            print(f"{time.monotonic() - began:.2f} s")

    def _answer(self, asked: str, parameters: Mapping[str, object]) -> None:
        how = self._asked
        written = write_answer(
            self.reader,
            asked,
            parameters,
            format=how.format,
            limit=how.limit,
            timeout=how.timeout,
        )
        if written.has_more and how.format != "table":
            self._say(f"these are the first {written.rows:,} rows; there are more (--limit)")
        named = find_question(asked)
        statement = asked if named is None else named.statement
        if asks_for_places(statement, *written.columns) and (line := unplaced_line_of(self.reader)):
            self._say(line)

    def _show_columns(self, name: str) -> None:
        if name not in self.columns:
            near = did_you_mean(name, self.columns)
            raise QueryError(f"there is no table or view {name!r}{near}; tables lists them")
        rows = [(column, kind) for table, column, kind in self._rows_of_columns() if table == name]
        print(format_table(QueryResult(("column", "type"), rows)))

    def _help(self, name: str) -> None:
        if not name:
            print(format_entries(WORDS.items(), prose_width()))
        elif name in self.columns:
            self._show_columns(name)
        else:
            print(format_question(question(name), prose_width()))

    def _rows_of_columns(self) -> Iterable[tuple[str, str, str]]:
        rows: list[tuple[str, str, str]] = self.reader.execute(
            load_sql("reader", "columns")
        ).fetchall()
        return rows
