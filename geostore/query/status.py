"""How runs go, told out of the store while they go: progress, pace, failures, quality, cost.

Only the store is asked, so any terminal can ask it; nothing is asked of the
runs themselves, and nothing is written. As all of `analytics`, this is not for
a process that has the store open.
"""

from __future__ import annotations

import json
import os
import textwrap
from datetime import datetime
from typing import Any

from geostore.query.reader import ask, open_reader
from geostore.store.processes import host_name, is_alive
from geostore.text.phrases import budget_use, failures_by_class, format_cost, quality, span
from geostore.text.tables import QueryResult

_WIDTH = 100
_RECENT_SECONDS = 60.0
_LIMITS = ("max_total_tokens", "max_cost")
_SAME = (
    *("run_id", "host", "pid", "model", "recipe", "started_at", "ended_at", "planned"),
    *("done_before", "closed", "in_flight", "mean_km", "accept_rate", "turns", "tokens"),
    *("cost", "unpriced_turns"),
)


def status(store: str | os.PathLike[str]) -> dict[str, Any]:
    """``{"store": path, "runs": [run, ...]}``: all runs that go on, and the newest in any case.

    Of a run: the columns of ``sql/analytics/status.sql``, and
    `state`: ``running``; ``killed``; ``unknown`` where it is on another host and
    holds no claim that is in force; else how it ended. `elapsed_s`: to now, its
    end, or the last sign of a killed one. `left_s`: an estimate by the pace so
    far, as is that part of the plan which was done before; None where unknown.
    `closed_per_min`, `tokens_per_s`: since it began; `turns_last_min`,
    `tokens_per_s_last_min`. `failures`: failed requests by class.
    `budget`: its limits, and what its model has used of them over all runs; None
    without. Times in seconds, distances in km. Newest run first; no runs: [].
    Raises StoreError where there is no such store.
    """
    with open_reader(store) as reader:
        rows = _objects(ask(reader, "status"))
        limited = any(_limits(row) for row in rows)
        spending = _objects(ask(reader, "spending")) if limited else []
    here = host_name()
    runs = [_run(row, _state(row, here), spending) for row in rows]
    shown = runs[:1] + [run for run in runs[1:] if run["state"] == "running"]
    return {"store": os.fspath(store), "runs": shown}


def format_text(found: dict[str, Any]) -> str:
    """A block of lines for each run, at most 100 columns wide where words allow it."""
    if not found["runs"]:
        return f"no runs in {found['store']}; geostore generate makes one"
    return "\n\n".join(_block(run) for run in found["runs"])


def format_json(found: dict[str, Any]) -> str:
    """The same as indented JSON."""
    return json.dumps(found, indent=2, ensure_ascii=False)


# --- what a row means ------------------------------------------------------------------------


def _state(row: dict[str, Any], here: str) -> str:
    if row["ended_at"] is not None:
        return str(row["outcome"])
    if row["host"] == here:
        return "running" if is_alive(row["pid"], row["process_started"]) else "killed"
    # The processes of another host cannot be seen, but a claim has to be renewed.
    claimed = row["claim_until"] is not None and row["claim_until"] > row["moment"]
    return "running" if claimed else "unknown"


def _run(row: dict[str, Any], state: str, spending: list[dict[str, Any]]) -> dict[str, Any]:
    elapsed = _elapsed(row, state)
    run = {
        **{name: row[name] for name in _SAME},
        "state": state,
        "elapsed_s": round(elapsed, 1),
        "left_s": _left(row, elapsed) if state == "running" else None,
        "closed_per_min": _rate(60 * row["closed"], elapsed),
        "tokens_per_s": _rate(row["tokens"], elapsed),
        "turns_last_min": row["recent_turns"],
        "tokens_per_s_last_min": _rate(row["recent_tokens"], min(elapsed, _RECENT_SECONDS)),
        "failures": row["failures"] or {},
        "budget": None,
    }
    if limits := _limits(row):
        spent = next((s for s in spending if s["model"] == row["model"]), {})
        run["budget"] = {
            **dict.fromkeys(_LIMITS),
            **limits,
            "spent_tokens": spent.get("total_tokens", 0),
            "spent_cost": spent.get("cost"),
        }
    return run


def _elapsed(row: dict[str, Any], state: str) -> float:
    end = row["ended_at"] or (row["last_at"] if state == "killed" else row["moment"])
    # A clock that was set back, or one of another host, must not make a rate negative.
    return max(_seconds(end or row["started_at"]) - _seconds(row["started_at"]), 0.0)


def _left(row: dict[str, Any], elapsed: float) -> float | None:
    if row["planned"] is None or not row["closed"]:
        return None
    # What was closed before may belong to samples outside this plan; what is held is left.
    remaining = max(row["planned"] - row["done_before"] - row["closed"], row["in_flight"])
    return round(float(remaining * elapsed / row["closed"]), 1)


def _limits(row: dict[str, Any]) -> dict[str, Any]:
    """The limits that a run was given, by their names among its arguments."""
    arguments = json.loads(row["arguments"])
    return {name: arguments[name] for name in _LIMITS if arguments.get(name) is not None}


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _rate(count: float, seconds: float) -> float:
    return round(count / seconds, 2) if seconds > 0 else 0.0


def _objects(result: QueryResult) -> list[dict[str, Any]]:
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


# --- as text ---------------------------------------------------------------------------------


def _block(run: dict[str, Any]) -> str:
    where = f"process {run['pid']} on {run['host']}"
    lines = [f"run {run['run_id']}: {run['state']}, {span(run['elapsed_s'])}, {where}"]
    if run["model"] is not None:
        lines.append(f"  model     {run['model']}, recipe {run['recipe']}")
    lines.append(f"  traces    {_traces(run)}")
    lines.append(f"  turns     {run['turns']:,}; {run['turns_last_min']:,} in the last minute")
    lines.append(
        f"  tokens    {run['tokens']:,}; {run['tokens_per_s']:,.0f}/s since the start, "
        f"{run['tokens_per_s_last_min']:,.0f}/s in the last minute"
    )
    if run["closed"]:
        lines.append(f"  quality   {quality(run['mean_km'], run['accept_rate'])}")
    if run["failures"]:
        lines.append(f"  failures  {failures_by_class(run['failures'])}")
    if run["cost"] is not None:
        lines.append(f"  cost      {_cost(run)}")
    if run["budget"] is not None:
        lines.append(
            f"  budget    {budget_use(**run['budget'])} spent on this model, over all runs"
        )
    return "\n".join(map(_wrapped, lines))


def _wrapped(line: str) -> str:
    return textwrap.fill(
        line, _WIDTH, subsequent_indent=" " * 12, break_long_words=False, break_on_hyphens=False
    )


def _traces(run: dict[str, Any]) -> str:
    total = "" if run["planned"] is None else f" of {run['planned']:,}"
    parts = [f"{run['closed']:,} closed{total}"]
    if run["done_before"]:
        parts.append(f"{run['done_before']:,} done before")
    parts.append(f"{run['in_flight']:,} in flight")
    parts.append(f"{run['closed_per_min']:,.1f}/min")
    if run["left_s"] is not None:
        parts.append(f"about {span(run['left_s'])} left")
    return ", ".join(parts)


def _cost(run: dict[str, Any]) -> str:
    text = format_cost(run["cost"])
    if run["closed"]:
        text += f", {format_cost(run['cost'] / run['closed'])} per trace"
    if run["unpriced_turns"]:
        text += f"; without {run['unpriced_turns']:,} turns whose tokens the server did not count"
    return text
