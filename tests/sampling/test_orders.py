"""Choosing rows: what is left out, in which order the rest comes, and how stable that is."""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.errors import DatasetError
from geostore.sampling.orders import Candidates, Draw, Order, candidates, describe_skipped

NAN = float("nan")
Floats = npt.NDArray[np.float64]
Row = tuple[float, float, float]
"""Latitude, longitude and locatability score."""

degrees = st.one_of(
    st.floats(-200, 200),
    st.sampled_from([0.0, -0.0, 90.0, -90.0, 180.0, -180.0, NAN, float("inf"), -float("inf")]),
)
scores = st.one_of(st.sampled_from([0.0, 0.2, 0.4, 1.0, NAN]), st.floats(0, 1))
tables = st.lists(st.tuples(degrees, degrees, scores), max_size=60)
orders: st.SearchStrategy[Order] = st.sampled_from(["dataset", "hardest", "easiest", "random"])


def columns(rows: list[Row]) -> tuple[Floats, Floats, Floats]:
    lat, lon, score = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return lat, lon, score


def on_land(count: int) -> tuple[Floats, Floats]:
    """Coordinates of `count` usable rows."""
    return np.full(count, 52.5), np.linspace(1, 100, count)


@given(tables, orders, st.integers(), st.sampled_from([None, 0.0, 0.2]), st.sampled_from([None, 1]))
def test_every_row_is_drawn_once_or_accounted_for_once(
    rows: list[Row], order: Order, seed: int, low: float | None, high: float | None
) -> None:
    """Candidates, skipped rows and rows outside the range add up to the dataset, none twice."""
    lat, lon, score = columns(rows)
    draw = Draw(order=order, seed=seed, min_locatability=low, max_locatability=high)
    drawable = candidates(lat, lon, score, draw)
    named = [*drawable.indices.tolist()]
    for skipped in drawable.skipped.values():
        named += skipped.tolist()
    assert len(named) == len(set(named))
    assert set(named) <= set(range(len(rows)))
    assert len(named) + drawable.below_range + drawable.above_range == len(rows)


@given(tables, orders, st.integers(0, 3))
def test_usable_rows_are_those_on_earth_and_off_null_island(
    rows: list[Row], order: Order, seed: int
) -> None:
    """The same rows are usable in every order, by a row-by-row restatement of the rule."""
    lat, lon, score = columns(rows)
    drawable = candidates(lat, lon, score, Draw(order=order, seed=seed))
    expected = [
        number
        for number, (y, x, _) in enumerate(rows)
        if abs(y) <= 90 and abs(x) <= 180 and not (y == 0 and x == 0)
    ]
    assert sorted(drawable.indices.tolist()) == expected
    assert drawable.indices.dtype == np.int64


@given(tables)
def test_hardest_and_easiest_sort_by_score_with_ties_by_row_and_unscored_last(
    rows: list[Row],
) -> None:
    """Both orders agree with a plain sort on (unscored, score, row number)."""
    lat, lon, score = columns(rows)
    ways: tuple[tuple[Order, int], ...] = (("hardest", 1), ("easiest", -1))
    for order, sign in ways:
        drawn = candidates(lat, lon, score, Draw(order=order)).indices.tolist()
        expected = sorted(
            drawn,
            key=lambda row: (np.isnan(score[row]), sign * np.nan_to_num(score[row]), row),
        )
        assert drawn == expected


@given(tables, orders, st.integers(0, 9), st.floats(0, 0.5), st.floats(0.51, 1))
def test_a_narrower_range_only_leaves_rows_out(
    rows: list[Row], order: Order, seed: int, low: float, high: float
) -> None:
    """A range keeps the order of the rows that stay, whatever the order."""
    lat, lon, score = columns(rows)
    all_rows = candidates(lat, lon, score, Draw(order=order, seed=seed)).indices
    some = candidates(
        lat, lon, score, Draw(order=order, seed=seed, min_locatability=low, max_locatability=high)
    ).indices
    kept = [row for row in all_rows.tolist() if low <= score[row] < high]
    assert some.tolist() == kept


def test_random_order_is_the_same_forever() -> None:
    """The order for a seed is part of the format: a new version must not draw others."""
    lat, lon = on_land(10)
    drawn = candidates(lat, lon, None, Draw(order="random", seed=7)).indices.tolist()
    assert drawn == [9, 1, 5, 6, 0, 7, 4, 8, 3, 2]


def test_random_keys_are_splitmix64_of_the_row_number() -> None:
    """The keys agree with the generator's published definition in whole-number arithmetic."""

    def mix(value: int) -> int:
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
        return value ^ (value >> 31)

    def key(row: int, seed: int) -> int:
        return mix((mix(seed % 2**64) + (row + 1) * 0x9E3779B97F4A7C15) % 2**64)

    lat, lon = on_land(500)
    for seed in (0, 1, -1, 2**64 + 5):
        drawn = candidates(lat, lon, None, Draw(order="random", seed=seed)).indices.tolist()
        assert drawn == sorted(range(500), key=lambda row: key(row, seed))


def test_neighbouring_seeds_give_unrelated_orders() -> None:
    """Seed 1 is not seed 0 moved by one: no long run of rows is common to both."""
    lat, lon = on_land(1000)
    first, second = (
        candidates(lat, lon, None, Draw(order="random", seed=seed)).indices for seed in (0, 1)
    )
    pairs = {(a, b) for a, b in itertools.pairwise(first)}
    common = sum((a, b) in pairs for a, b in itertools.pairwise(second))
    assert common < 10


def test_random_order_spreads_over_the_whole_dataset() -> None:
    """The first tenth of a random order is no piece of the dataset's order."""
    lat, lon = on_land(10_000)
    drawn = candidates(lat, lon, None, Draw(order="random")).indices[:1000]
    counts = np.histogram(drawn, bins=10, range=(0, 10_000))[0]
    assert counts.min() > 60
    assert counts.max() < 140


def test_the_range_is_half_open_so_that_stages_share_no_row() -> None:
    """A score of exactly 0.2 belongs to the stage that begins there."""
    lat, lon = on_land(4)
    score = np.array([0.0, 0.2, 0.4, NAN])
    first = candidates(lat, lon, score, Draw(min_locatability=0.0, max_locatability=0.2))
    second = candidates(lat, lon, score, Draw(min_locatability=0.2, max_locatability=0.4))
    assert first.indices.tolist() == [0]
    assert second.indices.tolist() == [1]
    assert (second.below_range, second.above_range) == (1, 1)
    assert second.skipped["unscored"].tolist() == [3]


def test_a_row_stands_under_its_first_reason_only() -> None:
    """A row without coordinates is not also reported as unscored."""
    lat = np.array([NAN, 91.0, 0.0, -0.0, 10.0, 0.0])
    lon = np.array([5.0, 5.0, 0.0, 0.0, 10.0, 10.0])
    score = np.array([NAN, NAN, NAN, NAN, NAN, 0.5])
    drawable = candidates(lat, lon, score, Draw(min_locatability=0.0))
    skipped = {reason: rows.tolist() for reason, rows in drawable.skipped.items()}
    assert skipped == {
        "missing": [0],
        "out_of_range": [1],
        "null_island": [2, 3],
        "unscored": [4],
    }
    assert drawable.indices.tolist() == [5]


def test_without_a_bound_unscored_rows_are_drawn() -> None:
    """A missing score is no reason to skip a row that no range was asked of."""
    lat, lon = on_land(2)
    drawable = candidates(lat, lon, np.array([NAN, 0.1]), Draw(order="hardest"))
    assert drawable.indices.tolist() == [1, 0]
    assert drawable.skipped["unscored"].size == 0


@pytest.mark.parametrize(
    "draw", [Draw(order="hardest"), Draw(order="easiest"), Draw(max_locatability=0.5)]
)
def test_asking_for_scores_of_a_dataset_without_them_is_an_error(draw: Draw) -> None:
    """Silence would draw everything, or nothing, in an order nobody asked for."""
    lat, lon = on_land(3)
    with pytest.raises(DatasetError, match="--column locatability_score=COLUMN"):
        candidates(lat, lon, None, draw)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": "shuffled"}, "no order 'shuffled'"),
        ({"min_locatability": 0.4, "max_locatability": 0.4}, r"\[0.4, 0.4\) is empty"),
        ({"min_locatability": 0.5, "max_locatability": 0.4}, r"\[0.5, 0.4\) is empty"),
        ({"min_locatability": NAN}, "not a number"),
    ],
)
def test_a_draw_that_can_find_nothing_is_refused(arguments: dict[str, Any], message: str) -> None:
    """A mistyped range is an error, not a run of zero samples."""
    with pytest.raises(DatasetError, match=message):
        Draw(**arguments)


def test_columns_of_different_lengths_are_refused() -> None:
    """Numpy would broadcast a single value over all rows."""
    with pytest.raises(ValueError, match="one value per row"):
        candidates(np.zeros(3), np.zeros(1), None, Draw())


def test_describe_skipped_names_counts_and_first_rows() -> None:
    """One sentence per reason, in numbers that can be looked up."""
    empty = np.array([], dtype=np.int64)
    drawable = Candidates(
        indices=empty,
        skipped={
            "missing": np.arange(2000, dtype=np.int64) * 3,
            "out_of_range": np.array([8], dtype=np.int64),
            "null_island": empty,
            "unscored": np.array([1, 4], dtype=np.int64),
        },
        below_range=0,
        above_range=1,
    )
    assert describe_skipped(drawable, limit=3) == [
        "2,000 rows have no readable coordinates and are skipped: 0, 3, 6 and 1,997 more.",
        "1 row has coordinates out of range and is skipped: 8.",
        "2 rows have no locatability score and are skipped: 1, 4.",
        "1 row lies outside the locatability range: 0 below it, 1 at or above its maximum.",
    ]


def test_describe_skipped_is_silent_when_nothing_was() -> None:
    """No sentence without a cause."""
    lat, lon = on_land(3)
    assert describe_skipped(candidates(lat, lon, None, Draw())) == []
