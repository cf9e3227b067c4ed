"""The right of a trace to be played; as many traces have it as requests may be in flight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PARKED_PER_SEAT = 4
"""Traces that may wait to retry, for each seat: what is parked stays in memory."""


class Seats:
    """The seats of a run."""

    def __init__(self, count: int) -> None:
        self.free = asyncio.Semaphore(count)
        """Those that no trace holds."""
        self.parked = 0
        """Traces that gave theirs up for a while."""
        self.most_parked = _PARKED_PER_SEAT * count
        """How many may do so at a time."""


class Seat:
    """One trace's right to be played. Made for a trace that holds a seat."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats
        self._is_held = True

    def give_back(self) -> None:
        """Let another trace have it. Does nothing where the trace has none."""
        if self._is_held:
            self._is_held = False
            self._seats.free.release()

    @asynccontextmanager
    async def park(self) -> AsyncIterator[None]:
        """While inside, another trace may have the seat.

        With enough traces parked, the trace keeps its seat: each parked one stays in
        memory and needs a seat again.
        """
        seats = self._seats
        if seats.parked >= seats.most_parked:
            yield
            return
        seats.parked += 1
        self.give_back()
        try:
            yield
            # A trace whose time is up here or before ends without a seat.
            await seats.free.acquire()
            self._is_held = True
        finally:
            seats.parked -= 1
