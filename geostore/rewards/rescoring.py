"""Computes the rewards that are missing, in batches, inside SQLite.

A rescore touches only what lacks its reward or has one of an older reading; a
trace whose answer could not be read has a row without distance, never one with
0 km or 20,000 km. Each batch is a transaction of its own: a generate beside it
waits for one at most, and one that was stopped goes on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from geostore.errors import RewardError
from geostore.one_line import OneLine
from geostore.records import Reward
from geostore.rewards.geodesics import fill_geodesics
from geostore.rewards.placing import Placed, count_unplaced, place_missing
from geostore.rewards.ranges import SPAN, Range, count_ranges
from geostore.rewards.reparse import Parser, find_unread, read_again
from geostore.rewards.selection import (
    Selection,
    choose,
    count_done,
    find_pending,
    make_temporary,
)
from geostore.rewards.specs import RewardSpec, ensure_spec
from geostore.store import Db, Filter
from geostore.store.rewards import find_spec

Progress = Callable[[int, int], None]
BATCH = 50_000
"""Traces that SQLite computes in one transaction, which takes it some tenths of a second."""


@dataclass(frozen=True, slots=True)
class FunctionError:
    """What a custom function did wrong for one trace."""

    trace: str
    """The trace's name."""
    reason: str
    """A stable word, as in `RescoreResult.failures`."""
    message: str
    """One line for people."""


@dataclass(frozen=True, slots=True, repr=False)
class RescoreResult(OneLine):
    """What a rescore did, or would do."""

    computed: int
    """Rewards that were written."""
    found_done: int
    """Traces that had theirs already."""
    read: int = 0
    """Responses that a newer parser read first."""
    placed: Placed = field(default_factory=Placed)
    """Samples and answers that got their places first."""
    failures: dict[str, int] = field(default_factory=dict)
    """Of the computed ones, those whose custom function failed, by reason."""
    errors: tuple[FunctionError, ...] = ()
    """The first of these failures that differ, a few."""


class Scorer(Protocol):
    """Computes the rewards of a batch outside of SQLite and writes them."""

    errors: list[FunctionError]
    """The first failures that differ, a few."""

    def __call__(self, db: Db, spec_id: int, *, after: int, last: int, again: bool) -> Counter[str]:
        """Write the rewards of the pending traces with ids in (after, last].

        Gives a count under ``computed``, and one under each reason of a failure.
        Begins its own transactions.
        """


def rescore(
    db: Db,
    spec: RewardSpec,
    *,
    filters: Filter | None = None,
    selection: Selection | None = None,
    scorer: Scorer | None = None,
    parser: Parser | None = None,
    rename: bool = False,
    batch: int | None = None,
    span: int = SPAN,
    progress: Progress | None = None,
    reading: Progress | None = None,
    placing: Progress | None = None,
) -> RescoreResult:
    """Compute the rewards of a spec that are missing, or older than their answer.

    Responses that a newer parser has not read are read first, and samples and answers
    without a place get theirs, of all traces whatever the filter. Traces that close
    meanwhile are computed too.

    filters: which traces to look at, None for all; the scores that they ask for
    are those of their own reward and not of this spec.
    selection: what to compute again, None for nothing.
    scorer: what computes a batch; None: SQLite, by the spec's formula.
    rename: give a spec that is there this one's name.
    batch: traces that are computed in one transaction, at most.
    span: trace ids that are looked over at once for what is missing.
    progress, reading, placing: called with the rewards computed, the responses read
    and the places computed, of how many.
    Raises StoreError where the store cannot be written, FilterError for a
    condition that is no SQL expression, RewardError where a custom function cannot be
    loaded or fails for every trace. A spec that is new is then not kept, nor where
    the filter keeps no trace that lacks it.
    """
    chosen = selection or Selection()
    parser = parser or Parser()
    again = chosen.again or chosen.retry
    counts: Counter[str] = Counter()
    make_temporary(db)
    placed = Placed()
    if filters is not None:
        choose(db, filters)  # first, because a wrong condition ends here before anything is written
        placed = place_missing(db, progress=placing)
        if placed != Placed():
            choose(db, filters)  # a condition may ask for places
    ranges = _ranges(db, spec, filters, parser, span)
    unread = find_unread(db, parser, ranges)
    read_again(db, parser, unread, progress=reading)
    if filters is None or unread:
        placed += place_missing(db, progress=placing)
    stored_id = _spec_id(db, spec)
    is_new = stored_id == 0
    pending = find_pending(db, stored_id, chosen, ranges)
    done = count_done(db, stored_id, ranges, pending=pending)
    if is_new and filters is not None and pending == 0:
        # A wrong condition would leave a spec that no trace has, and nobody asked to keep.
        return RescoreResult(computed=0, found_done=done, read=len(unread), placed=placed)
    spec_id = ensure_spec(db, spec, rename=rename)
    compute = scorer or score_in_sqlite
    if is_new and scorer is not None:
        compute = partial(_score_or_forget, scorer)
    # A scorer outside of SQLite is given what it needs of a whole batch at once.
    size = batch or (BATCH if scorer is None else 2_000)
    # A second look finds what closed during the first, which may have taken hours.
    for is_last in (filters is not None or again, True):
        total = counts["computed"] + pending
        for after, last in _batches(db, size):
            counts += compute(db, spec_id, after=after, last=last, again=again)
            if progress is not None:
                progress(counts["computed"], total)
        if is_last or pending == 0:
            break
        pending = find_pending(db, spec_id, chosen, _ranges(db, spec, filters, parser, span))
    computed = counts.pop("computed", 0)
    errors = () if scorer is None else tuple(scorer.errors)
    if is_new and computed and counts.total() == computed and _forget_unscored(db, spec_id):
        raise RewardError(
            f"the function failed for every trace ({computed:,}), so nothing was stored; "
            f"the first is {errors[0].trace}: {errors[0].message}"
        )
    return RescoreResult(computed, done, len(unread), placed, dict(counts), errors)


def count_missing(
    db: Db,
    spec: RewardSpec,
    *,
    filters: Filter | None = None,
    selection: Selection | None = None,
    parser: Parser | None = None,
    span: int = SPAN,
) -> RescoreResult:
    """What `rescore` would do, without doing it: nothing is written, not even the spec.

    `read` responses would be read first, which may make rewards stale that are
    not counted in `computed` now, and answers need places that are not in `placed`.
    """
    chosen = selection or Selection()
    parser = parser or Parser()
    make_temporary(db)
    if filters is not None:
        choose(db, filters)
    ranges = _ranges(db, spec, filters, parser, span)
    unread = find_unread(db, parser, ranges)
    spec_id = _spec_id(db, spec)
    pending = find_pending(db, spec_id, chosen, ranges)
    done = count_done(db, spec_id, ranges, pending=pending)
    return RescoreResult(
        computed=pending, found_done=done, read=len(unread), placed=count_unplaced(db)
    )


def score_trace(db: Db, trace_id: int, spec_id: int) -> Reward:
    """Compute one trace's reward in the caller's transaction, unless it is there.

    Raises RewardError where the trace has no answer.
    """
    make_temporary(db)
    db.run("clear_pending")
    db.run("pending_trace", trace_id=trace_id, spec_id=spec_id)
    fill_geodesics(db, spec_id, after=trace_id - 1, last=trace_id)
    _compute(db, spec_id, after=trace_id - 1, last=trace_id, again=False)
    row = db.run("get_reward", trace_id=trace_id, spec_id=spec_id).fetchone()
    if row is None:
        raise RewardError(f"trace {trace_id} has no answer yet, so there is no reward to compute")
    return Reward(distance_km=row[0], score=row[1], geoguessr_points=row[2])


def score_in_sqlite(db: Db, spec_id: int, *, after: int, last: int, again: bool) -> Counter[str]:
    """Compute a batch by the spec's formula; a `Scorer`."""
    # Before the transaction, for which a generate beside it waits.
    fill_geodesics(db, spec_id, after=after, last=last)
    with db.transaction():
        return Counter(computed=_compute(db, spec_id, after=after, last=last, again=again))


def _score_or_forget(
    scorer: Scorer, db: Db, spec_id: int, *, after: int, last: int, again: bool
) -> Counter[str]:
    """Let a scorer compute a batch; a new spec is not kept where it ends without any score."""
    try:
        return scorer(db, spec_id, after=after, last=last, again=again)
    except (RewardError, KeyboardInterrupt):
        _forget_unscored(db, spec_id)
        raise


def _forget_unscored(db: Db, spec_id: int) -> bool:
    """Remove a spec and its rewards where none of them is a score; whether it was removed."""
    with db.transaction():
        if db.number("has_scores", spec_id=spec_id):
            return False
        db.run("delete_rewards", spec_id=spec_id)
        db.run("delete_reward_spec", spec_id=spec_id)
    return True


def _ranges(
    db: Db, spec: RewardSpec, filters: Filter | None, parser: Parser, span: int
) -> list[Range] | None:
    """The ranges of all traces; None where a filter leaves some out on purpose."""
    if filters is not None:
        return None
    return count_ranges(db, spec_id=_spec_id(db, spec), version=parser.version, span=span)


def _spec_id(db: Db, spec: RewardSpec) -> int:
    """The id of a spec in the store, 0 where it has none."""
    stored = find_spec(db, spec.sha256)
    return stored.id if stored else 0


def _compute(db: Db, spec_id: int, *, after: int, last: int, again: bool) -> int:
    """Compute the pending traces with ids in (after, last]; how many rewards were written."""
    batch = {"spec_id": spec_id, "after": after, "last": last}
    computed = db.run("rescore_traces", **batch, again=again).rowcount
    db.run("put_rewards_of_pending", **batch)
    return computed


def _batches(db: Db, batch: int) -> Iterator[tuple[int, int]]:
    """The bounds (after, last] of batches of pending traces."""
    after = 0
    while True:
        last = db.run("pending_bounds", after=after, batch=batch).fetchone()[0]
        if last is None:
            return
        yield after, last
        after = last
