"""Lists traces for a person or a program, and finds the first one of a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from geostore.errors import NotFoundError
from geostore.export import check_flags
from geostore.records import StoredTrace
from geostore.rewards import with_named_reward
from geostore.store import EVERY, Choice, Filter, Order, Store, TraceLine, TraceList, open_snapshot
from geostore.text.tables import QueryResult, format_json, format_table
from geostore.text.terminal import output_width, text_width


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    rank: int
    """A terminal that is too narrow for all columns loses those of the highest rank first."""
    value: Callable[[TraceLine], Any]


_COLUMNS = (
    _Column("trace", 0, lambda line: line.trace),
    _Column("status", 1, lambda line: line.status),
    _Column("why", 4, lambda line: _why(line)),
    _Column("distance_km", 2, lambda line: line.distance_km),
    _Column("score", 3, lambda line: line.score),
    _Column("country", 5, lambda line: line.country),
    _Column("turns", 6, lambda line: line.turns),
    _Column("calls", 6, lambda line: line.tool_calls),
    _Column("tools", 7, lambda line: line.with_tools),
    _Column("model", 8, lambda line: line.model),
    _Column("tokens", 9, lambda line: line.total_tokens),
    _Column("closed", 10, lambda line: line.closed_at and line.closed_at[:16].replace("T", " ")),
)
_ANY_WIDTH = 10_000
_LEAST = 3  # the rank of the columns that no terminal is too narrow for


def list_traces(
    store: Store, filters: Filter, *, order: Order, limit: int | None, choice: Choice = EVERY
) -> TraceList:
    """The first traces of those that a filter keeps. Raises FilterError, RewardError."""
    check_flags(filters)
    filters = with_named_reward(store.db, filters)
    with open_snapshot(store.path) as snapshot:
        return snapshot.list_traces(filters, order=order, limit=limit, choice=choice)


def first_trace(store: Store, filters: Filter, *, order: Order) -> StoredTrace:
    """The best, worst or newest trace of those that a filter keeps. Raises NotFoundError."""
    listed = list_traces(store, filters, order=order, limit=1)
    if not listed.lines:
        raise NotFoundError(f"no trace in {store.path} fits; list them with: geostore traces")
    line = listed.lines[0]
    if order != "newest" and line.score_or_0 is None:
        raise NotFoundError(
            f"no trace in {store.path} has a score yet; compute it with: geostore rescore"
        )
    return store.traces.get_trace(line.trace_id)


def list_json(listed: TraceList) -> str:
    """A JSON array with an object per trace, each on a line of its own."""
    names = tuple(TraceLine.__dataclass_fields__)[1:]
    rows = [tuple(line.to_json().values()) for line in listed.lines]
    return format_json(QueryResult(names, rows))


def list_text(listed: TraceList) -> str:
    """A table with a line for each trace, with as many columns as the terminal has room for."""
    columns = [c for c in _COLUMNS if any(c.value(line) is not None for line in listed.lines)]
    width = output_width()
    for rank in range(max((c.rank for c in columns), default=0), _LEAST, -1):
        table = _table([c for c in columns if c.rank <= rank], listed)
        if width is None or max(map(text_width, table.splitlines())) <= width:
            return table
    return _table([c for c in _COLUMNS if c.rank <= _LEAST], listed)


def _table(columns: Sequence[_Column], listed: TraceList) -> str:
    rows = [tuple(column.value(line) for column in columns) for line in listed.lines]
    # At any width: whether it fits is asked of the lines.
    return format_table(
        QueryResult(tuple(column.name for column in columns), rows), _ANY_WIDTH, with_count=False
    )


def _why(line: TraceLine) -> str | None:
    """Why a trace has no coordinates; None where it has them, and while it is open."""
    if not line.failure:
        return None
    return line.answer_failure if line.status == "answered" else line.stop_reason
