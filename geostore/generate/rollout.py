"""Plays one trace to its end, from wherever its rows leave off.

Each step's result is handed to the journal, and the rollout goes on only when
it is on disk: the response before a tool runs, each tool result by itself. The
teacher and the journal are arguments; no database and no HTTP is known here.
A failure of one trace is a row and a closed trace, never an exception; only
what makes the whole run pointless (`TeacherUnusable`) or the store unusable is
raised.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from geostore.conversation.images import conversation_images
from geostore.conversation.machine import Ask, Conversation, Run
from geostore.conversation.messages import RequestWriter, data_url
from geostore.conversation.toolbench import TOOL_CRASH, ToolBench
from geostore.errors import (
    DatasetError,
    GeostoreError,
    ImageError,
    TeacherError,
    TeacherUnusable,
)
from geostore.pace import Pace, Stopped
from geostore.records import (
    Closing,
    FailedAttempt,
    ImageFacts,
    Recipe,
    Reply,
    Reward,
    ToolCall,
    Turn,
)

T = TypeVar("T")
_MESSAGE_LENGTH = 500
_OUTAGE = frozenset({"rate_limit", "server", "timeout", "connection"})


class Asks(Protocol):
    """The teacher, as a rollout sees it."""

    async def ask(self, body: bytes) -> Reply:
        """Send a request body. Raises TeacherError."""


class Records(Protocol):
    """The journal, as a rollout sees it; each method returns when it is on disk."""

    async def record_turn(self, turn: Turn, photo: ImageFacts | None) -> None:
        """A response; with the first one, the photo as it was sent."""

    async def record_call(self, call: ToolCall) -> None:
        """A tool call and its result."""

    async def record_failure(self, attempt: FailedAttempt) -> None:
        """A request that failed."""

    async def close(
        self, closing: Closing, *, turn_limit: int, final_response: str | None
    ) -> Reward | None:
        """The end of the trace."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How failed requests are tried again.

    max_attempts: requests for one turn before the trace has failed.
    first_wait, longest_wait: seconds; a wait is drawn evenly from zero to a bound
        that doubles from the first to the longest, so that clients that failed
        together do not come back together.
    longest_retry_after: seconds; a server's Retry-After is honoured up to this.
    trace_timeout: seconds that one run may spend on a trace before it has failed.
    """

    max_attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_retry_after: float = 300.0
    trace_timeout: float | None = None

    def wait(self, failures: int, retry_after: float | None) -> float:
        """Seconds to wait after so many failures (1 and up) of a turn."""
        bound = min(self.longest_wait, self.first_wait * 2 ** (failures - 1))
        jittered = random.uniform(0, bound)
        if retry_after is None:
            return jittered
        return min(retry_after, self.longest_retry_after) + jittered


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of playing a trace.

    closing: None where it was interrupted and stays open. reward: under the
    store's default spec, None for a failed or interrupted trace.
    """

    closing: Closing | None
    reward: Reward | None


@dataclass(frozen=True, slots=True)
class Setting:
    """What all rollouts of a run share.

    pace: every request goes through it. park: left while a rollout waits to try
        again, so that another takes its seat.
    executor: where pixels and files are worked on, away from the event loop.
    go_on: ask once more where a trace would end without an answer (`Conversation.next`).
    stopping: when set, a rollout ends after the step it is at.
    on_turn, on_call, on_failure: called with each response, each tool call that was
        run, and each failed request, once it is committed.
    """

    recipe: Recipe
    writer: RequestWriter
    teacher: Asks
    pace: Pace
    park: Callable[[], AbstractAsyncContextManager[None]]
    bench: ToolBench
    executor: Executor
    turn_limit: int
    go_on: bool
    patience: Patience
    stopping: asyncio.Event
    on_turn: Callable[[Turn], None]
    on_call: Callable[[ToolCall], None]
    on_failure: Callable[[FailedAttempt], None]


async def play(
    setting: Setting,
    journal: Records,
    *,
    load_photo: Callable[[], bytes],
    photo: ImageFacts | None,
    turns: tuple[Turn, ...] = (),
    calls: tuple[ToolCall, ...] = (),
) -> Outcome:
    """Play a trace on from its rows until it closes or the run is stopping.

    load_photo: gives the stored bytes, checked; called in the executor.
    photo: the photo as sent before, None where nothing was sent.
    Raises TeacherUnusable, and from the journal StoreError, which ClaimLost is one of.
    """
    rollout = _Rollout(setting, journal, sent=photo, turns=turns, calls=calls)
    try:
        async with asyncio.timeout(setting.patience.trace_timeout):
            return await rollout.play(load_photo)
    except TimeoutError as error:
        seconds = setting.patience.trace_timeout
        if seconds is None:
            return await rollout.fail_for(error)
        await rollout.record_failure("trace_timeout", f"the trace took longer than {seconds:g} s")
        return await rollout.fail("trace_timeout")
    except TeacherUnusable:
        raise
    except TeacherError as error:
        return await rollout.fail(error.error_class)
    except (ImageError, DatasetError) as error:
        await rollout.record_failure("image", str(error))
        return await rollout.fail("image")
    except GeostoreError:
        raise
    except Exception as error:
        return await rollout.fail_for(error)


class _Rollout:
    """One trace being played; what `play` needs between its steps."""

    def __init__(
        self,
        setting: Setting,
        journal: Records,
        *,
        sent: ImageFacts | None,
        turns: tuple[Turn, ...],
        calls: tuple[ToolCall, ...],
    ) -> None:
        self._setting = setting
        self._journal = journal
        self._sent = sent
        self._turns = turns
        self._calls = calls
        self._wire: list[bytes] = []
        self._last_tokens: int | None = None
        self._urls: dict[str, bytes] = {}

    async def play(self, load_photo: Callable[[], bytes]) -> Outcome:
        setting = self._setting
        decoded = setting.bench.decoded
        photo = b""

        def prepare() -> ImageFacts:
            nonlocal photo
            photo = load_photo()
            images = conversation_images(
                photo, setting.recipe, self._calls, sent=self._sent, decoded=decoded
            )
            self._urls.update((image.sha256, data_url(image)) for image in images)
            return images[0].facts

        try:
            sent = await self._work(prepare)
            return await self._steps(photo, sent)
        finally:
            decoded.forget(photo)

    async def _steps(self, photo: bytes, sent: ImageFacts) -> Outcome:
        """All steps from the rows on. photo: stored bytes; sent: of the photo as sent."""
        setting = self._setting
        go_on = setting.go_on
        conversation = Conversation.resume(
            setting.recipe, setting.writer, sent, turns=self._turns, calls=self._calls
        )
        while True:
            step = conversation.next(setting.turn_limit, go_on=go_on)
            # Once: a response that again ends the trace without an answer ends it.
            go_on = go_on and not isinstance(step, Ask)
            if isinstance(step, Closing):
                # Costs nothing more, so a trace whose last response is here does not wait.
                return await self._close(step, conversation)
            if setting.stopping.is_set():
                break
            if isinstance(step, Ask):
                reply = await self._ask(step)
                if reply is None:
                    break
                turn = _turn(step, reply)
                await self._journal.record_turn(turn, sent if turn.turn == 1 else None)
                conversation.add_turn(turn)
                setting.on_turn(turn)
            else:
                conversation.add_call(await self._run(step, photo))
        return Outcome(None, None)

    async def fail(self, reason: str) -> Outcome:
        """Close the trace as failed."""
        closing = Closing("failed", reason)
        limit = self._setting.turn_limit
        await self._journal.close(closing, turn_limit=limit, final_response=None)
        return Outcome(closing, None)

    async def fail_for(self, error: Exception) -> Outcome:
        """Close the trace for an error nobody thought of.

        Whatever one photo or response brings about must not end the traces beside it.
        """
        await self.record_failure("internal", f"{type(error).__name__}: {error}")
        return await self.fail("internal")

    async def record_failure(
        self, error_class: str, message: str, *, turn: int = 0, error: TeacherError | None = None
    ) -> None:
        """Record a failed attempt; turn 0 where it was not about a request."""
        attempt = FailedAttempt(
            turn=turn,
            error_class=error_class,
            message=message[:_MESSAGE_LENGTH],
            http_status=error.status if error else None,
            usage_json=error.usage_json if error else None,
        )
        await self._journal.record_failure(attempt)
        self._setting.on_failure(attempt)

    async def _close(self, closing: Closing, conversation: Conversation) -> Outcome:
        reward = await self._journal.close(
            closing,
            turn_limit=self._setting.turn_limit,
            final_response=conversation.turns[-1].response,
        )
        return Outcome(closing, reward)

    async def _ask(self, step: Ask) -> Reply | None:
        """The reply, after as many attempts as are allowed; None when the run is stopping.

        Raises TeacherError where the attempts are used up or it makes no sense
        to try again.
        """
        # Messages already written in wire form are not written again: they only grow in number.
        for message in step.messages[len(self._wire) :]:
            self._wire.append(message.wire(self._urls))
        # Every image so far is in a message by now; several messages may show the same one.
        self._urls.clear()
        body = self._setting.writer.body(self._wire)
        patience, pace = self._setting.patience, self._setting.pace
        tries = failures = 0
        while True:
            try:
                async with pace.request(expected_tokens=self._last_tokens) as request:
                    try:
                        reply = await self._setting.teacher.ask(body)
                    except TeacherError as error:
                        request.failed(error.error_class, str(error))
                        raise
                    request.succeeded(reply.total_tokens)
                    self._last_tokens = reply.total_tokens
                    return reply
            except Stopped:
                return None
            except TeacherError as error:
                tries += 1
                # While the teacher fails everyone, no trace is to blame.
                if not (pace.failing and error.error_class in _OUTAGE):
                    failures += 1
                await self.record_failure(
                    error.error_class, str(error), turn=step.turn, error=error
                )
                final = isinstance(error, TeacherUnusable) or error.error_class == "refused"
                if final or failures >= patience.max_attempts:
                    raise
                async with self._setting.park():
                    seconds = patience.wait(tries, error.retry_after)
                    if await self._stopped_within(seconds):
                        return None

    async def _run(self, step: Run, photo: bytes) -> ToolCall:
        def run() -> ToolCall:
            call, image = self._setting.bench.run(step, self._setting.recipe, photo)
            if image is not None:
                self._urls[image.sha256] = data_url(image)
            return call

        call = await self._work(run)
        if call.error_kind == TOOL_CRASH:
            # The teacher is told and goes on; who runs this should see it among the failures.
            await self.record_failure(
                TOOL_CRASH, f"{call.name}: {call.observation}", turn=step.turn
            )
        await self._journal.record_call(call)
        self._setting.on_call(call)
        return call

    async def _work(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._setting.executor, work)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._setting.stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _turn(step: Ask, reply: Reply) -> Turn:
    return Turn(
        turn=step.turn,
        response=reply.response,
        reasoning=reply.reasoning,
        reasoning_source=reply.reasoning_source,
        native_calls=reply.native_calls,
        finish_reason=reply.finish_reason,
        turn_limit=step.turn_limit,
        request_sha256=step.request_sha256,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        total_tokens=reply.total_tokens,
        cached_tokens=reply.cached_tokens,
        reasoning_tokens=reply.reasoning_tokens,
        latency_ms=reply.latency_ms,
        served_model=reply.served_model,
        request_id=reply.request_id,
    )
