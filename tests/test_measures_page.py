"""docs/measures.md: each command runs on the demo's store, and prints what the page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from geostore.query.headers import question_names
from geostore.rewards import PRESETS
from tests.pages import commands, matches, printed_by
from tests.running import command, environment

PAGE = Path(__file__).parents[1] / "docs" / "measures.md"
STORE = "demo/geostore.db"


@pytest.mark.timeout(400)  # the demo takes half a minute
def test_every_command_of_the_page_gives_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Not as the commands below: on a busy machine it takes more than their minute.
    subprocess.run(command("demo", "demo"), env=environment(), check=True, capture_output=True)
    (first, _), *session = commands(PAGE.read_text(encoding="utf-8"))
    assert first == f"export GEOSTORE_STORE={STORE}"
    assert len(session) > 10
    for line, expected in session:
        printed = printed_by(line, GEOSTORE_STORE=STORE)
        fits = any(matches(expected, lines) for lines in printed)
        assert fits, "\n".join([f"$ {line}", *printed[0]])


def test_the_presets_and_questions_that_the_page_names_are_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    presets = set(re.findall(r"preset:([a-z-]+)", page))
    assert len(presets) > 3
    assert {f"preset:{name}" for name in presets} <= set(PRESETS)
    questions = set(re.findall(r"`query ([a-z_]+)`", page))
    assert len(questions) > 5
    assert questions <= set(question_names())
