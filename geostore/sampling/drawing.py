"""Gives out the rows that a run looks at next, and takes the results of their traces.

A run asks only `Drawing`; it never sees the whole order. So an order that is
fixed from the start and one that decides by results look the same to it.
"""

from __future__ import annotations

from typing import Protocol

from geostore.records import Closing, Reward
from geostore.sampling.orders import Rows


class Drawing(Protocol):
    """Draws the rows of one run, each at most once."""

    @property
    def size(self) -> int:
        """How many rows are drawn at most, those drawn already included."""

    def next(self, count: int) -> Rows:
        """The next rows to look at, 1 to `count` of them; none: nothing more is drawn.

        Most rows of a large store need no work, so a run looks up hundreds at a
        time. An order that decides by results gives one row at a time instead:
        the run asks again when it can begin another trace.
        """

    def feed(self, sample_index: int, closing: Closing, reward: Reward | None) -> None:
        """A trace of this row closed in this run. reward: None for a failed trace."""


class FixedDrawing:
    """Draws the rows of an order that is fixed from the start."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._drawn = 0

    @property
    def size(self) -> int:
        """All rows of the order."""
        return len(self._rows)

    def next(self, count: int) -> Rows:
        """The next `count` rows of the order, or as many as are left."""
        rows = self._rows[self._drawn : self._drawn + count]
        self._drawn += len(rows)
        return rows

    def feed(self, sample_index: int, closing: Closing, reward: Reward | None) -> None:
        """Results change nothing in a fixed order."""
