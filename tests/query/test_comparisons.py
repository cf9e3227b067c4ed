"""Questions that compare two sides: tools, models and rewards."""

from __future__ import annotations

from pathlib import Path

import pytest

from geostore.errors import QueryError
from geostore.rewards import ensure_spec, make_spec
from geostore.store import Store
from tests.questioned import (
    PLAIN,
    TOOLS,
    answers,
    failed_answer,
    filling,
    left_out,
    make_store,
    some,
    wilson,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_store(tmp_path)


def test_tool_lift_is_of_pairs_by_bin_and_distance(path: Path) -> None:
    """A hard sample is right in 1 of 2 rollouts with tools, and never without, but once failed."""
    with filling(path) as batch:
        hard, easy, alone, unknown = (
            batch.sample(i, x) for i, x in enumerate((0.05, 0.95, 0.95, None))
        )
        batch.placed(hard, TOOLS, 25, 0.9, rollout=1)
        batch.placed(hard, TOOLS, 26, 0.9, rollout=2)
        batch.placed(hard, PLAIN, 300, 0.9, rollout=1)
        failed_answer(batch, hard, PLAIN, rollout=2)
        batch.placed(easy, TOOLS, 1, 0.9)
        batch.placed(easy, PLAIN, 2, 0.9)
        batch.placed(alone, TOOLS, 1, 0.9)
        failed_answer(batch, unknown, TOOLS)
        batch.placed(unknown, PLAIN, 4, 0.9)
        left_out(batch, alone, PLAIN)
    rows = answers(path, "tool_lift_by_difficulty", km=[25, 750])
    of_model = [row for row in rows if row["model"] == "m"]
    columns = ("bin", "locatability", "km", "pairs", "acc_with_tools", "acc_without", "lift")
    assert some(of_model, *columns) == [
        (None, "all", 25, 3, 0.5, pytest.approx(2 / 3), pytest.approx(-1 / 6)),
        (
            None,
            "all",
            750,
            3,
            pytest.approx(2 / 3),
            pytest.approx(2.5 / 3),
            pytest.approx(-0.5 / 3),
        ),
        (1, "0-0.1", 25, 1, 0.5, 0.0, 0.5),
        (1, "0-0.1", 750, 1, 1.0, 0.5, 0.5),
        (10, "0.9-1", 25, 1, 1.0, 1.0, 0.0),
        (10, "0.9-1", 750, 1, 1.0, 1.0, 0.0),
        (None, "unknown", 25, 1, 0.0, 1.0, -1.0),
        (None, "unknown", 750, 1, 0.0, 1.0, -1.0),
    ]
    parsed = some(of_model, "parsed_pairs", "lift_parsed")
    assert parsed[:4] == [(2, 0.25), (2, 0.0), (1, 0.5), (1, 0.0)]
    assert parsed[6:] == [(0, None)] * 2
    first = of_model[0]
    assert first["lift_low"] < -1 / 6 < first["lift_high"]
    assert (first["acc_with_tools_low"], first["acc_with_tools_high"]) == pytest.approx(
        wilson(1.5, 3)
    )
    assert of_model[2]["lift_low"] is None
    assert rows[8:] == [{**row, "model": "(all)"} for row in of_model]


def test_tool_lift_keeps_models_apart_and_bins_are_as_wide_as_wanted(path: Path) -> None:
    with filling(path) as batch:
        tools, plain = (
            batch.recipe(h, "n", tools=t) for h, t in (("c", '[{"name":"zoom"}]'), ("d", "[]"))
        )
        sample = batch.sample(0, 0.6)
        batch.placed(sample, tools, 1, 0.9)
        batch.placed(sample, plain, 100, 0.9)
        batch.placed(sample, TOOLS, 1, 0.9)
        other = batch.sample(1, 0.6)
        batch.placed(other, TOOLS, 1, 0.9)
        batch.placed(other, plain, 1, 0.9)  # of another model, so no pair
    rows = answers(path, "tool_lift_by_difficulty", km=[25], bins=2)
    assert some(rows, "model", "locatability", "pairs", "lift") == [
        ("n", "all", 1, 1.0),
        ("n", "0.5-1", 1, 1.0),
        ("(all)", "all", 1, 1.0),
        ("(all)", "0.5-1", 1, 1.0),
    ]


def test_models_win_tie_and_lose_on_the_samples_that_both_answered(path: Path) -> None:
    with filling(path) as batch:
        other = batch.recipe("cccccccc", "n", tools="[]")
        won, tied, lost, beaten, alone = (batch.sample(i, 0.5) for i in range(5))
        batch.placed(won, TOOLS, 1, 1.0)
        batch.placed(won, PLAIN, 2000, 0.5)  # the model's mean is 0.75
        batch.placed(won, other, 500, 0.7)
        batch.placed(tied, TOOLS, 10, 0.505)
        batch.placed(tied, other, 10, 0.5)
        batch.placed(lost, PLAIN, 900, 0.2)
        batch.placed(lost, other, 100, 0.9)
        failed_answer(batch, beaten, PLAIN)
        batch.placed(beaten, other, 100, 0.4)
        batch.placed(alone, TOOLS, 1, 1.0)
        left_out(batch, alone, other)
    (row,) = answers(path, "head_to_head")
    assert some([row], "a", "b", "samples", "wins", "ties", "losses") == [("m", "n", 4, 1, 1, 2)]
    assert (row["win_rate"], row["tie_rate"], row["loss_rate"]) == (0.25, 0.25, 0.5)
    assert (row["loss_rate_low"], row["loss_rate_high"]) == pytest.approx(wilson(2, 4))
    assert row["mean_score_a"] == pytest.approx((0.75 + 0.505 + 0.2 + 0) / 4)
    assert row["mean_score_b"] == pytest.approx((0.7 + 0.5 + 0.9 + 0.4) / 4)
    assert row["lift"] == pytest.approx((0.05 + 0.005 - 0.7 - 0.4) / 4)
    assert row["lift_low"] < row["lift"] < row["lift_high"]
    assert row["median_km_failures_20000_a"] == (900 + 1000.5) / 2
    assert row["median_km_failures_20000_b"] == 100
    assert some([row], "parsed_samples", "wins_parsed", "ties_parsed", "losses_parsed") == [
        (3, 1, 1, 1)
    ]
    (wide,) = answers(path, "head_to_head", margin=0.1)
    assert (wide["wins"], wide["ties"], wide["losses"]) == (0, 2, 2)


def test_recipes_play_too_and_nothing_else_does(path: Path) -> None:
    with filling(path) as batch:
        sample = batch.sample(0, 0.5)
        batch.placed(sample, TOOLS, 1, 0.9)
        batch.placed(sample, PLAIN, 1, 0.1)
    rows = answers(path, "head_to_head", by="recipe")
    assert some(rows, "a", "b", "wins", "lift_low") == [("aaaaaaaa", "bbbbbbbb", 1, None)]
    assert answers(path, "head_to_head") == []
    with pytest.raises(QueryError, match="by is model or recipe, and not 'dataset'"):
        answers(path, "head_to_head", by="dataset")


@pytest.fixture
def rewarded(path: Path) -> Path:
    """Three scored traces and a failure, by the store's default and by linear."""
    with Store.open(path) as store, store.db.transaction():
        linear = ensure_spec(store.db, make_spec("linear"))
    with filling(path) as batch:
        for index, (score, other) in enumerate([(0.9, 0.8), (0.4, 0.2), (0.1, 0.5)]):
            trace_id = batch.placed(batch.sample(index, 0.5), TOOLS, 10, score)
            batch.reward(trace_id, 10, other, spec_id=linear)
        failure = failed_answer(batch, batch.sample(3, 0.5), TOOLS)
        batch.reward(failure, None, None, spec_id=linear)
        batch.placed(batch.sample(4, 0.5), TOOLS, 10, 1.0)  # not scored by linear yet
        batch.trace(batch.sample(5, 0.5), TOOLS, status="open")
    return path


def test_two_rewards_judge_the_same_traces(rewarded: Path) -> None:
    (row,) = answers(rewarded, "two_rewards")
    assert some([row], "recipe", "b", "traces", "unscored") == [("aaaaaaaa", "linear", 4, 1)]
    assert row["mean_score_a"] == pytest.approx(1.4 / 3)
    assert row["mean_score_b"] == pytest.approx(1.5 / 3)
    assert row["mean_score_a_failures_0"] == pytest.approx(1.4 / 4)
    assert row["mean_score_b_failures_0"] == pytest.approx(1.5 / 4)
    assert row["difference"] == pytest.approx(0.1 / 4)
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert some([row], "accepted_a", "accepted_b", "accepted_by_both") == [(2, 2, 1)]
    assert row["agreement"] == 0.5
    assert (row["agreement_low"], row["agreement_high"]) == pytest.approx(wilson(2, 4))
    # Of 0.9, 0.4, 0.1, 0 with 0.8, 0.2, 0.5, 0: 0.2525 over the root of 0.4025 times 0.3675.
    covariance = 0.72 + 0.08 + 0.05 - 1.4 * 1.5 / 4
    spread = (0.98 - 1.4**2 / 4) * (0.93 - 1.5**2 / 4)
    assert row["correlation"] == pytest.approx(covariance / spread**0.5)
    (strict,) = answers(rewarded, "two_rewards", min_score=0.6)
    assert (strict["accepted_by_both"], strict["agreement"]) == (1, 1.0)


def test_a_file_that_gives_a_failure_a_score_has_it_left_out_of_the_mean(rewarded: Path) -> None:
    """A file's score beside 0 points and no distance is of a failure, as in `failure` elsewhere."""
    with filling(rewarded) as batch:
        batch.connection.execute(
            "insert into reward_specs (sha256, name, kind, parameters, code_version, created_at)"
            " values (?, 'imported', 'imported', '{}', 1, 'now')",
            ("e" * 64,),
        )
        spec = batch.connection.execute("select max(id) from reward_specs").fetchone()[0]
        for trace_id, (km, score) in enumerate([(10, 0.5), (None, 0.1)], start=1):
            points = 0 if km is None else 4000
            batch.connection.execute(
                "insert into rewards (trace_id, spec_id, parser_version, distance_km, score,"
                " geoguessr_points) values (?, ?, 0, ?, ?, ?)",
                (trace_id, spec, km, score, points),
            )
    (row,) = answers(rewarded, "two_rewards", b="imported")
    assert row["mean_score_b"] == 0.5
    # Traces without the file's reward count by the answer: the failed one as 0.
    assert row["mean_score_b_failures_0"] == pytest.approx((0.5 + 0.1 + 0) / 3)


def test_rewards_are_named_or_known_by_their_hash(rewarded: Path) -> None:
    with Store.open(rewarded) as store:
        specs = store.db.connection.execute("select name, sha256 from reward_specs order by id")
        (default, default_hash), (_, linear_hash) = [tuple(spec) for spec in specs]
    (row,) = answers(rewarded, "two_rewards", a="linear", b=default_hash[:8])
    assert (row["a"], row["b"], row["difference"]) == ("linear", default, pytest.approx(-0.025))
    (same,) = answers(rewarded, "two_rewards", a=linear_hash, b=linear_hash)
    assert (same["difference"], same["agreement"]) == (0.0, 1.0)
    (turned,) = answers(rewarded, "two_rewards", a="linear")
    assert (turned["a"], turned["b"]) == ("linear", default)
    with pytest.raises(
        QueryError, match=r"^a is nothing, which 0 rewards of this store fit; geostore"
    ):
        answers(rewarded, "two_rewards", a="nothing")
    with pytest.raises(QueryError, match=rf"^b is {linear_hash[:7]}, which 0 rewards"):
        answers(rewarded, "two_rewards", b=linear_hash[:7])


def test_scores_that_are_all_alike_have_no_correlation(path: Path) -> None:
    with Store.open(path) as store, store.db.transaction():
        linear = ensure_spec(store.db, make_spec("linear"))
    with filling(path) as batch:
        for index, score in enumerate([0.9, 0.4, 0.1]):
            trace_id = batch.placed(batch.sample(index, 0.5), TOOLS, 10, score)
            batch.reward(trace_id, 10, 0.5, spec_id=linear)
    (row,) = answers(path, "two_rewards")
    assert (row["traces"], row["correlation"]) == (3, None)


def test_a_store_with_one_reward_has_nothing_to_compare(path: Path) -> None:
    with filling(path) as batch:
        batch.placed(batch.sample(0, 0.5), TOOLS, 10, 1.0)
    assert answers(path, "two_rewards") == []
