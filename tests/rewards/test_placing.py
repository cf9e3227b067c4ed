"""The places of samples and answers: computed where they are missing, and never twice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from geostore.answers import PARSER_VERSION
from geostore.importing import import_traces
from geostore.places import GAZETTEER_VERSION, places_of
from geostore.rewards import (
    Placed,
    Selection,
    count_missing,
    make_spec,
    place_missing,
    placing,
    rescore,
    set_default,
)
from geostore.rewards.placing import count_unplaced, place_trace
from geostore.store import Filter, Store
from tests import trace_files
from tests.hand_made import Point, Traces
from tests.minds import ZOOM, answer, text_call, turns_so_far, zoom_then_answer
from tests.running import geostore, run
from tests.teacher_server import Body, Reply, teacher_server

PARIS, LYON, MADRID = (48.853, 2.349), (45.76, 4.84), (40.4168, -3.7038)
THIS = GAZETTEER_VERSION


@pytest.fixture
def unplaced(traces: Traces) -> Traces:
    """Answers to a photo of Paris: there, in another city, in another country, and none."""
    for guess in (PARIS, LYON, MADRID, None):
        traces.answered(guess, truth=PARIS)
    forget(traces)
    return traces


def forget(traces: Traces) -> None:
    """As in a store of an older habit, which computed no places."""
    traces.connection.execute("delete from sample_places")
    traces.connection.execute("delete from answer_places")


def rows(traces: Traces, table: str, columns: str) -> list[tuple[Any, ...]]:
    found = traces.connection.execute(f"select {columns} from {table} order by 1, 2")
    return [tuple(row) for row in found]


def say(
    traces: Traces,
    words: dict[str, str],
    guess: Point | None = PARIS,
    *,
    truth: Point = PARIS,
) -> int:
    """An answer with words beside its coordinates."""
    trace_id = traces.answered(guess, truth=truth)
    for name, text in words.items():
        traces.connection.execute(
            f"update answers set said_{name} = ? where trace_id = ?", (text, trace_id)
        )
    forget(traces)
    return trace_id


# --- what is computed ------------------------------------------------------------------------


def test_truth_and_answer_get_their_places_and_a_failure_gets_a_row_without(
    unplaced: Traces,
) -> None:
    assert place_missing(unplaced.db) == Placed(samples=4, answers=4)
    assert rows(unplaced, "sample_places", "sample_id, country, region, city, city_id") == [
        (n, "FR", "FR.11", "Paris", 2988507) for n in range(1, 5)
    ]
    columns = "trace_id, parser_version, gazetteer_version, country, region"
    assert rows(unplaced, "answer_places", columns) == [
        (1, PARSER_VERSION, THIS, "FR", "FR.11"),
        (2, PARSER_VERSION, THIS, "FR", "FR.84"),
        (3, PARSER_VERSION, THIS, "ES", "ES.29"),
        (4, PARSER_VERSION, THIS, None, None),
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, (None, None, None, None)),
        ({"country": "France"}, ("FR", 1, None, None)),
        ({"country": "法国", "city": "Parigi"}, ("FR", 1, None, 1)),
        ({"country": "Spain", "city": "Lyon"}, ("ES", 0, None, 0)),
        # Words that cannot be compared are no mistake.
        ({"country": "somewhere in Europe"}, (None, None, None, None)),
        ({"region": "Бретань", "city": "リヨン"}, (None, None, None, None)),
        ({"region": "بريتاني", "city": "리옹"}, (None, None, None, None)),
        ({"region": "上海", "city": "里昂"}, (None, None, 0, 0)),
        ({"region": "Île-de-France", "city": "PARIS"}, (None, None, 1, 1)),
        ({"region": "Bretagne"}, (None, None, 0, None)),
    ],
)
def test_the_words_of_an_answer_are_compared_with_the_true_place(
    traces: Traces, words: dict[str, str], expected: tuple[Any, ...]
) -> None:
    columns = "said_country, said_true_country, said_true_region, said_true_city"
    say(traces, words)
    place_missing(traces.db)
    assert rows(traces, "answer_places", columns) == [expected]


@pytest.mark.parametrize(
    ("words", "truth", "is_true"),
    [
        ("United States", (18.40, -66.06), 1),  # San Juan in Puerto Rico
        ("Puerto Rico", (18.40, -66.06), 1),
        ("France", (-20.88, 55.45), 1),  # Réunion
        ("Denmark", (64.18, -51.72), 1),  # Nuuk
        ("China", (22.30, 114.17), 1),  # Hong Kong
        ("Spain", (-20.88, 55.45), 0),
        ("Puerto Rico", (40.71, -74.01), 0),  # New York is in no territory
        ("Guam", (18.40, -66.06), 0),
    ],
)
def test_the_name_of_its_state_is_true_of_a_territory(
    traces: Traces, words: str, truth: Point, is_true: int
) -> None:
    say(traces, {"country": words}, truth=truth)
    place_missing(traces.db)
    assert rows(traces, "answer_places", "trace_id, said_true_country") == [(1, is_true)]


def test_words_without_coordinates_count_and_words_about_the_open_sea_say_nothing(
    traces: Traces,
) -> None:
    say(traces, {"country": "France"}, None)
    words = {"country": "France", "region": "Bretagne", "city": "Brest"}
    say(traces, words, truth=(0.0, -30.0))
    place_missing(traces.db)
    columns = "trace_id, country, said_country, said_true_country, said_true_region, said_true_city"
    assert rows(traces, "answer_places", columns) == [
        (1, None, "FR", 1, None, None),
        (2, "FR", "FR", None, None, None),
    ]


def test_the_country_that_the_dataset_names_is_kept_as_its_code(unplaced: Traces) -> None:
    for number, words in enumerate(("Deutschland", "frankreich (south)", "Atlantis", None), 1):
        unplaced.connection.execute("update samples set country = ? where id = ?", (words, number))
    place_missing(unplaced.db)
    stated = [code for _, code in rows(unplaced, "sample_places", "sample_id, stated_country")]
    assert stated[0] == "DE"
    assert stated[2:] == [None, None]


# --- what is missing -------------------------------------------------------------------------


def test_places_are_computed_once(unplaced: Traces) -> None:
    assert count_unplaced(unplaced.db) == Placed(4, 4)
    assert place_missing(unplaced.db, batch=2) == Placed(4, 4)
    before = unplaced.connection.total_changes
    assert count_unplaced(unplaced.db) == Placed()
    assert place_missing(unplaced.db) == Placed()
    for trace_id in range(1, 5):
        place_trace(unplaced.db, trace_id)
    assert unplaced.connection.total_changes == before


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_only_what_is_missing_is_computed_however_the_batches_fall(
    unplaced: Traces, batch: int
) -> None:
    place_missing(unplaced.db)
    complete = rows(unplaced, "answer_places", "*"), rows(unplaced, "sample_places", "*")
    unplaced.connection.execute("delete from answer_places where trace_id in (2, 4)")
    unplaced.connection.execute("delete from sample_places where sample_id in (1, 4)")
    told: list[tuple[int, int]] = []
    placed = place_missing(unplaced.db, batch=batch, progress=lambda *n: told.append(n))
    assert placed == Placed(2, 2)
    assert told[-1] == (4, 4)
    assert (rows(unplaced, "answer_places", "*"), rows(unplaced, "sample_places", "*")) == complete


def test_a_newer_gazetteer_adds_rows_and_an_older_one_beside_it_undoes_nothing(
    unplaced: Traces,
) -> None:
    place_missing(unplaced.db)
    assert place_missing(unplaced.db, version=THIS + 1) == Placed(4, 4)
    both = "trace_id, gazetteer_version, country"
    assert len(rows(unplaced, "answer_places", both)) == 8
    # The older one places nothing that the newer one has placed, also where its own rows are gone.
    for table in ("answer_places", "sample_places"):
        unplaced.connection.execute(f"delete from {table} where gazetteer_version = {THIS}")
    assert place_missing(unplaced.db) == Placed()
    new = unplaced.answered(MADRID, truth=PARIS)
    assert rows(unplaced, "answer_places", both)[-1] == (new, THIS, "ES")
    assert place_missing(unplaced.db, version=THIS + 1) == Placed(1, 1)


def test_an_older_gazetteer_beside_a_newer_one_compares_words_with_the_truth_itself(
    traces: Traces,
) -> None:
    """Its own row of the truth is not there, and the newer one's may name what it does not know."""
    trace_id = say(traces, {"country": "France", "city": "Paris"})
    traces.connection.execute(
        "insert into sample_places (sample_id, gazetteer_version, country, city_id)"
        " select sample_id, ?, 'XX', 1 from traces where id = ?",
        (THIS + 1, trace_id),
    )
    place_missing(traces.db)
    columns = "gazetteer_version, said_true_country, said_true_city"
    assert rows(traces, "answer_places", columns) == [(THIS, 1, 1)]


def test_a_reading_by_a_newer_parser_gets_a_place_of_its_own(unplaced: Traces) -> None:
    place_missing(unplaced.db)
    unplaced.answer(1, MADRID, version=PARSER_VERSION + 1)
    unplaced.connection.execute(
        "delete from answer_places where parser_version = ?", (PARSER_VERSION + 1,)
    )
    assert place_missing(unplaced.db) == Placed(answers=1)
    columns = "trace_id, parser_version, country"
    assert rows(unplaced, "answer_places", columns)[:2] == [
        (1, PARSER_VERSION, "FR"),
        (1, PARSER_VERSION + 1, "ES"),
    ]


def test_an_answer_that_changed_meanwhile_gets_no_place_of_the_former(
    unplaced: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking it up and writing, another process may have opened the trace and closed it
    again."""
    place_missing(unplaced.db)
    unplaced.connection.execute("delete from answer_places")

    def meanwhile(lats: Any, lons: Any) -> Any:
        with closing(sqlite3.connect(unplaced.path)) as other, other:
            other.execute("update answers set lat = 10.0 where trace_id = 3")
        return places_of(lats, lons)

    monkeypatch.setattr(placing, "places_of", meanwhile)
    assert place_missing(unplaced.db) == Placed(answers=3)
    monkeypatch.undo()
    assert place_missing(unplaced.db) == Placed(answers=1)


def test_placing_that_is_stopped_keeps_its_batches_and_goes_on(
    unplaced: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place_missing(unplaced.db, batch=1, progress=stop)
    assert place_missing(unplaced.db) == Placed(answers=2)


def test_two_that_place_beside_each_other_share_the_work_and_both_tell_of_all(
    unplaced: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is here at the first answer when another process has just placed it and the second."""
    place_missing(unplaced.db)
    unplaced.connection.execute("delete from answer_places")
    computed: list[int] = []
    rows_of = placing._answer_rows

    def meanwhile(answers: Any, version: int) -> Any:
        rows = rows_of(answers, version)
        computed.extend(answer.trace_id for answer in answers)
        if computed == [1]:
            monkeypatch.setattr(placing, "_answer_rows", rows_of)
            with Store.open(unplaced.path) as other:
                for trace_id in (1, 2):
                    place_trace(other.db, trace_id)
            monkeypatch.setattr(placing, "_answer_rows", meanwhile)
        return rows

    monkeypatch.setattr(placing, "_answer_rows", meanwhile)
    told: list[tuple[int, int]] = []
    placed = place_missing(unplaced.db, batch=1, progress=lambda *n: told.append(n))
    assert placed == Placed(answers=2)
    assert computed == [1, 4, 3]
    assert told[0] == (1, 4)


def test_an_answer_that_is_deleted_takes_its_places_along(unplaced: Traces) -> None:
    """Also by a program that heeds no foreign keys: the next reading of that version would else
    stand beside a place that is not its own."""
    place_missing(unplaced.db)
    with closing(sqlite3.connect(unplaced.path)) as other, other:
        assert other.execute("pragma foreign_keys").fetchone() == (0,)
        other.execute("delete from answers where trace_id = 1")
    other.close()
    assert [row[0] for row in rows(unplaced, "answer_places", "trace_id, 0, 0")] == [2, 3, 4]


# --- when ------------------------------------------------------------------------------------


def test_a_trace_gets_its_places_when_it_is_closed(photo_dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, path, num_samples=2)
    with Store.open(path) as store:
        assert count_unplaced(store.db) == Placed()
        assert store.db.execute("select count(*) from answer_places").fetchone()[0] == 2
        assert store.db.execute("select count(*) from sample_places").fetchone()[0] == 2


def test_a_trace_that_is_opened_again_has_the_places_of_its_new_answer_alone(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """It met the limit of turns, whose raise opens it; what its first turn says stays there."""
    path = tmp_path / "geostore.db"

    def mind(body: Body) -> Reply:
        turns = turns_so_far(body)
        if turns < 2:
            call = text_call(ZOOM, {"bbox_2d": [100, 100, 600, 700]})
            guess = "Hm." if turns else f"Perhaps \\boxed{{{LYON[0]}, {LYON[1]}}}."
            return Reply(f"{guess} {call}")
        return Reply(answer(*PARIS))

    found = []
    with teacher_server(mind) as server:
        for turn_limit in (2, 4):
            run(server.url, photo_dataset, path, num_samples=1, turn_limit=turn_limit)
            with Store.open(path) as store:
                assert count_unplaced(store.db) == Placed()
                found.append(
                    [
                        [tuple(row) for row in store.db.execute(statement)]
                        for statement in (
                            "select status from traces",
                            "select region from answer_places",
                            "select turn from interim_answers",
                            "select count(*) from sample_places",
                        )
                    ]
                )
    assert found[0] == [[("exhausted",)], [(None,)], [(1,)], [(1,)]]
    assert found[1] == [[("answered",)], [("FR.11",)], [(1,)], [(1,)]]


def test_samples_that_are_left_out_or_stand_for_others_have_places_too(unplaced: Traces) -> None:
    """Whether a dataset's words fit its coordinates is asked of all that was drawn."""
    unplaced.connection.execute("update samples set exclusion = 'undecodable' where id = 2")
    unplaced.connection.execute("update samples set same_as = 1 where id = 3")
    assert place_missing(unplaced.db) == Placed(4, 4)
    assert {country for _, country in rows(unplaced, "sample_places", "sample_id, country")} == {
        "FR"
    }


@pytest.mark.parametrize("default", ["geoguessr", "imported"])
def test_an_imported_trace_gets_its_places_whatever_the_default_reward(
    tmp_path: Path, default: str
) -> None:
    """That of the files is computed by nothing, and the places are all the same."""
    files = tmp_path / "files"
    for index in range(2):
        trace_files.write(files, trace_files.history(index))
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        import_traces(store, files)
        with store.db.transaction():
            set_default(store.db, default)
        trace_files.write(files, trace_files.history(2))
        import_traces(store, files)
        assert count_unplaced(store.db) == Placed()
        places = store.db.execute("select count(*), count(stated_country) from sample_places")
        assert tuple(places.fetchone()) == (3, 3)


def test_a_rescore_says_how_many_places_it_computed(unplaced: Traces) -> None:
    unplaced.connection.close()
    dry = geostore("rescore", "--store", unplaced.path, "--dry-run")
    assert "would compute the places of 4 samples and 4 answers" in dry.stderr
    done = geostore("rescore", "--store", unplaced.path, "--json")
    assert '"placed": {\n    "samples": 4,\n    "answers": 4\n  }' in done.stdout
    again = geostore("rescore", "--store", unplaced.path)
    assert again.returncode == 0
    assert "places" not in again.stderr


def test_a_condition_of_a_rescore_may_ask_for_places_that_it_computes_first(
    unplaced: Traces,
) -> None:
    spain = Filter(where="answer_country = 'ES' and country_correct = 0")
    assert count_missing(unplaced.db, make_spec(), filters=spain).computed == 0
    done = rescore(unplaced.db, make_spec(), filters=spain)
    assert (done.computed, done.placed) == (1, Placed(4, 4))
    again = rescore(unplaced.db, make_spec(), filters=spain, selection=Selection(again=True))
    assert (again.computed, again.placed) == (1, Placed())
