"""Checks that a condition written by a user is one SQL expression that only reads.

A condition is put between parentheses into a statement of ours. Two checks make
sure that it stays there. Its tokens, read as SQLite reads them, must close every
parenthesis, quotation and comment that they open, and no other. And SQLite must
accept the text in the place of a value, in the place of a case and in the place of
a condition, which together only one expression fits.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from geostore.errors import FilterError, StoreError
from geostore.sqlfiles import store_statements
from geostore.store.db import Db
from geostore.text.nearest import did_you_mean

ALL_COLUMNS = "geostore query 'describe trace_results'"
"""The command that lists the columns of which a condition can be; they are some forty."""

MARK = "/*condition*/"
"""What a statement of ``sql/store`` has where a condition goes, on a line of its own."""

# Source of the rules of tokens: https://www.sqlite.org/src/file/src/tokenize.c
_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?P<quoted> '(?:[^']|'')*+' | "(?:[^"]|"")*+" | `(?:[^`]|``)*+` | \[[^\]]*\] )
    | (?P<open> \( )
    | (?P<close> \) )
    | (?P<unclosed> /\* | ['"`\[] )
    | (?P<end> [;\0] )
    | (?P<parameter> [?:@$\#][A-Za-z0-9_]* )
    | (?P<word> [A-Za-z0-9_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]* )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_NO_COLUMN = re.compile(r"no such column: (.+)")
_MAY = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_REFUSED_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer"})


def check_tokens(condition: str) -> None:
    """Raise FilterError where text in parentheses would not end at the last one.

    That is where it closes a parenthesis that it did not open, leaves one, a
    quotation or a comment open, holds a semicolon, or names a parameter, which
    would be one of the statement around it.
    """
    depth = 0
    for token in _TOKEN.finditer(condition):
        if token.lastgroup == "open":
            depth += 1
        elif token.lastgroup == "close":
            depth -= 1
            if depth < 0:
                raise _refused(condition, "it closes a parenthesis that it did not open")
        elif token.lastgroup == "unclosed":
            raise _refused(condition, f"{token[0]} is not closed")
        elif token.lastgroup == "end":
            raise _refused(condition, "it must be one expression, without a semicolon")
        elif token.lastgroup == "parameter":
            raise _refused(
                condition, f"{token[0]} is a parameter: write its value, text in single quotes"
            )
    if depth:
        raise _refused(condition, "a parenthesis is not closed")


def check_condition(db: Db, condition: str, columns: Sequence[str]) -> None:
    """Check that a condition is one expression over the view trace_results and only reads.

    columns: those of the view, which a connection must have. Raises FilterError,
    which names the nearest.
    """
    if not condition.strip():
        raise FilterError(
            "the condition is empty; write one, such as \"country = 'japan'\", or leave it out"
        )
    check_tokens(condition)
    statement = store_statements()["check_condition"]
    try:
        with _only_reading(db.connection):
            db.execute(statement.replace(MARK, condition))
    except (StoreError, ValueError) as error:
        raise condition_error(condition, error, columns) from error


def condition_error(condition: str, error: Exception, columns: Sequence[str]) -> FilterError:
    """What a user reads where SQLite refuses a condition, or fails on a row with it."""
    why = str(error.__cause__ or error)  # what SQLite says, without the path of the store
    if match := _NO_COLUMN.search(why):
        why += did_you_mean(match[1], columns)
    return _refused(condition, f"{why}; {ALL_COLUMNS} lists the columns")


def _refused(condition: str, why: str) -> FilterError:
    return FilterError(f"the condition {condition!r} cannot be used: {why}")


@contextmanager
def _only_reading(connection: sqlite3.Connection) -> Iterator[None]:
    """Let a connection prepare only statements that read tables, views and plain functions."""
    connection.set_authorizer(_allow_reading)
    try:
        yield
    finally:
        connection.set_authorizer(None)


def _allow_reading(
    action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
) -> int:
    if action not in _MAY:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _REFUSED_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
