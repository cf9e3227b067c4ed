"""A misspelt name brings the one that is meant."""

from __future__ import annotations

import pytest

from geostore.text.nearest import did_you_mean


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
