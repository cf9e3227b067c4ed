"""A small store for questions, with rows made by hand, and answers as dicts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geostore.query.reader import run_query
from geostore.store import Store
from tests.hand_made import Batch, write_facts

TOOLS, PLAIN = 1, 2
"""The recipes of `make_store`: with tools and without, both of the model m."""


def make_store(folder: Path) -> Path:
    """A store with a dataset and two recipes of one model, with tools and without."""
    path = folder / "geostore.db"
    with Store.open(path, create=True) as store, store.db.transaction():
        batch = Batch(store.db)
        batch.dataset("photos")
        batch.recipe("aaaaaaaa", "m", tools='[{"name":"zoom"}]')
        batch.recipe("bbbbbbbb", "m", tools="[]")
    return path


@contextmanager
def filling(path: Path) -> Iterator[Batch]:
    """Puts rows into the store by hand, in one transaction; the facts follow."""
    with Store.open(path) as store, store.db.transaction():
        yield Batch(store.db)
        write_facts(store.db.connection)


def failed_answer(batch: Batch, sample_id: int, recipe_id: int, **how: Any) -> int:
    """A trace that ended with words without coordinates."""
    trace_id = batch.trace(sample_id, recipe_id, **how)
    batch.answer(trace_id, "one_number")
    batch.reward(trace_id, None, None)
    return trace_id


def left_out(batch: Batch, sample_id: int, recipe_id: int) -> None:
    """Two traces that no mean may count: one is open, one has no reward yet."""
    batch.trace(sample_id, recipe_id, rollout=98, status="open")
    batch.answer(batch.trace(sample_id, recipe_id, rollout=99))


def answers(path: Path, name: str, **parameters: Any) -> list[dict[str, Any]]:
    return run_query(path, name, parameters=parameters).to_dicts()


def some(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of each row."""
    return [tuple(row[column] for column in columns) for row in rows]


def wilson(hits: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson's formula."""
    z = 1.959963984540054
    middle = (hits + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return middle - half, middle + half
