"""docs/walkthrough.md is a session: a test runs each of its commands, and compares."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.old_project import OLD, make_old_project
from tests.older_batch import images_of_file
from tests.running import geostore

PAGE = Path(__file__).parents[1] / "docs" / "walkthrough.md"
HOME = "/data"
"""What the page calls the folder in which its reader works."""
PROGRESS = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z  ")


def commands(page: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a page, with the lines that it is said to print."""
    for block in re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            joined = command.rstrip("\n").replace("\\\n", " ")
            first, *expected = joined.split("\n")
            yield first, expected


def printed_by(command: str) -> tuple[list[str], list[str]]:
    """What a command prints, as lines of a page: messages before results, and after them."""
    program, *arguments = shlex.split(command)
    if program == "geostore":
        ended = geostore(*arguments, COLUMNS="80")
    else:
        ended = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{command}: {ended.stderr}"
    messages, results = (
        text.replace(str(Path.cwd()), HOME).split("\n")[:-1]
        for text in (ended.stderr, ended.stdout)
    )
    # On a slow machine a command says meanwhile how far it is.
    messages = [line for line in messages if not PROGRESS.match(line)]
    return messages + results, results + messages


def matches(expected: list[str], printed: list[str]) -> bool:
    """Whether lines are what a page says: ``...`` is any lines, or the rest of a line."""
    if not expected:
        return not printed
    first, rest = expected[0], expected[1:]
    if first == "...":
        return any(matches(rest, printed[skipped:]) for skipped in range(len(printed) + 1))
    if not printed:
        return False
    same = (
        printed[0].startswith(first.removesuffix("..."))
        if first.endswith("...")
        else printed[0].rstrip() == first.rstrip()
    )
    return same and matches(rest, printed[1:])


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
