"""Holds requests or tokens to so many a minute."""

from __future__ import annotations

_BURST_MINUTES = 0.1
"""How much of a minute's allowance can be saved up and spent at once."""


class Bucket:
    """An allowance that fills evenly over time and can be overdrawn.

    Overdrawn by a request larger than the bucket, or one that used more than
    expected; the next ones wait until that is made up for.
    """

    def __init__(self, per_minute: float, now: float) -> None:
        self._rate = per_minute / 60
        self._capacity = per_minute * _BURST_MINUTES
        self._held = self._capacity
        self._filled_at = now

    def seconds_until(self, amount: float, now: float) -> float:
        """Until there is so much, or the bucket is full; 0 where that is so now."""
        self.add(0.0, now)
        missing = min(amount, self._capacity) - self._held
        # What is missing by rounding alone is there.
        return missing / self._rate if missing > 1e-9 * self._capacity else 0.0

    def add(self, amount: float, now: float) -> None:
        """Put in what was charged too much; a negative amount takes out."""
        # Full before anything is taken out: what ran over the brim is not there to be spent.
        filled = min(self._capacity, self._held + (now - self._filled_at) * self._rate)
        self._held = filled + amount
        self._filled_at = now
