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
from typing import Protocol

from geostore.errors import RewardError, StoreError
from geostore.records import Reward
from geostore.rewards.reparse import Parser, count_unread, read_again
from geostore.rewards.selection import (
    Selection,
    choose,
    count_done,
    find_pending,
    make_temporary,
)
from geostore.rewards.specs import RewardSpec, ensure_spec, stored_spec
from geostore.store import Db, utc_now
from geostore.store.rewards import find_spec, list_specs

Progress = Callable[[int, int], None]
BATCH = 50_000
"""Traces that SQLite computes in one transaction, which takes it some tenths of a second."""


@dataclass(frozen=True, slots=True)
class RescoreResult:
    """computed: rewards written. found_done: traces that had theirs already.

    read: responses that a newer parser read first. failures: of the computed
    ones, those whose custom function failed, by reason.
    """

    computed: int
    found_done: int
    read: int = 0
    failures: dict[str, int] = field(default_factory=dict)


class Scorer(Protocol):
    """Computes the rewards of a batch outside of SQLite and writes them."""

    def __call__(self, db: Db, spec_id: int, *, after: int, last: int, again: bool) -> Counter[str]:
        """Write the rewards of the pending traces with ids in (after, last].

        Gives a count under ``computed``, and one under each reason of a failure.
        Begins its own transactions.
        """


def rescore(
    db: Db,
    spec: RewardSpec,
    *,
    selection: Selection | None = None,
    scorer: Scorer | None = None,
    parser: Parser | None = None,
    rename: bool = False,
    batch: int | None = None,
    progress: Progress | None = None,
    reading: Progress | None = None,
) -> RescoreResult:
    """Compute the rewards of a spec that are missing, or older than their answer.

    Responses that a newer parser has not read are read first. Traces that close
    meanwhile are computed too. selection: None for all traces. scorer: what
    computes a batch; None: SQLite, by the spec's formula. batch: traces of
    one, at most. rename: give a spec
    that is there this one's name. progress, reading: told the rewards computed
    and the responses read, of how many. Raises StoreError where the store cannot
    be written, RewardError for a condition that is no SQL.
    """
    chosen = selection or Selection()
    make_temporary(db)
    if chosen.narrows:
        choose(db, chosen)
    read = read_again(db, parser or Parser(), chosen=chosen.narrows, progress=reading)
    spec_id = ensure_spec(db, spec, rename=rename)
    compute = scorer or formula_scorer(db, spec)
    # A scorer outside of SQLite is given what it needs of a whole batch at once.
    size = batch or (BATCH if scorer is None else 2_000)
    found: Counter[str] = Counter()
    done: int | None = None
    while True:
        pending = find_pending(db, spec_id, chosen)
        total = found["computed"] + pending
        first = done is None
        if done is None:
            done = count_done(db, spec_id, chosen, pending=pending)
        for after, last in _batches(db, size):
            found += compute(
                db,
                spec_id,
                after=after,
                last=last,
                again=chosen.again or chosen.retry,
            )
            if progress is not None:
                progress(found["computed"], total)
        if chosen.narrows or chosen.retry or chosen.again or pending == 0 or not first:
            break
    computed = found.pop("computed", 0)
    return RescoreResult(computed=computed, found_done=done, read=read, failures=dict(found))


def count_missing(
    db: Db,
    spec: RewardSpec,
    *,
    selection: Selection | None = None,
    parser: Parser | None = None,
) -> RescoreResult:
    """What `rescore` would do, without doing it: nothing is written, not even the spec.

    `read` responses would be read first, which may make rewards stale that are
    not counted in `computed` now.
    """
    chosen = selection or Selection()
    make_temporary(db)
    if chosen.narrows:
        choose(db, chosen)
    read = count_unread(db, parser or Parser(), chosen=chosen.narrows)
    stored = find_spec(db, spec.sha256)
    spec_id = stored.id if stored else 0
    pending = find_pending(db, spec_id, chosen)
    done = count_done(db, spec_id, chosen, pending=pending)
    return RescoreResult(computed=pending, found_done=done, read=read)


def score_trace(db: Db, trace_id: int, spec_id: int) -> Reward:
    """Compute one trace's reward in the caller's transaction, unless it is there.

    Raises RewardError where the trace has no answer.
    """
    make_temporary(db)
    db.run("clear_pending")
    db.run("pending_trace", trace_id=trace_id, spec_id=spec_id)
    if has_math_functions(db):
        _score_in_sqlite(db, spec_id, after=trace_id - 1, last=trace_id, again=False)
    else:
        from geostore.rewards.fallback import score_in_numpy

        spec = stored_spec(next(s for s in list_specs(db) if s.id == spec_id))
        score_in_numpy(db, spec, spec_id, after=trace_id - 1, last=trace_id, again=False)
    row = db.run("get_reward", trace_id=trace_id, spec_id=spec_id).fetchone()
    if row is None:
        raise RewardError(f"trace {trace_id} has no answer yet, so there is no reward to compute")
    return Reward(distance_km=row[0], score=row[1], geoguessr_points=row[2])


def has_math_functions(db: Db) -> bool:
    """Whether this connection can compute sin, exp and the like; they are a build option."""
    try:
        db.run("probe_math")
    except StoreError:
        return False
    return True


def formula_scorer(db: Db, spec: RewardSpec) -> Scorer:
    """What computes a spec that is a formula: SQLite, or numpy where SQLite cannot."""
    if has_math_functions(db):

        def in_sqlite(db: Db, spec_id: int, *, after: int, last: int, again: bool) -> Counter[str]:
            with db.transaction():
                count = _score_in_sqlite(db, spec_id, after=after, last=last, again=again)
            return Counter(computed=count)

        return in_sqlite

    from geostore.rewards.fallback import score_in_numpy

    def in_numpy(db: Db, spec_id: int, *, after: int, last: int, again: bool) -> Counter[str]:
        with db.transaction():
            count = score_in_numpy(db, spec, spec_id, after=after, last=last, again=again)
        return Counter(computed=count)

    return in_numpy


def _score_in_sqlite(db: Db, spec_id: int, *, after: int, last: int, again: bool) -> int:
    """Compute the pending traces with ids in (after, last]; how many rewards were written."""
    return db.run(
        "rescore_traces", spec_id=spec_id, after=after, last=last, again=again, now=utc_now()
    ).rowcount


def _batches(db: Db, batch: int) -> Iterator[tuple[int, int]]:
    """The bounds (after, last] of batches of pending traces."""
    after = 0
    while True:
        last = db.run("pending_bounds", after=after, batch=batch).fetchone()[0]
        if last is None:
            return
        yield after, last
        after = last
