"""The queue that every request of a run goes through."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from geostore.errors import GaveUp, GeostoreError, Stopped
from geostore.pace.breaker import Breaker
from geostore.pace.level import Level
from geostore.pace.limits import PaceLimits
from geostore.pace.minute import Charge, MinuteLimit
from geostore.records import LIMIT_KINDS
from geostore.text.phrases import format_span

Hold = Literal["level", "ceiling", "rpm", "tpm", "outage"]
"""What may hold back a request, as `Pace.held_by` says."""

OVERLOADS = frozenset({"rate_limit", "server", "timeout"})
"""Error classes that mean the server has too much to do.

A broken connection says nothing about load, and a refused request or a useless
response concerns that request only; those count for the breaker alone.
"""

OUTAGE = frozenset({"server", "timeout", "connection"})
"""Error classes that a teacher which is down gives to every request."""

_TOKENS_AT_FIRST = 2000.0
"""Tokens that a request is assumed to use until a response reports its count."""

_NEWEST_SHARE = 0.1
"""Weight of the newest request in the running mean of tokens."""

_SHORTEST_TIMER = 0.001
"""Seconds. A timer may fire slightly early; set again to 0 s, it would spin."""


class PacedRequest:
    """A place for one request, held until the block that asked for it is left."""

    def __init__(self, pace: Pace, *, charges: dict[MinuteLimit, Charge], epoch: int) -> None:
        self._pace = pace
        self._charges = charges
        self._epoch = epoch
        self._is_check = False
        self._reported = False

    def succeeded(self, tokens: int | None) -> None:
        """The teacher answered. tokens: in and out together; None where it sent no count."""
        self._report_once()
        self._pace._succeeded(self, tokens)

    def failed(self, error_class: str, message: str) -> None:
        """The request failed; error_class and message as of `TeacherError`."""
        self._report_once()
        self._pace._failed(self, error_class=error_class, message=message)

    def _report_once(self) -> None:
        if self._reported:
            raise RuntimeError("a request can be reported once, before its place is left")
        self._reported = True


class Pace:
    """The queue that all requests of a run go through.

    clock: seconds, never going back. notice: called with a sentence when the
    breaker opens and when it closes. gave_up: called where it is time to give up, as
    nobody may be waiting for a place. Belongs to one event loop.
    """

    def __init__(
        self,
        limits: PaceLimits,
        *,
        clock: Callable[[], float] = time.monotonic,
        notice: Callable[[str], None] = lambda message: None,
        gave_up: Callable[[GaveUp], None] = lambda error: None,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._notice = notice
        self._gave_up = gave_up
        self._level = Level(limits.ceiling)
        self._breaker = Breaker(limits)
        self._requests = None if limits.rpm is None else MinuteLimit(limits.rpm, clock())
        self._tokens = None if limits.tpm is None else MinuteLimit(limits.tpm, clock())
        self._mean_tokens: float | None = None
        self._queue: deque[_Waiter] = deque()
        self._in_flight = 0
        self._answered = 0
        self._dropped = 0
        self._probe: PacedRequest | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended: Callable[[], GeostoreError] | None = None

    @property
    def level(self) -> int:
        """How many requests may be in flight now; 1, the probe, while the breaker is open."""
        return 1 if self._breaker.is_open else int(self._level.value)

    @property
    def in_flight(self) -> int:
        """How many places are held; for a while after `level` fell, more than that."""
        return self._in_flight

    @property
    def answered(self) -> int:
        """How many requests succeeded so far."""
        return self._answered

    @property
    def dropped(self) -> int:
        """How many requests were cancelled after they were sent; the teacher may bill them."""
        return self._dropped

    @property
    def waiting(self) -> int:
        """How many requests wait for a place."""
        return len(self._queue)

    @property
    def broken(self) -> str | None:
        """Why nothing but probes is sent; None while the breaker is closed."""
        return self._breaker.why() if self._breaker.is_open else None

    def held_by(self) -> Hold | None:
        """What holds back the requests that wait now; None where none waits.

        ``level``: so many are in flight as the server bears. ``ceiling``: so many as the user
        lets be. ``rpm`` and ``tpm``: the limits of a minute. ``outage``: only probes are sent.
        """
        if not self._queue:
            return None
        if self._breaker.is_open:
            return "outage"
        if self._in_flight >= self.level:
            return "level" if self.level < self._limits.ceiling else "ceiling"
        now, tokens = self._clock(), self._tokens_of(self._queue[0])
        waits = [limit.seconds_until(n, now) for limit, n in self._amounts(tokens)]
        names: list[Hold] = ["rpm"] * (self._requests is not None)
        names += ["tpm"] * (self._tokens is not None)
        # None holds it back where its place is given out in this very turn of the event loop.
        return max(zip(waits, names, strict=True), default=(0.0, None))[1] if any(waits) else None

    @property
    def failing(self) -> bool:
        """Whether so many requests in a row failed that the teacher is the likely cause.

        True from some time before the breaker opens until the next success.
        """
        return self._breaker.failures >= self._limits.break_after_failures

    def remember(self, seconds_ago: float, tokens: float | None) -> None:
        """Count a request that was sent before this pace began, for its limits per minute.

        The oldest first, and all before the first request. tokens: None where nobody knows.
        """
        at = self._clock() - seconds_ago
        for limit, amount in self._amounts(_TOKENS_AT_FIRST if tokens is None else tokens):
            limit.remember(amount, at)

    @asynccontextmanager
    async def request(
        self, *, expected_tokens: int | None = None, check: bool = False
    ) -> AsyncIterator[PacedRequest]:
        """Wait for a place, and hold it while inside.

        expected_tokens: in and out together; None: the running mean. They are
        charged now, and corrected when a success reports how many there were.
        check: of a request that any teacher at work would answer. It goes before all that
        wait, and where the server fails it, the breaker opens at once.
        Leaving without a report, as by cancellation, is neither success nor failure.
        Raises GaveUp or Stopped, also for requests that already wait.
        """
        request = await self._place(expected_tokens, check)
        try:
            yield request
        except asyncio.CancelledError:
            self._dropped += not request._reported
            raise
        finally:
            self._leave(request)

    def stop(self) -> None:
        """Give no more places: requests that wait or come later get `Stopped`."""
        self._end(lambda: Stopped("the run is stopping, and sends nothing more"))

    async def _place(self, expected_tokens: int | None, check: bool) -> PacedRequest:
        if self._ended is not None:
            raise self._ended()
        waiter = _Waiter(asyncio.get_running_loop().create_future(), expected_tokens, check)
        if check:
            self._queue.appendleft(waiter)
        else:
            self._queue.append(waiter)
        self._admit()
        try:
            request = await waiter.place
        except asyncio.CancelledError:
            if waiter.place.cancelled():
                # `_admit` may have removed it meanwhile.
                if waiter in self._queue:
                    self._queue.remove(waiter)
            elif (given := waiter.place.result()) is not None:
                self._refund(given)
                self._leave(given)
            self._admit()
            raise
        if request is None:
            assert self._ended is not None
            raise self._ended()
        return request

    def _admit(self) -> None:
        """Give out every free place, and set the timer for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ended is not None:
            return
        now = self._clock()
        give_up_in = self._breaker.give_up_at - now
        if give_up_in <= 0:
            message = self._breaker.farewell(now)
            self._end(lambda: GaveUp(message))
            self._gave_up(GaveUp(message))
            return
        wait = give_up_in
        while self._queue:
            waiter = self._queue[0]
            if not waiter.place.done():
                tokens = self._tokens_of(waiter)
                seconds = self._seconds_to_place(tokens, now)
                if seconds > 0:
                    wait = min(wait, seconds)
                    break
                request = self._start(tokens, now)
                request._is_check = waiter.check
                waiter.place.set_result(request)
            self._queue.popleft()
        if wait < math.inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(wait, _SHORTEST_TIMER), self._admit)

    def _tokens_of(self, waiter: _Waiter) -> float:
        if waiter.expected_tokens is not None:
            return waiter.expected_tokens
        return _TOKENS_AT_FIRST if self._mean_tokens is None else self._mean_tokens

    def _seconds_to_place(self, tokens: float, now: float) -> float:
        """0: there is one now. Infinite: none before another request reports or leaves."""
        wait = 0.0
        if self._breaker.is_open:
            # Requests may hang since before the breaker opened; the probe need not wait for
            # them while there is a place under the ceiling.
            if self._probe is not None or self._in_flight >= self._limits.ceiling:
                return math.inf
            wait = self._breaker.probe_at - now
        elif self._in_flight >= self.level:
            return math.inf
        waits = (limit.seconds_until(n, now) for limit, n in self._amounts(tokens))
        return max(wait, *waits, 0.0)

    def _amounts(self, tokens: float) -> Iterator[tuple[MinuteLimit, float]]:
        if self._requests is not None:
            yield self._requests, 1.0
        if self._tokens is not None:
            yield self._tokens, tokens

    def _start(self, tokens: float, now: float) -> PacedRequest:
        charges = {limit: limit.charge(n, now) for limit, n in self._amounts(tokens)}
        self._in_flight += 1
        request = PacedRequest(self, charges=charges, epoch=self._level.epoch)
        if self._breaker.is_open:
            self._probe = request
        return request

    def _refund(self, request: PacedRequest) -> None:
        """Give back the charges of a request that was never sent."""
        for limit, charge in request._charges.items():
            limit.settle(charge, 0.0, self._clock())

    def _leave(self, request: PacedRequest) -> None:
        request._reported = True
        self._in_flight -= 1
        if self._probe is request:
            # A cancelled probe proved nothing, so another is due after the same interval.
            self._probe = None
            self._breaker.probe_again(self._clock())
        self._admit()

    def _succeeded(self, request: PacedRequest, tokens: int | None) -> None:
        now = self._clock()
        self._answered += 1
        if tokens is not None:
            if self._tokens is not None:
                self._tokens.settle(request._charges[self._tokens], tokens, now)
            mean = self._mean_tokens
            self._mean_tokens = tokens if mean is None else mean + _NEWEST_SHARE * (tokens - mean)
        # With places to spare, a success does not show that the server can take more.
        if self._in_flight >= int(self._level.value):
            self._level.grow()
        was_open, seconds = self._breaker.is_open, now - self._breaker.opened_at
        if was_open:
            self._probe = None
            self._level.reset(self._breaker.level_before / 2)
        self._breaker.succeeded()
        self._admit()
        if was_open and self._ended is None:
            self._notice(
                f"going on: the teacher answers again after {format_span(seconds)}; "
                f"requests at a time: {self.level}"
            )

    def _failed(self, request: PacedRequest, *, error_class: str, message: str) -> None:
        now = self._clock()
        breaker = self._breaker
        was_open = breaker.is_open
        breaker.failed(
            f"{error_class}: {message}",
            now,
            level=self._level.value,
            refused=error_class == "refused" or error_class in LIMIT_KINDS,
            is_outage=request._is_check and error_class in OUTAGE,
        )
        if error_class in OVERLOADS:
            self._level.halve(request._epoch)
        if self._probe is request:
            self._probe = None
            breaker.probe_more_rarely(now)
        self._admit()
        if self._ended is not None:
            return
        if breaker.is_open and not was_open:
            self._notice(breaker.announcement())
        elif (warning := breaker.warning()) is not None:
            self._notice(warning)

    def _end(self, error: Callable[[], GeostoreError]) -> None:
        if self._ended is None:
            self._ended = error
        while self._queue:
            place = self._queue.popleft().place
            # None and not an error: asyncio warns of an error in a future that nobody awaits.
            if not place.done():
                place.set_result(None)
        self._admit()


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """A request that waits for its place."""

    place: asyncio.Future[PacedRequest | None]
    """Resolved with the place; with None where there will be none."""

    expected_tokens: int | None
    """In and out together; None: the running mean."""

    check: bool
    """Whether any teacher at work would answer it."""
