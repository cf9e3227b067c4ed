"""Runs of generate against a loopback server, in this process and in one of its own."""

from __future__ import annotations

import asyncio
import atexit
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from geostore.conversation.recipe import RecipeChoices, make_recipe
from geostore.costs.budget import BudgetLimits
from geostore.costs.prices import Prices
from geostore.dataset import PhotoDataset
from geostore.generate.events import (
    Event,
    Noticed,
    Watcher,
)
from geostore.generate.plan import Plan, RunResult
from geostore.generate.request import open_budget
from geostore.generate.retries import RetryPolicy
from geostore.generate.run import draw_in_order, play_run
from geostore.pace import PaceLimits
from geostore.sampling.drawing import Drawing
from geostore.sampling.orders import Candidates
from geostore.store import Store
from geostore.teacher import Teacher
from tests.warm_commands import Command, WarmProcess

E = TypeVar("E")
AT_ONCE = RetryPolicy(
    max_attempts=3, first_wait=0.001, longest_wait=0.002, longest_retry_after=0.01
)


@dataclass
class Notes:
    """A watcher that writes everything down."""

    events: list[Event] = field(default_factory=list)

    def watch(self, event: Event) -> None:
        self.events.append(event)

    def all_of(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def notices(self) -> list[str]:
        return [event.message for event in self.all_of(Noticed)]


def run(
    url: str,
    dataset_path: Path,
    store_path: Path,
    *,
    notes: Watcher | None = None,
    request_timeout: float = 10.0,
    recipe: dict[str, Any] | None = None,
    prices: Prices | None = None,
    start_drawing: Callable[[Candidates], Drawing] = draw_in_order,
    concurrency: int = 4,
    pace: dict[str, Any] | None = None,
    max_total_tokens: int | None = None,
    teacher: dict[str, Any] | None = None,
    **plan: Any,
) -> RunResult:
    """One generate run in this process, with waits that a test can bear.

    recipe: model and fields of `RecipeChoices`. pace: fields of `PaceLimits`.
    max_total_tokens: as of `BudgetLimits`. teacher: what else `Teacher` gets.
    """
    choices = dict(recipe or {})
    model = choices.pop("model", "test")
    limits = PaceLimits(ceiling=concurrency, **(pace or {}))
    budget = BudgetLimits(max_total_tokens=max_total_tokens)
    options = {"num_samples": 6, "pace": limits, "retry_policy": AT_ONCE, **plan}

    async def play() -> RunResult:
        reached = {"api_key": "sk-secret", "request_timeout": request_timeout, **(teacher or {})}
        watcher = Notes() if notes is None else notes
        reached.setdefault("notice", lambda sentence: watcher.watch(Noticed(sentence)))
        async with Teacher(base_url=url, **reached) as client:
            return await play_run(
                dataset=PhotoDataset.open(dataset_path),
                store=store,
                recipe=make_recipe(model, RecipeChoices(**choices)),
                plan=Plan(**options),
                teacher=client,
                arguments={},
                watchers=[] if notes is None else [notes],
                prices=prices,
                budget=open_budget(store, model, budget, prices=prices),
                start_drawing=start_drawing,
            )

    with Store.open(store_path, create=True, durability="normal") as store:
        return asyncio.run(play())


def command(*arguments: str | Path) -> list[str]:
    """The command line, as a list to start it with."""
    return [sys.executable, "-m", "geostore", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """The environment without a teacher or a store of the tester's own."""
    own = ("OPENAI_", "GEOSTORE_STORE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    return {**kept, "COLUMNS": "120", **more}


@cache
def _warm_process() -> WarmProcess:
    process = WarmProcess()
    atexit.register(process.end)
    return process


def start_geostore(*arguments: str | Path, **more: str) -> Command:
    """Start the command line and leave it running."""
    return _warm_process().start([str(argument) for argument in arguments], environment(**more))


def geostore(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    with start_geostore(*arguments, **more) as started:
        try:
            out, err = started.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            started.kill()
            raise
    return subprocess.CompletedProcess(started.args, started.wait(), out, err)


TABLES = (
    "datasets",
    "samples",
    "recipes",
    "traces",
    "turns",
    "tool_calls",
    "answers",
    "reward_specs",
    "rewards",
)
# What may differ between two runs that did the same: when, how long, by which process, and the
# surrogate ids that follow from the order in which traces were begun.
_PASSING = (
    *("created_at", "closed_at", "latency_ms", "first_token_ms"),
    *("run_id", "claimed_by", "claim_expires_at"),
)


def contents(store_path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a store that must be the same however the run was interrupted, by table."""
    with Store.open(store_path) as store:
        ids = "select id, sample_id, recipe_id, rollout from traces"
        keys = {row["id"]: tuple(row)[1:] for row in store.db.connection.execute(ids)}
        samples = {
            row["id"]: row["sample_index"]
            for row in store.db.connection.execute("select id, sample_index from samples")
        }
        found = {}
        for table in TABLES:
            rows = []
            for row in store.db.connection.execute(f"select * from {table}"):
                values = {k: row[k] for k in row.keys() if k not in _PASSING}  # noqa: SIM118
                if "trace_id" in values:
                    sample_id, *rest = keys[values["trace_id"]]
                    values["trace_id"] = (samples[sample_id], *rest)
                if "sample_id" in values:
                    values["sample_id"] = samples[values["sample_id"]]
                if table in ("traces", "samples"):
                    del values["id"]
                rows.append(tuple(values.values()))
            found[table] = sorted(rows, key=repr)
        return found


def turns_of(store_path: Path) -> int:
    """Responses in a store; none in one that is not whole yet."""
    if not store_path.exists():
        return 0
    connection = sqlite3.connect(store_path)
    try:
        if not connection.execute("select 1 from sqlite_master where name = 'turns'").fetchone():
            return 0
        return int(connection.execute("select count(*) from turns").fetchone()[0])
    finally:
        connection.close()


def assert_whole(store_path: Path) -> None:
    """The file is sound, and nothing in it stands twice, hangs in the air, or is half done."""
    connection = sqlite3.connect(store_path)
    try:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        for question in (
            "select 1 from traces group by sample_id, recipe_id, rollout having count(*) > 1",
            "select 1 from turns group by trace_id having max(turn) <> count(*)",
            "select 1 from traces where status <> 'open' and claimed_by is not null",
            "select 1 from answers join traces on id = trace_id where status = 'open'",
            "select 1 from rewards join traces on id = trace_id where status = 'open'",
        ):
            assert connection.execute(question).fetchall() == [], question
    finally:
        connection.close()
