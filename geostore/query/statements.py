"""Checks that a statement only reads the store, by lists of what it may contain.

It is not enough that the store is attached read-only and that DuckDB may open no
files: attach and some functions open SQLite files all the same, and others run
text that nothing has checked. So the check walks the tree that DuckDB parses a
statement to, and everything in it has to be on a list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from geostore.errors import QueryError
from geostore.query.functions import FUNCTIONS, TABLE_FUNCTIONS
from geostore.query.pivots import Token, tokens_of, with_values
from geostore.sqlfiles import load_sql
from geostore.text.nearest import did_you_mean

_EXPRESSIONS = (
    *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT"),
    *("DEFAULT", "FUNCTION", "LAMBDA", "LAMBDA_REF", "OPERATOR", "PARAMETER"),
    *("POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "WINDOW"),
)
_STATEMENTS = (
    *("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"),
    *("BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY"),
    *("TABLE_FUNCTION", "DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER"),
    *("ORDER_MODIFIER", "ASCENDING", "DESCENDING", "ORDER_DEFAULT"),
)
_SHOWN = frozenset({"tables", "databases", "__show_tables_expanded"})
_INFORMATION = frozenset({"columns", "tables"})

Names = frozenset[str]


def check_reads_only(reader: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Raise QueryError unless this is one statement that only reads the store.

    reader: the connection that will run it. Raises duckdb.Error where it cannot be parsed.
    """
    # By the reader and not by the module, whose own connection may open files: to parse
    # "import database" is to read them.
    statements = reader.extract_statements(statement)
    if _is_pivot(statements):
        check_reads_only(reader, _one_statement(reader, statement, statements))
        return
    if len(statements) != 1:
        raise QueryError(f"a query is one statement, and this is {len(statements) or 'none'}")
    tokens = tokens_of(statement)
    if statements[0].type == duckdb.StatementType.EXPLAIN:
        # "explain analyze" runs the statement that it explains, so check that one.
        explained = statement.encode()[_explained(tokens) :].decode()
        check_reads_only(reader, explained)
        return
    parsed = reader.execute(load_sql("reader", "parsed"), {"statement": statement}).fetchall()
    try:
        tree = json.loads(parsed[0][0])
    except RecursionError as error:
        raise QueryError("a query cannot be nested so deeply; write it in parts (with)") from error
    if tree["error"]:
        raise QueryError(
            f"a query only reads, and {tokens[0].word.decode().upper()} may do more; "
            "write select, with, from, values, pivot, describe, show, summarize or explain"
        )
    check = _Check(reader)
    for part, ctes in _parts(tree["statements"]):
        check.part(part, ctes)


def parameter_names(reader: duckdb.DuckDBPyConnection, statement: str) -> frozenset[str]:
    """What the statement names with a dollar, without it. Raises duckdb.Error as above."""
    return frozenset(
        name for part in reader.extract_statements(statement) for name in part.named_parameters
    )


def _parts(tree: Any) -> Iterator[tuple[dict[str, Any], Names]]:
    """Every object of a parsed statement, with the names that ``with`` defines for it."""
    waiting: list[tuple[Any, Names]] = [(tree, frozenset())]
    while waiting:
        value, ctes = waiting.pop()
        if isinstance(value, list):
            waiting += ((item, ctes) for item in value)
        if not isinstance(value, dict):
            continue
        if value.get("class") != "CONSTANT":  # a constant holds values, no parts of the statement
            for entry in value.get("cte_map", {}).get("map", ()):
                waiting.append(
                    (entry["value"], ctes)
                )  # it may name those before it, but not itself
                ctes |= {entry["key"].lower()}
            itself = frozenset({value.get("cte_name", "").lower()})
            for key, item in value.items():
                if value.get("type") == "RECURSIVE_CTE_NODE" and key == "right":
                    waiting.append((item, ctes | itself))
                elif value.get("type") == "TABLE_FUNCTION" and key == "function":
                    waiting.append((list(item.values()), ctes))  # its name is checked as a table's
                elif key != "cte_map":
                    waiting.append((item, ctes))
        yield value, ctes


class _Check:
    """The check of one statement's parts."""

    def __init__(self, reader: duckdb.DuckDBPyConnection) -> None:
        self._reader = reader
        self._lists: dict[str, Names] = {}

    def part(self, part: dict[str, Any], ctes: Names) -> None:
        kind = part.get("class", part.get("type"))
        if not isinstance(kind, str) or kind.endswith("_TYPE_INFO"):
            return
        if kind not in (_EXPRESSIONS if "class" in part else _STATEMENTS):
            raise QueryError(f"a query only reads the store, and {kind} is not known to do so")
        if kind == "TABLE_FUNCTION":
            name = part["function"]["function_name"].lower()
            if name not in TABLE_FUNCTIONS:
                raise _not_allowed(name, "in place of a table", TABLE_FUNCTIONS)
        elif kind in ("FUNCTION", "WINDOW"):
            self._function(part["function_name"].lower())
        elif kind == "BASE_TABLE":
            self._table(part, ctes)
        elif kind == "SHOW_REF" and "query" not in part:
            shown = part["table_name"].strip('"').lower()
            if shown not in _SHOWN:
                raise QueryError(f"a query cannot show {shown}; it can show tables")

    def _function(self, name: str) -> None:
        if name not in FUNCTIONS and name not in self._names("macros"):
            raise _not_allowed(name, "in a query", FUNCTIONS)

    def _table(self, part: dict[str, Any], ctes: Names) -> None:
        name = part["table_name"].lower()
        schema = part.get("schema_name", "").lower()
        if not schema and name in ctes:
            return
        if schema == "information_schema" and name in _INFORMATION:
            return
        names = self._names("readable")
        if name not in names or schema not in ("", "main", "store", "temp"):
            raise QueryError(
                f"the store has no table or view {part['table_name']}{did_you_mean(name, names)}; "
                "geostore query 'show tables' lists them"
            )

    def _names(self, which: str) -> Names:
        """The names that a statement of sql/reader gives; asked once a check."""
        if which not in self._lists:
            rows = self._reader.execute(load_sql("reader", which)).fetchall()
            self._lists[which] = frozenset(name.lower() for (name,) in rows)
        return self._lists[which]


def _not_allowed(name: str, where: str, names: Names) -> QueryError:
    return QueryError(
        f"a query only reads this store, and {name}() is not among the functions that it may call "
        f"{where}{did_you_mean(name, names)}; leave it out (geostore/query/functions.py has the "
        "list)"
    )


def _is_pivot(statements: list[duckdb.Statement]) -> bool:
    """Whether these are the parts of one pivot: DuckDB gives them no text of their own."""
    return len(statements) > 1 and not any(statement.query for statement in statements)


def _one_statement(
    reader: duckdb.DuckDBPyConnection, pivot: str, its_parts: list[duckdb.Statement]
) -> str:
    """A statement of the same tables and functions that DuckDB does not split. Raises QueryError.

    An explained pivot is refused: DuckDB gives no plan for it.
    """
    statement = with_values(pivot)
    try:
        is_one = not _is_pivot(reader.extract_statements(statement))
    except duckdb.ParserException:
        is_one = False
    if not is_one or any(part.type == duckdb.StatementType.EXPLAIN for part in its_parts):
        raise QueryError(
            "this pivot cannot be checked; name the values of its column, as in: "
            "pivot trace_results on status in ('answered', 'failed') using count(*)"
        )
    return statement


def _explained(tokens: list[Token]) -> int:
    """The offset in an explain statement at which the explained statement begins."""
    words = [token.word for token in tokens]
    place = 2 if words[1:2] == [b"analyze"] else 1
    if words[place : place + 1] == [b"("] and words[place + 1 : place + 2] in (
        [b"format"],
        [b"analyze"],
    ):
        place = words.index(b")", place) + 1
    return tokens[place].offset
