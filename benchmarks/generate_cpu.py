"""Measure what storing costs: CPU per turn of generate against a loop that stores nothing.

Both play the same conversations (`loopback`) on the same photos (`photos`), with the same images,
as many at a time, against the same server in a process of its own. `bare_loop` is the yardstick.
Each run is a process of its own and measures itself: user and system CPU of all its threads, and
wall time, from before to after its event loop. Not counted are the interpreter, imports, and the
opening of the dataset; a conversation on two photos comes before, so that what the clients import
and build at their first request is not counted either. Counted for geostore are the opening of a
new store on disk, the drawing of samples, every commit (durability full), answers, rewards, and
the closing of the store.

That storing costs less than nothing is the client's doing: the loop asks by the openai client, and
geostore by aiohttp (`geostore.teacher.http`), which saves more than commits and hashes cost.

Runs take turns, A B B A ..., and the figure is the median of the ratios within a round. The server
tells what it received, and the benchmark fails where the two did not ask the same: as many
requests and images, and as many bytes to within a hundredth.

What is done to pixels is most of either side's CPU and alike for both, so the first ratio says what
storing adds to such a run, not that storing is nothing beside a request. To keep pixels from
hiding more than they must, rotations are by right angles only, which cost little. The CPU of the
event loop's thread, where no pixels are touched, is told beside it; geostore's commits are made
in a thread of their own and count in the first ratio only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import bare_loop
import datasets
from figures import HEADER, Figure, median_ratio, spread, turn_about
from loopback import MODEL, Received, loopback_server, take_received
from photos import photo, save_photos

from geostore.conversation.recipe import RecipeChoices, make_recipe
from geostore.dataset import PhotoDataset
from geostore.generate.live_view import ProgressWatcher
from geostore.generate.plan import Plan
from geostore.generate.run import play_run
from geostore.pace import PaceLimits
from geostore.records import Recipe
from geostore.store import Store
from geostore.teacher import Teacher

PHOTOS = 96
LATENCY = 0.2
MAX_PIXELS = 1_003_520
GOAL_CPU = {16: 0.85, 64: 0.75, 256: 0.75}
"""By how many are in flight: the more, the more the yardstick's client looks at in vain."""

GOAL_WALL, GOAL_MEMORY = 1.0, 1.0
LEVELS = ((16, 96, 4), (64, 192, 2), (256, 512, 1))
"""In flight, photos, rounds: more photos where more are in flight, or most of the time few are."""


@dataclass(frozen=True)
class Run:
    """One run's own measure.

    cpu, wall: seconds. loop_cpu: of these, of the event loop's thread alone, seconds.
    peak: resident memory, in MB.
    """

    cpu: float
    loop_cpu: float
    wall: float
    peak: float
    turns: int


@dataclass(frozen=True)
class Work:
    """What a run is to do."""

    url: str
    dataset: Path
    samples: int = PHOTOS
    concurrency: int = 16


# --- one run, in a process of its own ------------------------------------------------------------


def recipe() -> Recipe:
    """What both ask: calls in the text, boxes on a scale from 0 to 1000."""
    return make_recipe(MODEL, RecipeChoices(max_pixels=MAX_PIXELS))


def measured(play: Callable[[int], int], samples: int) -> Run:
    """Warm up on two samples, then measure. play: from the number of samples to turns."""
    play(2)
    cpu, loop_cpu, wall = _cpu_seconds(), time.thread_time(), time.perf_counter()
    turns = play(samples)
    cpu, loop_cpu, wall = (
        _cpu_seconds() - cpu,
        time.thread_time() - loop_cpu,
        time.perf_counter() - wall,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KB, macOS in bytes.
    return Run(cpu, loop_cpu, wall, peak / (1e6 if sys.platform == "darwin" else 1e3), turns)


def run_geostore(work: Work) -> Run:
    with tempfile.TemporaryDirectory(dir=work.dataset.parent) as folder:
        play = partial(store_run, work, PhotoDataset.open(work.dataset), Path(folder))
        return measured(play, work.samples)


def store_run(work: Work, dataset: PhotoDataset, folder: Path, samples: int) -> int:
    """Generate into a new store; how many turns it holds."""
    path = folder / f"store-{samples}.db"
    generate_into(path, work, dataset, samples=samples)
    with Store.open(path) as store:
        return int(store.db.connection.execute("select count(*) from turns").fetchone()[0])


def generate_into(path: Path, work: Work, dataset: PhotoDataset, *, samples: int) -> None:
    """One generate run as the command line does it."""

    async def play() -> None:
        async with Teacher(
            base_url=work.url, api_key=None, max_connections=work.concurrency
        ) as teacher:
            await play_run(
                dataset=dataset,
                store=store,
                recipe=recipe(),
                plan=Plan(num_samples=samples, pace=PaceLimits(ceiling=work.concurrency)),
                teacher=teacher,
                arguments={},
                watchers=[watcher],
            )

    with (
        Store.open(path, create=True, durability="full") as store,
        ProgressWatcher(saved_to=str(path)) as watcher,
    ):
        asyncio.run(play())


def run_bare(work: Work) -> Run:
    dataset = datasets.load_from_disk(work.dataset)
    assert isinstance(dataset, datasets.Dataset)
    stored = dataset.cast_column("image", datasets.Image(decode=False))

    def play(samples: int) -> int:
        return asyncio.run(
            bare_loop.play_all(
                stored, recipe(), url=work.url, samples=samples, concurrency=work.concurrency
            )
        )

    return measured(play, work.samples)


LOOPS = {"geostore": run_geostore, "bare": run_bare}


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# --- all runs ------------------------------------------------------------------------------------


def started(loop: str, work: Work) -> tuple[Run, Received]:
    """Run a loop in a process of its own; its measure and what the server received."""
    take_received(work.url)
    values = {**asdict(work), "dataset": str(work.dataset)}
    command = [sys.executable, __file__, "--loop", loop, "--work", json.dumps(values)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the {loop} loop failed:\n{done.stderr}")
    return Run(**json.loads(done.stdout)), take_received(work.url)


def check_same(mine: Received, other: Received) -> None:
    """Raise RuntimeError where the two loops did not ask the same."""
    same = (mine.requests, mine.images) == (other.requests, other.images)
    if not same or abs(mine.body_bytes / other.body_bytes - 1) > 0.01:
        raise RuntimeError(f"the loops did not ask the same: {mine} and {other}")


def figures(levels: Sequence[tuple[int, int, int]] = LEVELS) -> list[Figure]:
    """Measure at each of the levels: in flight, photos, rounds."""
    return [
        figure
        for concurrency, photos, rounds in levels
        for figure in figures_at(concurrency, photos=photos, rounds=rounds)
    ]


def figures_at(concurrency: int, *, photos: int, rounds: int) -> list[Figure]:
    """Measure with so many in flight; the ratio that matters most comes first."""
    with tempfile.TemporaryDirectory() as folder, loopback_server(latency=LATENCY) as url:
        path = Path(folder) / "photos"
        save_photos(path, [photo(number) for number in range(photos)])
        work = Work(url, path, samples=photos, concurrency=concurrency)
        found = turn_about([partial(started, name, work) for name in LOOPS], rounds=rounds)
    stored, bare = ([run for run, _ in runs] for runs in found)
    for (_, mine), (_, other) in zip(*found, strict=True):
        check_same(mine, other)
    ratios = [s.cpu / b.cpu for s, b in zip(stored, bare, strict=True)]
    per_turn = {
        name: median(run.cpu / run.turns * 1000 for run in runs)
        for name, runs in (("geostore", stored), ("bare", bare))
    }
    turns = stored[0].turns
    return [
        Figure(
            f"{concurrency} in flight, CPU: geostore / bare loop",
            median(ratios),
            goal=GOAL_CPU.get(concurrency),
            note=spread(ratios),
        ),
        Figure(
            "CPU per turn, geostore",
            per_turn["geostore"],
            " ms",
            note=f"{photos} traces, {turns} turns, {concurrency} at a time, {rounds} rounds",
        ),
        Figure("CPU per turn, bare loop", per_turn["bare"], " ms"),
        Figure(
            "CPU of the event loop's thread: geostore / bare",
            median_ratio([r.loop_cpu for r in stored], [r.loop_cpu for r in bare]),
            note=" and ".join(
                f"{median(r.loop_cpu / r.turns * 1000 for r in runs):.2f}"
                for runs in (stored, bare)
            )
            + " ms per turn",
        ),
        Figure(
            "wall time: geostore / bare loop",
            median_ratio([r.wall for r in stored], [r.wall for r in bare]),
            goal=GOAL_WALL,
            note=f"every commit synced; {median(r.wall for r in stored):.2f} s",
        ),
        Figure(
            "peak memory: geostore / bare loop",
            median_ratio([r.peak for r in stored], [r.peak for r in bare]),
            goal=GOAL_MEMORY,
            note=f"{median(r.peak for r in stored):.0f} and {median(r.peak for r in bare):.0f} MB",
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU per turn of generate against a bare loop.")
    parser.add_argument("--rounds", type=int, default=4, help="runs of each loop")
    parser.add_argument("--photos", type=int, default=PHOTOS, help="traces per run")
    parser.add_argument("--concurrency", type=int, help="traces in flight; else 16, 64 and 256")
    parser.add_argument("--loop", choices=LOOPS, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        work = Work(**{**options.work, "dataset": Path(options.work["dataset"])})
        print(json.dumps(asdict(LOOPS[options.loop](work))))
        return
    print(HEADER)
    one = (options.concurrency, options.photos, options.rounds)
    for figure in figures([one] if options.concurrency else LEVELS):
        print(figure.line())


if __name__ == "__main__":
    main()
