"""Metadata for Datasette: words for what there is, and questions that SQLite answers alike."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from geostore.query.datasette import datasette_metadata
from geostore.query.reader import run_query
from geostore.sqlfiles import sql_names
from geostore.store import Store
from tests.hand_made import Batch, insert
from tests.running import geostore

TOOLS, PLAIN = 1, 2


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traces of two recipes with every way to end, failed calls and requests, and two flags."""
    path = tmp_path_factory.mktemp("datasette") / "geostore.db"
    with Store.open(path, create=True) as opened, opened.db.transaction():
        batch = Batch(opened.db)
        batch.dataset("photos")
        batch.recipe("aaaaaaaa", "m", tools='[{"name":"zoom"}]')
        batch.recipe("bbbbbbbb", "m", tools="[]")
        samples = [batch.sample(i, score) for i, score in enumerate((0.1, 0.2, 0.6, None))]
        first = batch.placed(samples[0], TOOLS, 100, 0.9, turns=2, calls="yn")
        batch.placed(samples[0], TOOLS, 300, 0.7, rollout=2, turns=2, calls="n")
        lost = batch.trace(samples[1], TOOLS, status="exhausted", turns=3, calls="y")
        batch.answer(lost, "one_number")
        batch.reward(lost, None, None)
        batch.placed(samples[2], TOOLS, 0.5, 1.0)
        batch.trace(samples[3], TOOLS, status="open")
        batch.placed(samples[0], PLAIN, 1000, 0.5)
        batch.placed(samples[1], PLAIN, 4000, 0.1)
        batch.placed(samples[2], PLAIN, 25, 0.98)
        failed = batch.trace(samples[3], PLAIN, status="failed", turns=0)
        connection = opened.db.connection
        for attempt, kind in enumerate(("timeout", "rate_limit", "timeout"), start=1):
            insert(
                connection, "attempts", trace_id=failed, attempt=attempt, turn=1,
                error_class=kind, message="", created_at="now",
            )  # fmt: skip
        made = {"created_at": "now"}
        suite = insert(connection, "audit_suites", checks="{}", **made)
        for trace in (first, lost):
            insert(connection, "audits", trace_id=trace, suite_id=suite, prompts_read=1, **made)
        flag = {"flag": "repeated_text", "version": 1, "detail": "x"}
        insert(connection, "trace_flags", trace_id=first, **flag, **made)
    return path


@pytest.fixture(scope="module")
def metadata(store: Path) -> dict[str, Any]:
    return datasette_metadata(store)


@pytest.fixture(scope="module")
def sqlite(store: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


@pytest.mark.parametrize("name", sql_names("datasette"))
def test_a_question_has_the_rows_of_its_namesake_in_duckdb(
    name: str, store: Path, metadata: dict[str, Any], sqlite: sqlite3.Connection
) -> None:
    """In the same order, and with the same columns but for those that SQLite cannot compute."""
    statement = metadata["databases"]["geostore"]["queries"][name]["sql"]
    given = [dict(row) for row in sqlite.execute(statement)]
    expected = run_query(store, name).to_dicts()
    assert given, "there is something to compare"
    assert set(given[0]) <= set(expected[0])
    left_out = {column for column in expected[0] if column not in given[0]}
    without = ("median", "p50_", "p95_", "_low", "_high", "raw_arguments")
    assert [column for column in left_out if not any(part in column for part in without)] == []
    narrowed = [{column: row[column] for column in given[0]} for row in expected]
    assert [list(row.values()) for row in given] == [_approx(row) for row in narrowed]


def _approx(row: dict[str, Any]) -> list[Any]:
    return [pytest.approx(v) if isinstance(v, float) else v for v in row.values()]


def test_every_table_and_column_that_is_named_is_there(
    metadata: dict[str, Any], sqlite: sqlite3.Connection
) -> None:
    tables = metadata["databases"]["geostore"]["tables"]
    assert {"traces", "turns", "trace_results", "turn_results", "tool_results", "boxes"} <= {
        *tables
    }
    for name, table in tables.items():
        assert table["description"].endswith((".", ")", ":")), name
        there = {row["name"] for row in sqlite.execute(f"pragma table_info({name})")}
        assert set(table["columns"]) <= there
        assert all(words.strip() == words != "" for words in table["columns"].values())
    assert "0 hard .. 1 easy" in tables["samples"]["columns"]["locatability_score"]
    results = tables["trace_results"]["columns"]
    assert results["score_or_0"] == results["distance_km_or_20000"]
    assert "ISO code" in results["true_country"]
    assert tables["turns"]["columns"]["latency_ms"] == "in milliseconds"


def test_only_who_logs_in_may_read_unless_asked_otherwise(store: Path, tmp_path: Path) -> None:
    assert datasette_metadata(store)["allow"] == {"id": "root"}
    assert "allow" not in datasette_metadata(store, with_login=False)
    out = tmp_path / "metadata.json"
    written = geostore("datasette-metadata", out, "--store", store)
    assert written.returncode == 0
    assert json.loads(out.read_text()) == datasette_metadata(store)
    assert "--host 127.0.0.1 --root" in " ".join(written.stderr.split())
    printed = geostore("datasette-metadata", "--no-login", "--store", store)
    assert json.loads(printed.stdout) == datasette_metadata(store, with_login=False)


@pytest.mark.skipif(not shutil.which("datasette"), reason="Datasette is not installed")
def test_datasette_itself_answers_the_questions_and_refuses_who_has_no_login(
    store: Path, tmp_path: Path
) -> None:
    def get(path: str, *options: str) -> str:
        out = tmp_path / "metadata.json"
        geostore("datasette-metadata", out, *options, "--store", store)
        command = ["datasette", "serve", str(store), "--metadata", str(out), "--get", path]
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout

    for name in sql_names("datasette"):
        assert json.loads(get(f"/geostore/{name}.json?_shape=array", "--no-login"))
    assert "Forbidden" in get("/geostore/summary")
