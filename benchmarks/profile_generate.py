"""Show where the CPU of generate goes; for work on its speed, not part of `run.py`.

The workload is that of `generate_cpu`. It is run twice. Once as it is, to tell how the CPU is
parted between threads: the event loop's, the writer's, and the workers that touch pixels and
files. Then with a profiler in every thread, to tell which functions take it; a profiler makes
Python code look dearer than it is beside C, so trust the order more than the share. Beside it
stands the bare loop, parted in the same way.

The name is not `profile`, which is a module of Python's own that profilers import.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bare_loop
import datasets
from generate_cpu import LATENCY, PHOTOS, Work, recipe, store_run
from loopback import loopback_server
from photos import photo, save_photos

from geostore.dataset import PhotoDataset

_SAMPLING = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description="Show where the CPU of generate goes.")
    parser.add_argument("--photos", type=int, default=PHOTOS, help="traces per run")
    parser.add_argument("--concurrency", type=int, default=16, help="traces in flight")
    parser.add_argument("--top", type=int, default=25, help="functions listed per thread")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        loopback_server(latency=LATENCY) as url,
    ):
        path = Path(folder) / "photos"
        save_photos(path, [photo(number) for number in range(options.photos)])
        work = Work(url, path, samples=options.photos, concurrency=options.concurrency)
        loops = {"bare loop": _bare(work), "geostore": _geostore(work, Path(folder))}
        for name, play in loops.items():
            play(2)
            with cpu_by_thread() as used:
                turns = play(options.photos)
            _print_threads(name, used, turns)
        again = _geostore(work, Path(tempfile.mkdtemp(dir=folder)))
        with profiled() as profiles:
            turns = again(options.photos)
    for thread, profile in sorted(profiles.items()):
        for order in ("tottime", "cumulative"):
            print(f"\n=== geostore, {thread}, by {order} (seconds over {turns} turns)")
            stats = pstats.Stats(*profile, stream=sys.stdout).sort_stats(order)
            stats.print_stats(options.top)
            if order == "cumulative":
                # The client and the event loop stand above all; what is geostore's own below.
                stats.print_stats(r"/geostore/", options.top)


def _geostore(work: Work, folder: Path) -> Callable[[int], int]:
    dataset = PhotoDataset.open(work.dataset)
    return lambda samples: store_run(work, dataset, folder, samples)


def _bare(work: Work) -> Callable[[int], int]:
    opened: Any = datasets.load_from_disk(work.dataset)
    stored = opened.cast_column("image", datasets.Image(decode=False))
    return lambda samples: asyncio.run(
        bare_loop.play_all(
            stored, recipe(), url=work.url, samples=samples, concurrency=work.concurrency
        )
    )


@contextmanager
def cpu_by_thread() -> Iterator[dict[str, float]]:
    """CPU in seconds by kind of thread, of what runs inside; threads are looked at as they run."""
    used: dict[str, float] = {}
    before = {thread.ident: _thread_cpu(thread) for thread in threading.enumerate()}
    latest: dict[tuple[str, int | None], float] = {}
    ended = threading.Event()

    def look() -> None:
        for thread in threading.enumerate():
            if thread is not watching:
                key = (_kind(thread), thread.ident)
                latest[key] = _thread_cpu(thread) - before.get(thread.ident, 0.0)

    def watch() -> None:
        while not ended.wait(_SAMPLING):
            look()

    watching = threading.Thread(target=watch, name="watching")
    watching.start()
    try:
        yield used
    finally:
        ended.set()
        watching.join()
        look()
        totals: dict[str, float] = defaultdict(float)
        for (kind, _), seconds in latest.items():
            totals[kind] += seconds
        used.update(totals)


@contextmanager
def profiled() -> Iterator[dict[str, list[cProfile.Profile]]]:
    """A profile of every thread that runs inside, by kind of thread."""
    profiles: dict[str, list[cProfile.Profile]] = defaultdict(list)

    def begin(*_: object) -> None:
        # Called at a new thread's first step; from then on the profiler is in its place.
        profile = cProfile.Profile(time.thread_time)
        profiles[_kind(threading.current_thread())].append(profile)
        profile.enable()

    mine = cProfile.Profile(time.thread_time)
    profiles["event loop"].append(mine)
    threading.setprofile(begin)
    mine.enable()
    try:
        yield profiles
    finally:
        mine.disable()
        threading.setprofile(None)
        for profile in (p for found in profiles.values() for p in found):
            profile.create_stats()


def _kind(thread: threading.Thread) -> str:
    if thread is threading.main_thread():
        return "event loop"
    return "writer" if "writer" in thread.name else "workers"


def _thread_cpu(thread: threading.Thread) -> float:
    """CPU seconds so far; 0 for a thread that has not begun."""
    if thread.ident is None:
        return 0.0
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def _print_threads(name: str, used: dict[str, float], turns: int) -> None:
    print(f"\n{name}: {sum(used.values()) / turns * 1000:.2f} ms of CPU per turn, {turns} turns")
    for kind, seconds in sorted(used.items(), key=lambda item: -item[1]):
        print(f"  {kind:<12}{seconds / turns * 1000:8.2f} ms")


if __name__ == "__main__":
    main()
