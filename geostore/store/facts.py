"""Compares `trace_facts` with the rows that it stands for, and writes it anew where it differs.

The store's own transactions keep the two equal. Another program that changes a trace's
rows does not, and questions would go on answering with what was there before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from geostore.store.db import Db
from geostore.store.opening import open_to_read

_SPAN = 5_000
"""Ids of traces that are compared in one statement, which takes some tenths of a second."""


@dataclass(frozen=True, slots=True)
class UnequalFacts:
    """A trace whose row of `trace_facts` is not what its other rows give."""

    trace_id: int
    """The id of its row in `traces`."""
    trace: str | None
    """Its name; None where the trace is gone."""
    has_row: bool
    """Whether there is such a row."""
    is_closed: bool
    """Whether there should be one."""
    columns: tuple[str, ...]
    """The columns that differ; empty where there is only one of the two."""


def iter_unequal_facts(path: Path) -> Iterator[UnequalFacts]:
    """The traces of a store whose facts differ, by id. Raises StoreError.

    Each part of them is one short read, so that a `generate` beside this does not wait.
    """
    with closing(open_to_read(path)) as db:
        after = 0
        while (first := db.run("first_of_facts", after=after).fetchone()[0]) is not None:
            bounds = {"after": first - 1, "last": first - 1 + _SPAN}
            with db.reading():
                unequal = db.run("unequal_facts", **bounds).fetchall()
                found = [_compare(db, row["trace_id"], row["trace"]) for row in unequal]
            yield from found
            after = bounds["last"]


def _compare(db: Db, trace_id: int, trace: str | None) -> UnequalFacts:
    row = db.run("get_trace_facts", trace_id=trace_id).fetchone()
    now = db.run("get_trace_facts_now", trace_id=trace_id).fetchone()
    columns = () if row is None or now is None else row.keys()
    return UnequalFacts(
        trace_id,
        trace,
        has_row=row is not None,
        is_closed=now is not None,
        columns=tuple(name for name in columns if row[name] != now[name]),
    )


def mend_facts(db: Db, trace_ids: Sequence[int]) -> None:
    """Write the facts of some traces anew, from what their other rows say now. Idempotent."""
    with db.transaction():
        for trace_id in trace_ids:
            db.run("drop_trace_facts", trace_id=trace_id)
        db.facts_changed(trace_ids)
