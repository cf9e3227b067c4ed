"""What each table, view and column of a store is, in the words of the schema's own comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import takewhile

from geostore.query.headers import VIEWS
from geostore.sqlfiles import load_sql, sql_names

_COLUMN = re.compile(
    r"  (?P<name>[a-z_]\w*) (?:text|integer|real|blob)\b[^\n]*?(?:-- (?P<words>.*))?"
)
_COMMENT = re.compile(r"(?P<indent> *)-- ?(?P<words>.*)")
_ENTRY = re.compile(r"--   (?P<names>\S+(?:, \S+)*)(?:  +(?P<words>\S.*))?")
_UNITS = (("_km", "km"), ("_ms", "milliseconds"), ("lat", "degrees"), ("lon", "degrees"))


def words_of_table(name: str) -> str:
    """What a table or a view is: the comment that stands before it. Raises KeyError."""
    for script in _scripts():
        if lines := _comment_before(script, rf"create (?:table|view) {name} "):
            return " ".join(line.removeprefix("--").strip() for line in lines)
    raise KeyError(f"{name} has no comment before it in sql/schema")


def words_of_columns(name: str, columns: Iterable[str]) -> dict[str, str]:
    """What these columns of a table or a view are; those that nothing is said about are left out.

    The comments of a table stand beside and before its columns, those of a view above it, in
    the file of DuckDB's views, which has the same columns.
    """
    words = dict(_of_table(name))
    if not words:
        entries = list(_of_view(name))
        for column in columns:
            said = [text for pattern, text in entries if fnmatchcase(column, pattern)]
            if said:
                words[column] = said[0]
    for column in columns:
        unit = next((unit for ending, unit in _UNITS if column.endswith(ending)), None)
        if unit and column not in words:
            words[column] = f"in {unit}"
    return {column: words[column] for column in columns if column in words}


def _scripts() -> Iterator[str]:
    for migration in sql_names("schema"):
        yield load_sql("schema", migration)


def _comment_before(script: str, statement: str) -> list[str]:
    match = re.search(rf"((?:^--.*\n)+){statement}", script, re.MULTILINE)
    return match[1].splitlines() if match else []


def _of_table(name: str) -> Iterator[tuple[str, str]]:
    """The columns of a table with the comments before, beside and below them."""
    for script in _scripts():
        _, found, body = script.partition(f"create table {name} (\n")
        lines = takewhile(lambda line: not line.startswith(")"), body.splitlines() if found else ())
        column, said, place = "", list[str](), 0
        before: list[str] = []
        for line in lines:
            if comment := _COMMENT.fullmatch(line):
                if column and len(comment["indent"]) == place:
                    said.append(comment["words"])  # goes on below the words beside a column
                else:
                    before.append(comment["words"])
                continue
            if column and said:
                yield column, " ".join(said)
            column, said, place = "", [], 0
            if match := _COLUMN.fullmatch(line):
                column, place = match["name"], line.find("--")
                said = [*before, *([match["words"]] if match["words"] else [])]
            before = []
        if column and said:
            yield column, " ".join(said)


def _of_view(name: str) -> Iterator[tuple[str, str]]:
    """Names of columns, in which * stands for any text, with their words."""
    lines = _comment_before(load_sql("analytics", VIEWS), rf"create temp view {name} as\n")
    names, said = "", list[str]()
    for line in [*lines, "--"]:
        if entry := _ENTRY.fullmatch(line):
            yield from ((one, " ".join(said)) for one in names.split(", ") if said)
            names, said = entry["names"], [entry["words"]] if entry["words"] else []
        elif line.startswith("--    ") and names:
            said.append(line.removeprefix("--").strip())
        else:
            yield from ((one, " ".join(said)) for one in names.split(", ") if said)
            names, said = "", []
