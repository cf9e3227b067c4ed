"""docs/api.md is a session: a test runs each of its lines on a demo's store, and compares."""

from __future__ import annotations

import doctest
import subprocess
from pathlib import Path

import pytest

from tests.running import command, environment

PAGE = Path(__file__).parents[1] / "docs" / "api.md"


@pytest.mark.timeout(360)
def test_the_session_of_the_python_page_runs_on_what_the_demo_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a reader would try it: the demo's command first, then the page from top to bottom."""
    monkeypatch.chdir(tmp_path)
    demo = command("demo", "demo", "--samples", "6")
    subprocess.run(demo, check=True, capture_output=True, env=environment(), timeout=300)
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 15
    assert result.failed == 0
