"""docs/walkthrough.md is a session: a test runs each of its commands, and compares."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.old_project import OLD, make_old_project
from tests.older_batch import images_of_file
from tests.pages import commands, matches, printed_by

PAGE = Path(__file__).parents[1] / "docs" / "walkthrough.md"


@pytest.mark.timeout(360)
def test_every_command_of_the_walkthrough_does_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From old files to an export, in the order of the page."""
    make_old_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    session = list(commands(PAGE.read_text(encoding="utf-8")))
    assert len(session) > 12
    for command, expected in session:
        printed = printed_by(command)
        fits = any(matches(expected, lines) for lines in printed)
        assert fits, "\n".join([f"$ {command}", *printed[0]])
    seen = sorted((tmp_path / "seen").glob("*_image_*.jpg"))
    file = tmp_path / OLD / "with_tools" / "trace_00001.json"
    assert [path.read_bytes() for path in seen] == images_of_file(file)


def test_the_comparison_notices_a_wrong_line() -> None:
    assert matches(["a", "...", "z"], ["a", "b", "c", "z"])
    assert matches(["wrote ...", "b"], ["wrote 3", "b"])
    for wrong in (["a", "b"], ["a", "...", "y"], ["a"], ["b", "..."]):
        assert not matches(wrong, ["a", "b", "c", "z"]), wrong
