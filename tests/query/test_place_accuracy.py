"""How many answers are in the true country, region and city; failures as misses, and left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geostore.query.reader import run_query
from geostore.query.stats import format_text, stats
from geostore.store import Store
from tests.hand_made import Batch
from tests.questioned import wilson

TOOLS, PLAIN = 1, 2
PARIS: dict[str, Any] = {"region": "FR.11", "city": "Paris", "city_id": 1}
LYON: dict[str, Any] = {"region": "FR.84", "city": "Lyon", "city_id": 2}
MEAUX: dict[str, Any] = {"region": "FR.11", "city": "Meaux", "city_id": 3}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Photos in Paris and one at sea, of which nothing is left to be computed.

    With tools: the city is right, the region, the country, none (at sea); a failure, a trace whose
    requests failed, and one that is open. Without tools: right; and an answer of the photo at sea.
    """
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True) as store, store.db.transaction():
        batch = Batch(store.db)
        batch.dataset("photos")
        batch.recipe("aaaaaaaa", "m", tools='[{"name":"zoom"}]')
        batch.recipe("bbbbbbbb", "m", tools="[]")
        paris, at_sea = (batch.sample(number, 0.5) for number in range(2))
        batch.place(paris, "FR", **PARIS)
        batch.place(at_sea, None)
        answers: list[tuple[str | None, dict[str, Any]]]
        answers = [("FR", PARIS), ("FR", MEAUX), ("FR", LYON), (None, {})]
        for rollout, (country, place) in enumerate(answers, start=1):
            trace_id = batch.placed(paris, TOOLS, 10.0, 0.9, rollout=rollout)
            batch.place_answer(trace_id, country, **place)
        lost = batch.trace(paris, TOOLS, rollout=5)
        batch.answer(lost, "one_number")
        batch.reward(lost, None, None)
        batch.place_answer(lost, None)
        batch.trace(paris, TOOLS, rollout=6, status="failed", turns=0)
        batch.trace(paris, TOOLS, rollout=7, status="open", turns=0)
        batch.place_answer(batch.placed(paris, PLAIN, 1.0, 1.0), "FR", **PARIS)
        batch.place_answer(batch.placed(at_sea, PLAIN, 1.0, 1.0), "FR", **PARIS)
    return path


def test_places_are_right_of_all_traces_and_of_those_with_coordinates(path: Path) -> None:
    rows = run_query(path, "accuracy", km=[5]).to_dicts()
    columns = ("recipe", "within", "traces", "failures", "acc")
    assert [tuple(row[column] for column in columns) for row in rows] == [
        ("aaaaaaaa", "5 km", 6, 2, 0),
        ("aaaaaaaa", "city", 6, 2, pytest.approx(1 / 6)),
        ("aaaaaaaa", "region", 6, 2, pytest.approx(2 / 6)),
        ("aaaaaaaa", "country", 6, 2, pytest.approx(3 / 6)),
        ("bbbbbbbb", "5 km", 2, 0, 1),
        ("bbbbbbbb", "city", 1, 0, 1),
        ("bbbbbbbb", "region", 1, 0, 1),
        ("bbbbbbbb", "country", 1, 0, 1),
    ]
    assert [row["acc_parsed"] for row in rows[:4]] == [0, 0.25, 0.5, 0.75]
    region = rows[2]
    assert (region["acc_low"], region["acc_high"]) == pytest.approx(wilson(2, 6))
    parsed = (region["acc_parsed_low"], region["acc_parsed_high"])
    assert parsed == pytest.approx(wilson(2, 4))
    hits = "select hits from accuracy_results where within = 'region' order by recipe"
    assert run_query(path, hits).rows == [(2,), (1,)]


def test_stats_show_the_places_both_ways_and_how_many_traces_count(path: Path) -> None:
    whole = stats(path).store
    assert (whole.placed, whole.unplaced) == (7, 0)
    assert whole.country_acc == pytest.approx(4 / 7)
    assert whole.country_acc_parsed == pytest.approx(4 / 5)
    assert (whole.region_acc, whole.region_acc_parsed) == pytest.approx((3 / 7, 3 / 5))
    assert (whole.city_acc, whole.city_acc_parsed) == pytest.approx((2 / 7, 2 / 5))
    assert stats(path).recipes[1].sums.country_acc == 1
    assert "not computed yet" not in format_text(stats(path))


def test_places_that_are_not_computed_yet_are_said_with_the_command_for_them(path: Path) -> None:
    """Neither that of an answer without a place counts, nor any of a photo without one."""
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        paris, elsewhere = 1, batch.sample(2, 0.5)
        batch.placed(paris, PLAIN, 1.0, 1.0, rollout=2)
        batch.trace(elsewhere, PLAIN, status="failed", turns=0)
        batch.trace(elsewhere, PLAIN, status="open", turns=0, rollout=2)
    numbers = stats(path)
    assert (numbers.store.placed, numbers.store.unplaced) == (7, 2)
    assert [part.sums.unplaced for part in numbers.recipes] == [0, 2]
    assert (
        "the places of 2 traces are not computed yet; geostore rescore computes them"
        in format_text(numbers)
    )
