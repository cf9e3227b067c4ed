"""Questions about single traces, calls and countries: what fails, what is worst, and where."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from geostore.store import make_filter, open_snapshot
from tests.hand_made import Batch, write_facts
from tests.questioned import (
    PLAIN,
    TOOLS,
    answers,
    failed_answer,
    filling,
    make_store,
    some,
    wilson,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_store(tmp_path)


def execute(batch: Batch, statement: str, *values: Any) -> sqlite3.Cursor:
    """Change rows by hand, and let the facts follow."""
    cursor = batch.connection.execute(statement, values)
    write_facts(batch.connection)
    return cursor


def test_tool_failures_count_each_kind_and_turn_and_give_an_example(path: Path) -> None:
    with filling(path) as batch:
        samples = [batch.sample(i, 0.5) for i in range(5)]
        batch.trace(samples[0], TOOLS, calls="yy")
        batch.trace(samples[1], TOOLS, calls="ynn")
        batch.trace(samples[2], TOOLS, calls="nyn", status="open")
        batch.trace(samples[3], PLAIN, calls="n")
        execute(batch, "update tool_calls set raw_arguments = ? where trace_id = 2", '{"a": 1}')
        execute(
            batch,
            "update tool_calls set error_kind = 'too_small' where trace_id = 3 and call_index = 2",
        )
        batch.trace(samples[4], TOOLS, calls="yn", turns=2)
        execute(batch, "update tool_calls set turn = 2 where trace_id = 5")
    rows = answers(path, "tool_failures")
    columns = ("recipe", "tool", "error_kind", "turn", "failures", "calls", "failed_traces")
    assert some(rows, *columns, "share", "example") == [
        ("aaaaaaaa", "zoom", "bad_box", 1, 3, 8, 2, 3 / 8, "1-aaaaaaaa-1"),
        ("aaaaaaaa", "zoom", "bad_box", 2, 1, 2, 1, 1 / 2, "4-aaaaaaaa-1"),
        ("aaaaaaaa", "zoom", "too_small", 1, 1, 8, 1, 1 / 8, "2-aaaaaaaa-1"),
        ("bbbbbbbb", "zoom", "bad_box", 1, 1, 1, 1, 1.0, "3-bbbbbbbb-1"),
    ]
    assert rows[0]["raw_arguments"] == '{"a": 1}'
    assert (rows[0]["share_low"], rows[0]["share_high"]) == pytest.approx(wilson(3, 8))


def test_the_worst_traces_come_in_the_order_of_the_list(path: Path) -> None:
    """No coordinates is worse than any distance; without a response after those with one."""
    with filling(path) as batch:
        samples = [batch.sample(i, 0.5) for i in range(8)]
        batch.placed(samples[0], TOOLS, 12.0, 0.99)
        batch.placed(samples[1], TOOLS, 9000.0, 0.0)
        batch.placed(samples[2], TOOLS, 15000.0, 0.0)
        failed_answer(batch, samples[3], TOOLS)
        batch.trace(samples[4], TOOLS, status="failed", turns=0)
        batch.trace(samples[5], TOOLS, status="open")
        batch.answer(batch.trace(samples[6], TOOLS))  # no reward yet
        failed_answer(batch, samples[7], TOOLS, status="exhausted")
    rows = answers(path, "worst_traces")
    assert [int(row["trace"].split("-")[0]) for row in rows] == [3, 7, 4, 2, 1, 0]
    assert [row["why"] for row in rows] == ["one_number", "because", "because", None, None, None]
    with open_snapshot(path) as snapshot:
        listed = snapshot.list_traces(make_filter({}, statuses=None), order="worst", limit=None)
    assert [line.trace for line in listed.lines if line.score_or_0 is not None] == [
        row["trace"] for row in rows
    ]


def test_only_the_twenty_worst_traces_are_given(path: Path) -> None:
    with filling(path) as batch:
        for number in range(60):
            batch.placed(batch.sample(number, 0.5), PLAIN, 100.0 * number, 1 - number / 100)
    rows = answers(path, "worst_traces")
    assert [row["distance_km"] for row in rows] == [100.0 * n for n in range(59, 39, -1)]
    assert answers(path, "worst_traces", most=3) == rows[:3]


def test_a_country_counts_its_failures(path: Path) -> None:
    """As 20,000 km, as outside of every radius, and as score 0; open traces are not counted."""
    with filling(path) as batch:
        samples = [batch.sample(i, 0.5) for i in range(35)]
        batch.placed(samples[0], TOOLS, 25.0, 0.9)
        batch.placed(samples[0], PLAIN, 200.0, 0.6)
        batch.placed(samples[1], TOOLS, 751.0, 0.3)
        failed_answer(batch, samples[2], TOOLS)
        batch.trace(samples[3], TOOLS, status="open")
        for sample in samples[4:34]:
            batch.placed(sample, TOOLS, 1.0, 1.0)
        batch.trace(samples[34], TOOLS, status="failed", turns=0)
        execute(batch, "update samples set country = 'japan' where id > ?", samples[3])
        execute(batch, "update samples set country = null where id = ?", samples[34])
    japan, france, unknown = answers(path, "by_country")
    assert france == {
        "country": "france",
        "traces": 4,
        "note": "n < 30",
        "failures": 1,
        "parse_success_rate": 0.75,
        "parse_success_rate_low": pytest.approx(wilson(3, 4)[0]),
        "parse_success_rate_high": pytest.approx(wilson(3, 4)[1]),
        "scored": 4,
        "mean_km": pytest.approx((25 + 200 + 751) / 3),
        "median_km": 200,
        "mean_km_failures_20000": (25 + 200 + 751 + 20_000) / 4,
        "median_km_failures_20000": (200 + 751) / 2,
        "acc_25_km": 0.25,
        "acc_200_km": 0.5,
        "acc_750_km": 0.5,
        **{
            f"acc_{km}_km_{kind}{side}": pytest.approx(wilson(hits, n)[place])
            for km, hits in ((25, 1), (200, 2), (750, 2))
            for kind, n in (("", 4), ("parsed_", 3))
            for place, side in enumerate(("low", "high"))
        },
        "acc_25_km_parsed": pytest.approx(1 / 3),
        "acc_200_km_parsed": pytest.approx(2 / 3),
        "acc_750_km_parsed": pytest.approx(2 / 3),
        "mean_score": pytest.approx(1.8 / 3),
        "mean_score_failures_0": pytest.approx(1.8 / 4),
    }
    assert (japan["country"], japan["traces"], japan["note"]) == ("japan", 30, None)
    assert (unknown["country"], unknown["parse_success_rate"]) == ("unknown", 0.0)
    assert unknown["mean_km_failures_20000"] == 20_000
    named = [row["country"] for row in answers(path, "by_country", least=4)]
    assert named == ["japan", "france"]
