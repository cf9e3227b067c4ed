"""How long a report of 100,000 traces takes, what memory, and how large the page is.

The command runs as a user would run it, in a process of its own, over a store of made-up rows
(million.py) whose photos do not exist; so no picture is derived, and the page says so. Memory is
the sum of the peaks of the command and of the process that answers its questions, which do not
peak together; the true peak is below it. A page of real traces is larger by eight pictures, about
150 KB.

Run by itself: python benchmarks/report.py [--traces COUNT] [--rounds COUNT]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from figures import HEADER, Figure
from million import make_store

_TRACES = 100_000

_MEASURED = """
import resource, runpy, sys
sys.argv = ["geostore", *sys.argv[1:]]
try:
    runpy.run_module("geostore", run_name="__main__")
finally:
    peaks = [resource.getrusage(who).ru_maxrss for who in
             (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(sum(peaks) * 1024, file=sys.stderr)
"""


def figures(*, traces: int = _TRACES, rounds: int = 3) -> list[Figure]:
    """Seconds, memory and size of the page."""
    with tempfile.TemporaryDirectory(prefix="geostore-bench-") as folder:
        store, page = Path(folder) / "geostore.db", Path(folder) / "report.html"
        make_store(store, traces=traces)
        subprocess.run(
            [sys.executable, "-m", "geostore", "rescore", "--store", store],
            check=True,
            capture_output=True,
        )
        runs = [_run(store, page) for _ in range(rounds)]
        size = page.stat().st_size
    what = f"a report of {traces:,} traces"
    return [
        Figure(f"{what}: time", median(seconds for seconds, _ in runs), " s", goal=10),
        Figure(f"{what}: memory", max(peak for _, peak in runs) / 1e6, " MB", goal=1000),
        Figure(f"{what}: the page", size / 1e6, " MB", goal=1, note="without pictures"),
    ]


def _run(store: Path, page: Path) -> tuple[float, int]:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, "report", page, "--store", store],
        check=True,
        capture_output=True,
        text=True,
    )
    return time.monotonic() - began, int(done.stderr.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a report.")
    parser.add_argument("--traces", type=int, default=_TRACES)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(HEADER)
    for figure in figures(traces=options.traces, rounds=options.rounds):
        print(figure.line())


if __name__ == "__main__":
    main()
