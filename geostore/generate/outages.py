"""Tells an outage from a photo that alone makes a healthy teacher fail.

Both look alike from one trace: its requests fail with a 5xx, a timeout or a cut
connection. An outage must end no trace, however few are left, and a photo that
the server cannot take must not be asked about for ever. What tells them apart is
whether the teacher answers anybody else. Where nobody else asks, `Outages` does: a
small chat request without a photo. The list of models would cost nothing, but a
gateway or the front of a server lists its models while nothing behind it answers.

Each such request is recorded with the trace that was in doubt, because a server bills
it: as a failed attempt of class ``probe`` where it was answered, else of its own class.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson

from geostore.conversation.estimates import estimate_failure
from geostore.conversation.messages import Message, RequestWriter
from geostore.conversation.request_form import USUAL_FORM, RequestForm
from geostore.errors import TeacherError, TeacherUnusable
from geostore.generate.arrival import Arrivals
from geostore.generate.paid_turns import failed_attempt
from geostore.generate.partners import TeacherClient
from geostore.pace import OUTAGE, Pace
from geostore.records import PROBE, FailedAttempt, Reply

PROBE_TEXT = "Is anybody there? Answer with one word."
_QUESTION = Message({"role": "user", "content": PROBE_TEXT})
_PROBE_TOKENS = 16
"""The least that every server takes as a limit."""

_PROBE_SECONDS = 60.0
"""For the whole probe. A server that is that slow with one word is not well."""


class Outages:
    """Knows whether the teacher was away. One of these serves all traces of a run.

    wait: called with the number of probes so far and the server's Retry-After; returns
    once the next may be sent. Raises Stopped where the run is stopping.
    """

    def __init__(
        self,
        *,
        teacher: TeacherClient,
        pace: Pace,
        writer: RequestWriter,
        wait: Callable[[int, float | None], Awaitable[None]],
    ) -> None:
        self._teacher = teacher
        self._pace = pace
        self._writer = writer
        self._wait = wait
        # Traces in doubt wait here, while one of them probes for all.
        self._one_probes = asyncio.Lock()
        # How many requests were answered when a probe was last left without an answer.
        self._away_at = -1

    async def was_away(
        self, since: int, turn: int, record: Callable[[FailedAttempt], Awaitable[None]]
    ) -> bool:
        """Whether a request failed in an outage; returns once the teacher answers.

        since: `Pace.answered` when the request failed. An answer that came later proves
        that the teacher was there; a probe that failed first proves that it was not.
        turn: of the request. record: writes an attempt of the trace that probes.
        Raises TeacherUnusable, GaveUp and Stopped.
        """
        async with self._one_probes:
            probes = 0
            while self._pace.answered == since:
                error = await self._probe(turn, record)
                if error is None or error.error_class not in (*OUTAGE, "rate_limit"):
                    # A refusal, too, was written by somebody who is there.
                    break
                probes += 1
                if error.error_class in OUTAGE:
                    self._away_at = self._pace.answered
                await self._wait(probes, error.retry_after)
        return self._away_at >= since

    async def _probe(
        self, turn: int, record: Callable[[FailedAttempt], Awaitable[None]]
    ) -> TeacherError | None:
        """Send a small request and record it; its failure, None where it was answered."""
        arrivals = Arrivals()
        try:
            async with self._pace.request(expected_tokens=100, check=True) as request:
                try:
                    reply = await arrivals.finish(self._ask())
                except TeacherError as error:
                    request.failed(error.error_class, str(error))
                    raise
                request.succeeded(reply.total_tokens)
        except TeacherError as error:
            message = f"a request without a photo: {error}"
            await record(failed_attempt(error, message, turn=turn, messages=[_QUESTION], images=[]))
            arrivals.end_if_cancelled()
            if isinstance(error, TeacherUnusable):
                raise
            return error
        message = "a small request without a photo was answered, so the teacher is there"
        attempt = FailedAttempt(turn, PROBE, message, 200, reply.usage, reply.response)
        await record(estimate_failure(attempt, [_QUESTION], []))
        arrivals.end_if_cancelled()
        return None

    async def _ask(self) -> Reply:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                form = self._teacher.form
                body = probe_body(self._writer, form)
                return await self._teacher.ask(body, form=form, is_other=lambda other: False)
        except TimeoutError:
            raise TeacherError(
                f"no complete answer within {_PROBE_SECONDS:g} s", error_class="timeout"
            ) from None


def probe_body(writer: RequestWriter, form: RequestForm = USUAL_FORM) -> bytes:
    """A request of the same recipe with one short question, no photo, no tools and few tokens."""
    body = orjson.loads(writer.body([_QUESTION.canonical], form))
    for name in ("tools", "tool_choice", "parallel_tool_calls", "response_format"):
        body.pop(name, None)
    limits = [name for name in ("max_tokens", "max_completion_tokens") if name in body]
    for name in limits or ["max_tokens"]:
        body[name] = _PROBE_TOKENS
    return orjson.dumps(body)
