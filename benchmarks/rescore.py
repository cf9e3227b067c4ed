"""Measure how fast rewards are computed, against a loop over files and against the floor.

A store is made in bulk (`million`): two of its figures, with goals, are those of a user who
changes his mind about the reward. Set beside the full rescore are

- the loop: one JSON file per trace with its conversation, read, scored by the same formula in
  Python, and written back, as scripts without a store do; measured on some thousand files and
  scaled up, with the files in the page cache, which favours the loop;
- the floor: the same formula by numpy over arrays that are in memory already, and SQLite's bulk
  insert of as many rows into a table of the same shape. Nothing that keeps rewards in a SQLite
  file can be faster than its insert.

Presets have a goal in seconds of the processor, because other work on the machine hardly changes
those. Most places of this store lie at sea, where a term of places is not known.

Run from the checkout: python benchmarks/rescore.py [--traces COUNT] [--files COUNT]
A million traces (4 GB on disk while it runs, some minutes): python benchmarks/rescore.py --full
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from figures import HEADER, Figure
from million import add_traces, make_store

from geostore.answers import parse_answer
from geostore.rewards import PRESETS, make_spec, preset_spec, rescore
from geostore.rewards.compare import Bound, compare_rewards
from geostore.rewards.numeric import haversine_km
from geostore.store import Db, Store
from geostore.store.rewards import list_specs

TRACES = 100_000
FULL = 1_000_000
FILES = 20_000
NEW = 1_000
PARSED = 20_000
GOAL_FULL = 6.0
GOAL_NOTHING = 0.3
GOAL_NEW = 0.6
GOAL_PRESET = 10.0
GOAL_COMPARE = 15.0
COMPARED = 8


def figures(traces: int = TRACES, *, files: int = FILES) -> list[Figure]:
    """All figures, for a store of so many traces that is made for it and removed."""
    with tempfile.TemporaryDirectory(prefix="geostore-bench-") as folder:
        path = Path(folder) / "geostore.db"
        making = _seconds(lambda: make_store(path, traces=traces))
        found = [
            Figure(f"making a store of {traces:,} traces", making, " s"),
            *_rescore_figures(path, traces),
            *_floor_figures(path, traces),
        ]
        loop = _loop_seconds(Path(folder) / "files", path, files) * traces / files
        full = next(f.value for f in found if f.what.startswith("full rescore"))
        assert full is not None
        return [
            *found,
            Figure(f"a loop over {traces:,} files", loop, " s", note=f"scaled from {files:,}"),
            Figure("full rescore: times faster than the loop", loop / full),
            _parsing_figure(path),
        ]


def _rescore_figures(path: Path, traces: int) -> list[Figure]:
    share = traces / FULL
    with Store.open(path) as store:
        db = store.db
        first = _seconds(lambda: rescore(db, make_spec()))
        full, cpu = _seconds_and_cpu(lambda: rescore(db, make_spec("linear")))
        nothing = min(_seconds(lambda: rescore(db, make_spec())) for _ in range(3))
        little = []
        for first_new in range(traces + 1, traces + 1 + 3 * NEW, NEW):
            add_traces(store, first=first_new, last=first_new + NEW - 1)
            little.append(_seconds(lambda: rescore(db, make_spec())))
        weights = {"geoguessr": "0.8", "format": "0.1", "tools": "0.1"}
        weighted = _seconds(lambda: rescore(db, make_spec("weighted", weights)))
        wgs84 = make_spec("linear", {"radius": "wgs84"})
        _, geodesic = _seconds_and_cpu(lambda: rescore(db, wgs84))
        for scale in range(1, COMPARED - 3):
            rescore(db, make_spec("exponential", {"scale": str(100 * scale)}))
        specs = list_specs(db)
        wall, comparing = _seconds_and_cpu(lambda: compare_rewards(db, specs, bound=Bound(0.3)))
        presets = [_preset_figure(db, name, share) for name in PRESETS]
    return [
        Figure(
            "full rescore, one spec",
            full,
            " s",
            goal=GOAL_FULL * share,
            note=f"{cpu:.2f} s of the processor",
        ),
        Figure("full rescore, the first of a new store", first, " s", note="places too"),
        Figure("rescore, nothing missing", nothing, " s", goal=GOAL_NOTHING),
        Figure(f"rescore, {NEW:,} new traces", min(little), " s", goal=GOAL_NEW),
        Figure("full rescore, weighted over three terms", weighted, " s"),
        Figure(
            "full rescore on the WGS-84 ellipsoid, times one on the sphere",
            geodesic / cpu,
            note=f"{geodesic:.2f} s of the processor",
        ),
        Figure(
            f"comparing {len(specs)} rewards, each with each",
            wall,
            " s",
            goal=GOAL_COMPARE * share,
            note=f"{comparing:.2f} s of the processor",
        ),
        *presets,
    ]


def _preset_figure(db: Db, name: str, share: float) -> Figure:
    """How long the processor works on a preset, where places are there already."""
    wall, cpu = _seconds_and_cpu(lambda: rescore(db, preset_spec(name)))
    return Figure(
        f"full rescore, {name}, of the processor",
        cpu,
        " s",
        goal=GOAL_PRESET * share,
        note=f"{wall:.2f} s in all",
    )


_ROWS = """
select a.trace_id, a.lat, a.lon, s.lat, s.lon
from answers as a
join traces as t on t.id = a.trace_id
join samples as s on s.id = t.sample_id
"""

_FLOOR = """
create table floor (
  spec_id integer not null, trace_id integer not null, parser_version integer not null,
  distance_km real, score real, geoguessr_points integer, extra text,
  primary key (spec_id, trace_id)
) strict, without rowid
"""


def _floor_figures(path: Path, traces: int) -> list[Figure]:
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = connection.execute(f"{_ROWS} limit {traces}").fetchall()
    connection.close()
    ids, *columns = (np.array(c, dtype=np.float64) for c in zip(*rows, strict=True))
    result: list[np.ndarray] = []

    def compute() -> None:
        km = haversine_km(*columns)
        result[:] = [km, np.exp(-km / 1492.7), np.floor(5000 * np.exp(-km / 1492.7) + 0.5)]

    numpy = _seconds(compute)
    # As Python values beforehand: making them is no part of an insert.
    values = [
        (1, int(i), 1, *((None, None, None) if math.isnan(km) else (km, score, int(p))), None)
        for i, km, score, p in zip(ids, *(r.tolist() for r in result), strict=True)
    ]
    floor = sqlite3.connect(path.with_name("floor.db"), isolation_level=None)
    floor.execute("pragma journal_mode = wal")
    floor.execute(_FLOOR)

    def insert() -> None:
        floor.execute("begin")
        floor.executemany("insert into floor values (?, ?, ?, ?, ?, ?, ?)", values)
        floor.execute("commit")

    inserting = _seconds(insert)
    floor.close()
    return [
        Figure("the floor: numpy and a bulk insert", numpy + inserting, " s"),
        Figure("  of which numpy", numpy, " s"),
    ]


def _loop_seconds(folder: Path, path: Path, files: int) -> float:
    """Seconds of the loop over so many files: read, parse, score, write back."""
    folder.mkdir()
    connection = sqlite3.connect(path)
    found = connection.execute(
        "select t.id, s.lat, s.lon, json_group_array(k.response) from traces as t"
        " join samples as s on s.id = t.sample_id join turns as k on k.trace_id = t.id"
        f" where t.id <= {files} group by t.id"
    )
    for trace_id, lat, lon, responses in found:
        history = [
            {"turn": n, "messages": [], "response": r, "usage": {"total_tokens": 1620}}
            for n, r in enumerate(json.loads(responses), 1)
        ]
        record = {
            "sample_index": trace_id,
            "sample_data": {"lat": lat, "lon": lon},
            "conversation_history": history,
            "final_response": history[-1]["response"],
        }
        (folder / f"{trace_id}.json").write_text(json.dumps(record))
    connection.close()

    def loop() -> None:
        for file in folder.iterdir():
            record = json.loads(file.read_text())
            truth = record["sample_data"]
            answer = parse_answer(record["final_response"])
            if answer.lat is None or answer.lon is None:
                record["reward_score"] = {"score": 0.0, "parse_success": False}
            else:
                km = _haversine(truth["lat"], truth["lon"], answer.lat, answer.lon)
                record["reward_score"] = {
                    "score": math.exp(-km / 1492.7),
                    "distance@km": km,
                    "geoguessr@point": round(5000 * math.exp(-km / 1492.7)),
                }
            file.write_text(json.dumps(record))

    try:
        return _seconds(loop)
    finally:
        shutil.rmtree(folder)


def _haversine(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    across_lat = math.sin(math.radians(lat1 - lat2) / 2)
    across_lon = math.sin(math.radians(lon1 - lon2) / 2)
    shrink = math.cos(math.radians(lat1)) * math.cos(math.radians(lat2))
    return 2 * 6371.0 * math.asin(min(1.0, math.sqrt(across_lat**2 + shrink * across_lon**2)))


def _parsing_figure(path: Path) -> Figure:
    connection = sqlite3.connect(path)
    found = connection.execute(f"select response from turns where turn = 3 limit {PARSED}")
    responses = [row[0] for row in found]
    connection.close()
    seconds = _seconds(lambda: [parse_answer(response) for response in responses])
    length = sum(map(len, responses)) / len(responses)
    return Figure(
        "responses read a second, on one core",
        len(responses) / seconds,
        note=f"of {length:.0f} characters in the mean",
    )


def _seconds_and_cpu(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and those of the processor, which hold whatever else runs on the machine."""
    began = time.process_time()
    seconds = _seconds(work)
    return seconds, time.process_time() - began


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=TRACES, help="a multiple of four")
    parser.add_argument("--files", type=int, default=FILES, help="of the loop, before scaling")
    parser.add_argument("--full", action="store_true", help=f"{FULL:,} traces")
    options = parser.parse_args()
    print(HEADER)
    for figure in figures(FULL if options.full else options.traces, files=options.files):
        print(figure.line())


if __name__ == "__main__":
    main()
