"""Comparisons of rewards: ranks and accepted traces, against their definitions in plain Python."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.errors import RewardError
from geostore.rewards import ensure_spec, make_spec, rescore
from geostore.rewards.compare import (
    Bound,
    Comparison,
    _correlation,
    compare_rewards,
    mean_ranks,
)
from geostore.rewards.comparison_text import comparisons_text
from geostore.store import Db
from geostore.store.rewards import StoredSpec, get_spec, list_specs
from tests.hand_made import Traces, insert


def compared(db: Db, spec: StoredSpec, other: StoredSpec, bound: Bound) -> Comparison:
    return compare_rewards(db, [spec, other], bound=bound).pairs[0]


def plain_ranks(values: list[float]) -> list[float]:
    """Ranks by counting, as the definition has them."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]


@given(st.lists(st.integers(0, 5).map(float), min_size=1, max_size=30))
def test_equal_values_share_the_mean_of_their_ranks(values: list[float]) -> None:
    assert mean_ranks(np.array(values)).tolist() == plain_ranks(values)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12),
)
def test_the_correlation_is_that_of_the_ranks(pairs: list[tuple[int, int]]) -> None:
    first, second = (plain_ranks([float(v) for v in values]) for values in zip(*pairs, strict=True))
    found = _correlation(np.array(first), np.array(second))
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(np.corrcoef(first, second)[0, 1])


def test_a_comparison_counts_ranks_accepted_traces_and_movers(traces: Traces) -> None:
    """By hand: linear and threshold agree on order, and differ on what is accepted."""
    for degrees in (1.0, 5.0, 10.0, 60.0, 120.0):
        traces.answered((0.0, degrees))
    traces.answered(None)
    db = traces.db
    linear, near = make_spec("linear"), make_spec("threshold", {"km": "600"})
    for spec in (linear, near):
        rescore(db, spec)
    one, other = (get_spec(db, spec.sha256) for spec in (linear, near))
    found = compared(db, one, other, Bound(0.5))
    assert (found.compared, found.only, found.other_only, found.neither) == (5, 0, 0, 1)
    assert (found.accepted_both, found.accepted_only, found.accepted_other) == (2, 2, 0)
    assert found.jaccard == 0.5
    ranks, others = [1, 2, 3, 4, 5], [1.5, 1.5, 4, 4, 4]
    assert found.rho == pytest.approx(np.corrcoef(ranks, others)[0, 1])
    assert [(m.trace, m.rank, m.other_rank) for m in found.movers] == [
        ("3-aaaaaaaa-1", 3.0, 4.0),
        ("5-aaaaaaaa-1", 5.0, 4.0),
        ("1-aaaaaaaa-1", 1.0, 1.5),
        ("2-aaaaaaaa-1", 2.0, 1.5),
    ]
    assert found.movers[0].distance_km == pytest.approx(1111.95, abs=0.01)
    same = compared(db, one, one, Bound(0.5))
    assert same.rho == pytest.approx(1.0)
    assert same.movers == ()


@pytest.mark.parametrize(
    ("top", "linear", "near"),
    [(0.2, 1, 0), (0.3, 1, 2), (0.4, 2, 2), (0.6, 3, 2), (0.8, 4, 5), (1.0, 5, 5), (0.0, 0, 0)],
)
def test_equal_scores_are_among_the_best_together_or_not_at_all(
    traces: Traces, top: float, linear: int, near: int
) -> None:
    """Ranks 1 2 3 4 5 and 1.5 1.5 4 4 4 of five traces."""
    for degrees in (1.0, 5.0, 10.0, 60.0, 120.0):
        traces.answered((0.0, degrees))
    for spec in (make_spec("linear"), make_spec("threshold", {"km": "600"})):
        rescore(traces.db, spec)
    found = compare_rewards(traces.db, list_specs(traces.db), bound=Bound(None, top))
    assert [reward.accepted for reward in found.rewards] == [linear, near]
    (pair,) = found.pairs
    assert pair.accepted_both + pair.accepted_only == linear
    assert pair.accepted_both + pair.accepted_other == near
    assert (pair.min_score, pair.top) == (None, top)


def test_a_comparison_of_nothing_is_not_defined(traces: Traces) -> None:
    spec = make_spec()
    rescore(traces.db, spec)
    one = get_spec(traces.db, spec.sha256)
    found = compared(traces.db, one, one, Bound(0.5))
    assert (found.compared, found.rho, found.jaccard, found.movers) == (0, None, None, ())
    with pytest.raises(RewardError, match=r"needs two rewards, and geoguessr \(\w+\) is the only"):
        compare_rewards(traces.db, [one], bound=Bound(0.5))
    with pytest.raises(RewardError, match="needs two rewards, and there is none"):
        compare_rewards(traces.db, [], bound=Bound(0.5))


Rewards = dict[int, tuple[int, float | None]]
"""By trace: the version of the answer, and the score."""


def random_rewards(traces: Traces, rng: random.Random) -> dict[int, Rewards]:
    """Five specs, each of other traces, with equal scores, missing ones and other versions."""
    ids = [traces.trace((0.0, 0.0)) for _ in range(40)]
    specs = [ensure_spec(traces.db, make_spec("linear", {"max": str(n)})) for n in range(1, 6)]
    rewards: dict[int, Rewards] = {}
    for place, spec_id in enumerate(specs):
        rewards[spec_id] = {}
        for trace_id in ids:
            if place and rng.random() < 0.2:
                continue
            version = 0 if place == 3 else rng.choices((2, 1), (9, 1))[0]
            score = None if place and rng.random() < 0.1 else rng.choice((0.0, 0.25, 0.5, 1.0, 3.0))
            rewards[spec_id][trace_id] = (version, score)
            insert(
                traces.connection,
                "rewards",
                spec_id=spec_id,
                trace_id=trace_id,
                parser_version=version,
                score=score,
            )
    return rewards


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bound", [Bound(0.5), Bound(None, 0.3)], ids=str)
def test_every_pair_is_compared_by_the_traces_that_it_has(
    traces: Traces, seed: int, bound: Bound
) -> None:
    rewards = random_rewards(traces, random.Random(seed))
    found = compare_rewards(traces.db, list_specs(traces.db), bound=bound)
    for (one, other), pair in zip(itertools.combinations(rewards, 2), found.pairs, strict=True):
        rows = [
            (score, rewards[other][trace_id][1])
            for trace_id, (version, score) in rewards[one].items()
            if trace_id in rewards[other]
            and (
                version == rewards[other][trace_id][0]
                or 0 in (version, rewards[other][trace_id][0])
            )
        ]
        both = [(a, b) for a, b in rows if a is not None and b is not None]
        ranks, other_ranks = (plain_ranks([-row[n] for row in both]) for n in (0, 1))
        assert pair.rho == pytest.approx(np.corrcoef(ranks, other_ranks)[0, 1])
        if bound.top is None:
            accepted = [(a is not None and a >= 0.5, b is not None and b >= 0.5) for a, b in rows]
        else:
            most = bound.top * len(both)
            accepted = [(a <= most, b <= most) for a, b in zip(ranks, other_ranks, strict=True)]
        counts = [accepted.count(which) for which in ((True, True), (True, False), (False, True))]
        assert [pair.accepted_both, pair.accepted_only, pair.accepted_other] == counts
        assert pair.jaccard == pytest.approx(counts[0] / sum(counts))
        moves = sorted((abs(a - b) for a, b in zip(ranks, other_ranks, strict=True)), reverse=True)
        shown = [abs(mover.rank - mover.other_rank) for mover in pair.movers]
        assert shown == [move for move in moves[:10] if move]
        unknown = [
            sum(row == (a, b) for row in ((x is None, y is None) for x, y in rows))
            for a, b in ((False, False), (False, True), (True, False), (True, True))
        ]
        lone = [
            sum(score is not None for t, (_, score) in rewards[a].items() if t not in rewards[b])
            for a, b in ((one, other), (other, one))
        ]
        unknown[1] += lone[0]
        unknown[2] += lone[1]
        assert [pair.compared, pair.only, pair.other_only, pair.neither] == unknown
        assert pair.lacking == len({*rewards[one], *rewards[other]}) - len(rows)


def test_a_reward_that_was_not_computed_everywhere_is_said(traces: Traces) -> None:
    """A trace under the first alone is counted there, though the second may still be computed."""
    for degrees in (1.0, 5.0, 10.0):
        traces.answered((0.0, degrees))
    specs = [make_spec(), make_spec("linear"), make_spec("exponential")]
    for spec in specs:
        rescore(traces.db, spec)
    traces.connection.execute(
        "delete from rewards where trace_id > 1 and spec_id = (select id from reward_specs "
        "where name = 'linear')"
    )
    one, two, three = (get_spec(traces.db, spec.sha256) for spec in specs)
    pair = compared(traces.db, one, two, Bound(0.3))
    assert (pair.compared, pair.only, pair.other_only, pair.lacking) == (1, 2, 0, 2)
    assert (pair.accepted_both, pair.accepted_only) == (1, 0)
    text = comparisons_text(compare_rewards(traces.db, [one, two], bound=Bound(0.3)))
    assert "1 trace with a score under both; 2 under the first alone" in text
    assert "\n2 traces lack one of the two; geostore rescore computes" in text
    text = comparisons_text(compare_rewards(traces.db, [one, two, three], bound=Bound(0.3)))
    assert "\n\nin 2 pairs up to 2 traces lack one of the two; geostore rescore" in text
    rescore(traces.db, specs[1])
    text = comparisons_text(compare_rewards(traces.db, [one, two, three], bound=Bound(0.3)))
    assert "lack" not in text


def test_many_rewards_are_numbered_and_fit_a_terminal(
    traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty: their matrix is too wide for 80 columns, and comes in two parts."""
    for degrees in (1.0, 5.0, 10.0, 30.0, 60.0):
        traces.answered((0.0, degrees))
    for number in range(1, 21):
        rescore(traces.db, make_spec("threshold", {"km": str(300 * number)}))
    comparisons = compare_rewards(traces.db, list_specs(traces.db), bound=Bound(0.3))
    monkeypatch.setenv("COLUMNS", "80")
    text = comparisons_text(comparisons)
    assert max(map(len, text.splitlines())) <= 80
    rewards, *matrix, pairs = text.split("\n\n")
    assert [line.split()[0] for line in rewards.splitlines()[2:]] == [str(n) for n in range(1, 21)]
    heads = [line.split() for part in matrix for line in part.splitlines() if line[:3] == "rho"]
    assert [head[0] for head in heads] == ["rho", "rho"]
    assert [*heads[0][1:], *heads[1][1:]] == [str(n) for n in range(1, 20)]
    assert len(pairs.splitlines()) == 3 + 20 * 19 / 2
    rhos = [float(line.split()[3]) for line in pairs.splitlines()[3:] if len(line.split()) == 8]
    assert rhos == sorted(rhos)
