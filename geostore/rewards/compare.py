"""What would change if one reward took another's place: ranks, and which traces are accepted."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geostore.identity import canonical_text
from geostore.store import Db
from geostore.store.rewards import StoredSpec
from geostore.text.tables import QueryResult, format_table

_FETCHED_AT_ONCE = 50_000
MOVERS = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mover:
    """A trace whose rank changes. Ranks: 1 is the best score, ties share their mean."""

    trace: str
    distance_km: float | None
    score: float
    other_score: float
    rank: float
    other_rank: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two specs over the traces that both know a score for.

    compared: those traces. only, other_only: with a score under the one alone;
    neither: under none. rho: Spearman's rank correlation, ties with their mean
    rank; None below two traces, or where all scores of a spec are equal.
    accepted_both, accepted_only, accepted_other: traces with at least
    `min_score` under both, under the spec alone, under the other alone; without
    a score a trace is not accepted. movers: by change of rank, the largest first.
    """

    spec: str
    other: str
    compared: int
    only: int
    other_only: int
    neither: int
    rho: float | None
    min_score: float
    accepted_both: int
    accepted_only: int
    accepted_other: int
    movers: tuple[Mover, ...]


def compare(db: Db, spec: StoredSpec, other: StoredSpec, *, min_score: float) -> Comparison:
    """Compare two specs by the rewards that a store has of both. Raises StoreError.

    Holds 24 bytes per trace, and about five times as much while ranks are made.
    """
    ids, scores, others = _scores(db, spec.id, other.id)
    known, other_known = ~np.isnan(scores), ~np.isnan(others)
    accepted, other_accepted = scores >= min_score, others >= min_score
    both = known & other_known
    ids, here, there = ids[both], scores[both], others[both]
    ranks, other_ranks = mean_ranks(-here), mean_ranks(-there)
    movers = _movers(db, spec.id, ids, here, there, ranks, other_ranks)
    return Comparison(
        spec=spec.label,
        other=other.label,
        compared=int(both.sum()),
        only=int((known & ~other_known).sum()),
        other_only=int((~known & other_known).sum()),
        neither=int((~known & ~other_known).sum()),
        rho=_correlation(ranks, other_ranks),
        min_score=min_score,
        accepted_both=int((accepted & other_accepted).sum()),
        accepted_only=int((accepted & ~other_accepted).sum()),
        accepted_other=int((~accepted & other_accepted).sum()),
        movers=movers,
    )


def mean_ranks(values: Floats) -> Floats:
    """The rank of each value from 1 for the smallest; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], dtype=np.float64)


def _correlation(ranks: Floats, others: Floats) -> float | None:
    """Pearson's correlation of ranks, which is Spearman's rho with ties."""
    if len(ranks) < 2:
        return None
    first, second = ranks - ranks.mean(), others - others.mean()
    scale = math.sqrt(float((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale else None


def _scores(db: Db, spec_id: int, other_id: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Trace ids, and the scores of both specs, NaN where not known."""
    cursor = db.run("compare_rewards", spec_id=spec_id, other_id=other_id)
    cursor.row_factory = None
    ids = [np.empty(0, dtype=np.int64)]
    scores = [np.empty((0, 2), dtype=np.float64)]
    while rows := cursor.fetchmany(_FETCHED_AT_ONCE):
        ids.append(np.array([row[0] for row in rows], dtype=np.int64))
        scores.append(np.array([row[1:] for row in rows], dtype=np.float64))
    both = np.concatenate(scores)
    return np.concatenate(ids), both[:, 0], both[:, 1]


def _movers(
    db: Db,
    spec_id: int,
    ids: NDArray[np.int64],
    scores: Floats,
    others: Floats,
    ranks: Floats,
    other_ranks: Floats,
) -> tuple[Mover, ...]:
    moved = np.abs(ranks - other_ranks)
    # Of equal moves the first trace comes first, so that the same store says the same.
    order = [int(i) for i in np.lexsort((ids, -moved))[:MOVERS] if moved[i] > 0]
    chosen = [int(ids[i]) for i in order]
    found = db.run("moved_traces", spec_id=spec_id, trace_ids=canonical_text(chosen))
    named = {row[0]: (row[1], row[2]) for row in found}
    return tuple(
        Mover(
            *named[trace_id],
            float(scores[i]),
            float(others[i]),
            float(ranks[i]),
            float(other_ranks[i]),
        )
        for trace_id, i in zip(chosen, order, strict=True)
    )


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The same as a JSON object."""
    return asdict(found)


def comparison_text(found: Comparison) -> str:
    """Some sentences, and a table of the movers."""
    rho = "not defined" if found.rho is None else f"{found.rho:.4f}"
    lines = [
        f"{found.spec} against {found.other}",
        f"compared: {found.compared:,} traces with a score under both; "
        f"{found.only:,} under the first alone, {found.other_only:,} under the second alone, "
        f"{found.neither:,} under neither",
        f"Spearman's rho: {rho}",
        f"accepted (score >= {found.min_score:g}): {found.accepted_both:,} by both, "
        f"{found.accepted_only:,} by the first alone, {found.accepted_other:,} by the second alone",
    ]
    if found.movers:
        columns = ("trace", "distance_km", "first", "second", "rank_first", "rank_second")
        rows = [
            (m.trace, m.distance_km, m.score, m.other_score, m.rank, m.other_rank)
            for m in found.movers
        ]
        lines += ["the largest changes of rank:", format_table(QueryResult(columns, rows))]
    return "\n".join(lines)
