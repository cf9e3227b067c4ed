"""Pages of docs/ that show a session: their commands, and whether these print what they say."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.running import geostore

HOME = "/data"
"""What a page calls the folder in which its reader works."""
PROGRESS = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z  ")


def commands(page: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a page, with the lines that it is said to print."""
    for block in re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            joined = command.rstrip("\n").replace("\\\n", " ")
            first, *expected = joined.split("\n")
            yield first, expected


def printed_by(command: str, **variables: str) -> tuple[list[str], list[str]]:
    """What a command prints, as lines of a page: messages before results, and after them."""
    program, *arguments = shlex.split(command)
    if program == "geostore":
        ended = geostore(*arguments, COLUMNS="80", **variables)
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
