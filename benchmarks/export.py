"""Measure how fast traces are exported, against the floor of what any exporter has to do.

The store is that of `many_rollouts`: real conversations of three turns and three images each, as
often as asked for. Everything runs in a process of its own, whose CPU (of all threads) and greatest
memory are taken, because other work on the machine stretches wall time. Set against

- JSONL with references: orjson over the finished records in memory, written and hashed as the
  export does, and before it reading the rows by key with sqlite3 alone, in the same batches;
- Parquet with embedded images (`trl`): Pillow alone for the images, as in `verify_rate`, and
  pyarrow's writer over the finished rows in memory;
- an export that is there already: writing it.

A goal of 2 is half of the floor's speed. JSONL is about there, and misses it on a busy machine
(2.2 to 2.4 with ten processes on two cores), because the floor neither makes records of rows nor
rebuilds messages: small objects in Python, which suffer more than the floor where others use the
caches. Of the CPU of an export about a quarter goes into reading rows, an eighth into making
records of them, a sixth into messages and images, a fifth into the dicts of about a hundred values
a trace, and a quarter into JSON, hashing and writing. None of it grows with the store.

Run with the counts of a large project, some minutes and 3 GB: python benchmarks/export.py --full
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import orjson
from figures import HEADER, Figure

from geostore.export import ExportOptions, Format, export
from geostore.sqlfiles import store_statements
from geostore.store import Filter, Store, open_snapshot
from geostore.store.snapshot import BATCH

TRACES = 10_000
WITH_IMAGES = 160
FULL_TRACES = 100_000
FULL_WITH_IMAGES = 2_000
GOAL = 2.0
GOAL_MEMORY = 300
GOAL_FLAT = 1.2
_PHOTOS = 64
_SMALL = (320, 240)  # references do not look at the photo
_SIZE = (2048, 1536)  # larger than what is sent, so that every image has to be encoded
_LARGE_PHOTOS = 16
_CHUNK = 500  # records that the floor holds in memory while its clock stands


@dataclass(frozen=True)
class Run:
    """One process's own measure: seconds of CPU and of wall time, its greatest memory in MB."""

    cpu: float
    wall: float
    memory: float
    size: float = 0.0
    """MB that were written."""


# --- each in a process of its own ---------------------------------------------------------------


def run_export(path: Path, out: Path, format: Format, rollouts: int | None = None) -> Run:
    """Export; rollouts: only so many of each photo."""
    where = None if rollouts is None else f"rollout <= {rollouts}"
    with Store.open(path) as store:
        run = _measured(
            lambda: export(
                store, out, options=ExportOptions(format=format), filters=Filter(where=where)
            )
        )
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    return Run(run.cpu, run.wall, run.memory, size / 1e6)


def run_records(out: Path) -> Run:
    """orjson over the records of an export in memory, written and hashed."""
    cpu = wall = 0.0
    digest = hashlib.sha256()
    with (out / "traces.jsonl").open("rb") as lines, tempfile.TemporaryFile() as copy:
        while chunk := [orjson.loads(line) for line in islice(lines, _CHUNK)]:
            began, used = time.perf_counter(), time.process_time()
            for record in chunk:
                data = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
                copy.write(data)
                digest.update(data)
            cpu, wall = cpu + time.process_time() - used, wall + time.perf_counter() - began
    return Run(cpu, wall, _memory())


def run_reading(path: Path) -> Run:
    """The rows of all traces by key with sqlite3 alone."""
    statements = [
        store_statements()[f"{name}_of_traces"] for name in ("turns", "tool_calls", "attempts")
    ]

    def read() -> None:
        with closing(sqlite3.connect(path)) as connection:
            order = "select id from traces order by sample_id, rollout"
            ids = [row[0] for row in connection.execute(order)]
            for start in range(0, len(ids), BATCH):
                keys = {"trace_ids": json.dumps(ids[start : start + BATCH])}
                for statement in statements:
                    connection.execute(statement, keys).fetchall()
                connection.execute(
                    "select * from traces as t join samples as s on s.id = t.sample_id "
                    "join answers as a on a.trace_id = t.id "
                    # Without its spec, half of its key, a reward is looked for among all.
                    "join reward_specs as p on p.is_default = 1 "
                    "join rewards as r on r.spec_id = p.id and r.trace_id = t.id "
                    "where t.id in (select value from json_each(:trace_ids))",
                    keys,
                ).fetchall()

    return _measured(read)


def run_pillow(path: Path) -> Run:
    """The images of all traces by Pillow alone, a photo's bytes in memory."""
    from pillow_floor import Job, Step, derive

    from geostore.conversation.images import PhotoSource

    cpu = wall = 0.0
    source = PhotoSource()
    with open_snapshot(path) as snapshot:
        for trace in snapshot.traces(Filter()):
            assert trace.photo is not None
            steps = tuple(
                Step(
                    call.source_index or 0,
                    call.box,
                    call.angle,
                    (call.image.width, call.image.height),
                    call.image.sha256,
                )
                for call in trace.calls
                if call.image is not None
            )
            size = (trace.photo.width, trace.photo.height)
            job = Job(source.photo_bytes(trace), size, trace.photo.sha256, steps)
            began, used = time.perf_counter(), time.process_time()
            derive(job)
            cpu, wall = cpu + time.process_time() - used, wall + time.perf_counter() - began
    return Run(cpu, wall, _memory())


def run_arrow(out: Path) -> Run:
    """pyarrow's writer over the finished rows of an export in memory."""
    import pyarrow
    from pyarrow import parquet

    cpu = wall = 0.0
    with (
        parquet.ParquetFile(out / "traces.parquet") as file,
        tempfile.NamedTemporaryFile() as copy,
        parquet.ParquetWriter(copy.name, file.schema_arrow, compression="zstd") as writer,
    ):
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group).to_pylist()
            began, used = time.perf_counter(), time.process_time()
            writer.write_table(pyarrow.Table.from_pylist(rows, file.schema_arrow))
            cpu, wall = cpu + time.process_time() - used, wall + time.perf_counter() - began
    return Run(cpu, wall, _memory())


def _measured(work: Callable[[], object]) -> Run:
    began, used = time.perf_counter(), time.process_time()
    work()
    return Run(time.process_time() - used, time.perf_counter() - began, _memory())


def _memory() -> float:
    """The greatest memory of this process, in MB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # ru_maxrss would begin with the memory of the process that started this one.
        peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
        if peak is not None:
            return int(peak[1]) / 1e3
    greatest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return greatest / (1e6 if sys.platform == "darwin" else 1e3)


def started(name: str, *arguments: object) -> Run:
    """Run one of the above in a process of its own."""
    values = [str(value) if isinstance(value, Path) else value for value in arguments]
    command = [sys.executable, __file__, "--apart", name, json.dumps(values)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr}")
    return Run(**json.loads(done.stdout.splitlines()[-1]))


# --- all runs -----------------------------------------------------------------------------------


def figures(*, traces: int = TRACES, with_images: int = WITH_IMAGES) -> list[Figure]:
    """Make both stores, export them, and measure their floors."""
    with tempfile.TemporaryDirectory(prefix="geostore-bench-") as folder:
        return [
            *_lines_figures(Path(folder) / "lines", traces),
            *_parquet_figures(Path(folder) / "parquet", with_images),
        ]


def _lines_figures(folder: Path, traces: int) -> list[Figure]:
    from many_rollouts import make_store  # not in the processes whose memory is measured

    folder.mkdir()
    path, out = make_store(folder, photos=_PHOTOS, traces=traces, size=_SMALL), folder / "out"
    written = started("run_export", path, out, "jsonl")
    again = started("run_export", path, out, "jsonl")
    records, reading = started("run_records", out), started("run_reading", path)
    # About a quarter of the traces: rollouts are numbered within each photo.
    few = started("run_export", path, folder / "few", "jsonl", traces // _PHOTOS // 4)
    return [
        Figure(
            "JSONL: export / orjson and reading by key",
            written.cpu / (records.cpu + reading.cpu),
            goal=GOAL,
            note=f"CPU of {traces:,} traces: {written.cpu:.1f} s, and {records.cpu:.1f} s with "
            f"{reading.cpu:.1f} s",
        ),
        Figure("JSONL: export / orjson over records in memory", written.cpu / records.cpu),
        Figure(
            "JSONL: rows in a second of CPU",
            traces / written.cpu,
            note=f"{written.size / written.cpu:.0f} MB; {written.wall:.1f} s of wall time",
        ),
        Figure("JSONL: greatest memory", written.memory, " MB", goal=GOAL_MEMORY),
        Figure(
            "JSONL: memory of all traces / of a quarter",
            written.memory / few.memory,
            goal=GOAL_FLAT,
            note=f"{few.memory:.0f} MB",
        ),
        Figure(
            "an unchanged export: CPU of looking / of writing",
            again.cpu / written.cpu,
            goal=0.5,
            note=f"{again.cpu:.2f} s, {again.wall:.2f} s of wall time",
        ),
    ]


def _parquet_figures(folder: Path, traces: int) -> list[Figure]:
    from many_rollouts import IMAGES, make_store

    folder.mkdir()
    path = make_store(folder, photos=_LARGE_PHOTOS, traces=traces, size=_SIZE)
    out = folder / "out"
    written = started("run_export", path, out, "trl")
    pillow, arrow = started("run_pillow", path), started("run_arrow", out)
    return [
        Figure(
            "Parquet: export / Pillow and pyarrow alone",
            written.cpu / (pillow.cpu + arrow.cpu),
            goal=GOAL,
            note=f"CPU of {traces:,} traces: {written.cpu:.1f} s, and {pillow.cpu:.1f} s with "
            f"{arrow.cpu:.1f} s",
        ),
        Figure(
            "Parquet: rows in a second of CPU",
            traces / written.cpu,
            note=f"{IMAGES} images each; {written.size / written.cpu:.1f} MB; "
            f"{written.size:.0f} MB in {written.wall:.1f} s of wall time",
        ),
        Figure("Parquet: greatest memory", written.memory, " MB", goal=GOAL_MEMORY),
    ]


RUNS: dict[str, Callable[..., Run]] = {
    "run_export": lambda path, out, *more: run_export(Path(path), Path(out), *more),
    "run_records": lambda out: run_records(Path(out)),
    "run_reading": lambda path: run_reading(Path(path)),
    "run_pillow": lambda path: run_pillow(Path(path)),
    "run_arrow": lambda out: run_arrow(Path(out)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Exports against the floor.")
    parser.add_argument("--traces", type=int, default=TRACES, help="to JSONL, with references")
    parser.add_argument("--images", type=int, default=WITH_IMAGES, help="to Parquet, with images")
    parser.add_argument("--full", action="store_true", help="100,000 and 2,000 traces")
    parser.add_argument("--apart", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.apart:
        name, arguments = options.apart
        print(json.dumps(asdict(RUNS[name](*json.loads(arguments)))))
        return
    traces, images = options.traces, options.images
    if options.full:
        traces, images = FULL_TRACES, FULL_WITH_IMAGES
    print(HEADER)
    for figure in figures(traces=traces, with_images=images):
        print(figure.line())


if __name__ == "__main__":
    main()
