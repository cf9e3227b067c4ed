"""The views of a store's file and those of DuckDB: one name, the same columns, the same rows."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from geostore.query.reader import run_query
from geostore.store import Store
from tests.random_store import make_random_store

VIEWS = (
    *("trace_results", "turn_results", "tool_results", "boxes"),
    "billed_failures",
)


@pytest.mark.parametrize("datasets", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_a_view_of_the_file_has_the_columns_and_rows_of_that_of_duckdb(
    tmp_path: Path, datasets: int, seed: int
) -> None:
    path = make_random_store(tmp_path / "geostore.db", seed=seed, datasets=datasets)
    connection = sqlite3.connect(path)
    for view in VIEWS:
        cursor = connection.execute(f"select * from {view}")
        columns = tuple(column[0] for column in cursor.description)
        expected = run_query(path, f"select * from {view}")
        assert columns == tuple(expected.columns), view
        rows, others = (_in_order(found) for found in (cursor, expected.rows))
        assert len(rows) > 20, view
        assert rows == others, view
    connection.close()


def _in_order(rows: Any) -> list[tuple[Any, ...]]:
    """Rows with numbers to nine digits, sorted by their text."""
    return sorted((tuple(map(_plain, row)) for row in rows), key=repr)


def _plain(value: Any) -> Any:
    # DuckDB has a type for true and false, and whole numbers may be floats in either.
    return float(f"{value:.9g}") if isinstance(value, bool | int | float) else value


def test_one_trace_is_found_in_a_view_without_reading_the_others(tmp_path: Path) -> None:
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        for view in VIEWS:
            plan = store.db.execute(
                f"explain query plan select * from {view} where trace_id = 1"
            ).fetchall()
            steps = [row["detail"] for row in plan]
            # Recipes are few, and so are the datasets that are counted for the names.
            scans = [s for s in steps if s.startswith("SCAN") and "dataset" not in s]
            assert not [s for s in scans if "CONSTANT ROW" not in s and s not in _DERIVED], steps


_DERIVED = ("SCAN b", "SCAN u", "SCAN (subquery)")
