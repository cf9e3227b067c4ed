"""Questions about several rollouts of a sample: pass@k, the best of n, and mixed samples."""

from __future__ import annotations

from pathlib import Path

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
    """Three samples of one recipe.

    1: hard; 10, 100 and 101 km and a failure; 1000, 2000 and 4000 points, the nearest the fewest.
    2: easy; 5 km with 3000 points, and 25 km with 500.
    3: of unknown difficulty; one rollout of 30 km.
    """
    path = make_store(tmp_path)
    with filling(path) as batch:
        hard, easy, unknown = (batch.sample(i, x) for i, x in enumerate((0.05, 0.95, None)))
        for rollout, (km, score) in enumerate([(10, 0.2), (100, 0.4), (101, 0.8)], start=1):
            batch.placed(hard, TOOLS, km, score, rollout=rollout)
        failed_answer(batch, hard, TOOLS, rollout=4)
        batch.placed(easy, TOOLS, 5, 0.6, rollout=1)
        batch.placed(easy, TOOLS, 25, 0.1, rollout=2)
        batch.placed(unknown, TOOLS, 30, 0.5)
        left_out(batch, easy, TOOLS)
    return path


def test_pass_at_k_is_the_mean_chance_of_samples_with_enough_rollouts(path: Path) -> None:
    """Of the hard sample 1 of 4 passes: 1/4, 1 - C(3,2)/C(4,2) = 1/2, and 1."""
    rows = answers(path, "pass_at_k")
    assert some(rows, "bin", "locatability", "k", "samples", "pass_at_k") == [
        (None, "all", 1, 3, pytest.approx((0.25 + 1 + 0) / 3)),
        (None, "all", 2, 2, pytest.approx((0.5 + 1) / 2)),
        (None, "all", 4, 1, 1.0),
        (1, "0-0.1", 1, 1, 0.25),
        (1, "0-0.1", 2, 1, 0.5),
        (1, "0-0.1", 4, 1, 1.0),
        (10, "0.9-1", 1, 1, 1.0),
        (10, "0.9-1", 2, 1, 1.0),
        (None, "unknown", 1, 1, 0.0),
    ]
    low, high = rows[0]["pass_at_k_low"], rows[0]["pass_at_k_high"]
    assert (low, high) == pytest.approx(wilson(1.25, 3))
    assert some(rows[:3], "samples_parsed", "pass_at_k_parsed") == [
        (3, pytest.approx((1 / 3 + 1 + 0) / 3)),
        (2, pytest.approx((2 / 3 + 1) / 2)),
        (0, None),
    ]


def test_pass_at_k_takes_a_distance_tries_and_bins(path: Path) -> None:
    rows = answers(path, "pass_at_k", km=100, k=[3], bins=2)
    assert some(rows, "locatability", "k", "pass_at_k", "pass_at_k_parsed") == [
        ("all", 3, 1.0, 1.0),
        ("0-0.5", 3, 1.0, 1.0),
    ]


def test_the_best_of_n_is_expected_over_all_choices_of_rollouts(path: Path) -> None:
    """Of the hard one, with a failure of 0 points: 1: 7000/4; 2: (0+1+2+4+2+4+4..)/6, and so on.

    Pairs of 0, 1000, 2000, 4000: the greater is 1000, 2000, 4000, 2000, 4000, 4000: 17000/6.
    Threes: 2000, 4000, 4000, 4000: 3500. The easy one: (3000 + 500) / 2, then 3000.
    """
    rows = answers(path, "best_of_n")
    points = [(1750 + 1750 + 2500) / 3, (17_000 / 6 + 3000) / 2, 3500, 4000]
    assert some(rows, "n", "samples", "points") == [
        (1, 3, pytest.approx(points[0])),
        (2, 2, pytest.approx(points[1])),
        (3, 1, pytest.approx(points[2])),
        (4, 1, pytest.approx(points[3])),
    ]
    gains = [points[0], points[1] - 1750, 3500 - 17_000 / 6, 500]
    assert [row["gain"] for row in rows] == pytest.approx(gains)
    assert {row["tokens_per_rollout"] for row in rows} == {110}
    assert rows[1]["gain_per_1000_tokens"] == pytest.approx(gains[1] / 110 * 1000)
    assert rows[0]["points_low"] < points[0] < rows[0]["points_high"]
    assert (rows[2]["points_low"], rows[2]["gain_high"]) == (None, None)
    parsed = [(7000 / 3 + 1750 + 2500) / 3, (10_000 / 3 + 3000) / 2, 4000, None]
    assert some(rows, "samples_parsed", "points_parsed") == [
        (3, pytest.approx(parsed[0])),
        (2, pytest.approx(parsed[1])),
        (1, pytest.approx(parsed[2])),
        (0, None),
    ]
    assert rows[2]["gain_parsed"] == pytest.approx(4000 - 10_000 / 3)


def test_the_best_of_n_does_not_depend_on_the_order_of_rollouts(path: Path) -> None:
    """And goes as far as it is asked to."""
    before = answers(path, "best_of_n")
    with filling(path) as batch:
        batch.connection.execute("update traces set rollout = rollout + 10 where rollout < 98")
        batch.connection.execute("update traces set rollout = 30 - rollout where rollout < 98")
    assert answers(path, "best_of_n") == before
    assert answers(path, "best_of_n", rollouts=2) == before[:2]


def test_mixed_samples_pass_sometimes_and_those_near_half_come_first(path: Path) -> None:
    with filling(path) as batch:
        half = batch.sample(7, 0.5)
        batch.placed(half, TOOLS, 3, 0.9, rollout=1)
        batch.placed(half, TOOLS, 26, 0.9, rollout=2)
        batch.placed(half, PLAIN, 3, 0.9)
    rows = answers(path, "mixed_samples")
    assert some(rows, "sample_index", "rollouts", "passes", "pass_rate", "trace") == [
        (7, 2, 1, 0.5, "7-aaaaaaaa-1"),
        (0, 4, 1, 0.25, "0-aaaaaaaa-1"),
    ]
    assert some(rows, "failures", "pass_rate_parsed", "median_km_failures_20000") == [
        (0, 0.5, 14.5),
        (1, 1 / 3, 100.5),
    ]
    low, high = rows[1]["pass_rate_low"], rows[1]["pass_rate_high"]
    assert (low, high) == pytest.approx(wilson(1, 4))


def test_mixed_samples_take_a_distance_a_least_number_and_a_limit(path: Path) -> None:
    assert some(answers(path, "mixed_samples", km=10), "sample_index") == [(1,), (0,)]
    assert some(answers(path, "mixed_samples", km=10, most=1), "sample_index") == [(1,)]
    assert some(answers(path, "mixed_samples", km=10, least=3), "sample_index") == [(0,)]
    assert answers(path, "mixed_samples", km=20_000, least=5) == []
