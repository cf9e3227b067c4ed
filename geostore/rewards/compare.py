"""How rewards differ: ranks of the same traces under each, and which traces each accepts.

Two rewards are compared over the traces that have both from the same answer. Scores are read from
SQLite one reward after the other, and ranked by numpy.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geostore.errors import RewardError
from geostore.identity import canonical_text
from geostore.rewards.naming import get_named
from geostore.store import Db
from geostore.store.rewards import StoredSpec, list_specs

MOVERS = 10
USUAL_MIN_SCORE = 0.3
_FETCHED_AT_ONCE = 50_000

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_REWARD = np.dtype([("trace_id", "i8"), ("score", "f8"), ("version", "i4")])


@dataclass(frozen=True, slots=True)
class Bound:
    """Which traces a reward accepts: those from a score on, or a share of them, the best.

    One of the two is set.
    """

    min_score: float | None
    """The score from which a trace is accepted; None: the share decides."""
    top: float | None = None
    """The share, 0 to 1: accepted are traces whose rank is at most this times the number of ranked
    traces. Equal scores share their mean rank, so they are accepted together or not at all, and the
    accepted can be more or fewer than the share. None: the score decides."""

    @classmethod
    def of(cls, min_score: float | None, top: float | None) -> Bound:
        """The one of the two that is given, or else the usual score. Raises RewardError."""
        if top is None:
            return cls(USUAL_MIN_SCORE if min_score is None else min_score)
        if min_score is not None:
            raise RewardError("a score (min_score) and a share (top) are two bounds; give one")
        if not 0 < top <= 1:
            raise RewardError(
                f"a share (top) is above 0 and at most 1, such as 0.25, and not {top:g}"
            )
        return cls(None, top)

    def __str__(self) -> str:
        if self.top is not None:
            return f"the best {100 * self.top:g} %"
        return f"score >= {self.min_score:g}"

    def accepted(self, scores: Floats, ranks: Floats | None = None) -> Mask:
        """Which of some scores are accepted; NaN never is. ranks: of these scores, if known."""
        if self.top is not None:
            ranks = mean_ranks(-scores) if ranks is None else ranks
            return np.asarray(ranks <= self.top * len(ranks))
        assert self.min_score is not None
        return np.asarray(scores >= self.min_score)


@dataclass(frozen=True, slots=True)
class Mover:
    """A trace whose rank changes."""

    trace: str
    """Its public name."""
    distance_km: float | None
    """From the answer to the truth, as the first spec has it; None without an answer."""
    score: float
    """Under the first spec."""
    other_score: float
    """Under the second spec."""
    rank: float
    """Under the first spec: 1 is the best score, and equal scores share their mean rank."""
    other_rank: float
    """Under the second spec."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two specs over the traces of a store that have both rewards."""

    spec: str
    """The first spec's name and the start of its hash."""
    other: str
    """The second's."""
    compared: int
    """Traces with a score under both."""
    only: int
    """Traces with a score under the first alone; the second gives none, or was not computed."""
    other_only: int
    """Traces with a score under the second alone, likewise."""
    neither: int
    """Traces without a score under either, though both were computed."""
    lacking: int
    """Traces that lack one of the two rewards, or have both from different answers. None of them is
    compared or counted as accepted."""
    rho: float | None
    """Spearman's rank correlation, -1 to 1; equal scores have their mean rank.

    None below two traces, and where all scores of a spec are equal."""
    min_score: float | None
    """The score from which a trace is accepted; one without a score is not. None: `top` decides."""
    top: float | None
    """The share of the compared traces that is accepted, the best; None: `min_score` decides."""
    accepted_both: int
    """Traces that both specs accept."""
    accepted_only: int
    """Traces that the first alone accepts."""
    accepted_other: int
    """Traces that the second alone accepts."""
    jaccard: float | None
    """Of those that at least one accepts, the share that both do, 0 to 1; None where none is."""
    movers: tuple[Mover, ...]
    """At most `MOVERS` traces, by change of rank, the largest first."""

    def to_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ComparedReward:
    """One of several specs that are compared."""

    spec: str
    """Its name and the start of its hash."""
    sha256: str
    """Its whole hash."""
    scored: int
    """Traces with a score."""
    accepted: int
    """Those of them that it accepts."""
    lowest: float | None
    """The lowest score; None without any."""
    highest: float | None
    """The highest score; None without any."""
    sharing_best: int
    """Traces with that score."""


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Several specs over the traces of a store, each with each."""

    rewards: tuple[ComparedReward, ...]
    """In the order in which they were given."""
    bound: Bound
    """Which traces they accept."""
    pairs: tuple[Comparison, ...]
    """Each pair once, the earlier one first: 1 and 2, 1 and 3, ..., 2 and 3, ..."""
    without_scores: tuple[str, ...] = ()
    """Names and starts of hashes of rewards that were left out, because no trace has a score."""

    def to_json(self) -> dict[str, Any]:
        """The same as a JSON object; `first` and `second` of a pair count rewards from 1."""
        numbers = itertools.combinations(range(1, len(self.rewards) + 1), 2)
        return {
            "rewards": [asdict(reward) for reward in self.rewards],
            "without_scores": list(self.without_scores),
            "min_score": self.bound.min_score,
            "top": self.bound.top,
            "pairs": [
                {"first": first, "second": second, **pair.to_json()}
                for (first, second), pair in zip(numbers, self.pairs, strict=True)
            ],
        }


def specs_to_compare(db: Db, names: Sequence[str]) -> list[StoredSpec] | None:
    """The specs of these names or starts of hashes; None, which is all, where none is named.

    Raises RewardError for a name that the store does not have, and for one spec given twice.
    """
    specs = [get_named(db, name) for name in names]
    if len({spec.id for spec in specs}) < len(specs):
        raise RewardError("two of these names are the same reward")
    return specs or None


def compare_rewards(
    db: Db, specs: Sequence[StoredSpec] | None = None, *, bound: Bound
) -> Comparisons:
    """Compare each spec with each, by the rewards that a store has of them.

    specs: None for all of the store under which a trace has a score. Holds some 20 bytes per
    trace and spec. Raises RewardError for fewer than two specs.
    """
    without_scores: list[StoredSpec] = []
    if specs is None:
        stored = list_specs(db)
        specs = [spec for spec in stored if db.number("has_scores", spec_id=spec.id)]
        without_scores = [spec for spec in stored if spec not in specs]
    if len(specs) < 2:
        beside = " with a score" if without_scores else ""
        have = f"{specs[0].label} is the only one{beside}" if specs else f"there is none{beside}"
        raise RewardError(
            f"a comparison needs two rewards, and {have}; "
            "compute another with: geostore rescore --reward ..."
        )
    read = _read(db, specs)
    places: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for first, second in itertools.combinations(range(len(specs)), 2):
        places[np.packbits(read.scored_by_both(first, second)).tobytes()].append((first, second))
    compared: dict[tuple[int, int], Comparison] = {}
    # Where two pairs have the same traces, as most have, a spec is ranked once for both.
    for packed, pairs in places.items():
        mask = np.unpackbits(np.frombuffer(packed, np.uint8), count=len(read.ids)).astype(bool)
        ranks = {place: mean_ranks(-read.scores[place][mask]) for place in {*sum(pairs, ())}}
        for first, second in pairs:
            compared[first, second] = _pair(
                db, read, bound, (first, second), mask, (ranks[first], ranks[second])
            )
    return Comparisons(
        tuple(_reward(read, place, bound) for place in range(len(specs))),
        bound,
        tuple(compared[pair] for pair in itertools.combinations(range(len(specs)), 2)),
        tuple(spec.label for spec in without_scores),
    )


def mean_ranks(values: Floats) -> Floats:
    """The rank of each value from 1 for the smallest; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], dtype=np.float64)


# --- scores ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Scores:
    """The scores of several specs, over all traces that have a reward of any."""

    specs: Sequence[StoredSpec]
    """The specs."""
    ids: NDArray[np.int64]
    """Traces, ascending."""
    scores: list[Floats]
    """Of each spec, by trace; NaN where it gives none."""
    versions: list[NDArray[np.int32]]
    """The parser whose answer was scored, likewise; -1 where there is no reward."""

    def comparable(self, first: int, second: int) -> Mask:
        """The traces with both rewards, from the same answer; a trace file's goes with each."""
        one, other = self.versions[first], self.versions[second]
        has_both = (one >= 0) & (other >= 0)
        return np.asarray(has_both & ((one == other) | (one == 0) | (other == 0)))

    def lacking(self, first: int, second: int) -> Mask:
        """The traces with one of the rewards that cannot be compared under both."""
        has_any = (self.versions[first] >= 0) | (self.versions[second] >= 0)
        return np.asarray(has_any & ~self.comparable(first, second))

    def scored_by_one(self, first: int, second: int) -> Mask:
        """The traces with a score under the first alone, whether the second gives none or lacks."""
        has_score = ~np.isnan(self.scores[first])
        gives_none = self.comparable(first, second) & np.isnan(self.scores[second])
        return np.asarray(has_score & (gives_none | (self.versions[second] < 0)))

    def scored_by_both(self, first: int, second: int) -> Mask:
        """Those of them with both scores."""
        is_known = ~np.isnan(self.scores[first]) & ~np.isnan(self.scores[second])
        return np.asarray(self.comparable(first, second) & is_known)


def _read(db: Db, specs: Sequence[StoredSpec]) -> _Scores:
    rewards = []
    with db.reading():  # so that all are of one moment, while a rescore may write
        for spec in specs:
            rows = db.run("scores_of_spec", spec_id=spec.id)
            rows.row_factory = None
            batches = iter(partial(rows.fetchmany, _FETCHED_AT_ONCE), [])
            rewards.append(np.fromiter(itertools.chain.from_iterable(batches), dtype=_REWARD))
    ids = rewards[0]["trace_id"]
    for one in rewards[1:]:
        if not np.array_equal(ids, one["trace_id"]):
            ids = np.union1d(ids, one["trace_id"])
    scores, versions = [], []
    for one in rewards:
        place = np.searchsorted(ids, one["trace_id"])
        scores.append(np.full(len(ids), np.nan))
        scores[-1][place] = one["score"]
        versions.append(np.full(len(ids), -1, dtype=np.int32))
        versions[-1][place] = one["version"]
    return _Scores(specs, ids, scores, versions)


def _reward(read: _Scores, place: int, bound: Bound) -> ComparedReward:
    spec, scores = read.specs[place], read.scores[place]
    known = scores[~np.isnan(scores)]
    return ComparedReward(
        spec=spec.label,
        sha256=spec.sha256,
        scored=len(known),
        accepted=int(bound.accepted(known).sum()),
        lowest=float(known.min()) if len(known) else None,
        highest=float(known.max()) if len(known) else None,
        sharing_best=int((known == known.max()).sum()) if len(known) else 0,
    )


def _pair(
    db: Db,
    read: _Scores,
    bound: Bound,
    pair: tuple[int, int],
    both: Mask,
    ranks: tuple[Floats, Floats],
) -> Comparison:
    first, second = pair
    rows = read.comparable(first, second)
    scores, others = read.scores[first], read.scores[second]
    if bound.top is None:
        # A trace that one alone scores can be accepted by that one.
        accepted = rows & bound.accepted(scores)
        other_accepted = rows & bound.accepted(others)
    else:
        accepted = bound.accepted(scores[both], ranks[0])
        other_accepted = bound.accepted(others[both], ranks[1])
    in_both, in_any = int((accepted & other_accepted).sum()), int((accepted | other_accepted).sum())
    return Comparison(
        spec=read.specs[first].label,
        other=read.specs[second].label,
        compared=len(ranks[0]),
        only=int(read.scored_by_one(first, second).sum()),
        other_only=int(read.scored_by_one(second, first).sum()),
        neither=int((rows & np.isnan(scores) & np.isnan(others)).sum()),
        lacking=int(read.lacking(first, second).sum()),
        rho=_correlation(*ranks),
        min_score=bound.min_score,
        top=bound.top,
        accepted_both=in_both,
        accepted_only=int((accepted & ~other_accepted).sum()),
        accepted_other=int((~accepted & other_accepted).sum()),
        jaccard=in_both / in_any if in_any else None,
        movers=_movers(db, read.specs[first].id, read.ids[both], scores[both], others[both], ranks),
    )


def _correlation(ranks: Floats, others: Floats) -> float | None:
    """Pearson's correlation of ranks, which is Spearman's rho with ties."""
    if len(ranks) < 2:
        return None
    first, second = ranks - ranks.mean(), others - others.mean()
    scale = math.sqrt(float((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale else None


def _movers(
    db: Db,
    spec_id: int,
    ids: NDArray[np.int64],
    scores: Floats,
    others: Floats,
    ranks: tuple[Floats, Floats],
) -> tuple[Mover, ...]:
    moved = np.abs(ranks[0] - ranks[1])
    least = np.partition(moved, -MOVERS)[-MOVERS] if len(moved) > MOVERS else 0.0
    near = np.flatnonzero(moved >= max(least, 0.5))
    # Of equal moves the first trace comes first, so that the same store says the same.
    order = near[np.lexsort((ids[near], -moved[near]))[:MOVERS]].tolist()
    chosen = ids[order].tolist()
    rows = db.run("moved_traces", spec_id=spec_id, trace_ids=canonical_text(chosen))
    named = {row[0]: (row[1], row[2]) for row in rows}
    return tuple(
        Mover(
            *named[trace_id],
            float(scores[i]),
            float(others[i]),
            float(ranks[0][i]),
            float(ranks[1][i]),
        )
        for trace_id, i in zip(chosen, order, strict=True)
    )
