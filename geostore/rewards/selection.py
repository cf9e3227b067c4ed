"""Which traces a rescore looks at, and which of those lack their reward: two temporary tables.

``temp.candidates`` holds the traces that were chosen, ``temp.pending`` those to
be computed. Both are filled without the write lock, so that a generate beside a
rescore waits for nothing but the batches themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from geostore.rewards.geodesics import GEODESICS
from geostore.rewards.ranges import Range
from geostore.store import Db, Filter, open_snapshot


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the traces that have their reward are computed again; none, with nothing set."""

    again: bool = False
    """All of them."""
    retry: bool = False
    """Those whose custom function failed."""


def make_temporary(db: Db) -> None:
    """Make the temporary tables, views and functions, unless they are there. Idempotent."""
    for name in (
        "temp_pending",
        "temp_candidates",
        "temp_trace_extras",
        "temp_pending_angles",
    ):
        db.run(name)
    db.mapping(GEODESICS)


def choose(db: Db, filters: Filter) -> None:
    """Fill temp.candidates with the traces that a filter keeps.

    They are read on a connection that cannot write, so that a condition of the
    user's cannot either. Raises FilterError, RewardError, StoreError.
    """
    db.run("clear_candidates")
    with open_snapshot(db.path) as snapshot:
        chosen = ({"trace_id": trace_id} for trace_id in snapshot.trace_ids(filters))
        db.run_many("put_candidate", chosen)


def find_pending(db: Db, spec_id: int, selection: Selection, ranges: Iterable[Range] | None) -> int:
    """Fill temp.pending with the traces whose reward is to be computed; how many.

    spec_id: 0 for a spec that the store does not have. ranges: of all traces;
    None where there is a filter, and temp.candidates holds what `choose` chose.
    """
    db.run("clear_pending")
    again, retry = selection.again, selection.retry
    if ranges is not None and (again or retry):
        db.run("clear_candidates")
        db.run("candidates_answered")
    if ranges is None or again or retry:
        db.run("pending_of_candidates", spec_id=spec_id, again=again, retry=retry)
    else:
        for part in ranges:
            if not part.is_rewarded:
                db.run("pending_of_range", spec_id=spec_id, after=part.after, last=part.last)
    return db.number("count_pending")


def count_done(db: Db, spec_id: int, ranges: Iterable[Range] | None, *, pending: int) -> int:
    """How many of the traces that `find_pending` looked at need nothing."""
    if ranges is None:
        return db.number("count_candidates") - pending
    rewards = sum(part.rewards for part in ranges)
    # A new spec has none, and need not be asked for a million traces.
    replaced = db.number("count_replaced", spec_id=spec_id) if rewards else 0
    return rewards - replaced
