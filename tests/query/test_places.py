"""Questions about places: of truth and answer, of the dataset's words and the teacher's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from geostore.query.reader import run_query
from geostore.store import Store
from tests.hand_made import Batch

TOOLS, PLAIN = 1, 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with a dataset and two recipes of one model, with tools and without."""
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True) as store, store.db.transaction():
        batch = Batch(store.db)
        batch.dataset("photos")
        batch.recipe("aaaaaaaa", "m", tools='[{"name":"zoom"}]')
        batch.recipe("bbbbbbbb", "m", tools="[]")
    return path


def objects(path: Path, name: str) -> list[dict[str, Any]]:
    return run_query(path, name).to_dicts()


# --- the view --------------------------------------------------------------------------------

CORRECT = """
select rollout, country_correct, country_correct_or_0
from trace_results
where sample_id = {}
order by rollout
"""


def test_a_country_is_right_or_wrong_or_not_known(path: Path) -> None:
    """Without coordinates it is wrong in one column and left out of the other; the newest
    gazetteer counts; and a truth far out at sea is in no country that an answer could miss."""
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        on_land, at_sea = (batch.sample(number, 0.5) for number in range(2))
        for sample, country in ((on_land, "FR"), (at_sea, None)):
            batch.place(sample, "GB")
            batch.place(sample, country, gazetteer=2)
            for rollout, answered in enumerate(("FR", "ES", None), start=1):
                trace_id = batch.placed(sample, PLAIN, 1.0, 1.0, rollout=rollout)
                batch.place_answer(trace_id, "GB")
                batch.place_answer(trace_id, answered, gazetteer=2)
            lost = batch.trace(sample, PLAIN, rollout=4)
            batch.answer(lost, "one_number")
            batch.place_answer(lost, None)
            batch.trace(sample, PLAIN, rollout=5, status="failed", turns=0)
            batch.trace(sample, PLAIN, rollout=6, status="open", turns=0)
            batch.placed(sample, PLAIN, 1.0, 1.0, rollout=7)  # no place was computed yet
            read_again = batch.placed(sample, PLAIN, 1.0, 1.0, rollout=8)
            batch.place_answer(read_again, "FR")
            batch.answer(read_again, version=2)  # and this reading has no place yet
    found = [
        (1, 1, 1),
        (2, 0, 0),
        (3, 0, 0),
        (4, None, 0),
        (5, None, 0),
        (6, None, None),
        (7, None, None),
        (8, None, None),
    ]
    for sample, expected in ((on_land, found), (at_sea, [(n, None, None) for n, *_ in found])):
        statement = CORRECT.format(sample)
        assert run_query(path, statement).rows == expected
        with closing(sqlite3.connect(path)) as plain:
            assert plain.execute(statement).fetchall() == expected
