"""A misspelt name of a reward, check, recipe or teacher: the nearest right one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hand_made import Traces
from tests.running import geostore


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rescore", "--reward", "geogusser"), "did you mean geoguessr?"),
        (("rescore", "--reward", "liner"), "did you mean linear?"),
        (("rewards", "show", "Linear1"), "did you mean linear?"),
        (("rewards", "default", "exponental"), "did you mean exponential?"),
        (("export", "out", "--flag", "repeted_call"), "did you mean repeated_call?"),
        (("export", "out", "--exclude-flag", "truncatd"), "did you mean truncated?"),
        (("query", "sumary"), "did you mean summary?"),
        (("query", "from trace_result"), "did you mean trace_results?"),
        (("query", "select modle from trace_results"), '"model"'),
        (("query", "summary", "--format", "jsno"), "'json'"),
    ],
)
def test_the_nearest_name_is_given(
    traces: Traces, arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    refused = geostore(*arguments, "--store", tmp_path / "geostore.db")
    assert refused.returncode in (1, 2)
    assert words in " ".join(refused.stderr.split())


def test_a_recipe_and_a_teacher_that_the_store_does_not_have_are_told(
    traces: Traces, tmp_path: Path
) -> None:
    traces.trace((1.0, 2.0))
    model, sha256 = traces.connection.execute("select model, sha256 from recipes").fetchone()
    traces.connection.commit()
    there = f"there are: {sha256[:8]}"
    for command in (("traces",), ("export", "out")):
        at = ("--store", tmp_path / "geostore.db")
        asked = geostore(*command, *at, "--recipe", "zzzz")
        assert f"no recipe 'zzzz'; {there}" in asked.stderr
        asked = geostore(*command, *at, "--model", f"{model}x")
        assert f"no model '{model}x'" in asked.stderr
        assert f"there are: {model}" in asked.stderr
        asked = geostore(*command, *at, "--model", "*", "--recipe", sha256[:6])
        assert "there are:" not in asked.stderr
