"""Metadata for Datasette, which shows a SQLite file as web pages: words, and questions to ask.

Questions are SQL of DuckDB's, and few run in SQLite as they are. Those in ``sql/datasette`` are
written again for it; a test holds their rows equal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geostore.query.schema_words import words_of_columns, words_of_table
from geostore.sqlfiles import describe_sql, load_sql, sql_names
from geostore.store import Store


def datasette_metadata(store: Path, *, with_login: bool = True) -> dict[str, Any]:
    """What ``datasette --metadata`` reads, for this store. Raises StoreError.

    with_login: only who logs in with the link that ``datasette --root`` prints may read; see
    docs/questions.md for the reason.
    """
    columns: dict[str, list[str]] = {}
    with Store.open(store) as opened:
        for row in opened.db.run("list_columns"):
            columns.setdefault(row["table_name"], []).append(row["column_name"])
    tables = {
        name: {
            "description": words_of_table(name),
            "columns": words_of_columns(name, names),
        }
        for name, names in columns.items()
    }
    queries = {
        name: {
            "sql": _without_header(load_sql("datasette", name)),
            "title": name.replace("_", " "),
            "description": describe_sql("datasette", name),
        }
        for name in sql_names("datasette")
    }
    metadata: dict[str, Any] = {
        "title": f"geostore: {store.name}",
        "description": "Traces of teachers that locate photos, with their turns, tool calls, "
        "answers and rewards. Times are UTC, distances km, scores and shares from 0 to 1.",
        "databases": {store.stem: {"tables": tables, "queries": queries}},
    }
    return {**metadata, "allow": {"id": "root"}} if with_login else metadata


def _without_header(statement: str) -> str:
    lines = statement.splitlines()
    return "\n".join(line for line in lines if not line.startswith("--")).strip()
