"""Measure how many images verify derives in a second, against Pillow's own time for the same ones.

A store is filled by generate with the conversations of `loopback` on the photos of `photos`: about
three images a photo, zooms and right-angled turns. Then two things take turns, A B B A ..., each in
a process of its own that starts as many workers as there are cores:

- verify, as `geostore verify` calls it: opening the store and the dataset, SQLite's check of the
  file, reading every row, handing photos to its workers, hashing the stored photos, deriving and
  hashing every image, rebuilding and hashing every request;
- the floor: processes that have the photos in memory and a list of what to do, and call nothing
  but Pillow and sha256: decode each photo once, cut or turn, resize, encode, hash.

The first ratio is of CPU, of all processes together. The floor's workers are started and warm
before its clocks run; verify's are not, so both ratios fall with the size of the store. The
benchmark fails where either does not come to the hashes in the store.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from statistics import median

from figures import HEADER, Figure, median_ratio, spread, turn_about
from generate_cpu import Work, generate_into
from loopback import loopback_server
from photos import photo, save_photos
from pillow_floor import Job, Result, Step, floor_worker

from geostore.dataset import PhotoDataset
from geostore.store import Filter, open_snapshot
from geostore.verify import verify
from geostore.verify.run import cores

PHOTOS = 96
SIZE = (2048, 1536)  # larger than what is sent, so that every image has to be encoded
GOAL = 1.1


@dataclass(frozen=True)
class Run:
    """One run's own measure: seconds of wall time and of CPU; images derived."""

    wall: float
    cpu: float
    images: int


# --- verify, in a process of its own --------------------------------------------------------------


def run_verify(path: Path) -> Run:
    verify(path, sample=1, workers=1)  # what is imported once is not what is measured
    began, cpu = time.perf_counter(), _cpu_seconds()
    report = verify(path, workers=cores())
    wall, cpu = time.perf_counter() - began, _cpu_seconds() - cpu
    if not report.holds(strict=True):
        raise RuntimeError(f"the store does not hold: {report.findings[:3]}")
    return Run(wall, cpu, report.images)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


# --- the floor, in a process of its own -----------------------------------------------------------


def run_floor(path: Path) -> Run:
    jobs = pickle.loads(jobs_file(path).read_bytes())
    count = cores()
    context = multiprocessing.get_context("spawn")
    go, ready = context.Event(), context.Semaphore(0)
    results: SimpleQueue[Result] = context.SimpleQueue()
    workers = [
        context.Process(target=floor_worker, args=(jobs[n::count], ready, go, results))
        for n in range(count)
    ]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    began = time.perf_counter()
    go.set()
    done: list[tuple[float, int]] = []
    for _ in workers:
        result = results.get()
        if isinstance(result, RuntimeError):
            raise result
        done.append(result)
    wall = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return Run(wall, sum(cpu for cpu, _ in done), sum(images for _, images in done))


RUNS = {"verify": run_verify, "floor": run_floor}


# --- all runs -------------------------------------------------------------------------------------


def jobs_file(path: Path) -> Path:
    return path.with_suffix(".jobs")


def make_store(folder: Path, photos: int) -> Path:
    """A store filled by generate, and beside it what the floor is to do."""
    save_photos(folder / "photos", [photo(number, SIZE) for number in range(photos)])
    path = folder / "geostore.db"
    dataset = PhotoDataset.open(folder / "photos")
    with loopback_server(latency=0.0) as url:
        work = Work(url, folder / "photos", samples=photos)
        generate_into(path, work, dataset, samples=photos)
    jobs = []
    with open_snapshot(path) as snapshot:
        for trace in snapshot.traces(Filter()):
            assert trace.photo is not None
            steps = [
                Step(
                    call.source_index or 0,
                    call.box,
                    call.angle,
                    (call.image.width, call.image.height),
                    call.image.sha256,
                )
                for call in trace.calls
                if call.image is not None
            ]
            data = dataset.photo_bytes(trace.sample.sample_index)
            size = (trace.photo.width, trace.photo.height)
            jobs.append(Job(data, size, trace.photo.sha256, tuple(steps)))
    jobs_file(path).write_bytes(pickle.dumps(jobs))
    return path


def started(name: str, path: Path) -> Run:
    """Run one of the two in a process of its own."""
    # Not as a script, which every process that it starts would import again.
    script = f"import verify_rate; verify_rate.run_apart({name!r}, {str(path)!r})"
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=here)
    if done.returncode:
        raise RuntimeError(f"the {name} run failed:\n{done.stderr}")
    return Run(**json.loads(done.stdout))


def run_apart(name: str, path: str) -> None:
    """One run, whose measure is printed."""
    print(json.dumps(asdict(RUNS[name](Path(path)))))


def figures(*, rounds: int = 3, photos: int = PHOTOS) -> list[Figure]:
    """Measure both; the ratio that has a goal comes first."""
    with tempfile.TemporaryDirectory() as folder:
        path = make_store(Path(folder), photos)
        checked, floor = turn_about([partial(started, name, path) for name in RUNS], rounds=rounds)
    if {run.images for run in checked} != {run.images for run in floor}:
        raise RuntimeError("the two did not derive the same images")
    images = checked[0].images
    ratios = [c.cpu / f.cpu for c, f in zip(checked, floor, strict=True)]
    return [
        Figure("CPU: verify / Pillow alone", median(ratios), goal=GOAL, note=spread(ratios)),
        Figure(
            "CPU per image, verify",
            median(run.cpu / images * 1e3 for run in checked),
            " ms",
            note=f"Pillow alone: {median(run.cpu / images * 1e3 for run in floor):.1f} ms",
        ),
        Figure(
            "wall time: verify / Pillow alone",
            median_ratio([run.wall for run in checked], [run.wall for run in floor]),
            note=f"{median(run.wall for run in checked):.1f} s",
        ),
        Figure(
            "images verified in a second",
            median(images / run.wall for run in checked),
            note=f"{images} images of {photos} photos of {SIZE[0]} x {SIZE[1]}, on {cores()} cores",
        ),
        Figure("images in a second, Pillow alone", median(images / run.wall for run in floor)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Images verified in a second, against Pillow.")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each")
    parser.add_argument("--photos", type=int, default=PHOTOS, help="photos, one trace each")
    options = parser.parse_args()
    print(HEADER)
    for figure in figures(rounds=options.rounds, photos=options.photos):
        print(figure.line())


if __name__ == "__main__":
    main()
