"""Finds how many requests at a time the server bears."""

from __future__ import annotations

_FIRST_LEVEL = 16
"""What any server bears, so that a run of ordinary size is at its ceiling from the start."""


class Level:
    """How many requests the server has shown to bear; from 1 to the ceiling.

    epoch: counts the decreases. A request that was sent in an earlier epoch met
    the server under the load of before, and its failure is already answered.
    """

    def __init__(self, ceiling: int) -> None:
        self.value = float(min(ceiling, _FIRST_LEVEL))
        self.epoch = 0
        self._ceiling = ceiling

    def grow(self) -> None:
        """A request succeeded, with the level made full use of."""
        # One for each success doubles the level per round trip: the server's bound is unknown.
        step = 1.0 if self.epoch == 0 else 1 / self.value
        self.value = min(self._ceiling, self.value + step)

    def halve(self, epoch: int) -> None:
        """A request that was sent in this epoch met an overloaded server."""
        if epoch == self.epoch:
            self.reset(self.value / 2)

    def reset(self, value: float) -> None:
        """Go on from another level, by small steps, and begin an epoch."""
        self.value = max(1.0, value)
        self.epoch += 1
