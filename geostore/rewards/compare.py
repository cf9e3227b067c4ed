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
from geostore.text.phrases import format_number_of
from geostore.text.tables import QueryResult, format_table

_FETCHED_AT_ONCE = 50_000
MOVERS = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mover:
    """A trace whose rank changes."""

    trace: str
    """Its public name."""
    distance_km: float | None
    """From the answer to the truth; None without an answer."""
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
    """Two specs over the traces of a store."""

    spec: str
    """The first spec's name and the start of its hash."""
    other: str
    """The second's."""
    compared: int
    """Traces with a score under both."""
    only: int
    """Traces with a score under the first alone."""
    other_only: int
    """Traces with a score under the second alone."""
    neither: int
    """Traces without a score under either."""
    rho: float | None
    """Spearman's rank correlation, -1 to 1; equal scores have their mean rank.

    None below two traces, and where all scores of a spec are equal."""
    min_score: float
    """The score from which a trace is accepted; one without a score is not."""
    accepted_both: int
    """Traces that both specs accept."""
    accepted_only: int
    """Traces that the first alone accepts."""
    accepted_other: int
    """Traces that the second alone accepts."""
    movers: tuple[Mover, ...]
    """At most `MOVERS` traces, by change of rank, the largest first."""

    def to_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return asdict(self)


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
    rows = db.run("moved_traces", spec_id=spec_id, trace_ids=canonical_text(chosen))
    named = {row[0]: (row[1], row[2]) for row in rows}
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


def comparison_text(comparison: Comparison) -> str:
    """Some sentences, and a table of the movers."""
    rho = "not defined" if comparison.rho is None else f"{comparison.rho:.4f}"
    lines = [
        f"{comparison.spec} against {comparison.other}",
        f"compared: {format_number_of(comparison.compared, 'trace')} with a score under both; "
        f"{comparison.only:,} under the first alone, "
        f"{comparison.other_only:,} under the second alone, "
        f"{comparison.neither:,} under neither",
        f"Spearman's rho: {rho}",
        f"accepted (score >= {comparison.min_score:g}): {comparison.accepted_both:,} by both, "
        f"{comparison.accepted_only:,} by the first alone, "
        f"{comparison.accepted_other:,} by the second alone",
    ]
    if comparison.movers:
        columns = ("trace", "distance_km", "first", "second", "rank_first", "rank_second")
        rows = [
            (m.trace, m.distance_km, m.score, m.other_score, m.rank, m.other_rank)
            for m in comparison.movers
        ]
        table = format_table(QueryResult(columns, rows), with_count=False)
        lines += ["the largest changes of rank:", table]
    return "\n".join(lines)
