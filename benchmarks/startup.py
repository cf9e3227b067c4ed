"""Measure how long the command line takes to answer when there is nothing to do.

Whole processes, from start to exit, as a shell sees them: `geostore --help` both as a module and by
its console script, `geostore query --list`, and beside them an interpreter that does nothing at
all, which no program in Python can be faster than. They take turns, so that a busy moment of the
machine falls on all of them; the first round, which may compile and reads files from disk, is not
counted. Figures are medians.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median

from figures import HEADER, Figure, spread, turn_about

GOAL = 0.25

_SCRIPT = Path(sys.executable).with_name("geostore")
COMMANDS: tuple[tuple[str, tuple[str, ...], float | None], ...] = (
    ("python -m geostore --help", (sys.executable, "-m", "geostore", "--help"), GOAL),
    ("geostore --help", (str(_SCRIPT), "--help"), GOAL),
    ("geostore query --list", (str(_SCRIPT), "query", "--list"), None),
    ("python -c pass, for comparison", (sys.executable, "-c", "pass"), None),
)


def figures(*, rounds: int = 10) -> list[Figure]:
    """The median of each command's times, in seconds."""
    timings = [partial(seconds, command) for _, command, _ in COMMANDS]
    found = turn_about(timings, rounds=rounds + 1)
    return [
        _figure(what, timed[1:], goal)
        for (what, _, goal), timed in zip(COMMANDS, found, strict=True)
    ]


def seconds(command: tuple[str, ...]) -> float | None:
    """How long a command takes; None where it fails or is not there."""
    began = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True)
    except OSError:
        return None
    taken = time.perf_counter() - began
    return taken if done.returncode == 0 else None


def _figure(what: str, timed: list[float | None], goal: float | None) -> Figure:
    good = [value for value in timed if value is not None]
    if len(good) < len(timed):
        return Figure(what, None, " s", goal, note="the command fails")
    return Figure(what, median(good), " s", goal, note=spread(good))


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the start of the command line.")
    parser.add_argument("--rounds", type=int, default=10, help="timings of each command")
    print(HEADER)
    for figure in figures(rounds=parser.parse_args().rounds):
        print(figure.line())


if __name__ == "__main__":
    main()
