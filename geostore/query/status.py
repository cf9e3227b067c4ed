"""How runs go, read from the store while they go: progress, pace, failures, quality, cost.

Only the store is read, so any terminal can ask; the runs themselves are not
asked, and nothing is written. As with all of `query`, this is not for a process
that has the store open in Python's SQLite.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from geostore.costs.budget import BudgetLimits, BudgetUse
from geostore.query.reader import ask, open_reader
from geostore.store.processes import process_life
from geostore.text.json_lines import json_text
from geostore.text.phrases import (
    format_cost_per_trace,
    format_counts,
    format_number_of,
    format_pace,
    format_quality,
    format_span,
)
from geostore.text.terminal import PROSE_WIDTH, prose_width, wrap_with_indent

if TYPE_CHECKING:
    import duckdb

_LABEL = 12  # columns for the names of facts
_RECENT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How one run goes, or how it went. `sql/analytics/status.sql` computes most of it."""

    run_id: int
    """The number of the run in the store, from 1."""
    host: str
    """The machine it runs on."""
    pid: int
    """Its process number there."""
    model: str | None
    """The model it asks; None before its first request where it was not given one by name."""
    recipe: str | None
    """The first 8 hex digits of its recipe's hash; None before its first trace."""
    started_at: str
    """ISO-8601, UTC."""
    ended_at: str | None
    """ISO-8601, UTC; None while it runs, and where it was killed."""
    planned: int | None
    """Traces of the whole plan; None where the number of its samples is not in the store."""
    done_before: int
    """Traces of its recipe and dataset that were closed before it began."""
    closed: int
    """Traces it closed."""
    in_flight: int
    """Traces it holds now."""
    median_km: float | None
    """Median distance of its closed traces in km, failures left out; None without any."""
    mean_km: float | None
    """Mean distance of its closed traces in km, failures left out; None without any."""
    accept_rate: float | None
    """Share of its closed traces with a score of at least 0.3, 0..1; None without a closed one."""
    turns: int
    """Responses it got."""
    tokens: int
    """All tokens that the server counted, those of billed failures included."""
    cached_tokens: int
    """The part of them that the server read from its cache."""
    cache_write_tokens: int
    """The part of them that the server wrote to its cache."""
    estimated_tokens: int
    """Tokens beside them that the server did not count: a guess from the size of what was sent."""
    uncounted: int
    """Responses and billed failures whose tokens the server did not count in full."""
    cost: float | None
    """What they cost, in the prices' currency; None where the model has no price."""
    unpriced_turns: int
    """Turns that are not in the cost in full: no price, or no count of their tokens."""
    state: str
    """``running``; ``killed``; ``unknown`` where it cannot be seen from here (another container,
    host or boot) and holds no claim that is in force; else how it ended: ``done``,
    ``interrupted``, or why it stopped."""
    elapsed_s: float
    """Seconds from its start to now, to its end, or to the last sign of a killed one."""
    left_s: float | None
    """Seconds until the plan is done at the pace so far, an estimate; None where nothing tells."""
    closed_per_min: float
    """Traces closed a minute since it began."""
    tokens_per_s: float
    """Tokens a second since it began."""
    turns_last_min: int
    """Responses in the last minute."""
    tokens_per_s_last_min: float
    """Tokens a second in the last minute, or since it began where that is less."""
    failures: Mapping[str, int]
    """Failed requests by class."""
    budget: BudgetUse | None
    """Its limits, and what its model has used of them over all runs; None without a limit."""

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        budget = None if self.budget is None else self.budget.to_json()
        return {**asdict(self), "budget": budget}


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """All runs of a store that go on, and the newest one in any case."""

    store: str
    """The path of the store as it was given."""
    runs: tuple[RunStatus, ...]
    """The newest first; empty where the store has none."""

    @property
    def is_running(self) -> bool:
        """Whether any run goes on."""
        return any(run.state == "running" for run in self.runs)

    def to_json(self) -> dict[str, Any]:
        """``{"store": path, "runs": [run, ...]}``."""
        return {"store": self.store, "runs": [run.to_json() for run in self.runs]}


def status(store: str | os.PathLike[str]) -> StoreStatus:
    """How the runs of a store go. Raises StoreError where there is no such store."""
    with open_reader(store) as reader:
        return _read(reader, store)


def watch_status(
    store: str | os.PathLike[str], *, interval: float
) -> Generator[StoreStatus, None, None]:
    """How the runs of a store go, every so many seconds, until none of them runs any more.

    Raises StoreError where there is no such store.
    """
    with open_reader(store) as reader:
        while True:
            now = _read(reader, store)
            yield now
            if not now.is_running:
                return
            time.sleep(interval)


def format_text(now: StoreStatus, width: int | None = None) -> str:
    """A block of lines for each run, at most `width` columns wide where words allow it.

    width: None for that of standard output's terminal, and `PROSE_WIDTH` in a file.
    """
    width = width or prose_width() or PROSE_WIDTH
    if not now.runs:
        return f"no runs in {now.store}; geostore generate makes one"
    return "\n\n".join("\n".join(_block(run, width)) for run in now.runs)


def format_json(now: StoreStatus) -> str:
    """The same as indented JSON."""
    return json_text(now.to_json(), indent=2)


def _read(reader: duckdb.DuckDBPyConnection, store: str | os.PathLike[str]) -> StoreStatus:
    rows = ask(reader, "status").to_dicts()
    limited = any(_limits(row) for row in rows)
    spending = ask(reader, "spending").to_dicts() if limited else []
    runs = [_run(row, _state(row), spending) for row in rows]
    shown = runs[:1] + [run for run in runs[1:] if run.state == "running"]
    return StoreStatus(os.fspath(store), tuple(shown))


# --- what a row means ------------------------------------------------------------------------


def _state(row: Mapping[str, Any]) -> str:
    if row["ended_at"] is not None:
        return str(row["outcome"])
    life = process_life(row["pid"], row["process_started"])
    if life != "unknown":
        return "running" if life == "alive" else "killed"
    # It cannot be seen from here, but a run that lives renews its claims.
    claimed = row["claim_until"] is not None and row["claim_until"] > row["moment"]
    return "running" if claimed else "unknown"


def _run(row: Mapping[str, Any], state: str, spending: Sequence[Mapping[str, Any]]) -> RunStatus:
    elapsed = _elapsed(row, state)
    return RunStatus(
        run_id=row["run_id"],
        host=row["host"],
        pid=row["pid"],
        model=row["model"],
        recipe=row["recipe"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        planned=row["planned"],
        done_before=row["done_before"],
        closed=row["closed"],
        in_flight=row["in_flight"],
        median_km=row["median_km"],
        mean_km=row["mean_km"],
        accept_rate=row["accept_rate"],
        turns=row["turns"],
        tokens=row["tokens"],
        cached_tokens=row["cached_tokens"],
        cache_write_tokens=row["cache_write_tokens"],
        estimated_tokens=row["estimated_tokens"],
        uncounted=row["uncounted"],
        cost=row["cost"],
        unpriced_turns=row["unpriced_turns"],
        state=state,
        elapsed_s=round(elapsed, 1),
        left_s=_left(row, elapsed) if state == "running" else None,
        closed_per_min=_rate(60 * row["closed"], elapsed),
        tokens_per_s=_rate(row["tokens"], elapsed),
        turns_last_min=row["recent_turns"],
        tokens_per_s_last_min=_rate(row["recent_tokens"], min(elapsed, _RECENT_SECONDS)),
        failures=row["failures"] or {},
        budget=_budget(row, spending),
    )


def _budget(row: Mapping[str, Any], spending: Sequence[Mapping[str, Any]]) -> BudgetUse | None:
    limits = _limits(row)
    if not limits:
        return None
    spent = next((part for part in spending if part["model"] == row["model"]), {})
    if not spent:
        return BudgetUse(limits, 0, None)
    cost = None if spent["cost"] is None else spent["cost"] + spent["estimated_cost"]
    estimated = spent["estimated_tokens"]
    return BudgetUse(limits, spent["total_tokens"] + estimated, cost, estimated, spent["uncounted"])


def _elapsed(row: Mapping[str, Any], state: str) -> float:
    end = row["ended_at"] or (row["last_at"] if state == "killed" else row["moment"])
    # A clock that was set back, or one of another host, must not make a rate negative.
    return max(_seconds(end or row["started_at"]) - _seconds(row["started_at"]), 0.0)


def _left(row: Mapping[str, Any], elapsed: float) -> float | None:
    if row["planned"] is None or not row["closed"]:
        return None
    # What was closed before may belong to samples outside this plan; traces in flight are left.
    remaining = max(row["planned"] - row["done_before"] - row["closed"], row["in_flight"])
    return round(float(remaining * elapsed / row["closed"]), 1)


def _limits(row: Mapping[str, Any]) -> BudgetLimits:
    """The limits that a run was given, which stand among its arguments."""
    budget = json.loads(row["arguments"]).get("budget", {})
    return BudgetLimits(budget.get("max_total_tokens"), budget.get("max_cost"))


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _rate(count: float, seconds: float) -> float:
    return round(count / seconds, 2) if seconds > 0 else 0.0


# --- as text ---------------------------------------------------------------------------------


def _block(run: RunStatus, width: int) -> list[str]:
    where = f"process {run.pid} on {run.host}"
    lines = [f"run {run.run_id}: {run.state}, {format_span(run.elapsed_s)}, {where}"]
    if run.model is not None:
        lines.append(f"  model     {run.model}, recipe {run.recipe}")
    lines.append(f"  traces    {_traces(run)}")
    lines.append(f"  turns     {run.turns:,}; {run.turns_last_min:,} in the last minute")
    lines.append(
        f"  tokens    {run.tokens:,}; {run.tokens_per_s:,.0f}/s since the start, "
        f"{run.tokens_per_s_last_min:,.0f}/s in the last minute"
    )
    if run.cache_write_tokens:
        lines.append(
            f"  cache     {run.cached_tokens:,} tokens read, {run.cache_write_tokens:,} written"
        )
    if run.uncounted:
        lines.append(
            f"  uncounted {format_number_of(run.uncounted, 'request')}, "
            f"about {run.estimated_tokens:,} tokens more"
        )
    if run.closed:
        quality = format_quality(run.median_km, run.mean_km, run.accept_rate)
        lines.append(f"  distance  {quality}")
    if run.failures:
        lines.append(f"  failures  {format_counts(run.failures)}")
    if run.cost is not None:
        lines.append(f"  cost      {_cost(run.cost, run)}")
    if run.budget is not None:
        lines.append(f"  budget    {run.budget.text()} spent on this model, over all runs")
    indent = " " * _LABEL
    return [
        folded
        for line in lines
        for folded in wrap_with_indent(line[_LABEL:], width, first=line[:_LABEL], later=indent)
    ]


def _traces(run: RunStatus) -> str:
    total = "" if run.planned is None else f" of {run.planned:,}"
    parts = [f"{run.closed:,} closed{total}"]
    if run.done_before:
        parts.append(f"{run.done_before:,} done before")
    parts.append(f"{run.in_flight:,} in flight")
    parts.append(format_pace(run.closed_per_min, run.left_s))
    return ", ".join(parts)


def _cost(cost: float, run: RunStatus) -> str:
    text = format_cost_per_trace(cost, run.closed)
    if run.unpriced_turns:
        turns = format_number_of(run.unpriced_turns, "turn")
        text += f"; without {turns} whose tokens the server did not count"
    return text
