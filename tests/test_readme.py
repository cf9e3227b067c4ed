"""What README.md shows after `make demo` works as it is typed, and prints what is shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.running import environment

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NEEDS_MORE = ("make ", "vllm ", "export OPENAI", "geostore generate --dataset-path gaea_wlp")
"""Beginnings of commands that need a server, a key or a dataset of the reader's own."""


@dataclass(frozen=True)
class Shown:
    """A command in a block of README.md, and the lines of output below it."""

    command: str
    output: tuple[str, ...]


def shown_commands() -> list[Shown]:
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", README, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.replace("\\\n", " ").partition("\n")
            found.append(Shown(command.partition("    #")[0].strip(), tuple(output.splitlines())))
    inline = re.findall(r"`(geostore image [^`]+)`", README)
    return [*found, *(Shown(command, ()) for command in inline)]


EXPORT = "export GEOSTORE_STORE=demo/geostore.db"
AFTER_THE_DEMO = [
    shown for shown in shown_commands() if not shown.command.startswith((EXPORT, *NEEDS_MORE))
]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command where the README has exported the demo's store."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = environment(PATH=path, COLUMNS="80", GEOSTORE_STORE="demo/geostore.db")
    return subprocess.run(command, env=variables, capture_output=True, text=True)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder as a fresh clone's after `make demo`, which is the current one; what it printed."""
    with chdir(tmp_path_factory.mktemp("clone")):
        made = run("geostore", "demo", "demo", "--samples", "24")
        assert made.returncode == 0, made.stdout + made.stderr
        # Two notices that would only puzzle whoever reads the demo.
        assert "frame" not in made.stderr
        assert "answered already in dataset" not in made.stderr
        yield made.stdout


def test_every_command_but_those_that_need_a_teacher_is_run() -> None:
    assert len(AFTER_THE_DEMO) >= 6
    assert EXPORT in README
    assert {shlex.split(shown.command)[0] for shown in AFTER_THE_DEMO} == {"geostore"}


@pytest.mark.timeout(400)  # the first of them waits for the demo
@pytest.mark.parametrize("shown", AFTER_THE_DEMO, ids=lambda shown: shown.command[:50])
def test_a_command_of_the_readme_works_after_the_demo(shown: Shown, demo: str) -> None:
    done = run(*shlex.split(shown.command))
    assert done.returncode == 0, done.stderr
    printed = [line.rstrip() for line in done.stdout.splitlines()]
    assert [line for line in shown.output if line != "..." and line.rstrip() not in printed] == []


@pytest.mark.timeout(400)
def test_the_folder_is_as_the_readme_shows_it(demo: str) -> None:
    tree = README[README.index("```text\ndemo/") :].partition("```\n")[0]
    names = re.findall(r"^ +([\w.]+)(?:/| )", tree, re.MULTILINE)
    assert {"photos", "geostore.db", "traces", "trace_00000_4e0b8a39.json"} < set(names)
    there = {path.name for path in Path("demo").glob("*")}
    there |= {path.name for path in Path("demo/traces").glob("*")}
    assert set(names) <= there


@pytest.mark.timeout(400)
def test_what_the_demo_says_to_try_next_works(demo: str) -> None:
    tries = demo.partition("Try next")[2].partition("\n\n")[0].replace("\\\n", " ")
    commands = [line.strip() for line in tries.splitlines() if line.strip().startswith("geostore ")]
    assert len(commands) == 3
    for command in commands:
        done = run(*shlex.split(command))
        assert done.returncode == 0, (command, done.stderr)


@pytest.mark.timeout(400)
def test_the_python_of_the_readme_works_after_the_demo(demo: str) -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    done = run("python", "-c", source)
    assert done.returncode == 0, done.stderr
    assert "4e0b8a39" in done.stdout
