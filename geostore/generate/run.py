"""Plays many rollouts at a time: a seat for each trace that is missing, until none is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from geostore.conversation.images import checked_photo
from geostore.conversation.messages import RequestWriter
from geostore.conversation.recipe import recipe_hash
from geostore.conversation.toolbench import ToolBench
from geostore.costs.budget import Budget
from geostore.costs.prices import Prices
from geostore.errors import ClaimLost, StoreError, TeacherUnusable
from geostore.generate.events import Gauges, TraceEnd, Watcher
from geostore.generate.journal import Journal, TraceJournal
from geostore.generate.pending import CLAIM_SECONDS, MissingTraces
from geostore.generate.plan import Plan, Tally
from geostore.generate.rollout import Asks, Setting, play
from geostore.generate.signals import stopped_by_signals
from geostore.pace import GaveUp, Pace, PaceLimits
from geostore.records import FailedAttempt, Recipe, TraceKey, Turn
from geostore.store import ClaimedTrace, Store
from geostore.store.runs import start_run
from geostore.tools.frames import FrameAlarm

if TYPE_CHECKING:
    from geostore.dataset import PhotoDataset

_MOST_PARKED = 4
"""Traces that may wait to try again, for each seat."""

_TICK_SECONDS = 0.5


async def generate(
    *,
    dataset: PhotoDataset,
    store: Store,
    recipe: Recipe,
    plan: Plan,
    teacher: Asks,
    arguments: dict[str, Any],
    watcher: Watcher,
    prices: Prices | None = None,
    budget: Budget | None = None,
) -> Tally:
    """Play what is missing of a plan, as far as a budget goes; what it did.

    arguments: of the run, for its row; no secret. prices: for who watches.
    The first SIGINT or SIGTERM lets the requests in flight finish and commits
    them, the second drops them; either way the run ends as a run, and
    `Tally.stopped` is set.
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
            prices=prices,
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
                await journal.commit(lambda s: s.runs.end_run(run_id, outcome))


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
        prices: Prices | None,
        budget: Budget | None,
    ) -> None:
        self.dataset = dataset
        self.prices = prices
        self.budget = budget
        self.journal = journal
        self.recipe = recipe
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
            on_call=FrameAlarm(recipe.bbox_frame, notice=watcher.notice).add,
            on_failure=lambda attempt: None,
        )

    async def play_all(self) -> Tally:
        dataset_id, recipe_id = await self.journal.commit(
            lambda s: (s.samples.put_dataset(self.dataset.facts), s.recipes.put_recipe(self.recipe))
        )
        missing = MissingTraces(
            dataset=self.dataset,
            journal=self.journal,
            executor=self.executor,
            plan=self.plan,
            recipe_sha256=recipe_hash(self.recipe),
            run_id=self.run_id,
            tally=self.tally,
            stopping=self.stopping,
            watcher=self.watcher,
        )
        work = missing.claimed(dataset_id, recipe_id)
        self.watcher.started(Gauges(self.pace, self.plan.concurrency, self.prices, self.budget))
        self._heed_budget()
        with stopped_by_signals(self._stop, asyncio.current_task(), grace=self.plan.grace):
            beside = [
                asyncio.create_task(self._renew_claims()),
                asyncio.create_task(self._tick()),
            ]
            try:
                await self._seat_all(work)
            except asyncio.CancelledError:
                # The second signal cancels this task, which has then done its part.
                if not self.stopping.is_set():
                    raise
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
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
            stored = await self.journal.commit(lambda s: s.traces.get_trace(claimed.trace_id))
        end = TraceEnd(key, claimed.sample, outcome.closing, outcome.reward)
        self.watcher.trace_ended(end, stored)

    async def _renew_claims(self) -> None:
        while True:
            await asyncio.sleep(CLAIM_SECONDS / 4)
            try:
                await self.journal.commit(
                    lambda s: s.claims.renew_claims(self.run_id, seconds=CLAIM_SECONDS)
                )
            except StoreError as error:
                # A claim lasts several renewals, so that one may fail.
                self.watcher.notice(f"claims were not renewed: {error}")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self.watcher.tick()

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
