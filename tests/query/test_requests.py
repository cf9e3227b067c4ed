"""Questions about turns, calls and requests: tokens, caches, errors, speed and failed parsing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.hand_made import Batch, insert, insert_failure
from tests.questioned import (
    PLAIN,
    TOOLS,
    answers,
    failed_answer,
    filling,
    left_out,
    make_store,
    some,
    wilson,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_store(tmp_path)


def execute(batch: Batch, statement: str, *values: Any) -> sqlite3.Cursor:
    return batch.connection.execute(statement, values)


def test_tokens_of_a_turn_have_their_middle_and_their_highest_of_twenty(path: Path) -> None:
    with filling(path) as batch:
        for number in range(1, 22):
            trace_id = batch.trace(batch.sample(number, 0.5), TOOLS)
            execute(
                batch,
                "update turns set completion_tokens = ?, latency_ms = ? where trace_id = ?",
                *(10 * number, 1000 * number, trace_id),
            )
        trace_id = batch.trace(batch.sample(30, 0.5), TOOLS, turns=2, status="open")
        execute(batch, "update turns set completion_tokens = null where trace_id = ?", trace_id)
    first, second = answers(path, "tokens_per_turn")
    assert some([first], "turn", "responses", "uncounted") == [(1, 22, 1)]
    assert first["mean_completion_tokens"] == 110
    assert some([first], "p50_completion_tokens", "p95_completion_tokens") == [(110, 200)]
    # Of 1, 1, 2, ..., 21 seconds.
    assert some([first], "p50_latency_ms", "p95_latency_ms") == [(10_500, pytest.approx(19_950))]
    assert some([second], "responses", "uncounted", "p95_completion_tokens") == [(1, 1, None)]


def test_cached_tokens_are_a_share_of_those_of_the_prompt(path: Path) -> None:
    """Turn n has 100 n prompt tokens, and in the second 50 of them were cached."""
    with filling(path) as batch:
        for index in range(3):
            batch.trace(batch.sample(index, 0.5), TOOLS, turns=2)
        execute(batch, "update turns set cached_tokens = 999 where trace_id = 1 and turn = 2")
        execute(batch, "update turns set cached_tokens = null where trace_id = 2 and turn = 2")
        execute(batch, "update turns set prompt_tokens = null where trace_id = 3 and turn = 1")
        batch.trace(batch.sample(5, 0.5), PLAIN, turns=2)
    rows = answers(path, "cached_by_turn")
    columns = ("recipe", "turn", "responses", "reported", "prompt_tokens", "cached_tokens")
    assert some(rows, *columns) == [
        ("aaaaaaaa", 1, 2, 0, 200, 0),
        ("aaaaaaaa", 2, 3, 2, 600, 250),  # no more than a prompt has
        ("bbbbbbbb", 1, 1, 0, 100, 0),
        ("bbbbbbbb", 2, 1, 1, 200, 50),
    ]
    assert some(rows, "cached_share", "cached_share_reported") == [
        *((0.0, None), (pytest.approx(250 / 600), 250 / 400), (0.0, None), (0.25, 0.25)),
    ]
    assert rows[1]["cached_share_low"] < 250 / 600 < rows[1]["cached_share_high"]
    assert rows[3]["cached_share_low"] is None


def test_noops_are_counted_apart_for_accepted_traces(path: Path) -> None:
    """A call may have several flags; of three accepted traces with calls one has a no-op."""
    with filling(path) as batch:
        samples = [batch.sample(i, 0.5) for i in range(7)]
        batch.placed(samples[0], TOOLS, 1, 0.9, calls="yyy")
        batch.placed(samples[1], TOOLS, 1, 0.3, calls="y")
        batch.placed(samples[2], TOOLS, 1, 0.9, calls="n")
        batch.placed(samples[3], TOOLS, 1, 0.9)
        batch.placed(samples[4], TOOLS, 1, 0.29, calls="y")
        failed_answer(batch, samples[5], TOOLS, calls="yy")
        left_out(batch, samples[6], TOOLS)
        noop = """update tool_calls set flags = '["clamped","noop"]' where trace_id = ? """
        execute(batch, noop + "and call_index > 0", 1)
        execute(batch, noop, 6)
    accepted, others = answers(path, "noops")
    assert some([accepted], "accepted", "traces", "traces_share", "calls", "noops", "share") == [
        (True, 3, 1 / 3, 5, 2, 0.4)
    ]
    assert (accepted["share_low"], accepted["share_high"]) == pytest.approx(wilson(2, 5))
    interval = (accepted["traces_share_low"], accepted["traces_share_high"])
    assert interval == pytest.approx(wilson(1, 3))
    assert some([others], "accepted", "traces", "traces_share", "calls", "noops", "share") == [
        (False, 2, 0.5, 3, 2, 2 / 3)
    ]
    assert answers(path, "noops", min_score=0.25)[0]["traces"] == 4


def test_accept_rates_go_from_day_to_day(path: Path) -> None:
    with filling(path) as batch:
        samples = [batch.sample(i, 0.5) for i in range(6)]
        for sample, score in zip(samples[:3], (0.9, 0.3, 0.2), strict=True):
            batch.placed(sample, TOOLS, 1, score)
        failed_answer(batch, samples[3], TOOLS)
        batch.placed(samples[4], TOOLS, 1, 0.9)
        batch.placed(samples[4], PLAIN, 1, 0.1)
        left_out(batch, samples[5], TOOLS)
        execute(batch, "update traces set closed_at = '2026-03-01T23:59:59.999Z' where id < 5")
        execute(
            batch, "update traces set closed_at = '2026-03-02T00:00:00.000Z' where id in (5, 6)"
        )
    rows = answers(path, "accept_rate_by_day")
    columns = ("recipe", "day", "traces", "failures", "accepted", "accept_rate")
    assert some(rows, *columns, "accept_rate_parsed") == [
        ("aaaaaaaa", "2026-03-01", 4, 1, 2, 0.5, pytest.approx(2 / 3)),
        ("aaaaaaaa", "2026-03-02", 1, 0, 1, 1.0, 1.0),
        ("bbbbbbbb", "2026-03-02", 1, 0, 0, 0.0, 0.0),
    ]
    first = rows[0]
    assert (first["accept_rate_low"], first["accept_rate_high"]) == pytest.approx(wilson(2, 4))
    parsed = (first["accept_rate_parsed_low"], first["accept_rate_parsed_high"])
    assert parsed == pytest.approx(wilson(2, 3))
    assert first["mean_score"] == pytest.approx(1.4 / 3)
    assert first["mean_score_failures_0"] == pytest.approx(1.4 / 4)
    assert answers(path, "accept_rate_by_day", min_score=0.2)[0]["accepted"] == 3


def test_failed_parsing_is_told_by_reason_and_finish_reason_with_an_example(path: Path) -> None:
    with filling(path) as batch:
        samples = [batch.sample(i, 0.5) for i in range(8)]
        for sample in samples[:3]:
            failed_answer(batch, sample, TOOLS, turns=2)
        execute(batch, "update turns set finish_reason = 'stop' where turn = 2")
        execute(batch, "update turns set finish_reason = 'length' where turn = 1 or trace_id = 3")
        long = "x" * 300 + "at the end"
        execute(batch, "update turns set response = ? where trace_id = 1 and turn = 2", long)
        execute(batch, "update answers set failure = 'placeholder' where trace_id = 2")
        batch.placed(samples[3], PLAIN, 1, 0.9)
        again = failed_answer(batch, samples[4], PLAIN)
        batch.answer(again, version=2)  # a newer parser reads it
        refused = batch.trace(samples[5], PLAIN)
        batch.answer(refused)
        batch.answer(refused, "refused", version=2)
        left_out(batch, samples[6], TOOLS)
        batch.trace(samples[7], TOOLS, status="failed", turns=0)
    rows = answers(path, "parse_failures")
    columns = ("model", "reason", "finish_reason", "failures", "responses", "example")
    assert sorted(some(rows, *columns), key=str) == [
        ("m", "one_number", "length", 1, 7, "2-aaaaaaaa-1"),
        ("m", "one_number", "stop", 1, 7, "0-aaaaaaaa-1"),
        ("m", "placeholder", "stop", 1, 7, "1-aaaaaaaa-1"),
        ("m", "refused", None, 1, 7, "5-bbbbbbbb-1"),
    ]
    text = next(row["text"] for row in rows if row["example"] == "0-aaaaaaaa-1")
    assert text == "x" * 190 + "at the end"
    assert (rows[0]["share_low"], rows[0]["share_high"]) == pytest.approx(wilson(1, 7))


def test_the_most_frequent_reason_comes_first(path: Path) -> None:
    with filling(path) as batch:
        for index in range(3):
            failed_answer(batch, batch.sample(index, 0.5), TOOLS)
        execute(batch, "update answers set failure = 'zero' where trace_id > 1")
    rows = answers(path, "parse_failures")
    assert some(rows, "reason", "failures", "share") == [
        ("zero", 2, 2 / 3),
        ("one_number", 1, 1 / 3),
    ]


def run(batch: Batch) -> int:
    return insert(
        batch.connection,
        "runs",
        arguments="{}",
        versions="{}",
        host="here",
        pid=1,
        started_at="2026-03-01T10:00:00.000Z",
    )


def test_throughput_counts_responses_errors_and_closings_of_each_hour(path: Path) -> None:
    usage = {"prompt_tokens": 70, "completion_tokens": 5, "total_tokens": 75}
    with filling(path) as batch:
        run_id = run(batch)
        trace_id = batch.trace(batch.sample(0, 0.5), TOOLS, turns=3)
        imported = batch.trace(batch.sample(1, 0.5), TOOLS, turns=3)
        insert(
            batch.connection,
            "imports",
            path="/a.json",
            sha256="0",
            stamp="0",
            variant="log",
            stated_index=1,
            trace_id=imported,
            created_at="now",
        )
        execute(batch, "update traces set closed_at = '2026-03-01T12:30:00.000Z'")
        execute(batch, "update turns set created_at = '2026-03-01T12:00:00.000Z'")
        execute(batch, "update turns set run_id = ? where trace_id = ?", run_id, trace_id)
        execute(batch, "update turns set created_at = '2026-03-01T10:59:59.999Z' where turn < 3")
        for attempt, (kind, time) in enumerate(
            [("timeout", "10:10"), ("server", "10:11"), ("server", "11:00"), ("probe", "11:01")],
            start=1,
        ):
            insert_failure(
                batch.connection,
                trace_id=trace_id,
                attempt=attempt,
                error_class=kind,
                run_id=run_id,
                usage=usage if kind == "probe" else None,
                created_at=f"2026-03-01T{time}:00.000Z",
            )
    rows = answers(path, "throughput")
    columns = ("start", "responses", "errors", "errors_by_class", "closed", "tokens")
    assert some(rows, *columns) == [
        ("2026-03-01T10:00:00Z", 2, 2, "server 1, timeout 1", 0, 110 + 210),
        ("2026-03-01T11:00:00Z", 0, 1, "server 1", 0, 75),
        ("2026-03-01T12:00:00Z", 1, 0, None, 1, 310),
    ]
    assert [row["error_share"] for row in rows] == [0.5, 1.0, 0.0]
    assert (rows[0]["error_share_low"], rows[0]["error_share_high"]) == pytest.approx(wilson(2, 4))
    assert rows[0]["tokens_per_minute"] == pytest.approx(320 / 60)
    assert some(rows, "p50_latency_ms", "p95_latency_ms") == [
        (1500, pytest.approx(1950)),
        (None, None),
        (3000, 3000),
    ]
    days = answers(path, "throughput", minutes=1440)
    assert some(days, "start", "responses", "errors") == [("2026-03-01T00:00:00Z", 3, 3)]
    assert days[0]["errors_by_class"] == "server 2, timeout 1"


def test_copies_of_a_photo_stand_together_with_what_was_answered(path: Path) -> None:
    with filling(path) as batch:
        first, other, alone = (batch.sample(i, 0.5) for i in range(3))
        streets = batch.dataset("streets")
        copy = batch.sample(7, 0.5, dataset_id=streets)
        execute(batch, "update samples set image_sha256 = ?", "f" * 64)
        execute(batch, "update samples set lat = 11.0, lon = 20.0 where id = ?", other)
        execute(batch, "update samples set image_sha256 = ? where id = ?", "e" * 64, alone)
        execute(batch, "update samples set lat = 10.0, same_as = ? where id = ?", first, copy)
        batch.placed(first, TOOLS, 5, 0.9, rollout=1)
        batch.placed(first, TOOLS, 6, 0.9, rollout=2)
        failed_answer(batch, other, TOOLS)
    rows = answers(path, "duplicate_photos")
    degree = 6371.0 * 3.141592653589793 / 180
    assert some(rows, "dataset", "sample_index", "stands_for", "trace", "distance_km") == [
        ("photos", 0, None, "0-aaaaaaaa-1", 5.0),
        ("photos", 0, None, "0-aaaaaaaa-2", 6.0),
        ("photos", 1, None, "1-aaaaaaaa-1", None),
        ("streets", 7, "photos 0", None, None),
    ]
    assert {(row["photo"], row["copies"]) for row in rows} == {("f" * 12, 3)}
    assert [row["apart_km"] for row in rows] == pytest.approx([degree] * 4)
    assert len(answers(path, "duplicate_photos", most=2)) == 2
