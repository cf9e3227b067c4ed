"""Measure how soon generate ends, and in how much memory, where there is nothing left to do.

A store with a trace for every row of a dataset, all of them closed, and the command line in a
process of its own, from its start to its exit: interpreter, imports, opening the dataset and the
store, and finding that nothing is missing. Beside it stands the same for the same dataset, and a
store in which a tenth of the rows have their traces and no more are asked for: what grows between
them is what the store costs. Without --full it is a store of 100,000 traces, which takes seconds to
make instead of a minute; the goal is that of a million.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import datasets
import million
import numpy as np
from figures import HEADER, Figure, spread

from geostore.conversation.recipe import make_recipe, recipe_hash
from geostore.dataset import PhotoDataset
from geostore.store import Store

TRACES = 100_000
FULL = 1_000_000
GOAL_SECONDS = 3.0
_MODEL = "bench-vl"


@dataclass(frozen=True)
class Ending:
    """How long a run took that had nothing to do, in seconds, and its peak memory, in MB."""

    seconds: float
    peak: float


def figures(*, traces: int = TRACES, rounds: int = 3) -> list[Figure]:
    """Measure with so many traces and with a tenth of them."""
    with tempfile.TemporaryDirectory() as folder:
        photos = _make_photos(Path(folder), traces)
        counts = (traces, traces // 10)
        stores = [_make_store(Path(folder), photos, count) for count in counts]
        found = [
            [_run(photos, store, count) for store, count in zip(stores, counts, strict=True)]
            for _ in range(rounds)
        ]
    large, small = zip(*found, strict=True)
    seconds = [ending.seconds for ending in large]
    peak = [median(ending.peak for ending in endings) for endings in (large, small)]
    return [
        Figure(
            f"nothing to do, {traces:,} traces",
            median(seconds),
            " s",
            goal=GOAL_SECONDS,
            note=spread(seconds),
        ),
        Figure(
            f"the same, {traces // 10:,} traces", median(ending.seconds for ending in small), " s"
        ),
        Figure(
            "peak memory: large / small store",
            peak[0] / peak[1],
            goal=1.1,
            note=f"{peak[0]:.0f} and {peak[1]:.0f} MB",
        ),
    ]


def _make_photos(folder: Path, rows: int) -> Path:
    """A dataset of so many rows."""
    photos = folder / "photos"
    chance = np.random.default_rng(rows)
    columns = {
        "image": [{"bytes": b"never read", "path": None}] * rows,
        "lat": chance.uniform(-60, 70, rows),
        "lon": chance.uniform(-180, 180, rows),
    }
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "lat": datasets.Value("float64"),
            "lon": datasets.Value("float64"),
        }
    )
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(photos)
    return photos


def _make_store(folder: Path, photos: Path, traces: int) -> Path:
    """A store in which the first so many rows of a dataset have their traces."""
    store = folder / f"{traces}.db"
    million.make_store(store, traces=traces, rollouts=1)
    facts = PhotoDataset.open(photos).facts
    with Store.open(store) as opened, opened.db.transaction():
        connection = opened.db.connection
        connection.execute("update samples set sample_index = sample_index - 1")
        known = (facts.fingerprint, facts.num_rows)
        connection.execute("update datasets set fingerprint = ?, num_rows = ?", known)
        asked = recipe_hash(make_recipe(model=_MODEL))
        connection.execute("update recipes set sha256 = ?, model = ?", (asked, _MODEL))
    return store


def _run(photos: Path, store: Path, samples: int) -> Ending:
    options = ["--dataset-path", str(photos), "--store", str(store), "--num-samples", str(samples)]
    # Nobody is asked, so nobody has to be there.
    options += [
        "--model",
        _MODEL,
        "--base-url",
        "http://127.0.0.1:9/v1",
        "--bbox-frame",
        "norm1000",
    ]
    program = (
        "import resource, sys, subprocess\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "if done.returncode or ' done before' not in done.stderr:\n"
        "    sys.exit(done.stderr or 'it did something')\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    command = [sys.executable, "-c", program, sys.executable, "-m", "geostore", "generate"]
    began = time.perf_counter()
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stderr)
    # Linux counts in KB, macOS in bytes.
    return Ending(seconds, int(done.stdout) / (1e6 if sys.platform == "darwin" else 1e3))


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a run that has nothing to do.")
    parser.add_argument("--full", action="store_true", help="a store of a million traces")
    parser.add_argument("--rounds", type=int, default=3, help="timings of each store")
    options = parser.parse_args()
    print(HEADER)
    for figure in figures(traces=FULL if options.full else TRACES, rounds=options.rounds):
        print(figure.line())


if __name__ == "__main__":
    main()
