"""Plays many rollouts at a time: draws samples, claims traces, and hands them to workers.

What is missing is decided by the store alone: a run looks at each candidate row
in drawing order, skips what needs nothing more, and claims the rest as workers
become free. So it does not matter how often a run is started, killed, or
started twice.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from geostore.budget import Budget
from geostore.errors import ClaimLost, StoreError, TeacherUnusable
from geostore.journal import Journal, TraceJournal
from geostore.pace import GaveUp, Pace, PaceLimits
from geostore.protocol import RequestWriter
from geostore.recipe import recipe_hash
from geostore.records import (
    FailedAttempt,
    Recipe,
    Status,
    TraceKey,
    Turn,
)
from geostore.restore import checked_photo
from geostore.rollout import Asks, Patience, Setting, play
from geostore.runs import start_run
from geostore.sampling import Draw, candidates, describe_skipped
from geostore.signals import stopped_by_signals
from geostore.store import ClaimedTrace, KnownSample, NotClaimed, Retry, Store
from geostore.survey import FINISHED, UNFINISHED, Survey
from geostore.toolbench import ToolBench
from geostore.watching import TraceEnd, Watcher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geostore.dataset import PhotoDataset

CLAIM_SECONDS = 120.0
"""How long a claim holds without being renewed; it is renewed four times as often."""

_MOST_PARKED = 4
"""Traces that may wait to try again, for each seat."""

_CHUNK = 512
"""Candidate rows that are looked up in the store at a time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to do.

    num_samples: how many usable samples, from the first of the drawing order;
    None: all. rollouts: per sample. turn_limit: turns per trace. concurrency:
    traces in flight, and the most requests. duplicates: use a photo again that
    stands in several rows.
    retry: kinds of closed traces that are taken up again. grace: seconds that
    requests in flight are waited for once the run is asked to stop. rpm, tpm:
    requests and tokens a minute at most. give_up_after: seconds without any
    success after which the run ends; None: never.
    """

    num_samples: int | None = 10
    rollouts: int = 1
    turn_limit: int = 10
    concurrency: int = 16
    draw: Draw = field(default_factory=Draw)
    duplicates: bool = False
    retry: tuple[Retry, ...] = ()
    patience: Patience = field(default_factory=Patience)
    grace: float = 120.0
    rpm: float | None = None
    tpm: float | None = None
    give_up_after: float | None = None


@dataclass(slots=True)
class Tally:
    """What a run did, counted in traces.

    done: needed nothing. closed: by this run, by status. interrupted: left open
    by this run. elsewhere: claimed by another process. excluded: dataset rows
    that cannot be used, by reason. stopped: the run was asked to stop, or its
    budget is used up, which `paused` says in a sentence.
    """

    done: int = 0
    closed: Counter[Status] = field(default_factory=Counter)
    interrupted: int = 0
    elsewhere: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    stopped: bool = False
    paused: str | None = None


async def generate(
    *,
    dataset: PhotoDataset,
    store: Store,
    recipe: Recipe,
    plan: Plan,
    teacher: Asks,
    arguments: dict[str, Any],
    watcher: Watcher,
    budget: Budget | None = None,
) -> Tally:
    """Play what is missing of a plan, as far as a budget goes; what it did.

    arguments: of the run, for its row; no secret. The first SIGINT or SIGTERM
    lets the requests in flight finish and commits them, the second drops them;
    either way the run ends as a run, and `Tally.stopped` is set.
    Raises TeacherUnusable where no request can succeed, StoreError where the
    store cannot be written; what was committed stays.
    """
    with Journal(store) as journal, ThreadPoolExecutor(_worker_threads()) as executor:
        run_id = await journal.commit(partial(start_run, arguments=arguments))
        run = _Run(
            dataset=dataset,
            journal=journal,
            recipe=recipe,
            plan=plan,
            teacher=teacher,
            watcher=watcher,
            executor=executor,
            run_id=run_id,
            budget=budget,
        )
        outcome = "stopped: error"
        try:
            tally = await run.play_all()
            outcome = "interrupted" if tally.stopped else "done"
            if tally.paused:
                outcome = "stopped: budget"
            return tally
        except TeacherUnusable:
            outcome = "stopped: teacher unusable"
            raise
        except GaveUp:
            outcome = "stopped: gave up"
            raise
        finally:
            # Where the store itself has failed, its error is the one to be seen.
            with suppress(Exception):
                await journal.commit(lambda s: s.end_run(run_id, outcome))


class _Run:
    """One generate process at work; what its parts share."""

    def __init__(
        self,
        *,
        dataset: PhotoDataset,
        journal: Journal,
        recipe: Recipe,
        plan: Plan,
        teacher: Asks,
        watcher: Watcher,
        executor: ThreadPoolExecutor,
        run_id: int,
        budget: Budget | None,
    ) -> None:
        self.dataset = dataset
        self.budget = budget
        self.journal = journal
        self.recipe = recipe
        self.recipe_sha256 = recipe_hash(recipe)
        self.plan = plan
        self.watcher = watcher
        self.executor = executor
        self.run_id = run_id
        self.stopping = asyncio.Event()
        self.tally = Tally()
        self.seats = asyncio.Semaphore(plan.concurrency)
        self.parked = 0
        self.pace = Pace(
            PaceLimits(
                ceiling=plan.concurrency,
                rpm=plan.rpm,
                tpm=plan.tpm,
                give_up_after=plan.give_up_after,
            ),
            notice=watcher.notice,
        )
        self.setting = Setting(
            recipe=recipe,
            writer=RequestWriter(recipe),
            teacher=teacher,
            pace=self.pace,
            park=self._park,
            bench=ToolBench(),
            executor=executor,
            turn_limit=plan.turn_limit,
            go_on=bool(plan.retry),
            patience=plan.patience,
            stopping=self.stopping,
            on_turn=lambda turn: None,
            on_failure=lambda attempt: None,
        )

    async def play_all(self) -> Tally:
        dataset_id, recipe_id = await self.journal.commit(
            lambda s: (s.put_dataset(self.dataset.facts), s.put_recipe(self.recipe))
        )
        order = await asyncio.to_thread(self._candidates)
        wanted = len(order) if self.plan.num_samples is None else self.plan.num_samples
        self.watcher.planned(min(wanted, len(order)) * self.plan.rollouts)
        work = self._work(dataset_id, recipe_id, order, wanted)
        self._heed_budget()
        with stopped_by_signals(self._stop, asyncio.current_task(), grace=self.plan.grace):
            renewing = asyncio.create_task(self._renew_claims())
            try:
                await self._seat_all(work)
            except asyncio.CancelledError:
                # The second signal cancels this task, which has then done its part.
                if not self.stopping.is_set():
                    raise
            finally:
                renewing.cancel()
                with suppress(asyncio.CancelledError):
                    await renewing
        self.tally.stopped = self.stopping.is_set()
        return self.tally

    async def _seat_all(self, work: AsyncIterator[tuple[TraceKey, ClaimedTrace]]) -> None:
        """Play each trace as a seat becomes free; the first error ends them all and is raised.

        Requests in flight together fail together, and one sentence is enough.
        """

        async def seated(key: TraceKey, claimed: ClaimedTrace) -> None:
            try:
                await self._play_one(key, claimed)
            finally:
                self.seats.release()

        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await self.seats.acquire()
                    item = None
                    try:
                        item = await anext(work, None)
                    finally:
                        if item is None:
                            self.seats.release()  # who is parked still needs it to end
                    if item is None:
                        return
                    group.create_task(seated(*item))
        except BaseExceptionGroup as errors:
            first = errors.exceptions[0]
            raise first from first.__cause__

    @asynccontextmanager
    async def _park(self) -> AsyncIterator[None]:
        """While inside, another trace may have this one's seat.

        Bounded: what is parked stays in memory and will want to be seated again.
        """
        if self.parked >= _MOST_PARKED * self.plan.concurrency:
            yield
            return
        self.parked += 1
        self.seats.release()
        try:
            yield
        finally:
            self.parked -= 1
            await self.seats.acquire()

    def _candidates(self) -> NDArray[np.int64]:
        lat, lon = self.dataset.coordinates()
        found = candidates(lat, lon, self.dataset.locatability(), self.plan.draw)
        for sentence in describe_skipped(found):
            self.watcher.notice(sentence)
        return found.indices

    async def _work(
        self, dataset_id: int, recipe_id: int, order: NDArray[np.int64], wanted: int
    ) -> AsyncIterator[tuple[TraceKey, ClaimedTrace]]:
        """The traces that are missing, each claimed, in drawing order."""
        plan = self.plan
        survey = await self.journal.commit(
            partial(
                Survey.of,
                num_rows=self.dataset.facts.num_rows,
                dataset_id=dataset_id,
                recipe_id=recipe_id,
                rollouts=plan.rollouts,
                turn_limit=plan.turn_limit,
                retry=plan.retry,
                duplicates=plan.duplicates,
            )
        )
        usable = 0
        for start in range(0, len(order), _CHUNK):
            chunk = order[start : start + _CHUNK]
            states = survey.states(chunk)
            finished = int((states == FINISHED).sum())
            if finished == len(chunk) and usable + finished <= wanted:
                usable += finished
                self._found_done(finished * plan.rollouts)
                continue
            missing = chunk[states == UNFINISHED].tolist()
            known = await self.journal.commit(
                partial(Store.known_samples, dataset_id=dataset_id, indices=missing)
            )
            for index, state in zip(chunk.tolist(), states.tolist(), strict=True):
                if usable >= wanted or self.stopping.is_set():
                    return
                if state in survey.reasons:
                    self.tally.excluded[survey.reasons[state]] += 1
                    continue
                if state == FINISHED:
                    usable += 1
                    self._found_done(plan.rollouts)
                    continue
                sample = known.get(index) or await self._draw(dataset_id, index)
                used_again = plan.duplicates and sample.exclusion == "duplicate"
                if sample.exclusion is not None and not used_again:
                    self.tally.excluded[sample.exclusion] += 1
                    continue
                usable += 1
                for rollout in range(1, plan.rollouts + 1):
                    claimed = await self._claim(sample.sample_id, recipe_id, rollout)
                    if isinstance(claimed, str):
                        self._found_done(1, elsewhere=claimed == "claimed")
                    else:
                        yield TraceKey(index, self.recipe_sha256, rollout), claimed
                    if self.stopping.is_set():
                        return

    def _found_done(self, traces: int, *, elsewhere: bool = False) -> None:
        if elsewhere:
            self.tally.elsewhere += traces
        else:
            self.tally.done += traces
        self.watcher.found_done(traces)

    async def _draw(self, dataset_id: int, index: int) -> KnownSample:
        loop = asyncio.get_running_loop()
        sample = await loop.run_in_executor(self.executor, self.dataset.read_sample, index)
        return await self.journal.commit(lambda s: s.put_sample(dataset_id, sample))

    async def _claim(
        self, sample_id: int, recipe_id: int, rollout: int
    ) -> ClaimedTrace | NotClaimed:
        return await self.journal.commit(
            lambda s: s.claim(
                sample_id=sample_id,
                recipe_id=recipe_id,
                rollout=rollout,
                run_id=self.run_id,
                turn_limit=self.plan.turn_limit,
                retry=self.plan.retry,
                seconds=CLAIM_SECONDS,
            )
        )

    async def _play_one(self, key: TraceKey, claimed: ClaimedTrace) -> None:
        assert claimed.sample.photo is not None
        setting = replace(
            self.setting,
            on_turn=partial(self._on_turn, key),
            on_failure=partial(self._on_failure, key),
        )
        try:
            outcome = await play(
                setting,
                TraceJournal(self.journal, trace_id=claimed.trace_id, run_id=self.run_id),
                load_photo=partial(
                    checked_photo, self.dataset, claimed.sample.sample_index, claimed.sample.photo
                ),
                photo=claimed.photo,
                turns=claimed.turns,
                calls=claimed.calls,
            )
        except ClaimLost:
            # This process was held up for longer than its claim; the trace goes on elsewhere.
            self.tally.elsewhere += 1
            return
        if outcome.closing is None:
            self.tally.interrupted += 1
            return
        self.tally.closed[outcome.closing.status] += 1
        stored = None
        if self.watcher.wants_traces:
            stored = await self.journal.commit(lambda s: s.get_trace(claimed.trace_id))
        end = TraceEnd(key, claimed.sample, outcome.closing, outcome.reward)
        self.watcher.trace_ended(end, stored)

    async def _renew_claims(self) -> None:
        while True:
            await asyncio.sleep(CLAIM_SECONDS / 4)
            try:
                await self.journal.commit(
                    lambda s: s.renew_claims(self.run_id, seconds=CLAIM_SECONDS)
                )
            except StoreError as error:
                # A claim lasts several renewals, so that one may fail.
                self.watcher.notice(f"claims were not renewed: {error}")

    def _on_turn(self, key: TraceKey, turn: Turn) -> None:
        self.watcher.turn(key, turn)
        if self.budget is not None:
            self.budget.add_turn(turn)
            self._heed_budget()

    def _on_failure(self, key: TraceKey, attempt: FailedAttempt) -> None:
        self.watcher.failure(key, attempt)
        if self.budget is not None:
            self.budget.add_failure(attempt)
            self._heed_budget()

    def _heed_budget(self) -> None:
        """Ask for nothing more once the budget is used up; what is in flight is paid for."""
        if self.budget is not None and self.tally.paused is None:
            self.tally.paused = self.budget.reached
            if self.tally.paused is not None:
                self.stopping.set()
                self.pace.stop()
                self.watcher.notice(self.tally.paused)

    def _stop(self) -> None:
        self.stopping.set()
        self.pace.stop()
        self.watcher.notice(
            "stopping: requests in flight are waited for and stored; once more drops them"
        )


def _worker_threads() -> int:
    return max(2, os.cpu_count() or 1)
