"""Plays one trace to its end, from wherever its rows leave off.

Each step's result goes to the journal, and the rollout goes on only when it is
on disk: the response before a tool runs, each tool result by itself. The teacher
and the journal are arguments; this module knows no database and no HTTP. When
one trace fails, that is a row and a closed trace, never an exception. Only
errors that make the whole run pointless (`TeacherUnusable`) or the store
unusable are raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from geostore.conversation.estimates import tokens_of
from geostore.conversation.images import conversation_images
from geostore.conversation.machine import Ask, Conversation, Run
from geostore.conversation.messages import Message, RequestWriter
from geostore.conversation.toolbench import TOOL_CRASH, ToolBench
from geostore.conversation.wire import WireMessages
from geostore.errors import (
    GeostoreError,
    ImageError,
    Stopped,
    TeacherError,
    TeacherUnusable,
)
from geostore.generate.arrival import Arrivals
from geostore.generate.events import CallCommitted, Event, RequestFailed, TurnCommitted
from geostore.generate.limits import LimitWatch, limit_of
from geostore.generate.outages import Outages
from geostore.generate.paid_turns import failed_attempt, paid_turn
from geostore.generate.partners import TeacherClient, TraceRecorder
from geostore.generate.retries import RetryPolicy, TurnFailures, trace_time
from geostore.imaging.causes import decoding_error
from geostore.pace import Pace
from geostore.records import (
    Closing,
    FailedAttempt,
    ImageFacts,
    LimitKind,
    Recipe,
    Reply,
    Reward,
    ToolCall,
    TraceKey,
    Turn,
)

T = TypeVar("T")
_MESSAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rollout ended."""

    closing: Closing | None
    """Status and reason; None where the rollout was interrupted and the trace stays open."""

    reward: Reward | None
    """Under the store's default spec; None for a failed or interrupted trace."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all rollouts of a run share."""

    recipe: Recipe
    """What the teacher is asked."""

    writer: RequestWriter
    """Of the same recipe."""

    teacher: TeacherClient
    """Who is asked."""

    pace: Pace
    """The queue that every request goes through."""

    outages: Outages
    """Tells an outage from a request that alone fails."""

    bench: ToolBench
    """Runs tool calls."""

    executor: Executor
    """Where pixels and files are worked on, away from the event loop."""

    turn_limit: int
    """Responses per trace at most."""

    go_on: bool
    """Whether to ask once more where a trace would end without an answer
    (`Conversation.next`)."""

    retry_policy: RetryPolicy
    """How failed requests are tried again."""

    limits: LimitWatch
    """Whether the server has refused every photo so far for its size."""

    stopping: asyncio.Event
    """When set, a rollout ends after the step it is at."""

    watch: Callable[[Event], None]
    """Called with each response, tool call and failed request, once it is committed."""


async def play(
    context: RunContext,
    journal: TraceRecorder,
    key: TraceKey,
    *,
    park: Callable[[], AbstractAsyncContextManager[None]],
    load_photo: Callable[[], bytes],
    photo: ImageFacts | None,
    turns: tuple[Turn, ...] = (),
    calls: tuple[ToolCall, ...] = (),
    limits_met: tuple[LimitKind, ...] = (),
) -> Outcome:
    """Play a trace on from its rows until it closes or the run is stopping.

    park: entered while the rollout waits to retry, so that another trace may have its seat.
    load_photo: gives the stored bytes, checked; called in the executor.
    photo: the photo as it was sent with the first turn, None where there is no turn.
    limits_met: as `Conversation.add_limit` takes them.
    Raises TeacherUnusable, GaveUp, MachineError and DatasetError where the photo cannot
    be read now, and what the journal raises: StoreError and with it ClaimLost.
    """
    rollout = _Rollout(
        context,
        journal,
        key,
        park=park,
        sent=photo,
        turns=turns,
        calls=calls,
        limits_met=limits_met,
    )
    try:
        async with trace_time(context.retry_policy.trace_timeout, context.pace):
            end = await rollout.play(load_photo)
        # Outside of the limit: a trace whose time is up in this moment would be closed twice.
        return Outcome(None, None) if end is None else await rollout.close(end)
    except TimeoutError as error:
        seconds = context.retry_policy.trace_timeout
        if seconds is None:
            return await rollout.fail_for(error)
        await rollout.record_failure("trace_timeout", f"the trace took longer than {seconds:g} s")
        return await rollout.fail("trace_timeout")
    except TeacherUnusable:
        raise
    except TeacherError as error:
        return await rollout.fail(error.error_class)
    except ImageError as error:
        await rollout.record_failure("image", str(error))
        return await rollout.fail("image")
    except GeostoreError:
        raise
    except MemoryError as error:
        raise decoding_error(error) from error
    except Exception as error:
        return await rollout.fail_for(error)


class _Rollout:
    """One trace being played: what `play` keeps between its steps."""

    def __init__(
        self,
        context: RunContext,
        journal: TraceRecorder,
        key: TraceKey,
        *,
        park: Callable[[], AbstractAsyncContextManager[None]],
        sent: ImageFacts | None,
        turns: tuple[Turn, ...],
        calls: tuple[ToolCall, ...],
        limits_met: tuple[LimitKind, ...],
    ) -> None:
        self._context = context
        self._journal = journal
        self._key = key
        self._park = park
        self._sent = sent
        self._turns = turns
        self._calls = calls
        self._limits_met = limits_met
        self._wire = WireMessages()
        self._last_tokens: int | None = None
        # All its turns, once it has ended and its answer counts.
        self._played: Sequence[Turn] = ()
        self._arrivals = Arrivals()
        # The messages of the last request and every image so far, to estimate tokens from.
        self._asked: Sequence[Message] = ()
        self._images: Sequence[ImageFacts] = ()

    async def play(self, load_photo: Callable[[], bytes]) -> Closing | None:
        """Play to the last step before the end of the trace; None where the run is stopping."""
        context = self._context
        decoded = context.bench.decoded
        photo = b""

        def prepare() -> ImageFacts:
            nonlocal photo
            photo = load_photo()
            images = conversation_images(
                photo, context.recipe, self._calls, sent=self._sent, decoded=decoded
            )
            self._wire.show(images)
            return images[0].facts

        try:
            sent = await self._work(prepare)
            return await self._steps(photo, sent)
        finally:
            decoded.forget(photo)

    async def _steps(self, photo: bytes, sent: ImageFacts) -> Closing | None:
        """Play from the rows on. photo: the stored bytes. sent: facts of the photo as sent."""
        context = self._context
        go_on = context.go_on
        conversation = Conversation.resume(
            context.recipe,
            context.writer,
            sent,
            turns=self._turns,
            calls=self._calls,
            limits_met=self._limits_met,
        )
        self._images = conversation.images
        while True:
            step = conversation.next(context.turn_limit, go_on=go_on)
            # Once more and no further: a teacher that never answers would be asked for ever.
            go_on = go_on and not isinstance(step, Ask)
            if isinstance(step, Closing):
                # Closing costs no request, so it is done even where the run is stopping.
                self._played = conversation.turns
                return step
            if context.stopping.is_set():
                break
            if isinstance(step, Ask):
                try:
                    asked = await self._ask(conversation, step)
                except TeacherError as error:
                    if (kind := limit_of(error)) is None or not conversation.turns:
                        raise
                    conversation.add_limit(kind)
                    if step.may_leave_out:
                        continue
                    self._played = conversation.turns
                    return conversation.end_at(kind)
                if asked is None:
                    break
                turn = paid_turn(*asked, conversation)
                with self._watched(TurnCommitted(self._key, turn)):
                    await self._journal.record_turn(turn, sent if turn.turn == 1 else None)
                self._arrivals.end_if_cancelled()
                conversation.add_turn(turn)
            else:
                conversation.add_call(await self._run(step, photo))
        return None

    async def fail(self, reason: str) -> Outcome:
        """Close the trace as failed."""
        closing = Closing("failed", reason)
        limit = self._context.turn_limit
        await self._journal.close(closing, turn_limit=limit, played=())
        return Outcome(closing, None)

    async def fail_for(self, error: Exception) -> Outcome:
        """Close the trace for an unexpected error.

        An odd photo or response must not end the traces that are played beside it.
        """
        await self.record_failure("internal", f"{type(error).__name__}: {error}")
        return await self.fail("internal")

    async def record_failure(self, error_class: str, message: str, *, turn: int = 0) -> None:
        """Record what went wrong on this side; turn 0 where it was not while a turn was played."""
        await self._record(FailedAttempt(turn, error_class, message[:_MESSAGE_LENGTH]))

    async def _record(self, attempt: FailedAttempt, *, ends_run: bool = False) -> None:
        with self._watched(RequestFailed(self._key, attempt, ends_run)):
            await self._journal.record_failure(attempt)

    async def close(self, closing: Closing) -> Outcome:
        """Close the trace as `play` says."""
        reward = await self._journal.close(
            closing,
            turn_limit=self._context.turn_limit,
            played=self._played,
        )
        return Outcome(closing, reward)

    @contextmanager
    def _watched(self, event: Event) -> Iterator[None]:
        """Watch an event once what is inside has committed it.

        Also where the rollout is cancelled meanwhile: the journal raises that only
        after the commit, and a turn that no watcher sees is missing from the budget.
        """
        try:
            yield
        except asyncio.CancelledError:
            self._context.watch(event)
            raise
        self._context.watch(event)

    async def _ask(self, conversation: Conversation, step: Ask) -> tuple[Ask, Reply] | None:
        """The request as it was sent and its reply; None when the run is stopping.

        Takes as many attempts as are allowed. Raises TeacherError where they are used up or
        another attempt would fail as well.
        """
        teacher = self._context.teacher
        policy, pace = self._context.retry_policy, self._context.pace
        failures = TurnFailures(policy, pace)
        while True:
            try:
                async with pace.request(expected_tokens=self._last_tokens) as request:
                    # While it waited for its place, another may have learnt a form.
                    if step.form != teacher.form:
                        step = conversation.in_form(step, teacher.form)
                    body = self._context.writer.body(self._wire.write(step.messages), step.form)
                    self._asked = step.messages
                    try:
                        answer = teacher.ask(
                            body, form=step.form, is_other=partial(conversation.is_other_in, step)
                        )
                        reply = await self._arrivals.finish(answer)
                    except TeacherError as error:
                        if limit_of(error) is not None and step.turn > 1:
                            # A conversation has grown to a limit, and the server is well.
                            request.succeeded(None)
                        # A server that asks for another form is there, and is no success either.
                        # An error that ends the run is no reason to say how long it waits.
                        elif not (error.in_another_form or isinstance(error, TeacherUnusable)):
                            request.failed(error.error_class, str(error))
                        raise
                    self._last_tokens = tokens_of(reply, self._asked, self._images)
                    request.succeeded(self._last_tokens)
                    return step, reply
            except Stopped:
                return None
            except TeacherError as error:
                # The same request goes out again at once in the form that the server asks for.
                if not error.in_another_form:
                    failures.add(error)
                attempt = failed_attempt(
                    error, str(error), turn=step.turn, messages=self._asked, images=self._images
                )
                await self._record(attempt, ends_run=isinstance(error, TeacherUnusable))
                if (reason := self._context.limits.hopeless) is not None:
                    raise TeacherUnusable(reason, error_class=error.error_class) from None
                self._arrivals.end_if_cancelled()
                if error.in_another_form:
                    continue
                if failures.end_trace:
                    raise
                if not await self._may_go_on(failures, step.turn):
                    return None

    async def _may_go_on(self, failures: TurnFailures, turn: int) -> bool:
        """Wait until the turn may be asked for again; False where the run is stopping."""
        was_away = partial(self._context.outages.was_away, turn=turn, record=self._record)
        # The seat is released for the wait: a trace that a server told to come back in minutes
        # would otherwise keep others from being played.
        async with self._park():
            if await self._stopped_within(failures.wait):
                return False
            try:
                await failures.clear_doubt(was_away)
            except Stopped:
                return False
        return True

    async def _run(self, step: Run, photo: bytes) -> ToolCall:
        def run() -> ToolCall:
            call, image = self._context.bench.run(step, self._context.recipe, photo)
            if image is not None:
                self._wire.show([image])
            return call

        call = await self._work(run)
        if call.error_kind == TOOL_CRASH:
            # The teacher reads that the tool failed and goes on. Whoever runs this has to see
            # it too, so it also counts among the failures.
            await self.record_failure(
                TOOL_CRASH, f"{call.name}: {call.observation}", turn=step.turn
            )
        with self._watched(CallCommitted(self._key, call)):
            await self._journal.record_call(call)
        return call

    async def _work(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._context.executor, work)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._context.stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True
