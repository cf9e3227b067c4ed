"""Finds how many requests at a time a server can take."""

from __future__ import annotations

_FIRST_LEVEL = 16
"""Any server can take this many, so a run of ordinary size is at its ceiling from the start."""


class Level:
    """How many requests the server has shown it can take; from 1 to the ceiling.

    epoch: counts the decreases. A request that was sent in an earlier epoch failed
    under a load that was reduced since, so its failure reduces nothing more.
    """

    def __init__(self, ceiling: int) -> None:
        self.value = float(min(ceiling, _FIRST_LEVEL))
        self.epoch = 0
        self._ceiling = ceiling

    def grow(self) -> None:
        """A request succeeded while as many were in flight as the level allows."""
        # Before the first overload the server's bound is unknown: one for each success doubles
        # the level per round trip.
        step = 1.0 if self.epoch == 0 else 1 / self.value
        self.value = min(self._ceiling, self.value + step)

    def halve(self, epoch: int) -> None:
        """A request that was sent in `epoch` met an overloaded server."""
        if epoch == self.epoch:
            self.reset(self.value / 2)

    def reset(self, value: float) -> None:
        """Set another level and begin an epoch; from here on it grows by small steps."""
        self.value = max(1.0, value)
        self.epoch += 1
