"""Measure what asking a question costs beside the time of the question itself.

`GeoStore` asks a child process that keeps DuckDB and the store open. The first question starts it;
each later one costs the way there and back, and the check that the statement only reads. So the
same questions are asked twice, turn about: through a GeoStore, and of a DuckDB connection that is
open in a process that does nothing else, with the bare statement. What a question costs beside its
own time is the difference of the two. The store has 2,000 traces; rows that come back are few, as
they are in a summary, and 2,000 in the last question, which shows what carrying rows costs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import million
from figures import HEADER, Figure, spread, turn_about

import geostore
from geostore.children import Child
from geostore.query.reader import open_reader
from geostore.sqlfiles import load_sql

TRACES = 2_000
GOAL_MS = 20.0
QUESTIONS = {
    "a count": "select count(*) from traces",
    "a named query": "summary",
    "2,000 rows": "select trace, score from trace_results",
}


def figures(*, rounds: int = 20) -> list[Figure]:
    """The first question's time, and of later ones the time beside their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "geostore.db"
        million.make_store(path, traces=TRACES, rollouts=1)
        with geostore.open(path) as store, Child(partial(_Bare, path)) as bare:
            bare.ask("select 1")
            first = _timed(lambda: store.query("select 1"))
            found = [Figure("the first question", first * 1e3, " ms")]
            for what, question in QUESTIONS.items():
                found.append(_beside(what, store, bare, question, rounds))
    return found


def _beside(
    what: str, store: geostore.GeoStore, bare: Child[str, float], question: str, rounds: int
) -> Figure:
    statement = load_sql("analytics", question) if question.isidentifier() else question
    asked, own = turn_about(
        [lambda: _timed(lambda: store.query(question)), lambda: bare.ask(statement)], rounds=rounds
    )
    beside = [(a - b) * 1e3 for a, b in zip(asked[1:], own[1:], strict=True)]
    return Figure(
        f"a later question beside its own time: {what}",
        median(beside),
        " ms",
        goal=GOAL_MS,
        note=f"{spread(beside)}; itself {median(own) * 1e3:.1f} ms",
    )


class _Bare:
    """A connection that is open; called with a statement, the seconds that it takes."""

    def __init__(self, path: Path) -> None:
        self._opened = open_reader(path)
        self._reader = self._opened.__enter__()

    def __call__(self, statement: str) -> float:
        return _timed(lambda: self._reader.execute(statement).fetchall())


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description="Time questions to a store that is open.")
    parser.add_argument("--rounds", type=int, default=20, help="timings of each question")
    print(HEADER)
    for figure in figures(rounds=parser.parse_args().rounds):
        print(figure.line())


if __name__ == "__main__":
    # Under its own name: a child cannot import what stands in a module called __main__.
    import second_question

    second_question.main()
