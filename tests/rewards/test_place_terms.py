"""Terms of a weighted reward that look at the places of truth and answer, and at words."""

from __future__ import annotations

import pytest

from geostore.errors import RewardError
from geostore.places import GAZETTEER_VERSION
from geostore.rewards import (
    adopt_default_spec,
    ensure_spec,
    make_spec,
    rescore,
    resolve_spec,
    score_trace,
)
from tests.hand_made import Traces, put_places


def scores(traces: Traces, term: str, **params: str) -> list[float | None]:
    """What a reward of one term gives to the traces, by id."""
    traces.connection.execute("delete from rewards")
    rescore(traces.db, make_spec("weighted", {term: "1", **params}))
    return [score for (score,) in traces.rows("score")]


@pytest.fixture
def placed(traces: Traces) -> Traces:
    """All right, by point and words; the country alone; nothing; words alone; neither."""
    for point, true, words in (
        (True, "crtCRT", 3),
        (True, "cC", 2),
        (True, "", 0),
        (False, "CRT", 1),
        (False, "", 0),
    ):
        trace_id = traces.answered((0.0, 1.0) if point else None)
        put_places(traces, trace_id, point=point, true=true, words=words)
    return traces


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("country", [1, 1, 0, 0, 0]),
        ("region", [1, 0, 0, 0, 0]),
        ("city", [1, 0, 0, 0, 0]),
        ("said_country", [1, 1, 0, 1, 0]),
        ("said_region", [1, 0, 0, 1, 0]),
        ("said_city", [1, 0, 0, 1, 0]),
        ("named", [1, 1, 0, 0, 0]),
    ],
)
def test_a_place_is_right_or_it_is_not(placed: Traces, term: str, expected: list[float]) -> None:
    """Without coordinates a point is in no place, whatever an unread distance counts."""
    assert scores(placed, term) == expected
    assert scores(placed, term, unparsed="0.5") == expected


@pytest.mark.parametrize(("least", "expected"), [("1", 1), ("2", 1), ("3", 0)])
def test_how_many_names_an_answer_states_can_be_set(
    placed: Traces, least: str, expected: int
) -> None:
    assert scores(placed, "named", **{"named.least": least})[1] == expected


@pytest.mark.parametrize(
    ("column", "unknown"),
    [
        ("country", {"country", "said_country"}),
        ("region", {"region", "said_region"}),
        ("city_id", {"city", "said_city"}),
    ],
)
def test_where_the_truth_has_no_such_place_the_score_is_unknown(
    placed: Traces, column: str, unknown: set[str]
) -> None:
    """As for a photo at sea: nobody could be right about its country."""
    placed.connection.execute(f"update sample_places set {column} = null where sample_id = 1")
    for term in ("country", "region", "city", "said_country", "said_region", "said_city", "named"):
        assert (scores(placed, term)[0] is None) == (term in unknown)


def test_an_answer_at_sea_is_in_no_country(placed: Traces) -> None:
    placed.connection.execute("update answer_places set country = null, region = null")
    assert scores(placed, "country") == [0, 0, 0, 0, 0]
    assert scores(placed, "region") == [0, 0, 0, 0, 0]


def test_places_are_those_of_the_version_that_the_reward_names(placed: Traces) -> None:
    """A newer gazetteer makes another reward, so that no score changes under its name."""
    spec = make_spec("weighted", {"city": "1"})
    assert spec.parameters["gazetteer"] == GAZETTEER_VERSION
    assert "gazetteer" not in make_spec("weighted", {"named": "1"}).parameters
    in_condition = make_spec("weighted", {"cut": "1", "cut.if": "said_country"})
    assert in_condition.parameters["gazetteer"] == GAZETTEER_VERSION
    put_places(placed, 2, point=True, true="crt", version=GAZETTEER_VERSION + 1)
    assert scores(placed, "city")[1] == 0


def test_a_reward_of_another_gazetteer_is_not_computed_under_its_name(placed: Traces) -> None:
    spec = make_spec("weighted", {"city": "1"}, name="older")
    spec.parameters["gazetteer"] = 0
    ensure_spec(placed.db, spec)
    with pytest.raises(RewardError, match=r"older \(.*version 0 of the gazetteer.*anew"):
        resolve_spec(placed.db, "older")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"named": "1", "named.least": "4"}, "must be 1, 2 or 3, not '4'"),
        ({"city": "1", "city.km": "4"}, "city has no parameter 'km'; it has: if, unless"),
        ({"town": "1"}, "no term or parameter 'town'"),
        ({"city": "1", "gazetteer": "2"}, "no term or parameter 'gazetteer'"),
    ],
)
def test_a_place_term_that_makes_no_sense_is_refused(params: dict[str, str], words: str) -> None:
    with pytest.raises(RewardError, match=words):
        make_spec("weighted", params)


def test_a_rescore_computes_the_places_that_a_reward_needs(traces: Traces) -> None:
    """Paris, said and pointed at; Lyon for Paris; words alone."""
    paris, lyon = (48.8566, 2.3522), (45.7640, 4.8357)
    for guess, city in ((paris, "Paris"), (lyon, "Paris"), (lyon, "Lyon"), (None, "Paris")):
        trace_id = traces.answered(guess, truth=paris)
        traces.connection.execute(
            "update answers set said_country = 'France', said_city = ? where trace_id = ?",
            (city, trace_id),
        )
    traces.connection.execute("delete from answer_places")
    traces.connection.execute("delete from sample_places")
    assert scores(traces, "country") == [1, 1, 1, 0]
    assert scores(traces, "city") == [1, 0, 0, 0]
    assert scores(traces, "said_country") == [1, 1, 1, 1]
    assert scores(traces, "said_city") == [1, 1, 0, 1]


def test_a_reward_of_another_gazetteer_becomes_no_default(placed: Traces) -> None:
    """Traces that close could not be scored by it."""
    spec = make_spec("weighted", {"city": "1"}, name="older")
    assert adopt_default_spec(placed.db, spec)
    placed.connection.execute("update reward_specs set is_default = 0")
    spec.parameters["gazetteer"] = 0
    assert not adopt_default_spec(placed.db, spec)


def test_a_trace_that_closes_is_scored_by_its_places(traces: Traces) -> None:
    spec_id = ensure_spec(traces.db, make_spec("weighted", {"city": "1", "country": "0.5"}))
    paris, lyon = (48.8566, 2.3522), (45.7640, 4.8357)
    for guess, score in ((paris, 1.5), (lyon, 0.5), (None, 0.0)):
        trace_id = traces.answered(guess, truth=paris)
        assert score_trace(traces.db, trace_id, spec_id).score == score
