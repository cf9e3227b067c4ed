"""Limits requests or tokens per minute."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_SECONDS = 61.0
"""A minute, and a second for the way: a request that leaves later may travel faster, and the
server counts when a request arrives."""

_BURST_SECONDS = 0.25
"""How much of the rate can be saved up and spent at once. A busy event loop wakes up late, and
would otherwise stay behind a rate of many a second."""


@dataclass(slots=True)
class Charge:
    """What one request takes of a limit."""

    at: float
    """When it was taken, on the caller's clock."""

    amount: float
    """One request, or its tokens."""


class MinuteLimit:
    """At most so much in any minute, spread evenly over it.

    A request larger than the limit, or one that used more than expected, goes over
    it; the next requests wait until the mean is below the limit again.
    """

    def __init__(self, per_minute: float, now: float) -> None:
        self._limit = per_minute
        self._rate = per_minute / 60
        # What holds the mean: it fills evenly, and a charge empties it, also to below zero.
        self._most_saved = self._rate * _BURST_SECONDS
        self._saved = self._most_saved
        self._filled_at = now
        # What holds the bound over any minute: the charges of the last one, and their sum.
        self._last: deque[Charge] = deque()
        self._sum = 0.0

    def seconds_until(self, amount: float, now: float) -> float:
        """Seconds until a charge of so much may be made; 0 where it may now."""
        self._move_to(now)
        missing = min(amount, self._most_saved) - self._saved
        # Without the tolerance, a rounding error would set a timer for no time at all.
        wait = missing / self._rate if missing > 1e-9 * self._most_saved else 0.0
        # What is larger than the limit may go when nothing else went within the minute.
        excess = self._sum + min(amount, self._limit) - self._limit
        for charge in self._last:
            if excess <= 1e-9 * self._limit:
                break
            excess -= charge.amount
            wait = max(wait, charge.at + WINDOW_SECONDS - now)
        return wait

    def remember(self, amount: float, at: float) -> None:
        """Count what was taken before this limit began; in order of time, before any charge."""
        self._last.append(Charge(at, amount))
        self._sum += amount

    def charge(self, amount: float, now: float) -> Charge:
        """Take so much."""
        self._move_to(now)
        self._saved -= amount
        return self._note(amount, now)

    def settle(self, charge: Charge, amount: float, now: float) -> None:
        """Correct a charge, once, to what was used; 0 for a request that was never sent."""
        self._move_to(now)
        more = amount - charge.amount
        self._saved -= more
        if more > 0:
            # As of now: a long request used most of them lately.
            self._note(more, now)
        elif self._last and charge.at >= self._last[0].at:
            charge.amount = amount
            self._sum += more

    def _note(self, amount: float, now: float) -> Charge:
        charge = Charge(now, amount)
        self._last.append(charge)
        self._sum += amount
        return charge

    def _move_to(self, now: float) -> None:
        """Fill up, and forget what is older than a minute."""
        filled = self._saved + (now - self._filled_at) * self._rate
        self._saved = min(self._most_saved, filled)
        self._filled_at = now
        while self._last and self._last[0].at + WINDOW_SECONDS <= now + 1e-9:
            self._sum -= self._last.popleft().amount
        if not self._last:
            self._sum = 0.0  # or rounding errors would add up
