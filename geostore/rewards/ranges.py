"""Looks over a store in ranges of trace ids, so that only those that lack something are searched.

Counting is three times as fast as the search for what is missing, and most ranges
of a store lack nothing. Equal counts prove that, because a trace has at most one
reading of a parser version and one reward of a spec: where as many of them as there
are ended traces belong to ended traces, each has its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from geostore.store import Db

SPAN = 50_000
"""Ids in a range: its count takes some ten milliseconds, and its search some more."""


@dataclass(frozen=True, slots=True)
class Range:
    """What the traces with ids in (after, last] have, of one parser version and one spec."""

    after: int
    """The id below the first of the range."""
    last: int
    """The last id of the range, whether there is such a trace or not."""
    ended: int
    """Traces that are to have a reading and a reward."""
    read: int
    """Readings by the parser version."""
    later: int
    """Readings by newer versions, which count instead."""
    rewards: int
    """Rewards of the spec."""
    current: int
    """Those of them that were computed from a reading by the parser version."""
    strays: int
    """Traces that have not ended but have a reading or a reward, which takes SQL by hand."""

    @property
    def is_read(self) -> bool:
        """Whether it is proven that every ended trace was read by the parser version."""
        return self.ended == self.read and not self.strays

    @property
    def is_rewarded(self) -> bool:
        """Whether it is proven that every ended trace has a reward of its newest reading."""
        return self.is_read and self.ended == self.current and not self.later


def count_ranges(db: Db, *, spec_id: int, version: int, span: int = SPAN) -> list[Range]:
    """All ranges of a store that hold a trace, by id. Raises StoreError.

    spec_id: 0 for a spec that the store does not have. version: of the parser.
    Each range is counted by one statement, so what is written meanwhile cannot
    make it look complete.
    """
    return list(_iter_ranges(db, spec_id, version, span))


def _iter_ranges(db: Db, spec_id: int, version: int, span: int) -> Iterator[Range]:
    last = 0
    while True:
        # Ids may have gaps of any size.
        first = db.run("range_start", after=last).fetchone()[0]
        if first is None:
            return
        after, last = first - 1, first - 1 + span
        counts = db.run(
            "count_range", after=after, last=last, spec_id=spec_id, version=version
        ).fetchone()
        yield Range(after, last, *counts)
