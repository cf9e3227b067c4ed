"""An answer without coordinates that a reward gives a score: it counts the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geostore.query.reader import run_query
from geostore.rewards import make_spec, preset_spec, rescore, set_default
from geostore.rewards.compare import Bound, compare_rewards
from geostore.store import Filter, make_choice, open_snapshot
from geostore.store.rewards import get_spec
from tests.hand_made import Traces, put_places


@pytest.fixture
def words(traces: Traces) -> Traces:
    """Under preset:globe: 1 for right words and 0.2 for the country, both without coordinates;
    coordinates with wrong words have 0; one trace has no response and no score.
    """
    for true, point in (("CRT", False), ("C", False), ("", True)):
        trace_id = traces.answered((0.0, 1.0) if point else None)
        traces.play(trace_id)
        put_places(traces, trace_id, point=point, true=true, words=3)
    traces.trace((0.0, 0.0), status="failed")
    for spec in (make_spec(), preset_spec("globe"), make_spec("weighted", {"constant": "-0.2"})):
        rescore(traces.db, spec)
    return traces


def kept(path: Path, **conditions: Any) -> list[int]:
    with open_snapshot(path) as snapshot:
        filters = Filter(reward="preset:globe", **conditions)
        ids = sorted(snapshot.trace_ids(filters))
        left_out = snapshot.left_out(filters)
    assert len(ids) + sum(left_out.values()) == 4
    return ids


def test_summaries_count_such_a_score_as_the_trace_s_own(words: Traces) -> None:
    """The mean over parsed answers leaves it out, as it leaves out every failure."""
    globe = preset_spec("globe").sha256
    (summary,) = run_query(words.path, "summary", reward=globe).to_dicts()
    assert summary["failures"] == 3
    assert summary["mean_score"] == 0.0
    assert summary["mean_score_failures_0"] == pytest.approx((1.0 + 0.2 + 0 + 0) / 4)
    assert summary["accept_rate"] == 0.25
    everything = run_query(words.path, "stats", reward=globe).to_dicts()[0]
    assert everything["mean_score"] == 0.0
    assert everything["mean_score_failures_0"] == pytest.approx(0.3)


def test_a_score_below_0_counts_as_well(words: Traces) -> None:
    """As deepeyes has it. A trace without a response has none, and counts as 0."""
    spec = make_spec("weighted", {"constant": "-0.2"})
    (summary,) = run_query(words.path, "summary", reward=spec.sha256).to_dicts()
    assert summary["mean_score"] == -0.2
    assert summary["mean_score_failures_0"] == pytest.approx(-0.2 * 3 / 4)


def test_a_reward_of_the_distance_still_counts_a_failure_as_0(words: Traces) -> None:
    (summary,) = run_query(words.path, "summary", reward=make_spec().sha256).to_dicts()
    assert summary["mean_score_failures_0"] == pytest.approx(summary["mean_score"] / 4)


def test_every_list_of_accepted_traces_agrees(words: Traces) -> None:
    globe = get_spec(words.db, preset_spec("globe").sha256)
    compared = compare_rewards(words.db, [globe, get_spec(words.db, "geoguessr")], bound=Bound(0.2))
    assert compared.rewards[0].accepted == 2
    assert kept(words.path, min_score=0.2) == [1, 2]
    assert kept(words.path, min_score=0.3) == [1]
    assert kept(words.path, where="score_or_0 >= 0.2") == [1, 2]
    asked = "select trace_id from trace_results where score_or_0 >= 0.2 order by trace_id"
    assert run_query(words.path, asked, reward=globe.sha256).rows == [(1,), (2,)]
    with words.db.transaction():
        set_default(words.db, "preset:globe")
    assert [trace_id for (trace_id,) in words.connection.execute(asked)] == [1, 2]


def test_with_a_distance_coordinates_are_asked_for_as_well(words: Traces) -> None:
    """As the preset of filters, quality, does."""
    assert kept(words.path, min_score=0.2, max_distance_km=25_000.0) == []
    assert kept(words.path, min_score=0.0, max_distance_km=25_000.0) == [3]


def test_of_an_older_reading_such_a_score_does_not_count(words: Traces) -> None:
    words.connection.execute("update rewards set parser_version = 1 where trace_id = 1")
    assert kept(words.path, min_score=0.2) == [2]


def test_lists_and_choices_put_it_first(words: Traces) -> None:
    with open_snapshot(words.path) as snapshot:
        filters = Filter(reward="preset:globe", statuses=("answered",))
        best = snapshot.list_traces(filters, order="best", limit=None)
        assert [line.sample_index for line in best.lines] == [1, 2, 3]
        one = make_choice({"balance": "dataset=1"})
        (line,) = snapshot.list_traces(filters, order="best", limit=None, choice=one).lines
        assert line.sample_index == 1
    worst = run_query(words.path, "worst_traces", reward=preset_spec("globe").sha256).to_dicts()
    assert [row["score"] for row in worst] == [None, 0.0, 0.2, 1.0]
