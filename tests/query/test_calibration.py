"""The question calibration: stated confidence against what the answers are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geostore.answers import PARSER_VERSION, parse_answer
from geostore.query.reader import run_query
from geostore.store import Store
from tests.hand_made import Batch
from tests.questioned import wilson


class Stating(Batch):
    """Traces whose answers state a confidence."""

    count = 0

    def stated(
        self, confidence: str, km: float | None, score: float | None, *, recipe: int = 1
    ) -> None:
        """A closed trace whose response says `confidence`; km None: without coordinates."""
        self.count += 1
        trace_id = self.trace(self.sample(self.count, 0.5), recipe)
        place = "" if km is None else "Latitude: 1.5\nLongitude: 2.5\n"
        answer = parse_answer(f"{place}{confidence}")
        assert (answer.failure is None) == (km is not None)
        Store(self.db).traces.put_answer(trace_id, PARSER_VERSION, answer)
        self.reward(trace_id, km, score, version=PARSER_VERSION)


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True) as store, store.db.transaction():
        batch = Stating(store.db)
        batch.dataset("photos")
        batch.recipe("aaaaaaaa", "m", tools="[]")
        batch.recipe("bbbbbbbb", "n", tools="[]")
        batch.stated("Confidence: 70%", 20, 0.9)
        batch.stated("Confidence: 75%", 500, 0.6)
        batch.stated("Confidence: 79.9%", None, None)
        batch.stated("Confidence: 4/5", 100, 0.8)
        batch.stated("Confidence: very high", 3000, 0.1)
        batch.stated("", 10, 0.95)
        batch.stated("", None, None)
        batch.stated("Confidence: 0.05", 1, 1.0, recipe=2)
        batch.trace(batch.sample(50, 0.5), 1, status="open")
    return run_query(path, "calibration").to_dicts()


def test_traces_are_counted_by_recipe_form_and_band(rows: list[dict[str, Any]]) -> None:
    """What is not stated has a row of its own, the recipe's last; open traces are left out."""
    names = ("model", "confidence_form", "confidence", "traces", "failures")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("m", "1-5", "0.7-0.8", 1, 0),
        ("m", "percent", "0.7-0.8", 3, 1),
        ("m", "words", "0.9-1", 1, 0),
        ("m", None, "not stated", 2, 1),
        ("n", "fraction", "0-0.1", 1, 0),
    ]


def test_failures_count_in_one_column_and_not_in_the_other(rows: list[dict[str, Any]]) -> None:
    percent = next(row for row in rows if row["confidence_form"] == "percent")
    del percent["recipe"], percent["model"], percent["with_tools"]
    assert percent == {
        "confidence_form": "percent",
        "confidence": "0.7-0.8",
        "traces": 3,
        "failures": 1,
        "scored": 3,
        "note": "n < 30",
        "mean_confidence": pytest.approx((0.70 + 0.75 + 0.799) / 3),
        "median_km": 260,
        "median_km_failures_20000": 500,
        "mean_score": pytest.approx(0.75),
        "mean_score_failures_0": pytest.approx(0.5),
        "acc_25_km": pytest.approx(1 / 3),
        "acc_200_km": pytest.approx(1 / 3),
        "acc_750_km": pytest.approx(2 / 3),
        **bounds("acc_{}_km", 1, 1, 2, of=3),
        "acc_25_km_parsed": 0.5,
        "acc_200_km_parsed": 0.5,
        "acc_750_km_parsed": 1,
        **bounds("acc_{}_km_parsed", 1, 1, 2, of=2),
        "accept_rate": pytest.approx(2 / 3),
        "accept_rate_low": pytest.approx(wilson(2, 3)[0]),
        "accept_rate_high": pytest.approx(wilson(2, 3)[1]),
        "accept_rate_parsed": 1,
        "accept_rate_parsed_low": pytest.approx(wilson(2, 2)[0]),
        "accept_rate_parsed_high": 1,
    }


def bounds(name: str, *hits: int, of: int) -> dict[str, Any]:
    """The intervals of shares within 25, 200 and 750 km."""
    return {
        f"{name.format(km)}_{side}": pytest.approx(wilson(hit, of)[place])
        for place, side in enumerate(("low", "high"))
        for km, hit in zip((25, 200, 750), hits, strict=True)
    }


def test_a_confidence_at_a_bound_is_in_the_band_above(tmp_path: Path) -> None:
    """Also where its binary value lies a little below, and 1 is in the last band."""
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True) as store, store.db.transaction():
        batch = Stating(store.db)
        batch.dataset("photos")
        batch.recipe("aaaaaaaa", "m", tools="[]")
        for percent in range(0, 101, 10):
            batch.stated(f"Confidence: {percent}%", 10, 0.9)
    bands = run_query(path, "calibration").to_dicts()
    # "0%" is of the form percent, too.
    assert [(row["confidence"], row["traces"]) for row in bands] == [
        *((f"{low / 10:g}-{(low + 1) / 10:g}", 1) for low in range(9)),
        ("0.9-1", 2),
    ]
