"""A misspelt name brings the one that is meant."""

from __future__ import annotations

import pytest

from geostore.text.nearest import did_you_mean, listed


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("sumary", "summary"),
        ("TURNS", "turns"),
        ("qwen/qwen2.5", "Qwen/Qwen2.5"),
        ("globe", "preset:globe"),
        ("zzz", None),
    ],
)
def test_the_most_similar_name_is_meant_whatever_its_case(name: str, meant: str | None) -> None:
    names = ["summary", "stats", "turns", "Qwen/Qwen2.5", "Qwen/Qwen3", "preset:globe"]
    assert did_you_mean(name, names) == ("" if meant is None else f" (did you mean {meant}?)")


def test_of_many_names_the_most_similar_are_listed_and_the_others_counted() -> None:
    few = ["b", "a"]
    assert listed(few, like="c") == "b, a"
    assert listed([], like="c") == "none"
    many = [f"column {number}" for number in range(499)] + ["sequence"]
    shown = listed(many, like="sequenc")
    assert shown.startswith("sequence, ")
    assert shown.endswith(" and 488 more")
    assert shown.count(", ") == 11
