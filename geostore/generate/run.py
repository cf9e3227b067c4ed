"""Plays many rollouts at a time: each pending trace gets a seat, until none is pending."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from geostore.conversation.limits import most_images
from geostore.conversation.messages import RequestWriter
from geostore.conversation.recipe import recipe_hash
from geostore.conversation.toolbench import ToolBench
from geostore.costs.budget import Budget
from geostore.costs.prices import Prices
from geostore.errors import ClaimLost, GaveUp, MachineError, StoreError, TeacherUnusable
from geostore.generate.ending import Ending
from geostore.generate.events import (
    AskingEnded,
    AskingStarted,
    CallCommitted,
    Event,
    Gauges,
    Noticed,
    Ticked,
    TraceEnded,
    TurnCommitted,
    Watcher,
    Watchers,
)
from geostore.generate.journal import CLAIM_SECONDS, Journal, TraceJournal
from geostore.generate.limits import LimitWatch
from geostore.generate.outages import Outages
from geostore.generate.partners import TeacherClient
from geostore.generate.pending import PendingTrace, PendingTraces
from geostore.generate.photos import RunPhotos
from geostore.generate.plan import Plan, RunResult
from geostore.generate.rollout import RunContext, play
from geostore.generate.seats import Seat, Seats
from geostore.generate.signals import signals_call
from geostore.generate.spending import Spending
from geostore.generate.understood import PlanCounts
from geostore.pace import WINDOW_SECONDS, Pace
from geostore.records import Recipe
from geostore.rewards import require_known_default
from geostore.sampling.drawing import Drawing, FixedDrawing
from geostore.sampling.orders import Candidates
from geostore.store import RecentRequest, Store, recent_requests
from geostore.teacher import is_known_finish
from geostore.tools.frames import FrameAlarm

if TYPE_CHECKING:
    from geostore.dataset import PhotoDataset

_RENEWALS_PER_CLAIM = 4
"""A renewal can fail or come late, where the disk is full or the process is held up; the claim
then still lasts until one of the next renewals."""

_TICK_SECONDS = 0.5


def draw_in_order(drawable: Candidates) -> Drawing:
    """Draw the candidates in the order they have."""
    return FixedDrawing(drawable.indices)


async def play_run(
    *,
    dataset: PhotoDataset,
    store: Store,
    recipe: Recipe,
    plan: Plan,
    teacher: TeacherClient,
    arguments: dict[str, Any],
    watchers: Sequence[Watcher] = (),
    prices: Prices | None = None,
    budget: Budget | None = None,
    whole_traces: bool = False,
    start_drawing: Callable[[Candidates], Drawing] = draw_in_order,
    counted: Callable[[PlanCounts], None] = lambda counts: None,
) -> RunResult:
    """Play the traces of a plan that are not finished, as far as a budget goes.

    arguments: of the run, for its row; no secret. prices: of the model, for who
    watches. whole_traces: `TraceEnded` carries the whole trace, read from the store.
    start_drawing: decides by results which rows come next; by default the plan's order does.
    counted: called once before the first request, with how far the store is.
    A watcher that fails gets no more events, and the others a notice of it.
    The first SIGINT, SIGTERM or SIGHUP lets the requests in flight finish and commits
    them, the second drops them; either way the run ends as a run, and
    `RunResult.stopped` is set.
    While another program holds the store's write lock, commits wait for it, as long
    as the run is not told to end at once.
    Raises TeacherUnusable where no request can succeed, GaveUp where none has for
    too long, StoreError where the store cannot be written. Before that, requests in
    flight finish here, too; what was committed stays.
    """
    shown = Watchers(watchers)
    with (
        Journal(store, notice=lambda message: shown.watch(Noticed(message))) as journal,
        ThreadPoolExecutor(_worker_threads()) as executor,
    ):

        def start(store: Store) -> tuple[int, list[RecentRequest]]:
            # Before a request is paid whose trace could not be closed.
            require_known_default(store.db)
            # First, because the start takes the claims of killed processes from them.
            recent = _recent_requests(store, recipe.model) if plan.pace.has_minutes else []
            return store.runs.start_this_process(arguments=arguments), recent

        run_id, recent = await journal.commit_unpaid(start)
        run = _Run(
            dataset=dataset,
            journal=journal,
            recipe=recipe,
            plan=plan,
            teacher=teacher,
            watchers=shown,
            executor=executor,
            run_id=run_id,
            prices=prices,
            budget=budget,
            whole_traces=whole_traces,
            start_drawing=start_drawing,
            counted=counted,
        )
        for request in recent:
            run.pace.remember(request.seconds_ago, request.tokens)
        outcome = "stopped: error"
        try:
            result = await run.play_all()
            outcome = "interrupted" if result.stopped else "done"
            if result.paused:
                outcome = "stopped: budget"
            return result
        except TeacherUnusable:
            outcome = "stopped: teacher unusable"
            raise
        except GaveUp:
            outcome = "stopped: gave up"
            raise
        finally:
            # Where the store itself failed, this fails too, and would hide the first error.
            with suppress(Exception):
                await journal.commit_unpaid(lambda s: s.runs.end_run(run_id, outcome))


def _recent_requests(store: Store, model: str) -> list[RecentRequest]:
    return recent_requests(
        store.db,
        model,
        seconds=WINDOW_SECONDS,
        claim_seconds=CLAIM_SECONDS,
        renewal_seconds=CLAIM_SECONDS / _RENEWALS_PER_CLAIM,
    )


class _Run:
    """One generate process at work; what its parts share."""

    def __init__(
        self,
        *,
        dataset: PhotoDataset,
        journal: Journal,
        recipe: Recipe,
        plan: Plan,
        teacher: TeacherClient,
        watchers: Watchers,
        executor: ThreadPoolExecutor,
        run_id: int,
        prices: Prices | None,
        budget: Budget | None,
        whole_traces: bool,
        start_drawing: Callable[[Candidates], Drawing],
        counted: Callable[[PlanCounts], None],
    ) -> None:
        self.dataset = dataset
        self.prices = prices
        self.budget = budget
        self.journal = journal
        self.recipe = recipe
        self.plan = plan
        self.watchers = watchers
        self.run_id = run_id
        self.whole_traces = whole_traces
        self.result = RunResult(has_read_again=plan.reads_again)
        self.seats = Seats(plan.pace.ceiling)
        self.pace = Pace(plan.pace, notice=self._notice, gave_up=self._fail)
        self.ending = Ending(
            pace=self.pace, grace=plan.grace, notice=self._notice, dropping=journal.give_up
        )
        self.stopping = self.ending.stopping
        self.limits = LimitWatch(
            notice=self._notice,
            images=min(most_images(recipe, plan.turn_limit), plan.max_images or sys.maxsize),
        )
        self.frame_alarm = FrameAlarm(recipe.bbox_frame, notice=self._notice)
        self.odd_finishes: set[str] = set()
        bench = ToolBench(max_images=plan.max_images)
        self.photos = RunPhotos(dataset, bench.decoded, skip_missing=plan.skip_missing)
        self.spending: Spending | None = None
        if budget is not None:
            self.spending = Spending(
                budget, run_id=run_id, notice=self._notice, used_up=self._pause
            )
        self.pending = PendingTraces(
            dataset=dataset,
            photos=self.photos,
            journal=journal,
            executor=executor,
            plan=plan,
            recipe_sha256=recipe_hash(recipe),
            run_id=run_id,
            result=self.result,
            stopping=self.stopping,
            watch=self._watch,
            start_drawing=start_drawing,
            counted=counted,
        )
        writer = RequestWriter(recipe)
        self.context = RunContext(
            recipe=recipe,
            writer=writer,
            teacher=teacher,
            pace=self.pace,
            outages=Outages(
                teacher=teacher, pace=self.pace, writer=writer, wait=self._wait_to_probe
            ),
            bench=bench,
            executor=executor,
            turn_limit=plan.turn_limit,
            go_on=plan.opens_again,
            retry_policy=plan.retry_policy,
            limits=self.limits,
            stopping=self.stopping,
            watch=self._watch,
        )

    async def play_all(self) -> RunResult:
        dataset_id, recipe_id = await self.journal.commit_unpaid(
            lambda s: (s.samples.put_dataset(self.dataset.facts), s.recipes.put_recipe(self.recipe))
        )
        self._watch(AskingStarted(self._gauges()))
        if self.spending is not None:
            # The budget may be used up by earlier runs.
            self.spending.heed()
            self.journal.follow(self.spending.read_others, self.spending.add_others)
        try:
            await self._play_until_stopped(dataset_id, recipe_id)
        finally:
            self.limits.sum_up()
            self.result.dropped = self.pace.dropped
            self._watch(AskingEnded(self._gauges(), self.result))
        self.result.stopped = self.stopping.is_set()
        if self.ending.error is not None:
            raise self.ending.error
        return self.result

    async def _play_until_stopped(self, dataset_id: int, recipe_id: int) -> None:
        with signals_call(self.ending.asked_to_stop):
            beside = [
                asyncio.create_task(self._renew_claims()),
                asyncio.create_task(self._tick()),
                asyncio.create_task(self._load_gazetteer()),
            ]
            try:
                await self._seat_all(self.pending.claimed(dataset_id, recipe_id))
            except asyncio.CancelledError:
                # The ending cancels this task only to drop the requests in flight; the run still
                # has to end as a run.
                if not self.ending.is_dropping:
                    raise
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
                self.ending.close()

    async def _seat_all(self, work: AsyncIterator[PendingTrace]) -> None:
        """Play each trace as a seat becomes free, until none is left or the run is ending."""

        async def seated(pending: PendingTrace) -> None:
            seat = Seat(self.seats)
            try:
                await self._play_one(pending, seat)
            except Exception as error:
                # Not raised here: that would cancel the requests of the others, which are paid.
                self.result.interrupted += 1
                self.ending.fail(error)
            finally:
                seat.give_back()

        async with asyncio.TaskGroup() as group:
            while (item := await self._next(work)) is not None:
                group.create_task(seated(item))

    async def _next(self, work: AsyncIterator[PendingTrace]) -> PendingTrace | None:
        """Wait for a seat and take it for the next trace; None where there is no trace."""
        await self.seats.free.acquire()
        item = None
        try:
            item = await anext(work, None)
        except Exception as error:
            self.ending.fail(error)
        finally:
            if item is None:
                # A parked trace needs this seat to come to its end.
                self.seats.free.release()
        return item

    async def _play_one(self, pending: PendingTrace, seat: Seat) -> None:
        key, claimed = pending.key, pending.claimed
        assert claimed.sample.photo is not None
        try:
            outcome = await play(
                self.context,
                TraceJournal(self.journal, trace_id=claimed.trace_id, run_id=self.run_id),
                key,
                park=seat.park,
                load_photo=partial(self.photos.load, pending.row, claimed.sample.photo),
                photo=claimed.photo,
                turns=claimed.turns,
                calls=claimed.calls,
                limits_met=claimed.limits_met,
            )
        except asyncio.CancelledError:
            self.result.interrupted += 1
            raise
        except ClaimLost:
            # This process was held up for longer than its claim; another plays the trace now.
            self.result.elsewhere += 1
            return
        except MachineError as error:
            # Nothing of the trace is recorded, so a later run takes it up.
            if self.result.set_aside.add(error):
                self._notice(str(error))
            self.result.interrupted += 1
            return
        self.result.set_aside.add_readable()
        if outcome.closing is None:
            self.result.interrupted += 1
            return
        self.result.add_closing(outcome.closing)
        self.pending.feed(pending.row, outcome.closing, outcome.reward)
        trace = None
        if self.whole_traces:
            trace = await self.journal.commit(lambda s: s.traces.get_trace(claimed.trace_id))
        self._watch(TraceEnded(key, claimed.sample, outcome.closing, outcome.reward, trace))

    async def _renew_claims(self) -> None:
        while True:
            await asyncio.sleep(CLAIM_SECONDS / _RENEWALS_PER_CLAIM)
            try:
                await self.journal.commit(
                    lambda s: s.claims.renew_claims(self.run_id, seconds=CLAIM_SECONDS)
                )
            except StoreError as error:
                self._notice(f"claims were not renewed: {error}")

    async def _load_gazetteer(self) -> None:
        """Read what places are computed from while the first requests are in flight.

        Else the first trace that closes would wait for it.
        """
        await asyncio.sleep(_TICK_SECONDS)
        await self.journal.load_gazetteer()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self.journal.look()
            self._watch(Ticked(self._gauges()))

    async def _wait_to_probe(self, probes: int, retry_after: float | None) -> None:
        seconds = self.plan.retry_policy.wait(probes, retry_after)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    def _gauges(self) -> Gauges:
        return Gauges(
            in_flight=self.pace.in_flight,
            level=self.pace.level,
            ceiling=self.plan.pace.ceiling,
            paused=self.pace.broken,
            prices=self.prices,
            budget=self.budget.use if self.budget else None,
            held_by=self.pace.held_by(),
        )

    def _watch(self, event: Event) -> None:
        """Give an event to each watcher, and count what the run itself has to heed."""
        self.watchers.watch(event)
        self.limits.watch(event)
        if isinstance(event, TurnCommitted):
            self._check_finish(event.turn.finish_reason)
        elif isinstance(event, CallCommitted):
            self.frame_alarm.add(event.call)
        if self.spending is not None:
            self.spending.watch(event)

    def _check_finish(self, reason: str | None) -> None:
        """Say once of each unknown finish_reason that its replies are taken as whole."""
        if reason is None or reason in self.odd_finishes or is_known_finish(reason):
            return
        self.odd_finishes.add(reason)
        self._notice(
            f"the teacher ends replies with the unknown finish_reason {reason[:40]!r}; "
            "they are taken as whole"
        )

    def _notice(self, message: str) -> None:
        self._watch(Noticed(message))

    def _pause(self, sentence: str) -> None:
        """Ask for nothing more, since the budget is used up; what is in flight is paid for."""
        self.result.paused = sentence
        # With nothing in flight, the last lines follow at once and say the same.
        self._watch(Noticed(sentence, at_end=not self.pace.in_flight))
        self.ending.stop("the budget is used up")

    def _fail(self, error: GaveUp) -> None:
        self.ending.fail(error)


def _worker_threads() -> int:
    return max(2, os.cpu_count() or 1)
