"""Questions to a store: known numbers from known traces, and nothing but reading."""

from __future__ import annotations

import csv
import io
import json
import pickle
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from geostore.costs.prices import Prices
from geostore.errors import QueryError, StoreError, StoreVersionError
from geostore.query.headers import question, question_names
from geostore.query.parameters import values_for
from geostore.query.reader import ask, open_reader, run_query
from geostore.query.stats import format_json as format_stats
from geostore.query.stats import format_text, stats
from geostore.records import ACCEPTED_SCORE
from geostore.rewards import ensure_spec, make_spec
from geostore.sqlfiles import load_sql, sql_names
from geostore.store import Store, migrations
from geostore.store.prices import put_prices
from geostore.text.row_formats import PARTS, Parts
from geostore.text.tables import QueryResult, format_csv, format_json, format_table
from tests.hand_made import Batch, insert, write_facts
from tests.questioned import wilson
from tests.running import geostore

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Reader

NAMES = question_names()
TOOLS, PLAIN, OTHER = 1, 2, 3
"""Recipes by id: of model m with tools and without, and of model n with tools."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which nothing is."""
    path = tmp_path_factory.mktemp("empty") / "geostore.db"
    Store.open(path, create=True).close()
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Path:
    """Four samples, three recipes, eleven traces; only to be read.

    =========  ===========  =====================  =====================  ===============
    sample     locatability  with tools (m)        without (m)            with tools (n)
    =========  ===========  =====================  =====================  ===============
    0          0.1          100 km 0.9; 300 km 0.7  1000 km 0.5           2500 km 0.2
    1          0.2          no coordinates          4000 km 0.1
    2          0.6          0.5 km 1.0              25 km 0.98
    3          unknown      open                    failed                (1 km 0.99)
    =========  ===========  =====================  =====================  ===============
    """
    path = tmp_path_factory.mktemp("small") / "geostore.db"
    shutil.copy(empty, path)
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        batch.dataset("photos")
        batch.recipe("aaaaaaaa", "m", tools='[{"name":"zoom"}]')
        batch.recipe("bbbbbbbb", "m", tools="[]")
        batch.recipe("cccccccc", "n", tools='[{"name":"zoom"}]')
        samples = [batch.sample(i, score) for i, score in enumerate((0.1, 0.2, 0.6, None))]

        first = batch.placed(samples[0], TOOLS, 100, 0.9, turns=2, calls="yn")
        batch.placed(samples[0], TOOLS, 300, 0.7, rollout=2)
        lost = batch.trace(samples[1], TOOLS, status="exhausted", turns=3, calls="y")
        batch.answer(lost, "one_number")
        batch.reward(lost, None, None)
        batch.placed(samples[2], TOOLS, 0.5, 1.0)
        batch.trace(samples[3], TOOLS, status="open")

        batch.placed(samples[0], PLAIN, 1000, 0.5)
        batch.placed(samples[1], PLAIN, 4000, 0.1)
        batch.placed(samples[2], PLAIN, 25, 0.98)
        failed = batch.trace(samples[3], PLAIN, status="failed", turns=0)
        for attempt, kind in enumerate(("timeout", "rate_limit", "timeout"), start=1):
            insert(
                store.db.connection,
                "attempts",
                trace_id=failed,
                attempt=attempt,
                turn=1,
                error_class=kind,
                message="",
                created_at="now",
            )

        batch.place(samples[0], "TD", region="TD.01", city="Ati", city_id=1, stated_country="FR")
        words: dict[str, Any] = {"said_country": "FR", "said_true_country": 0, "said_true_city": 1}
        batch.place_answer(first, "TD", region="TD.02", city="Ati", city_id=1, **words)
        batch.placed(samples[0], OTHER, 2500, 0.2)
        batch.placed(samples[3], OTHER, 1, 0.99, calls="y")
        # Another spec's rewards are not the default's.
        batch.reward(first, 100, 0.0, spec_id=ensure_spec(store.db, make_spec("linear")))
    return path


@pytest.fixture(scope="module")
def reader(small: Path) -> Iterator[Reader]:
    """The small store, opened once: most of a query's time goes into loading the extension."""
    with open_reader(small) as opened:
        yield opened


@pytest.fixture(scope="module")
def empty_reader(empty: Path) -> Iterator[Reader]:
    with open_reader(empty) as opened:
        yield opened


@pytest.fixture
def copy(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(small, tmp_path / "geostore.db"))


def test_a_store_of_another_schema_is_not_read(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The views are written for one schema; figures over another could be wrong."""
    known = sql_names("schema")
    with monkeypatch.context() as later:
        later.setattr(migrations, "sql_names", lambda folder: (*known, "9999_later"))
        with pytest.raises(StoreVersionError, match=r"9999_later.*geostore rescore"):
            run_query(copy, "summary")
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute(
            "insert into _sqlite_migrations values (9, 'geostore', '9999_later', '2030')"
        )
    with pytest.raises(StoreVersionError, match="newer"):
        run_query(copy, "summary")


def test_the_rows_of_every_table_can_be_counted(reader: Reader, small: Path) -> None:
    """Also of tables without a rowid, which DuckDB's extension counts by."""
    with closing(sqlite3.connect(small)) as plain:
        tables = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
        expected = {
            name: plain.execute(f"select count(*) from {name}").fetchone()[0]
            for (name,) in plain.execute(tables).fetchall()
        }
    counted = {name: ask(reader, f"select count(*) from {name}").rows[0][0] for name in expected}
    assert counted == expected
    assert counted["rewards"] > 0


def change(path: Path, work: Callable[[Batch], None]) -> None:
    with Store.open(path) as store, store.db.transaction():
        work(Batch(store.db))


def objects(asked: Path | Reader, statement: str) -> list[dict[str, Any]]:
    result = run_query(asked, statement) if isinstance(asked, Path) else ask(asked, statement)
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def about(value: float) -> Any:
    return pytest.approx(value, rel=1e-9)


# --- the numbers -----------------------------------------------------------------------------


def test_a_trace_has_one_row_with_all_that_is_known_of_it(reader: Reader) -> None:
    rows = objects(reader, "select * from trace_results order by trace_id")
    assert len(rows) == 11
    assert rows[0] == {
        "trace": "0-aaaaaaaa-1",
        "trace_id": 1,
        "dataset": "photos",
        "sample_id": 1,
        "sample_index": 0,
        "lat": 10.0,
        "lon": 20.0,
        "locatability_score": 0.1,
        "country": "france",
        "recipe": "aaaaaaaa",
        "model": "m",
        "with_tools": True,
        "rollout": 1,
        "status": "answered",
        "stop_reason": "because",
        "turns": 2,
        "tool_calls": 2,
        "failed_tool_calls": 1,
        "prompt_tokens": 300,
        "completion_tokens": 20,
        "total_tokens": 320,
        "cached_tokens": 50,
        "cache_write_tokens": None,
        "estimated_tokens": 0,
        "uncounted_turns": 0,
        "cost": None,
        "stated_cost": None,
        "unpriced_turns": 2,
        "answer_lat": 1.5,
        "answer_lon": 2.5,
        "answer_failure": None,
        "flags": "[]",
        "parse_success": True,
        "format_valid": False,  # the row was made by hand, without a form
        "tool_validity": 0.5,
        "distance_km": 100.0,
        "score": 0.9,
        "geoguessr_points": 4500,
        "failure": False,
        "distance_km_or_20000": 100.0,
        "score_or_0": 0.9,
        "final_response": "response 2",
        "said_region": None,
        "said_city": None,
        "confidence": None,
        "confidence_form": None,
        "said_country": "FR",
        "stated_country": "FR",
        "true_country": "TD",
        "true_region": "TD.01",
        "true_city": "Ati",
        "answer_country": "TD",
        "answer_region": "TD.02",
        "answer_city": "Ati",
        "country_correct": 1,
        "region_correct": 0,
        "city_correct": 1,
        "country_correct_or_0": 1,
        "region_correct_or_0": 0,
        "city_correct_or_0": 1,
        "said_true_country": 0,
        "said_true_region": None,
        "said_true_city": 1,
    }


def test_a_turn_has_one_row_with_its_tokens_and_calls(copy: Path) -> None:
    with Store.open(copy) as store:
        put_prices(store.db, "m", Prices(1.0, 10.0, 0.5))
    rows = objects(copy, "select * from turn_results where trace_id = 1 order by turn")
    assert [row["turn"] for row in rows] == [1, 2]
    assert rows[1] == {
        "trace": "0-aaaaaaaa-1",
        "trace_id": 1,
        "recipe": "aaaaaaaa",
        "model": "m",
        "turn": 2,
        "turn_limit": 5,
        "finish_reason": None,
        "prompt_tokens": 200,
        "cached_tokens": 50,
        "cache_write_tokens": None,
        "image_tokens": None,
        "completion_tokens": 10,
        "reasoning_tokens": None,
        "total_tokens": 210,
        "estimated_tokens": 0,
        "service_tier": None,
        "cost": about((150 * 1.0 + 50 * 0.5 + 10 * 10.0) / 1e6),
        "unpriced": False,
        "stated_cost": None,
        "latency_ms": 2000,
        "first_token_ms": None,
        "tool_calls": 0,
        "failed_tool_calls": 0,
        "served_model": None,
        "run_id": None,
        "created_at": "now",
        "response": "response 2",
        "reasoning": None,
    }
    assert (rows[0]["tool_calls"], rows[0]["failed_tool_calls"]) == (2, 1)
    (other,) = objects(copy, "select * from turn_results where model = 'n' and tool_calls = 1")
    assert (other["cost"], other["unpriced"]) == (None, True)


def test_a_tool_call_has_one_row(reader: Reader) -> None:
    rows = objects(reader, "select * from tool_results order by trace_id, turn, call_index")
    assert len(rows) == 4
    assert rows[1] == {
        "trace": "0-aaaaaaaa-1",
        "trace_id": 1,
        "recipe": "aaaaaaaa",
        "model": "m",
        "turn": 1,
        "call_index": 1,
        "tool": "zoom",
        "success": False,
        "error_kind": "bad_box",
        "flags": "[]",
        "raw_arguments": "{}",
        "arguments": None,
        "source_index": None,
        "box_left": None,
        "box_top": None,
        "box_right": None,
        "box_bottom": None,
        "angle": None,
        "image_index": None,
        "image_width": None,
        "image_height": None,
        "observation": "",
        "created_at": "now",
    }


def test_turns_and_calls_add_up_to_their_traces(copy: Path) -> None:
    """One number is counted one way in all views."""
    with Store.open(copy) as store:
        put_prices(store.db, "m", Prices(1.0, 10.0, 0.5))
    differing = run_query(
        copy,
        """
        with summed as (
          select
            trace_id,
            count(*) as turns,
            sum(tool_calls) as tool_calls,
            sum(failed_tool_calls) as failed_tool_calls,
            sum(total_tokens) as total_tokens,
            sum(cost) as cost,
            count(*) filter (unpriced) as unpriced_turns
          from turn_results
          group by trace_id
        ),
        called as (
          select trace_id, count(*) as tool_calls, count(*) filter (not success) as failed
          from tool_results
          group by trace_id
        )
        select t.trace, t.turns, s.turns
        from trace_results as t
        left join summed as s on s.trace_id = t.trace_id
        left join called as c on c.trace_id = t.trace_id
        where t.turns <> coalesce(s.turns, 0)
          or t.tool_calls <> coalesce(s.tool_calls, 0)
          or t.failed_tool_calls <> coalesce(s.failed_tool_calls, 0)
          or t.tool_calls <> coalesce(c.tool_calls, 0)
          or t.failed_tool_calls <> coalesce(c.failed, 0)
          or t.total_tokens is distinct from s.total_tokens
          or abs(coalesce(t.cost, 0) - coalesce(s.cost, 0)) > 1e-12
          or t.unpriced_turns <> coalesce(s.unpriced_turns, 0)
        """,
    )
    assert differing.rows == []


def test_a_failure_is_null_and_beside_it_as_if_on_the_other_side_of_the_world(
    reader: Reader,
) -> None:
    (row,) = objects(reader, "select * from trace_results where answer_failure is not null")
    assert (row["parse_success"], row["failure"]) == (False, True)
    assert (row["distance_km"], row["score"], row["geoguessr_points"]) == (None, None, None)
    assert (row["distance_km_or_20000"], row["score_or_0"]) == (20000.0, 0.0)
    assert row["final_response"] == "response 3"


def test_an_open_trace_is_no_failure_and_has_no_final_response(reader: Reader) -> None:
    """Its last response is not its final one."""
    (row,) = objects(reader, "select * from trace_results where status = 'open'")
    nothing = ("parse_success", "failure", "distance_km_or_20000", "score_or_0", "final_response")
    assert {row[name] for name in nothing} == {None}
    assert row["turns"] == 1


def test_a_failed_trace_is_a_failure_without_cost(reader: Reader) -> None:
    (row,) = objects(reader, "select * from trace_results where status = 'failed'")
    assert (row["parse_success"], row["failure"]) == (None, True)
    assert (row["turns"], row["tool_calls"], row["total_tokens"]) == (0, 0, None)
    assert row["final_response"] is None


def test_summary(reader: Reader) -> None:
    tools, plain, other = objects(reader, "summary")
    assert tools == {
        "recipe": "aaaaaaaa",
        "model": "m",
        "with_tools": True,
        "traces": 4,
        "answered": 3,
        "scored": 4,
        "accepted": 3,
        "accept_rate": 0.75,
        "accept_rate_low": about(wilson(3, 4)[0]),
        "accept_rate_high": about(wilson(3, 4)[1]),
        "mean_km": about((100 + 300 + 0.5) / 3),
        "median_km": 100,
        "mean_km_failures_20000": about((100 + 300 + 0.5 + 20000) / 4),
        "median_km_failures_20000": 200,
        "failures": 1,
        "failed_traces": 0,
        "unscored": 0,
        "mean_score": about(2.6 / 3),
        "mean_score_failures_0": about(0.65),
        "mean_tokens": about((320 + 110 + 630 + 110) / 4),
    }
    assert (plain["recipe"], plain["traces"], plain["answered"]) == ("bbbbbbbb", 4, 3)
    assert (plain["failures"], plain["failed_traces"]) == (1, 1)
    assert plain["accept_rate"] == 0.5
    assert (plain["median_km"], plain["median_km_failures_20000"]) == (1000, 2500)
    assert plain["mean_tokens"] == 110  # a failed trace without a response cost nothing known
    assert (other["model"], other["accept_rate"]) == ("n", 0.5)


def test_a_recipe_has_one_row_with_the_sums_of_its_traces(reader: Reader) -> None:
    """And the store's row, which would double every sum, is not among them."""
    rows = objects(reader, "select * from recipe_results order by recipe")
    assert [row["recipe"] for row in rows] == ["aaaaaaaa", "bbbbbbbb", "cccccccc"]
    tools = rows[0]
    counts = ("traces", "open", "closed", "answered", "exhausted", "failed", "parsed", "failures")
    assert [tools[name] for name in counts] == [5, 1, 4, 3, 1, 0, 3, 1]
    assert (tools["accepted"], tools["accept_rate"], tools["unscored"]) == (3, 0.75, 0)
    assert (tools["tool_calls"], tools["failed_tool_calls"]) == (3, 1)
    assert (tools["mean_tokens"], tools["mean_tokens_closed"]) == (256, 292.5)
    assert tools["cached_tokens"] == 100


def test_a_score_is_accepted_from_the_bound_that_the_package_names(reader: Reader) -> None:
    statement = f"select is_accepted({ACCEPTED_SCORE}), is_accepted({ACCEPTED_SCORE - 1e-9})"
    assert ask(reader, statement).rows == [(True, False)]


def test_accuracy_counts_failures_as_misses_and_the_border_as_a_hit(reader: Reader) -> None:
    rows = [row for row in objects(reader, "accuracy") if row["within"].endswith(" km")]
    assert [(row["within"], row["traces"], row["failures"]) for row in rows[:5]] == [
        (f"{km} km", 4, 1) for km in (1, 25, 200, 750, 2500)
    ]
    shares = [tuple(row["acc"] for row in rows[n : n + 5]) for n in (0, 5, 10)]
    assert shares == [
        (0.25, 0.25, 0.5, 0.75, 0.75),
        (0.0, 0.25, 0.25, 0.25, 0.5),
        (0.5, 0.5, 0.5, 0.5, 1.0),
    ]
    assert [row["acc_parsed"] for row in rows[5:10]] == [0, *[about(1 / 3)] * 3, about(2 / 3)]


def test_a_failure_is_a_miss_also_within_half_of_the_equator(small: Path) -> None:
    """It counts as 20,000 km elsewhere, which would be a hit here."""
    statement = "select acc, acc_parsed from accuracy_results where km > 0 order by recipe"
    assert run_query(small, statement, km=[20_037]).rows == [(0.75, 1), (0.75, 1), (1, 1)]


def test_a_trace_without_a_score_is_neither_near_nor_a_miss(copy: Path) -> None:
    change(copy, lambda batch: batch.answer(1, version=2))
    (row,) = run_query(copy, "accuracy", km=[200]).to_dicts()[:1]
    assert (row["traces"], row["acc"]) == (3, about(1 / 3))


@pytest.mark.parametrize("km", [[0.5, 1], (1, 0.5), iter([0.5, 1.0])])
def test_accuracy_is_asked_for_any_distances(small: Path, km: Iterable[float]) -> None:
    rows = run_query(small, "accuracy", km=km).to_dicts()
    assert [row["within"] for row in rows] == ["0.5 km", "1 km", "city", "region", "country"] * 3
    assert [row["acc"] for row in rows[:2]] == [0.25, 0.25]
    views = "select distinct km from accuracy_results where km is not null order by km"
    assert run_query(small, views).rows == [(1,), (25,), (200,), (750,), (2500,)]
    assert run_query(small, views, km=[0.5, 3]).rows == [(0.5,), (3,)]


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("costs", "the query costs"),
        ("tool-lift", "the query tool-lift"),
        ("select count(*) from traces", "this statement"),
    ],
)
def test_distances_are_refused_where_the_question_uses_none(
    question: str, asked: str, small: Path
) -> None:
    """Otherwise a user would take the shares within 25 km for those within the distance given."""
    with pytest.raises(QueryError, match=f"{asked} uses no distances of --km"):
        run_query(small, question, km=[5])
    refused = geostore("query", question, "--km", "5", "--store", small)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{asked} uses no distances of --km" in refused.stderr
    asked_in_sql = geostore("query", "select ACCURACY_KM() as km", "--km", "5", "--store", small)
    assert "5" in asked_in_sql.stdout


@pytest.mark.parametrize("question", ["by_country", "calibration", "turn_budget"])
def test_columns_of_distances_are_those_that_are_named(question: str, small: Path) -> None:
    """In the place of the usual three, the nearest first, with the shares of the usual question."""
    usual = run_query(small, question)
    assert run_query(small, question, km=[750, 25, 200]).columns == usual.columns
    named = run_query(small, question, km=[25, 0.5])
    assert [column for column in named.columns if "acc_" in column] == [
        column.replace("acc_25_km", f"acc_{km}_km")
        for column in usual.columns
        if "acc_25_km" in column
        for km in ("0.5", "25")
    ]
    for given, before in zip(named.to_dicts(), usual.to_dicts(), strict=True):
        # Sums of floats differ in their last digits from one run to the next.
        assert {name: given[name] for name in before if name in given} == pytest.approx(
            {name: before[name] for name in before if name in given}
        )
    in_shell = geostore("query", question, "--km", "0.5,25", "--json", "--store", small)
    assert list(json.loads(in_shell.stdout)[0]) == list(named.columns)


@pytest.mark.parametrize("question", ["by_country", "calibration", "turn_budget"])
def test_a_failure_is_a_miss_within_half_of_the_equator(question: str, small: Path) -> None:
    """It counts as 20,000 km elsewhere, which is nearer than the farthest place on Earth."""
    rows = run_query(small, question, km=[20_038]).to_dicts()
    assert [row["acc_20038_km"] for row in rows] == [about(parsed(row)) for row in rows]
    assert any(parsed(row) < 1 for row in rows)


def parsed(row: dict[str, Any]) -> float:
    """The share of a row's traces that have coordinates."""
    if "parse_success_rate" in row:
        return float(row["parse_success_rate"])
    counted = row["answered"] if "answered" in row else row["traces"] - row["failures"]
    return float(counted / row["traces"])


def test_tool_lift_pairs_samples_and_averages_rollouts_first(reader: Reader) -> None:
    """Two rollouts of a sample are one side of one pair; an open trace makes no pair."""
    one, whole = objects(reader, "tool_lift")
    assert one == {
        "model": "m",
        "pairs": 3,
        "mean_km_with_tools": about((200 + 20000 + 0.5) / 3),
        "mean_km_without": about((1000 + 4000 + 25) / 3),
        "median_km_with_tools": 200,
        "median_km_without": 1000,
        "mean_score_with_tools": about((0.8 + 0 + 1) / 3),
        "mean_score_without": about((0.5 + 0.1 + 0.98) / 3),
        "score_lift": about((0.3 - 0.1 + 0.02) / 3),
        "score_lift_low": about(one["score_lift_low"]),
        "score_lift_high": about(one["score_lift_high"]),
        "share_tools_better": about(2 / 3),
        "share_tools_better_low": about(wilson(2, 3)[0]),
        "share_tools_better_high": about(wilson(2, 3)[1]),
        "answered_pairs": 2,
        "answered_mean_km_with_tools": about(100.25),
        "answered_mean_km_without": about(512.5),
        "answered_median_km_with_tools": about(100.25),
        "answered_median_km_without": about(512.5),
    }
    assert -0.1 < one["score_lift_low"] < 0.22 / 3 < one["score_lift_high"] < 0.3
    assert whole == {**one, "model": "(all)"}


def test_tool_lift_pairs_no_two_models(copy: Path) -> None:
    """Model n gains a side without tools; sample 3 of model m still has only one."""

    def work(batch: Batch) -> None:
        batch.recipe("dddddddd", "n", tools="[]")
        batch.placed(1, 4, 3000, 0.1)

    change(copy, work)
    rows = objects(copy, "tool_lift")
    assert [(r["model"], r["pairs"]) for r in rows] == [("m", 3), ("n", 1), ("(all)", 4)]
    assert rows[1]["share_tools_better"] == 1.0
    assert rows[2]["mean_km_without"] == about((1000 + 4000 + 25 + 3000) / 4)


def test_failures_are_counted_by_class(reader: Reader) -> None:
    """A share is of the responses that were read, or of all requests, those answered too."""
    rows = ask(reader, "failures").rows
    assert [row[:7] for row in rows] == [
        ("aaaaaaaa", "m", "answer", "one_number", 1, 4, 1 / 4),
        ("bbbbbbbb", "m", "request", "timeout", 2, 6, 2 / 6),
        ("bbbbbbbb", "m", "request", "rate_limit", 1, 6, 1 / 6),
    ]
    assert rows[1][7:] == pytest.approx(wilson(2, 6))


def test_stats_of_the_store_and_of_each_recipe(small: Path) -> None:
    found = stats(small)
    known = [100, 300, 0.5, 1000, 4000, 25, 2500, 1]
    document = found.to_json()
    hits = {"1 km": 2, "25 km": 3, "200 km": 4, "750 km": 5, "2500 km": 7}
    places = {"country": 1, "region": 0, "city": 1}
    bins = [-2, 0, 5, 8, 9, 12, 13, 14]  # by the exponent of their lower bounds, times 4
    assert document["store"] == {
        "traces": 11,
        "open": 1,
        "answered": 8,
        "exhausted": 1,
        "failed": 1,
        "parse_success_rate": 0.8,
        "failures": 2,
        "unscored": 0,
        "mean_km": about(sum(known) / 8),
        "median_km": 200,
        "mean_km_failures_20000": about((sum(known) + 40000) / 10),
        "median_km_failures_20000": 650,
        "mean_score": about(5.37 / 8),
        "mean_score_failures_0": about(0.537),
        "mean_geoguessr_points": about(5000 * 5.37 / 8),
        "under_3_km": 0.2,
        "under_3_km_parsed": 0.25,
        "acc_1_km": 0.2,
        "acc_1_km_parsed": 0.25,
        "acc_25_km": about(0.3),
        "acc_25_km_parsed": about(3 / 8),
        "acc_200_km": 0.4,
        "acc_200_km_parsed": 0.5,
        "acc_750_km": 0.5,
        "acc_750_km_parsed": about(5 / 8),
        "acc_2500_km": about(0.7),
        "acc_2500_km_parsed": about(7 / 8),
        "accuracy_intervals": {
            **{within: pytest.approx([*wilson(count, 10)]) for within, count in hits.items()},
            **{place: pytest.approx([*wilson(count, 1)]) for place, count in places.items()},
        },
        "placed": 1,
        "unplaced": 9,
        "country_acc": 1.0,
        "country_acc_parsed": 1.0,
        "region_acc": 0.0,
        "region_acc_parsed": 0.0,
        "city_acc": 1.0,
        "city_acc_parsed": 1.0,
        "turns": 13,
        "mean_turns": about(13 / 11),
        "max_turns": 3,
        "tool_calls": 4,
        "tool_success_rate": 0.75,
        "prompt_tokens": 1700,
        "cached_tokens": 100,
        "cache_write_tokens": None,
        "completion_tokens": 130,
        "total_tokens": 1830,
        "mean_tokens": 183,
        "estimated_tokens": 0,
        "uncounted_turns": 0,
        "cost": None,
        "cost_per_trace": None,
        "cost_per_accepted_trace": None,
        "stated_cost": None,
        "unpriced_turns": 13,
        "answer_failures": {"one_number": 1},
        "request_failures": {"timeout": 2, "rate_limit": 1},
        "flags": {},
        "not_audited": 10,
        "odd_boxes": 0,
        "frame_alarms": {},
        "distances": [
            {"from_km": about(10 ** (n / 4)), "to_km": about(10 ** ((n + 1) / 4)), "answers": 1}
            for n in bins
        ],
    }
    assert [part.answers for part in found.recipes[0].sums.distances] == [1, 1, 1]
    assert [part.recipe for part in found.recipes] == ["aaaaaaaa", "bbbbbbbb", "cccccccc"]
    first = document["recipes"][0]
    assert (first["model"], first["with_tools"], first["traces"], first["open"]) == (
        *("m", True, 5, 1),
    )
    assert (first["answer_failures"], first["request_failures"]) == ({"one_number": 1}, {})
    assert list(first) == ["recipe", "model", "with_tools", *document["store"]]
    assert found.recipes[1].sums.tool_success_rate is None
    assert json.loads(format_stats(found)) == document


def test_stats_take_any_distances_of_accuracy(small: Path) -> None:
    found = stats(small, km=[0.5, 300])
    assert found.store.acc_km == {0.5: about(0.1), 300: about(0.5)}
    assert found.store.acc_km_parsed == {0.5: about(1 / 8), 300: about(5 / 8)}
    assert found.recipes[0].sums.acc_km == {0.5: 0.25, 300: 0.75}
    document = json.loads(format_stats(found))
    assert [name for name in document["store"] if name.startswith("acc_")] == [
        *("acc_0.5_km", "acc_0.5_km_parsed", "acc_300_km", "acc_300_km_parsed"),
    ]
    assert "acc_0.5_km_parsed" in format_text(found)


@pytest.mark.parametrize("command", [("stats",), ("query", "accuracy")])
def test_the_commands_take_distances_and_refuse_bad_ones(
    command: tuple[str, ...], small: Path
) -> None:
    printed = geostore(*command, "--km", "0.5,3", "--json", "--store", small)
    assert re.search(r"acc_0.5_km|0.5 km", printed.stdout)
    assert not re.search(r"acc_2500|2500 km", printed.stdout)
    refused = geostore(*command, "--km", "25,x", "--store", small)
    assert refused.returncode == 2
    assert "--km" in refused.stderr
    assert "'x' is not a number" in refused.stderr


def test_stats_can_be_handed_from_process_to_process(small: Path) -> None:
    found = stats(small)
    assert pickle.loads(pickle.dumps(found)) == found


def test_stats_as_text_have_a_column_for_each_recipe(small: Path) -> None:
    """Models are named once, above the numbers, whose columns their names would make wide."""
    recipes, numbers, _ = format_text(stats(small)).split("\n\n", 2)
    lines = recipes.splitlines()
    assert lines[0].split() == ["recipe", "model", "with_tools"]
    assert [line.split()[0] for line in lines[2:]] == ["aaaaaaaa", "bbbbbbbb", "cccccccc"]
    lines = numbers.splitlines()
    assert lines[0].split() == ["recipe", "all", "aaaaaaaa", "bbbbbbbb", "cccccccc"]
    assert lines[1].split() == ["traces", "11", "5", "4", "2"]
    lines = format_text(stats(small)).splitlines()
    assert "request failures, all: timeout 2, rate_limit 1" in lines


def test_a_reward_of_an_older_reading_does_not_count(copy: Path) -> None:
    """Until it is computed again, the trace is neither near nor far, and no failure."""
    change(copy, lambda batch: batch.answer(1, version=2))
    (row,) = objects(copy, "select * from trace_results where trace_id = 1")
    assert (row["parse_success"], row["failure"]) == (True, False)
    assert (row["distance_km"], row["score"], row["distance_km_or_20000"]) == (None, None, None)
    assert objects(copy, "summary")[0]["unscored"] == 1
    assert stats(copy).store.unscored == 1


def test_the_newest_reading_counts_and_makes_no_second_row(copy: Path) -> None:
    def work(batch: Batch) -> None:
        batch.answer(3, version=2)
        batch.connection.execute(
            "update rewards set parser_version = 2, distance_km = 7 where trace_id = 3"
        )
        write_facts(batch.connection)

    change(copy, work)
    assert run_query(copy, "select count(*) from trace_results").rows == [(11,)]
    (row,) = objects(copy, "select * from trace_results where trace_id = 3")
    assert (row["parse_success"], row["answer_failure"], row["distance_km"]) == (True, None, 7.0)
    assert objects(copy, "failures")[0]["kind"] == "request"


@pytest.mark.parametrize("name", [*NAMES, "select * from trace_results"])
def test_no_question_compares_each_trace_with_every_other_one(reader: Reader, name: str) -> None:
    """Its time would grow with the square of the store."""
    statement = load_sql("analytics", name) if name in NAMES else name
    values = values_for(question(name), None) if name in NAMES else {}
    ((_, plan),) = reader.execute(f"explain (format json) {statement}", values).fetchall()
    parts = json.loads(plan)
    for part in parts:  # grows while it is read
        parts += part["children"]
        if "NL_JOIN" in part["name"]:
            assert "trace_id" not in part["extra_info"]["Condition"]
    assert len(parts) > 3


def test_names_of_another_dataset_begin_with_its_label(copy: Path) -> None:
    def work(batch: Batch) -> None:
        sample_id = batch.sample(0, 0.5, dataset_id=batch.dataset("streets"))
        batch.trace(sample_id, PLAIN)

    change(copy, work)
    names = run_query(copy, "select trace from trace_results where sample_index = 0").rows
    assert ("streets:0-bbbbbbbb-1",) in names
    assert ("0-bbbbbbbb-1",) in names
    with Store.open(copy) as store:  # the same names as those by which traces are found
        assert [
            store.traces.get_trace(store.traces.find_trace(name)).name for (name,) in names
        ] == [name for (name,) in names]


@pytest.mark.parametrize("name", NAMES)
def test_every_named_query_answers_an_empty_store(empty_reader: Reader, name: str) -> None:
    """No division by nothing, in any format."""
    result = ask(empty_reader, name)
    assert result.columns
    assert len(result.rows) == {"stats": 1, "tool_lift": 1, "headline": 15}.get(name, 0)
    assert format_table(result)
    for parts in PARTS.values():
        assert len(list(parts(result.columns, [result.rows]))) > 0


def test_stats_of_an_empty_store_are_zeros_and_nothing(empty: Path) -> None:
    found = stats(empty)
    assert found.recipes == ()
    assert (found.store.traces, found.store.turns) == (0, 0)
    assert found.store.mean_km is None
    assert found.store.acc_km == dict.fromkeys((1, 25, 200, 750, 2500))
    assert "traces" in format_text(found)


@pytest.mark.parametrize("name", NAMES)
def test_every_named_query_gives_the_same_rows_each_time(reader: Reader, name: str) -> None:
    """As they are printed: threads add fractions in any order, which moves the last bit."""
    assert format_table(ask(reader, name)) == format_table(ask(reader, name))


def test_responses_are_read_only_where_they_are_asked_for(reader: Reader) -> None:
    """They are most of a store; a summary must not read them."""
    plan = "explain select recipe, avg(total_tokens), avg(score) from trace_results group by 1"
    assert "response" not in ask(reader, plan).rows[0][1]
    plan = "explain select model, avg(latency_ms), sum(tool_calls) from turn_results group by 1"
    assert "response" not in ask(reader, plan).rows[0][1]
    plan = "explain select max(final_response) from trace_results"
    assert "response" in ask(reader, plan).rows[0][1]


# --- names and statements --------------------------------------------------------------------


def test_every_named_query_is_listed_with_what_it_answers() -> None:
    assert {"summary", "tool_lift", "tool_use_by_difficulty", "tokens_per_turn", "accuracy"} <= {
        *NAMES
    }
    assert "views" not in NAMES


@pytest.mark.parametrize(
    "statement",
    [
        "select 1",
        "  (select 1);  ",
        "-- why\nwith x as (select 1) select * from x",
        "from turns select turn",
        "values (1)",
        "describe trace_results",
        "show tables",
        "summarize turns",
        "explain select 1",
        "explain analyze select count(*) from turns",
        "explain (format json) select 1",
        "select 'sqlite_scan(' as a, 'été 東京' as \"query\"",
        "/* why */ -- and how\nexplain select 1",
        "table turns",
        "unpivot (select 1 as a, 2 as b) on a, b",
        "pivot trace_results on status using count(*)",
        "pivot (select 1 as a) join (select 1 as b) on a = b on a, (a, b) using sum(a) -- why",
        "with p as (pivot trace_results on model || status using avg(turns)) from p",
        "from (pivot turns on turn using count(*)), (pivot traces on rollout using count(*))",
        "tool-lift",
    ],
)
def test_what_only_reads_is_answered(reader: Reader, statement: str) -> None:
    assert ask(reader, statement).rows


@pytest.mark.parametrize("statement", ["show tables", " SHOW  Tables ;"])
def test_each_table_and_view_is_shown_once(reader: Reader, statement: str) -> None:
    """Also where a view of DuckDB's has the name of one in the store's file."""
    names = [name for (name,) in ask(reader, statement).rows]
    assert len(names) == len(set(names))
    assert {"answers", "trace_results", "recipe_results"} <= set(names)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("nothing", r"no query 'nothing'; there are: accept_rate_by_day, accuracy, "),
        ("views", r"no query 'views'"),
        ("sumary", r"no query 'sumary' \(did you mean summary\?\); there are: "),
        ("select * from trace_result", r"did you mean trace_results\?"),
        ("select medain(turn) from turns", r"did you mean median\?"),
        ("", r"one statement, and this is none"),
        ("-- only a comment", r"one statement, and this is none"),
        ("select 1; select 2", r"one statement, and this is 2"),
        ("select * from nowhere", r"no table or view nowhere"),
        ("pivot nowhere on x", r"no table or view nowhere"),
        ("pivot read_text('/etc/passwd') on size", r"read_text\(\) is not among"),
        ("pivot turns on turn using sum((select 1 from glob('/*')))", r"glob\(\) is not among"),
        ("pivot turns on turn || getenv('x')", r"getenv\(\) is not among"),
        ("explain analyze pivot turns on turn", r"this pivot cannot be checked"),
        ("pivot turns on turn; drop table turns", r"one statement, and this is 3"),
        ("create temp table t (a int); pivot turns on turn", r"one statement, and this is 3"),
        ("insert into turns (turn) values (1)", r"only reads, and INSERT"),
        ("-- why\nDelete from turns", r"only reads, and DELETE"),
        ("update turns set turn = 2", r"only reads, and UPDATE"),
        ("drop table turns", r"only reads, and DROP"),
        ("create temp table t as select 1", r"only reads, and CREATE"),
        ("attach 'other.db' as o (type sqlite)", r"only reads, and ATTACH"),
        ("detach store", r"only reads, and DETACH"),
        ("copy turns to 'out.csv'", r"only reads, and COPY"),
        ("export database 'out'", r"only reads, and EXPORT"),
        ("set enable_external_access = true", r"only reads, and SET"),
        ("pragma version", r"only reads, and PRAGMA"),
        ("call pragma_version()", r"only reads, and CALL"),
        ("install httpfs", r"only reads, and INSTALL"),
        ("load httpfs", r"only reads, and LOAD"),
        ("explain analyze create temp table t (a integer)", r"only reads, and CREATE"),
        ("explain analyze delete from turns", r"only reads, and DELETE"),
        ("select * from read_csv('/etc/passwd')", r"read_csv\(\) is not among"),
        ("select * from read_text('/etc/passwd')", r"read_text\(\) is not among"),
        ("select * from '/tmp/other.parquet'", r"no table or view /tmp/other\.parquet"),
        ("select * from glob('/*')", r"glob\(\) is not among"),
        ("select * from sqlite_scan('/o.db', 't')", r"sqlite_scan\(\) is not among"),
        ("select * from \"SQLite_Attach\" ('/o.db')", r"sqlite_attach\(\) is not among"),
        ("select * from sqlite_query('store', 'pragma x')", r"sqlite_query\(\) is not among"),
        ("select * from query('select 1')", r"query\(\) is not among"),
        ("select * from small", r"no table or view small"),  # a variable of the caller's
    ],
)
def test_what_is_wrong_or_does_more_than_read_is_refused_in_one_line(
    small: Path, reader: Reader, statement: str, words: str
) -> None:
    before = small.read_bytes()
    with pytest.raises(QueryError, match=words) as refused:
        ask(reader, statement)
    assert "\n" not in str(refused.value)
    assert small.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "sentence", "line", "place"),
    [
        ("selec 1", 'Parser Error: syntax error at or near "selec"', "LINE 1: selec 1", "selec"),
        ("select\n\tturm\nfrom turns", '.*"turm".* Candidate .*"turn".*', "LINE 2:  turm", " turm"),
        ("-- why\nselect 'a'::integer", "Conversion Error.*", "LINE 2: select 'a'::integer", "::"),
        # DuckDB's own statement for a pivot, which nobody wrote here, is not shown.
        ("pivot turns on turm", 'Binder Error: .*"turm" not .*', None, None),
        ("select error('two\nlines')", "Invalid Input Error: two lines", None, None),
    ],
)
def test_an_error_of_duckdb_keeps_its_candidates_and_the_place_in_the_statement(
    reader: Reader, statement: str, sentence: str, line: str | None, place: str | None
) -> None:
    with pytest.raises(QueryError) as refused:
        ask(reader, statement)
    first, *excerpt = str(refused.value).split("\n")
    assert re.fullmatch(sentence, first)
    if line is None or place is None:
        assert excerpt == []
    else:
        assert excerpt == [line, " " * line.index(place) + "^"]


def test_a_pivot_takes_its_columns_from_the_rows(reader: Reader) -> None:
    statement = "pivot trace_results on status using count(*) group by model order by model"
    result = ask(reader, statement)
    assert result.columns == ("model", "answered", "exhausted", "failed", "open")
    assert result.rows == [("m", 6, 1, 1, 1), ("n", 2, 0, 0, 0)]


def test_times_with_a_time_zone_are_given_as_such(reader: Reader) -> None:
    """Also inside of lists, and in every format."""
    moment = "'2026-10-01T12:00:00.5Z'::timestamptz"
    result = ask(reader, f"select {moment} as t, [{moment}] as l, {{'a': {moment}}} as s")
    expected = datetime(2026, 10, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    assert result.rows == [(expected, [expected], {"a": expected})]
    parsed = json.loads(format_json(result))[0]
    assert datetime.fromisoformat(parsed["t"]) == expected
    for text in (format_table(result), *(whole(result, parts) for parts in PARTS.values())):
        assert "2026-10-01" in text


def whole(result: QueryResult, parts: Parts) -> str:
    return "".join(parts(result.columns, [result.rows]))


def test_a_reader_cannot_be_opened_up_again(small: Path) -> None:
    """Even past the check of statements, files and settings stay closed."""
    import duckdb

    with open_reader(small) as reader:
        for statement in (
            "set enable_external_access = true",
            "set lock_configuration = false",
            "copy (select 1) to '/tmp/geostore-never.csv'",
            "create table store.main.t (a integer)",
            "delete from turns",
        ):
            with pytest.raises(duckdb.Error):
                reader.execute(statement)


# --- stores ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["it's.db", 'a "store".db', "50%?#é 東京.db", "sqlite:x.db"])
def test_a_store_may_have_any_file_name(
    small: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(small, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, name):
        assert run_query(path, "select count(*) from traces").rows == [(11,)]


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no store at .*none\.db; geostore generate makes one"):
        run_query(tmp_path / "none.db", "summary")
    assert list(tmp_path.iterdir()) == []  # and none was made
    with pytest.raises(StoreError, match="is a folder"):
        run_query(tmp_path, "summary")
    (tmp_path / "notes.txt").write_text("not a store")
    with pytest.raises(StoreError, match="is not a SQLite file"):
        run_query(tmp_path / "notes.txt", "summary")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other, other:
        other.execute("create table people (name)")
    other.close()
    with pytest.raises(StoreError, match="of another program"):
        run_query(tmp_path / "other.db", "summary")


READ_ONLY = """
import os, sys
from geostore.query.reader import run_query
from geostore.errors import StoreError
run_query(sys.argv[2], "select 1")  # what is imported late is imported before rights are given up
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    run_query(sys.argv[1], "summary")
except StoreError as error:
    print(error)
"""


def test_a_store_in_a_read_only_folder_says_what_to_do(small: Path) -> None:
    """SQLite makes a file beside a store even to read it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Path(shutil.copy(small, folder / "geostore.db"))
        store.chmod(0o644)
        folder.chmod(0o555)
        try:
            command = [sys.executable, "-c", READ_ONLY, str(store), str(small)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        finally:
            folder.chmod(0o755)
    assert "is read-only" in done.stdout
    assert "copy the store" in done.stdout


WRITER = """
import sqlite3, sys
from pathlib import Path
path, said, stop = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
store = sqlite3.connect(path, isolation_level=None, timeout=30)
store.execute("pragma synchronous = off")
rollout = 100
while not stop.exists():
    rollout += 1
    store.execute("begin immediate")
    trace = store.execute(
        "insert into traces (sample_id, recipe_id, rollout, status, created_at, closed_at)"
        " values (1, 1, ?, 'answered', 'now', 'now')", (rollout,)
    ).lastrowid
    store.execute(
        "insert into answers (trace_id, parser_version, lat, lon)"
        " values (?, 1, 0, 0)", (trace,)
    )
    store.execute(
        "insert into rewards (trace_id, spec_id, parser_version, distance_km)"
        " values (?, 1, 1, 5)", (trace,)
    )
    store.execute(
        "insert into trace_facts select * from trace_facts_now where trace_id = ?", (trace,)
    )
    store.execute("commit")
    said.write_text(str(rollout - 100))
"""


def test_a_store_is_read_while_another_process_writes_it(copy: Path, tmp_path: Path) -> None:
    """All that was committed before, and each transaction as a whole, in whatever tables."""
    said, stop = tmp_path / "said", tmp_path / "stop"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(copy), str(said), str(stop)])
    question = (
        "select count(*), count(a.trace_id), count(w.trace_id) "
        "from trace_results as t left join answers as a on a.trace_id = t.trace_id "
        "left join rewards as w on w.trace_id = t.trace_id where t.rollout > 100"
    )
    try:
        while not said.exists() or not said.read_text():
            assert writer.poll() is None
        seen = 0
        for _ in range(5):
            acknowledged = int(said.read_text() or 0)
            ((traces, answers, rewards),) = run_query(copy, question).rows
            assert traces == answers == rewards
            assert traces >= max(acknowledged, seen)
            seen = traces
    finally:
        stop.touch()
        assert writer.wait() == 0
    assert run_query(copy, question).rows[0][0] == int(said.read_text())
    assert seen > 0


# --- what is printed -------------------------------------------------------------------------

MIXED = QueryResult(
    ("name", "lat", "mean_km", "share", "n", "ok", "at"),
    [
        ("a\tb\n\x1b[31mc", 48.856614, 5570.2222, 0.12345, 7, True, datetime(2026, 1, 2, 3, 4)),
        ("東京", None, Decimal("1.5"), float("nan"), -12, False, None),
    ],
)


def test_a_table_is_plain_text_with_sensible_digits() -> None:
    assert format_table(MIXED).splitlines() == [
        "name             lat  mean_km    share    n  ok   at",
        "----------  --------  -------  -------  ---  ---  -------------------",
        "a b  [31mc  48.85661  5,570.2    0.123    7  yes  2026-01-02T03:04:00",
        "東京                      1.5  nan      -12  no",
        "(2 rows)",
    ]


def test_long_text_is_cut_in_a_table_and_whole_elsewhere() -> None:
    result = QueryResult(("text",), [("x" * 500,)])
    assert max(map(len, format_table(result).splitlines())) == 80
    assert "x" * 500 in format_csv(result)
    assert "x" * 500 in format_json(result)


def test_csv_is_read_back_as_it_was() -> None:
    header, first, second = csv.reader(io.StringIO(format_csv(MIXED)))
    assert tuple(header) == MIXED.columns
    assert first == [
        *("a\tb\n\x1b[31mc", "48.856614", "5570.2222", "0.12345"),
        *("7", "true", "2026-01-02T03:04:00"),
    ]
    assert second == ["東京", "", "1.5", "", "-12", "false", ""]


def test_json_has_null_for_what_is_no_number() -> None:
    first, second = json.loads(format_json(MIXED))
    assert first["at"] == "2026-01-02T03:04:00"
    assert (first["lat"], first["ok"]) == (48.856614, True)
    assert second == {
        "name": "東京",
        "lat": None,
        "mean_km": 1.5,
        "share": None,
        "n": -12,
        "ok": False,
        "at": None,
    }
    assert json.loads(format_json(QueryResult(("a",), []))) == []


def test_all_that_duckdb_may_answer_can_be_printed(reader: Reader) -> None:
    """Numbers past 64 bits, nested values, intervals, bytes, infinities."""
    statement = (
        "select 170141183460469231731687303715884105727 as huge, [1.5, null] as list, "
        "{'a': date '2026-01-02'} as struct, map {1: 'x'} as map, interval 1 day as day, "
        "'\\xAA'::blob as bytes, 1/0 as inf, null as nothing, uuid() as id, time '01:02:03' as t"
    )
    result = ask(reader, statement)
    (row,) = json.loads(format_json(result))
    assert row["huge"] == 2**127 - 1
    assert (row["list"], row["struct"], row["map"]) == (
        [1.5, None],
        {"a": "2026-01-02"},
        {"1": "x"},
    )
    assert (row["bytes"], row["inf"], row["nothing"], row["t"]) == ("aa", None, None, "01:02:03")
    assert format_table(result)
    assert format_csv(result)


def test_columns_of_the_same_name_are_told_apart(reader: Reader) -> None:
    result = ask(reader, "select 1 as a, 2 as a, 3 as b")
    assert result.columns == ("a", "a_1", "b")
    assert json.loads(format_json(result)) == [{"a": 1, "a_1": 2, "b": 3}]


def test_a_plan_is_printed_as_drawn(reader: Reader) -> None:
    assert "│\n" in format_table(ask(reader, "explain select 1"))


def test_a_statement_that_takes_long_prints_nothing_but_its_answer(tmp_path: Path) -> None:
    """After two seconds DuckDB would draw a bar of its progress between the rows."""
    path = tmp_path / "geostore.db"
    Store.open(path, create=True).close()
    with open_reader(path) as reader:
        drawn = "select value from duckdb_settings() where name = 'enable_progress_bar'"
        assert reader.execute(drawn).fetchall() == [("false",)]
