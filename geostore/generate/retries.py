"""How failed requests are tried again: the limits, and how one turn stands against them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from geostore.errors import TeacherError, TeacherUnusable
from geostore.pace import OUTAGE, Pace


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failed requests are tried again.

    A wait is drawn evenly from zero to a bound that doubles with each failure,
    so that requests that failed together do not come back together.
    """

    max_attempts: int = 6
    """Requests for one turn, failures included, before the trace has failed."""

    first_wait: float = 1.0
    """The bound of the wait after the first failure, in seconds."""

    longest_wait: float = 60.0
    """The greatest bound of a wait, in seconds."""

    longest_retry_after: float = 300.0
    """A server's Retry-After is honoured up to this many seconds."""

    trace_timeout: float | None = None
    """Seconds that one run may spend on a trace before the trace has failed; None: no limit.
    Time in which the teacher fails every request does not count."""

    def wait(self, failures: int, retry_after: float | None) -> float:
        """Seconds to wait after so many failures (1 and up) of a turn.

        retry_after: seconds that the server asked for; None where it did not say.
        """
        # The exponent is bounded, because an outage of days would overflow a float.
        bound = min(self.longest_wait, self.first_wait * 2.0 ** min(failures - 1, 60))
        jittered = random.uniform(0, bound)
        if retry_after is None:
            return jittered
        return min(retry_after, self.longest_retry_after) + jittered


@asynccontextmanager
async def trace_time(seconds: float | None, pace: Pace) -> AsyncIterator[None]:
    """Raise TimeoutError once the body has taken so long; None: never.

    Time in which the teacher fails every request does not count: an outage ends no trace.
    """
    if seconds is None:
        yield
        return
    loop = asyncio.get_running_loop()
    step, left = min(1.0, seconds / 20), seconds
    timer: asyncio.TimerHandle

    def look(limit: asyncio.Timeout) -> None:
        nonlocal timer, left
        if not pace.failing and pace.broken is None:
            left -= step
        if left <= 0:
            limit.reschedule(loop.time())
        else:
            timer = loop.call_later(step, look, limit)

    async with asyncio.timeout(None) as limit:
        timer = loop.call_later(step, look, limit)
        try:
            yield
        finally:
            timer.cancel()


class TurnFailures:
    """The requests for one turn that failed, and whether another may be sent."""

    def __init__(self, policy: RetryPolicy, pace: Pace) -> None:
        self._policy = policy
        self._pace = pace
        self._tries = 0
        self._denials = 0
        self._counted = 0
        self._in_doubt = False
        self._answered = 0
        self._last: TeacherError | None = None

    def add(self, error: TeacherError) -> None:
        """Count a failure. Called before anything else is waited for."""
        self._last, self._answered = error, self._pace.answered
        self._tries += 1
        self._in_doubt = False
        if error.tries is not None:
            self._denials += 1
        # No trace is to blame for a rate.
        elif error.error_class != "rate_limit":
            self._counted += 1
            self._in_doubt = error.error_class in OUTAGE and self._may_be_an_outage(error)

    def _may_be_an_outage(self, error: TeacherError) -> bool:
        """Whether to look for a reason before the failure counts.

        Not before the last attempt but one, or while the teacher fails every request. The last
        one alone would not do, because an outage may end just after it. Words that the server
        then broke off show that it was there.
        """
        near = self._counted >= self._policy.max_attempts - 1 and error.response is None
        return near or self._pace.failing

    @property
    def end_trace(self) -> bool:
        """Whether the trace ends with the last failure."""
        error = self._last
        if error is None:
            return False
        if isinstance(error, TeacherUnusable) or not error.retried:
            return True
        if error.tries is not None and self._denials >= error.tries:
            return True
        return self._is_used_up and not self._in_doubt

    @property
    def _is_used_up(self) -> bool:
        return self._counted >= self._policy.max_attempts

    @property
    def wait(self) -> float:
        """Seconds before the next request; none where only the doubt is to be cleared."""
        assert self._last is not None
        if self._is_used_up:
            return 0.0
        return self._policy.wait(self._tries, self._last.retry_after)

    async def clear_doubt(self, was_away: Callable[[int], Awaitable[bool]]) -> None:
        """Find out whether the last failure was an outage's, where that is in doubt.

        was_away: whether the teacher was away since so many requests were answered; returns
        once it answers. Failures of an outage count against no trace. Raises TeacherError
        where the attempts are used up by the request's own fault, and what `was_away` raises.
        """
        if not self._in_doubt:
            return
        if await was_away(self._answered):
            self._counted = 0
        elif self._is_used_up:
            assert self._last is not None
            # The teacher answers others, so it refuses this request. Where it only takes too long,
            # more time may help, and a single failure proves nothing yet.
            proven = self._counted > 1 and self._last.error_class != "timeout"
            reason = "refused" if proven else self._last.error_class
            raise TeacherError(str(self._last), error_class=reason)
