"""Finds the traces that a plan still needs: draws rows, skips finished ones, claims the rest.

The store alone says what is finished. So it does not matter how often a run is
started, killed, or started twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from geostore.errors import MachineError
from geostore.generate.copies import Copies
from geostore.generate.events import Event, FoundDone, Noticed, Planned
from geostore.generate.journal import CLAIM_SECONDS, Journal
from geostore.generate.photos import RunPhotos
from geostore.generate.plan import Plan, RunResult
from geostore.generate.understood import PlanCounts
from geostore.generate.unseen import wait_for_unseen_runs
from geostore.records import Closing, Reward, Sample, TraceKey
from geostore.sampling.drawing import Drawing
from geostore.sampling.orders import Candidates, candidates, count_skipped, describe_skipped
from geostore.store import ClaimedTrace, KnownSample, NotClaimed, Retry, Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geostore.dataset import PhotoDataset

_ROWS_AT_A_TIME = 512
"""Rows that are drawn and looked up in the store together."""

_READ_AT_A_TIME = 8
"""New rows that are read and recorded together. A photo takes milliseconds to look at, and the
first of them waits for all."""

_UNFINISHED = 0
_FINISHED = 1
_FIRST_REASON = 2


@dataclass(frozen=True, slots=True)
class PendingTrace:
    """A trace that this run has claimed."""

    row: int
    """The dataset row that was drawn for it."""

    key: TraceKey
    """Its key in the dataset of its sample. Another than the run's, where the row is attached."""

    claimed: ClaimedTrace
    """Its rows so far."""


@dataclass(slots=True)
class PendingTraces:
    """The traces that one run has to play."""

    dataset: PhotoDataset
    """Where rows are drawn."""

    photos: RunPhotos
    """Which reads new rows of it."""

    journal: Journal
    """Through which the store is asked, and new rows and claims are written."""

    executor: Executor
    """Where photos are read, away from the event loop."""

    plan: Plan
    """Which traces there should be."""

    recipe_sha256: str
    """Of the recipe that is asked."""

    run_id: int
    """Of the run that claims."""

    result: RunResult
    """Counted up with what needs nothing and what cannot be used."""

    stopping: asyncio.Event
    """When set, nothing more is claimed."""

    watch: Callable[[Event], None]
    """Called with `Planned`, `FoundDone` and `Noticed`."""

    start_drawing: Callable[[Candidates], Drawing]
    """Makes what is asked for rows, from the rows that can be drawn."""

    counted: Callable[[PlanCounts], None]
    """Called once, with how far the store is, before a trace is claimed."""

    _drawing: Drawing | None = field(default=None, init=False)
    _copies: Copies = field(init=False)
    _spare_rows: int = field(default=0, init=False)

    async def claimed(self, dataset_id: int, recipe_id: int) -> AsyncIterator[PendingTrace]:
        """The traces to play, in drawing order, each claimed when it is asked for.

        Those that other runs hold come last, where by then nothing holds them any more.
        """
        self._copies = Copies(
            dataset=self.dataset,
            journal=self.journal,
            executor=self.executor,
            dataset_id=dataset_id,
            recipe_id=recipe_id,
            # A photo that is put back makes an image folder another dataset, whose other photos
            # are answered already.
            reuse=self.plan.reuse or (self.plan.reads_again and self.dataset.is_known_by_photos),
            read_again=self.plan.reads_again,
            notice=lambda sentence: self.watch(Noticed(sentence)),
            stopping=self.stopping,
        )
        held: list[tuple[int, int, int]] = []
        async for index, sample_id in self._unfinished(dataset_id, recipe_id):
            for rollout in range(1, self.plan.rollouts + 1):
                claimed = await self._claim(sample_id, recipe_id, rollout)
                if claimed == "claimed":
                    held.append((index, sample_id, rollout))
                elif claimed == "closed":
                    self._found_done(1)
                    self._lower_remaining(1)
                else:
                    yield self._pending(index, rollout, claimed)
                if self.stopping.is_set():
                    break
            if self.stopping.is_set():
                break
        self._copies.sum_up()
        if held:
            await wait_for_unseen_runs(
                self.journal,
                run_id=self.run_id,
                stopping=self.stopping,
                watch=self.watch,
                claim_seconds=CLAIM_SECONDS,
            )
        while held and not self.stopping.is_set():
            index, sample_id, rollout = held.pop(0)
            claimed = await self._claim(sample_id, recipe_id, rollout)
            if isinstance(claimed, str):
                self._found_done(1, elsewhere=claimed == "claimed")
                if claimed == "closed":
                    self._lower_remaining(1)
            else:
                yield self._pending(index, rollout, claimed)
        if held:
            self._found_done(len(held), elsewhere=True)

    def _pending(self, row: int, rollout: int, claimed: ClaimedTrace) -> PendingTrace:
        sample, label = claimed.sample, claimed.dataset_label
        key = TraceKey(sample.sample_index, self.recipe_sha256, rollout, label)
        return PendingTrace(row, key, claimed)

    def feed(self, sample_index: int, closing: Closing, reward: Reward | None) -> None:
        """Tell the drawing how a trace closed, and count it as done."""
        self._lower_remaining(1)
        if self._drawing is not None:
            self._drawing.feed(sample_index, closing, reward)

    async def _unfinished(self, dataset_id: int, recipe_id: int) -> AsyncIterator[tuple[int, int]]:
        """Row number and sample id of each usable sample that may need traces."""
        plan = self.plan
        drawable = await asyncio.to_thread(self._candidates)
        self.result.undrawn = count_skipped(drawable)
        drawing = self._drawing = self.start_drawing(drawable)
        wanted = drawing.size if plan.num_samples is None else plan.num_samples
        self.watch(Planned(min(wanted, drawing.size) * plan.rollouts))
        which: dict[str, Any] = {
            "dataset_id": dataset_id,
            "recipe_id": recipe_id,
            "rollouts": plan.rollouts,
            "turn_limit": plan.turn_limit,
            "retry": plan.retry,
        }
        survey = await self.journal.commit(
            partial(
                Survey.of,
                num_rows=len(self.dataset),
                duplicates=plan.duplicates,
                read_again=plan.reads_again,
                **which,
            )
        )
        unfinished_rows = self._count_remaining(survey, drawable.indices, wanted)
        closed = begun = np.empty(0, dtype=np.int64)
        if len(unfinished_rows):
            closed, begun = await self.journal.commit(lambda s: s.samples.begun_samples(**which))
        self.counted(
            _count(
                survey.states(drawable.indices),
                reasons=survey.reasons,
                wanted=wanted,
                rollouts=plan.rollouts,
                closed=_number_in(closed, unfinished_rows, of=len(self.dataset)),
                begun=_number_in(begun, unfinished_rows, of=len(self.dataset)),
            )
        )
        for sentence in describe_skipped(drawable):
            self.watch(Noticed(sentence))
        await self._copies.look(unfinished_rows)
        usable = 0
        while usable < wanted:
            rows = drawing.next(_ROWS_AT_A_TIME)
            if not len(rows):
                return
            states = survey.states(rows)
            finished = int((states == _FINISHED).sum())
            # Without this, a run over a million finished rows would look at each in Python.
            if finished == len(rows) and usable + finished <= wanted:
                usable += finished
                self._found_done(finished * plan.rollouts)
                continue
            unfinished = [int(row) for row in rows[states == _UNFINISHED]]
            known = await self._copies.known(unfinished)
            looked_at = set(known)
            for index, state in zip(rows.tolist(), states.tolist(), strict=True):
                if usable >= wanted or self.stopping.is_set():
                    return
                if state in survey.reasons:
                    self.result.add_excluded(survey.reasons[state])
                    continue
                if state == _FINISHED:
                    usable += 1
                    self._found_done(plan.rollouts)
                    continue
                if index not in looked_at:
                    rest = unfinished[unfinished.index(index) :]
                    new = (row for row in rest if row not in looked_at)
                    count = min(wanted - usable, _READ_AT_A_TIME)
                    read = list(islice(new, count))
                    looked_at.update(read)
                    known |= await self._read(read)
                if index not in known:
                    # It cannot be read now, so another row takes its place.
                    self._spare_rows -= self._spare_rows > 0
                    continue
                sample = known[index]
                used_again = plan.duplicates and sample.exclusion == "duplicate"
                if sample.exclusion is not None and not used_again:
                    self.result.add_excluded(sample.exclusion)
                    self._leave_out_row()
                    continue
                usable += 1
                yield index, sample.sample_id

    def _count_remaining(
        self, survey: Survey, rows: NDArray[np.int64], wanted: int
    ) -> NDArray[np.int64]:
        """Count what the store lacks; the rows that lack it. rows: in drawing order."""
        states = survey.states(rows)
        usable = states < _FIRST_REASON
        rows, states = rows[usable], states[usable]
        unfinished: NDArray[np.int64] = rows[:wanted][states[:wanted] == _UNFINISHED]
        self.result.remaining = len(unfinished) * self.plan.rollouts
        self._spare_rows = len(rows) - wanted
        return unfinished

    def _leave_out_row(self) -> None:
        """A new row cannot be used: the next one takes its place, where there is one."""
        if self._spare_rows > 0:
            self._spare_rows -= 1
        else:
            self._lower_remaining(self.plan.rollouts)

    def _lower_remaining(self, traces: int) -> None:
        if self.result.remaining is not None:
            self.result.remaining = max(self.result.remaining - traces, 0)

    def _found_done(self, traces: int, *, elsewhere: bool = False) -> None:
        if elsewhere:
            self.result.elsewhere += traces
        else:
            self.result.done += traces
        self.watch(FoundDone(traces))

    def _candidates(self) -> Candidates:
        lat, lon = self.dataset.coordinates()
        return candidates(lat, lon, self.dataset.locatability(), self.plan.draw)

    async def _read(self, rows: list[int]) -> dict[int, KnownSample]:
        """Read rows with their photos and record them, all in one commit; by row number.

        Rows whose photos cannot be read now are not among them. Raises MachineError where
        others cannot be read either.
        """

        def read() -> list[Sample | MachineError]:
            return [self._sample(row) for row in rows]

        set_aside = self.result.set_aside
        samples = []
        notices = []
        for one in await asyncio.get_running_loop().run_in_executor(self.executor, read):
            if isinstance(one, Sample):
                set_aside.add_readable()
                samples.append(one)
            elif set_aside.add(one):
                notices.append(Noticed(str(one)))
        # Not before all are counted: where too many fail, the run ends with the same sentence.
        for notice in notices:
            self.watch(notice)
        return await self._copies.record(samples)

    def _sample(self, row: int) -> Sample | MachineError:
        try:
            return self.photos.read_sample(row)
        except MachineError as error:
            return error

    async def _claim(
        self, sample_id: int, recipe_id: int, rollout: int
    ) -> ClaimedTrace | NotClaimed:
        return await self.journal.commit(
            lambda s: s.claims.claim(
                sample_id=sample_id,
                recipe_id=recipe_id,
                rollout=rollout,
                run_id=self.run_id,
                turn_limit=self.plan.turn_limit,
                retry=self.plan.retry,
                seconds=CLAIM_SECONDS,
            )
        )


class Survey:
    """The state of each row of a dataset under a recipe when the run started, one byte a row.

    It is read once, from indexes. So a run with nothing to do ends at once, and
    its memory grows with the dataset and not with the store.

    reasons: why rows are excluded, by the state that stands for the reason.
    """

    def __init__(self, states: NDArray[np.uint8], reasons: dict[int, str]) -> None:
        self._states = states
        self.reasons = reasons

    @classmethod
    def of(
        cls,
        store: Store,
        *,
        num_rows: int,
        dataset_id: int,
        recipe_id: int,
        rollouts: int,
        turn_limit: int,
        retry: Collection[Retry],
        duplicates: bool,
        read_again: bool,
    ) -> Survey:
        """Read it.

        duplicates: rows that repeat a photo are used. read_again: so may be those that
        were left out for another reason.
        """
        states = np.zeros(num_rows, dtype=np.uint8)
        finished = store.samples.finished_samples(
            dataset_id=dataset_id,
            recipe_id=recipe_id,
            rollouts=rollouts,
            turn_limit=turn_limit,
            retry=retry,
        )
        states[finished] = _FINISHED
        reasons = {}
        for state, (reason, rows) in enumerate(
            sorted(store.samples.excluded_samples(dataset_id).items()), _FIRST_REASON
        ):
            if duplicates if reason == "duplicate" else read_again:
                continue
            states[rows] = state
            reasons[state] = reason
        return cls(states, reasons)

    def states(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The states of these rows."""
        return self._states[rows]


def _number_in(some: NDArray[np.int64], rows: NDArray[np.int64], *, of: int) -> int:
    """How many of some row numbers, which may repeat, are among these rows. of: rows in all."""
    return int(np.bincount(some, minlength=of)[rows].sum())


def _count(
    states: NDArray[np.uint8],
    *,
    reasons: dict[int, str],
    wanted: int,
    rollouts: int,
    closed: int,
    begun: int,
) -> PlanCounts:
    """How far a plan is.

    states: of all rows that can be drawn, in their order. closed, begun: traces of those rows of
    the plan that need more.
    """
    usable = states[states < _FIRST_REASON]
    photos = usable[:wanted]
    closed += int((photos == _FINISHED).sum()) * rollouts
    excluded = {reason: int((states == state).sum()) for state, reason in reasons.items()}
    return PlanCounts(
        photos=len(photos),
        usable=len(usable),
        excluded={reason: count for reason, count in excluded.items() if count},
        closed=closed,
        begun=begun,
        new=len(photos) * rollouts - closed - begun,
    )
