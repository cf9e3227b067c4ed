"""Questions about hard and easy photos, and how distances are spread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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


def test_points_rise_with_locatability_or_a_note_says_so(path: Path) -> None:
    with filling(path) as batch:
        for index, (locatability, score) in enumerate(
            [(0.05, 0.2), (0.09, 0.4), (0.35, 0.1), (0.95, 0.5), (0.99, 0.7), (None, 0.9)]
        ):
            batch.placed(batch.sample(index, locatability), TOOLS, 100 * (index + 1), score)
        failed_answer(batch, batch.sample(10, 0.31), TOOLS)
        left_out(batch, batch.sample(11, 0.31), TOOLS)
        batch.placed(batch.sample(12, 0.05), PLAIN, 1, 1.0)
    rows = answers(path, "points_by_difficulty")
    columns = ("recipe", "decile", "traces", "failures", "points", "points_parsed", "note")
    assert some(rows, *columns) == [
        ("aaaaaaaa", 1, 2, 0, 1500.0, 1500.0, None),
        ("aaaaaaaa", 4, 2, 1, 250.0, 500.0, "falls"),
        ("aaaaaaaa", 10, 2, 0, 3000.0, 3000.0, None),
        ("aaaaaaaa", None, 1, 0, 4500.0, 4500.0, None),
        ("bbbbbbbb", 1, 1, 0, 5000.0, 5000.0, None),
    ]
    assert [row["step"] for row in rows] == [None, -1250.0, 2750.0, None, None]
    assert some(rows, "median_km_failures_20000", "median_km")[1] == (10_150, 300)
    first, second = rows[:2]
    assert first["points_low"] < 1500 < first["points_high"]
    widths = [row["points_high"] - row["points_low"] for row in (first, second)]
    step = (widths[0] ** 2 + widths[1] ** 2) ** 0.5 / 2
    assert (second["step_low"], second["step_high"]) == pytest.approx((-1250 - step, -1250 + step))
    assert (rows[3]["points_low"], rows[3]["step_low"]) == (None, None)


def test_a_fall_by_more_than_chance_is_told_apart(path: Path) -> None:
    with filling(path) as batch:
        for index, locatability in enumerate([0.05, 0.15, 0.25] * 20):
            score = (0.8, 0.6, 0.599)[index % 3] + 0.01 * (index % 7)
            batch.placed(batch.sample(index, locatability), TOOLS, 1, score)
    rows = answers(path, "points_by_difficulty", least=20)
    assert [row["note"] for row in rows] == [None, "falls, surely", "falls"]
    rows = answers(path, "points_by_difficulty", least=21)
    assert [row["note"] for row in rows] == [None, "falls", "falls"]


def test_distances_are_counted_in_bins_of_equal_factors(path: Path) -> None:
    with filling(path) as batch:
        far = [0.0, 0.05, 0.1, 0.99, 1.0, 9.99, 10, 10, 20_000]
        for index, km in enumerate(far):
            batch.placed(batch.sample(index, 0.5), TOOLS, km, 0.5)
        failed_answer(batch, batch.sample(20, 0.5), TOOLS)
        left_out(batch, batch.sample(21, 0.5), TOOLS)
        batch.placed(batch.sample(22, 0.5), PLAIN, 10, 0.5)
        batch.connection.execute("update samples set country = null where sample_index = 22")
    rows = answers(path, "distance_histogram", bins=1, least=2)
    columns = ("country", "from_km", "to_km", "answers", "traces")

    def bins(country: str, of_ten: int, traces: int) -> list[tuple[Any, ...]]:
        counts = [(0, 0.1, 2), (0.1, 1, 2), (1, 10, 2), (10, 100, of_ten), (10_000, 100_000, 1)]
        return [
            *((country, about(low), about(high), n, traces) for low, high, n in counts),
            (country, None, None, 1, traces),
        ]

    assert some(rows, *columns) == [*bins("(all)", 3, 11), *bins("france", 2, 10)]
    first, last = rows[0], rows[5]
    assert (first["share"], first["share_parsed"]) == (2 / 11, 2 / 10)
    assert (first["share_low"], first["share_high"]) == about(wilson(2, 11))
    assert (last["share"], last["share_parsed"]) == (1 / 11, None)


def test_distances_of_each_recipe_are_counted_in_the_same_bins(path: Path) -> None:
    with filling(path) as batch:
        for index, km in enumerate([0.0, 0.05, 1.0, 9.99, 20_000]):
            batch.placed(batch.sample(index, 0.5), TOOLS, km, 0.5)
        failed_answer(batch, batch.sample(20, 0.5), TOOLS)
        left_out(batch, batch.sample(21, 0.5), TOOLS)
        batch.placed(batch.sample(22, 0.5), PLAIN, 10, 0.5)
    rows = answers(path, "distances_by_recipe", bins=1)
    assert some(rows, "recipe", "from_km", "to_km", "answers", "traces") == [
        (None, 0, about(0.1), 2, 7),
        (None, about(1), about(10), 2, 7),
        (None, about(10), about(100), 1, 7),
        (None, about(10_000), about(100_000), 1, 7),
        (None, None, None, 1, 7),
        ("aaaaaaaa", 0, about(0.1), 2, 6),
        ("aaaaaaaa", about(1), about(10), 2, 6),
        ("aaaaaaaa", about(10_000), about(100_000), 1, 6),
        ("aaaaaaaa", None, None, 1, 6),
        ("bbbbbbbb", about(10), about(100), 1, 1),
    ]
    assert (rows[0]["share"], rows[4]["share"], rows[5]["share"]) == (2 / 7, 1 / 7, 2 / 6)
    assert (rows[0]["share_low"], rows[0]["share_high"]) == about(wilson(2, 7))


def test_distances_of_a_country_need_thirty_traces_or_what_is_asked(path: Path) -> None:
    with filling(path) as batch:
        for index in range(30):
            batch.placed(batch.sample(index, 0.5), TOOLS, 3, 0.5)
    rows = answers(path, "distance_histogram")
    bounds = (about(10**0.25), about(10**0.5))
    assert some(rows, "country", "from_km", "to_km") == [("(all)", *bounds), ("france", *bounds)]
    assert {row["country"] for row in answers(path, "distance_histogram", least=31)} == {"(all)"}


def test_tool_use_goes_by_tenths_of_locatability(path: Path) -> None:
    with filling(path) as batch:
        hard = [batch.sample(i, 0.05 + 0.01 * i) for i in range(4)]
        batch.placed(hard[0], TOOLS, 25, 0.9, calls="yyn")
        batch.placed(hard[1], TOOLS, 26, 0.9, calls="y")
        failed_answer(batch, hard[2], TOOLS)
        batch.placed(hard[3], PLAIN, 4000, 0.1)
        left_out(batch, hard[0], TOOLS)
        batch.placed(batch.sample(9, 1.0), TOOLS, 2, 0.9)
        batch.placed(batch.sample(10, None), PLAIN, 1, 0.9)
    rows = answers(path, "tool_use_by_difficulty")
    columns = ("decile", "locatability", "with_tools", "traces", "share_using_tools", "mean_calls")
    assert some(rows, *columns) == [
        (1, "0-0.1", True, 4, 0.5, 1.0),
        (1, "0-0.1", False, 1, 0.0, 0.0),
        (10, "0.9-1", True, 1, 0.0, 0.0),
        (None, "unknown", False, 1, 0.0, 0.0),
    ]
    first = rows[0]
    assert (first["share_using_tools_low"], first["share_using_tools_high"]) == about(wilson(2, 4))
    assert first["failed_calls_share"] == 0.25
    assert some([first], "scored", "acc", "acc_parsed", "failures") == [(3, 1 / 3, 0.5, 1)]
    assert (first["acc_low"], first["acc_high"]) == about(wilson(1, 3))
    assert (first["mean_km"], first["mean_km_failures_20000"]) == (25.5, about(20_051 / 3))
    assert answers(path, "tool_use_by_difficulty", km=26)[0]["acc"] == about(2 / 3)


def about(value: Any) -> Any:
    return pytest.approx(value)
