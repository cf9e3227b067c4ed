"""Measure how fast the traces of a store get their places, and how soon none is found missing.

A store is made in bulk (`million`), whose photos and answers lie anywhere on earth, so most are at
sea; four traces share a photo. Beside the time of a whole store stand that of finding nothing
missing, that of a thousand new traces, and what the places add to the close of one trace. Times are
of the process; the gazetteer is read before the clock starts.

Run from the checkout: python benchmarks/placing.py [--traces COUNT]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from figures import HEADER, Figure
from million import add_traces, make_store

from geostore.rewards import load_gazetteer, place_missing, place_trace
from geostore.store import Db, Store

TRACES = 100_000
FULL = 1_000_000
NEW = 1_000
CLOSED = 500
GOAL_FULL = 60.0
GOAL_NOTHING = 0.3


def figures(traces: int = TRACES) -> list[Figure]:
    """All figures, for a store of so many traces that is made for it and removed."""
    share = traces / FULL
    with tempfile.TemporaryDirectory(prefix="geostore-bench-") as folder:
        path = Path(folder) / "geostore.db"
        make_store(path, traces=traces)
        load_gazetteer()
        with Store.open(path, durability="normal") as store:
            db = store.db
            full = _cpu_seconds(lambda: place_missing(db))
            nothing = min(_cpu_seconds(lambda: place_missing(db)) for _ in range(3))
            add_traces(store, first=traces + 1, last=traces + NEW)
            little = _cpu_seconds(lambda: place_missing(db))
            add_traces(store, first=traces + NEW + 1, last=traces + NEW + CLOSED)
            one = _cpu_seconds(lambda: _place_each(db, traces + NEW)) / CLOSED
    return [
        Figure(
            f"places of {traces:,} answers and {traces // 4:,} photos",
            full,
            " s",
            goal=GOAL_FULL * share,
            note=f"{1.25 * traces / full:,.0f} a second",
        ),
        Figure("places, nothing missing", nothing, " s", goal=GOAL_NOTHING),
        Figure(f"places, {NEW:,} new traces", little, " s"),
        Figure("places of one trace that closes", one * 1e3, " ms"),
    ]


def _place_each(db: Db, after: int) -> None:
    with db.transaction():
        for trace_id in range(after + 1, after + 1 + CLOSED):
            place_trace(db, trace_id)


def _cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=TRACES, help="a multiple of four")
    options = parser.parse_args()
    print(HEADER)
    for figure in figures(options.traces):
        print(figure.line())


if __name__ == "__main__":
    main()
