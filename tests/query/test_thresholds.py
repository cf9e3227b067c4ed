"""The distances of accuracy, as options and callers give them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from geostore.errors import QueryError
from geostore.query.thresholds import USUAL_KM, check_km, format_km, read_km


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5,1,2,10,25,200,750,2500", (0.5, 1, 2, 10, 25, 200, 750, 2500)),
        ("25", (25,)),
        (" 200 , 1e1 ", (10, 200)),
        ("20037.5", (20037.5,)),
    ],
)
def test_distances_are_read_and_sorted(text: str, expected: tuple[float, ...]) -> None:
    assert read_km(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("abc", "'abc' is not a number; give distances in km"),
        ("1,,2", "'' is not a number"),
        ("", "'' is not a number"),
        ("1 2", "'1 2' is not a number"),
        ("1,-5", "-5 km is no distance to be within"),
        ("0", "0 km is no distance"),
        ("nan", "nan km is no distance"),
        ("inf", "inf km is no distance"),
        ("20039", "at most 20,038 km"),
        ("1,25,1.0", "1 km is given twice"),
    ],
)
def test_what_is_no_distance_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(QueryError) as refused:
        read_km(text)
    assert words in str(refused.value)


def test_no_distance_at_all_is_refused() -> None:
    with pytest.raises(QueryError, match="no distance is given"):
        check_km([])


@pytest.mark.parametrize(
    ("km", "words"),
    [
        (5, "km is a list of distances in km, such as [0.5, 1, 25], and not 5"),
        ("25", "and not '25'"),
        (["a"], "'a' is not a number; give distances in km"),
        ([None], "None is not a number"),
        ([[1]], "[1] is not a number"),
    ],
)
def test_what_is_no_list_of_numbers_is_refused(km: Any, words: str) -> None:
    with pytest.raises(QueryError) as refused:
        check_km(km)
    assert words in str(refused.value)


def test_the_usual_distances_are_distances() -> None:
    assert check_km(USUAL_KM) == USUAL_KM


@pytest.mark.parametrize(
    ("km", "text"), [(1.0, "1"), (0.5, "0.5"), (2500.0, "2500"), (0.1, "0.1"), (math.inf, "inf")]
)
def test_a_distance_is_written_without_zeros_that_say_nothing(km: float, text: str) -> None:
    assert format_km(km) == text
