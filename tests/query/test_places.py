"""Questions about places: of truth and answer, of the dataset's words and the teacher's."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from geostore.query.reader import run_query
from geostore.store import Store
from tests.hand_made import Batch, write_facts
from tests.questioned import wilson
from tests.running import geostore

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


def test_truth_and_answer_are_compared_by_one_version_of_the_gazetteer(path: Path) -> None:
    """A rescore after a new version has placed all samples before it comes to the answers."""
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        sample, other, third = (batch.sample(number, 0.5) for number in range(3))
        for number, country in ((sample, "RS"), (other, "RS")):
            batch.place(number, country)
        for number in (sample, third):
            batch.place(number, "XK", gazetteer=2)
        both, former = (batch.placed(sample, PLAIN, 1.0, 1.0, rollout=n) for n in (1, 2))
        for trace_id in (both, former):
            batch.place_answer(trace_id, "RS")
        batch.place_answer(both, "XK", gazetteer=2)
        # A newer geostore has placed the answer, and not yet the sample.
        ahead = batch.placed(other, PLAIN, 1.0, 1.0)
        batch.place_answer(ahead, "XK", gazetteer=2)
        # An older geostore has answered a photo that only a newer one has placed.
        behind = batch.placed(third, PLAIN, 1.0, 1.0)
        batch.place_answer(behind, "RS")
        # And a rescore that has come to this answer twice and to its photo once.
        twice = batch.placed(other, PLAIN, 1.0, 1.0, rollout=2)
        for gazetteer, country in ((1, "RS"), (2, "XK")):
            batch.place_answer(twice, country, gazetteer=gazetteer, said_country=country)
        lost = batch.trace(sample, PLAIN, rollout=3)
    statement = (
        "select trace_id, true_country, answer_country, said_country, country_correct,"
        " country_correct_or_0 from trace_results order by trace_id"
    )
    expected = [
        (both, "XK", "XK", None, 1, 1),
        (former, "RS", "RS", None, 1, 1),
        (ahead, None, "XK", None, None, None),
        (behind, None, "RS", None, None, None),
        (twice, "RS", "RS", "RS", 1, 1),
        (lost, "XK", None, None, None, 0),
    ]
    assert run_query(path, statement).rows == expected
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute(statement).fetchall() == expected
    confused = [
        row for row in objects(path, "place_confusion") if row["answer_country"] != "no answer"
    ]
    assert [(row["true_country"], row["answer_country"], row["traces"]) for row in confused] == [
        ("RS", "RS", 2),
        ("XK", "XK", 1),
    ]


# --- the questions ---------------------------------------------------------------------------


def test_countries_are_counted_with_their_share_of_the_truth_and_with_the_failures(
    path: Path,
) -> None:
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        samples = [batch.sample(number, 0.5) for number in range(4)]
        for sample, country in zip(samples, ("FR", "FR", "ES", None), strict=True):
            batch.place(sample, country)
        for sample, recipe, answered in (
            (samples[0], TOOLS, "FR"),
            (samples[0], PLAIN, "FR"),
            (samples[1], TOOLS, "ES"),
            (samples[1], PLAIN, None),
            (samples[2], TOOLS, "PT"),
            (samples[3], TOOLS, "FR"),  # of a photo far out at sea
        ):
            batch.place_answer(batch.placed(sample, recipe, 1.0, 1.0), answered)
        lost = batch.trace(samples[2], PLAIN)
        batch.answer(lost, "one_number")
        batch.trace(samples[0], TOOLS, rollout=2, status="failed", turns=0)
        batch.trace(samples[0], TOOLS, rollout=3, status="open")
        batch.placed(samples[0], TOOLS, 1.0, 1.0, rollout=4)  # no place yet
    rows = run_query(path, "place_confusion").rows
    assert rows[0][5:] == pytest.approx(wilson(2, 5))
    assert [row[:5] for row in rows] == [
        ("FR", "FR", 2, 5, 0.4),
        ("FR", "ES", 1, 5, 0.2),
        ("FR", "at sea", 1, 5, 0.2),
        ("FR", "no answer", 1, 5, 0.2),
        ("ES", "PT", 1, 2, 0.5),
        ("ES", "no answer", 1, 2, 0.5),
    ]


def test_samples_are_named_whose_dataset_says_another_country_than_their_coordinates(
    path: Path,
) -> None:
    stated = (
        ("spain", "ES", "ES"),
        ("germany", "DE", "FR"),
        ("Neverland", None, "FR"),
        ("portugal", "PT", None),
        (None, None, "FR"),
        (" ", None, "FR"),
        ("italy", "IT", "IT"),
    )
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        for number, (words, code, country) in enumerate(stated):
            sample = batch.sample(number, 0.5)
            execute = batch.connection.execute
            execute("update samples set country = ? where id = ?", (words, sample))
            batch.place(sample, "DE", stated_country="DE")  # by an older gazetteer
            batch.place(sample, country, gazetteer=2, stated_country=code)
        batch.sample(50, 0.5)  # no place yet
    rows = objects(path, "country_mismatches")
    assert [
        (r["mismatch"], r["sample_index"], r["country"], r["stated_country"], r["true_country"])
        for r in rows
    ] == [
        ("another country", 1, "germany", "DE", "FR"),
        ("at sea", 3, "portugal", "PT", None),
        ("unknown words", 2, "Neverland", None, "FR"),
    ]
    assert (rows[0]["dataset"], rows[0]["lat"], rows[0]["lon"]) == ("photos", 11.0, 20.0)


def test_answers_are_named_whose_words_are_of_another_country_than_their_point(path: Path) -> None:
    said = (
        ("France", "FR", "FR"),
        ("Frankreich", "FR", "ES"),
        ("Portugal", "PT", None),
        ("Neverland", None, "FR"),
        (None, None, "FR"),
    )
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        for number, (words, code, country) in enumerate(said):
            sample = batch.sample(number, 0.5)
            batch.place(sample, "FR")
            trace_id = batch.placed(sample, TOOLS, 12.0, 0.9)
            batch.answer(trace_id, version=2)
            for version, text in ((1, "Japan"), (2, words)):
                batch.connection.execute(
                    "update answers set said_country = ?, said_city = 'Brest'"
                    " where trace_id = ? and parser_version = ?",
                    (text, trace_id, version),
                )
            batch.place_answer(trace_id, "FR", said_country="JP")
            batch.place_answer(trace_id, country, version=2, said_country=code)
        batch.connection.execute("update rewards set parser_version = 2")
        failed = batch.trace(batch.sample(50, 0.5), TOOLS)
        batch.answer(failed, "one_number")
        batch.place_answer(failed, None, said_country="JP")
        write_facts(batch.connection)
    rows = objects(path, "words_against_point")
    assert [
        (r["trace"], r["words"], r["said_country"], r["answer_country"], r["true_country"])
        for r in rows
    ] == [
        ("1-aaaaaaaa-1", "Frankreich", "FR", "ES", "FR"),
        ("2-aaaaaaaa-1", "Portugal", "PT", None, "FR"),
    ]
    assert (rows[0]["said_city"], rows[0]["distance_km"], rows[0]["flag"]) == ("Brest", 12.0, None)


def test_words_that_name_the_true_place_count_once_for_a_trace(path: Path) -> None:
    """Also where two parsers read its answer and two gazetteers placed it; the newest count."""
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        trace_id = batch.placed(batch.sample(1, 0.5), TOOLS, 12.0, 0.9)
        batch.answer(trace_id, version=2)
        names_none = {f"said_true_{place}": 0 for place in ("country", "region", "city")}
        for version, gazetteer in ((1, 1), (1, 2), (2, 1)):
            key = {"version": version, "gazetteer": gazetteer}
            batch.place_answer(trace_id, "FR", **key, **names_none)
        newest = {"said_true_country": 1, "said_true_region": None, "said_true_city": 1}
        batch.place_answer(trace_id, "FR", version=2, gazetteer=2, **newest)
    columns = ", ".join(newest)
    statement = f"select {columns} from trace_results"
    assert objects(path, statement) == [newest]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement).fetchall() == [tuple(newest.values())]
    found = geostore("traces", "--where", "said_true_city = 1", "--json", "--store", path)
    assert json.loads(found.stdout)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("place_confusion", True),
        ("words-against-point", True),
        ("country_mismatches", True),
        ("accuracy", True),
        ("select avg(CITY_CORRECT) from trace_results", True),
        ("select avg(said_true_city) from trace_results", True),
        ("select * from trace_results", True),
        ("select trace, country from trace_results", False),
        ("by_country", False),
    ],
)
def test_a_question_about_places_says_how_many_are_missing(
    path: Path, question: str, told: bool
) -> None:
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        batch.placed(batch.sample(1, 0.5), TOOLS, 1.0, 1.0)
    asked = geostore("query", question, "--store", path, "--format", "csv")
    assert asked.returncode == 0, asked.stderr
    line = "the places of 1 trace are not computed yet; geostore rescore computes them"
    assert (line in asked.stderr) == told
    assert "computed" not in asked.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--where", "country_correct = 0"], True),
        (["--balance", "answer_country=5"], True),
        (["--where", "turns > 99"], False),
        (["--where", "country = 'x'"], False),
    ],
)
@pytest.mark.parametrize("command", ["traces", "export"])
def test_a_condition_on_places_says_how_many_are_missing(
    path: Path, tmp_path: Path, command: str, options: list[str], told: bool
) -> None:
    """Also where no trace meets it, as they would with their places."""
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        batch.placed(batch.sample(1, 0.5), TOOLS, 1.0, 1.0)
    folder = [] if command == "traces" else [tmp_path / "out"]
    listed = geostore(command, *folder, "--store", path, *options)
    line = "the places of 1 trace are not computed yet; geostore rescore computes them\n"
    assert (line in listed.stderr) == told
    assert "Traceback" not in listed.stderr


def test_a_question_about_places_says_nothing_where_none_is_missing(path: Path) -> None:
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        trace_id = batch.placed(batch.sample(1, 0.5), TOOLS, 1.0, 1.0)
        batch.place(1, "FR")
        batch.place_answer(trace_id, "FR")
    asked = geostore("query", "place_confusion", "--store", path)
    assert (asked.returncode, asked.stderr) == (0, "")
