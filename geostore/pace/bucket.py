"""Limits requests or tokens per minute."""

from __future__ import annotations

_BURST_MINUTES = 0.1
"""How much of a minute's allowance can be saved up and spent at once."""


class Bucket:
    """An allowance that fills evenly over time.

    A request larger than the bucket, or one that used more than expected,
    overdraws it; the next requests wait until it has filled again.
    """

    def __init__(self, per_minute: float, now: float) -> None:
        self._rate = per_minute / 60
        self._capacity = per_minute * _BURST_MINUTES
        self._held = self._capacity
        self._filled_at = now

    def seconds_until(self, amount: float, now: float) -> float:
        """Seconds until it holds `amount` or is full; 0 where it does now."""
        self.add(0.0, now)
        missing = min(amount, self._capacity) - self._held
        # Without the tolerance, a rounding error would set a timer for no time at all.
        return missing / self._rate if missing > 1e-9 * self._capacity else 0.0

    def add(self, amount: float, now: float) -> None:
        """Put back what was charged too much; a negative amount takes out."""
        # Capped before anything is taken out: allowance beyond the capacity cannot be saved up.
        filled = min(self._capacity, self._held + (now - self._filled_at) * self._rate)
        self._held = filled + amount
        self._filled_at = now
