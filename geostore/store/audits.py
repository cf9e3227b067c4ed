"""The results of audits: which traces were checked, by which checks, and their flags.

Traces are read and flagged in batches. A batch reads the store as it is at one
moment and writes in one short transaction. It records nothing of a trace that
`generate` has opened again in between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import orjson

from geostore.identity import canonical_text
from geostore.records import Answer, ImportedRecipe, Recipe, Sample, ToolCall, Turn
from geostore.sqlfiles import load_sql
from geostore.store import rows
from geostore.store.db import Db, Row, Rows, utc_now
from geostore.store.recipes import Recipes


@dataclass(frozen=True, slots=True)
class PendingTrace:
    """A closed trace that needs an audit, without its text."""

    trace_id: int
    """Its id in the store."""

    closed_at: str
    """When it was closed. The result is recorded only if the trace was not opened again since."""

    recipe: Recipe | ImportedRecipe
    """What was asked."""

    prompts_read: bool
    """Whether its recipe was asked of this photo only; then its prompts may give the photo away."""

    sample: Sample
    """The photo's row, with its true place."""

    dataset_path: str
    """Where the dataset was last seen."""

    answer: Answer | None
    """Of the newest parser; None where the trace failed."""

    parser_version: int | None
    """The version of that parser; None without an answer."""


@dataclass(frozen=True, slots=True)
class Flag:
    """What a check found in a trace."""

    check: str
    """The check's name."""

    version: int
    """The check's version."""

    detail: str
    """Where and what, in a few words."""


@dataclass(frozen=True, slots=True)
class Audited:
    """The result of an audit of one trace."""

    trace: PendingTrace
    """The trace as it was read."""

    response_key: str | None
    """The same for traces with the same words; None where the words are few."""

    flags: tuple[Flag, ...]
    """What the checks found; empty where they found nothing."""


@dataclass(frozen=True, slots=True)
class FlagCount:
    """The traces that a check flagged."""

    traces: int
    """How many it flagged."""

    examples: tuple[str, ...]
    """The names of at most three of them."""


def put_suite(db: Db, checks: Mapping[str, int]) -> int:
    """Record a set of checks, name to version; its id."""
    text = canonical_text(dict(checks))
    db.run("put_audit_suite", checks=text, now=utc_now())
    return int(db.run("find_audit_suite", checks=text).fetchone()[0])


def other_suites(db: Db, suite_id: int) -> dict[int, dict[str, int]]:
    """The other sets of checks that some trace was last audited with, by id."""
    suites = db.run("other_audit_suites", suite_id=suite_id)
    return {row["id"]: orjson.loads(row["checks"]) for row in suites}


class Reading:
    """The traces of a store that need an audit, as they are at one moment."""

    def __init__(self, db: Db, recipes: dict[int, Recipe | ImportedRecipe]) -> None:
        self._db = db
        self._recipes = recipes

    def pending(self, *, after: int, batch: int, older_suite: int | None) -> list[PendingTrace]:
        """The next traces by id, above `after`.

        older_suite: gives the traces last audited with that set of checks; None
        gives those that are new or have changed.
        """
        pending = self._db.run("audit_pending", after=after, batch=batch, older_suite=older_suite)
        return [self._pending(row) for row in pending.fetchall()]

    def texts(
        self, trace_ids: Sequence[int]
    ) -> Iterator[tuple[int, tuple[Turn, ...], tuple[ToolCall, ...]]]:
        """Turns and calls of each trace, one trace in memory at a time.

        trace_ids: in ascending order.
        """
        ids = canonical_text(list(trace_ids))
        turns = _grouped(self._db.run("turns_of_traces", trace_ids=ids))
        calls = _grouped(self._db.run("tool_calls_of_traces", trace_ids=ids))
        next_turns, next_calls = next(turns, None), next(calls, None)
        for trace_id in trace_ids:
            turn_rows, call_rows = [], []
            if next_turns is not None and next_turns[0] == trace_id:
                turn_rows, next_turns = next_turns[1], next(turns, None)
            if next_calls is not None and next_calls[0] == trace_id:
                call_rows, next_calls = next_calls[1], next(calls, None)
            yield (
                trace_id,
                tuple(rows.turn_record(row) for row in turn_rows),
                tuple(rows.tool_call_record(row) for row in call_rows),
            )

    def check(self, name: str, trace_ids: Sequence[int]) -> dict[int, str]:
        """Run the check ``sql/audit/<name>.sql``; the details of flagged traces, by trace id."""
        statement = load_sql("audit", name)
        flagged = self._db.execute(statement, {"trace_ids": canonical_text(list(trace_ids))})
        return {row["trace_id"]: row["detail"] for row in flagged}

    def _pending(self, row: Row) -> PendingTrace:
        return PendingTrace(
            trace_id=row["id"],
            closed_at=row["closed_at"],
            recipe=self._recipe(row["recipe_id"]),
            prompts_read=bool(row["prompts_read"]),
            sample=rows.sample_record(row),
            dataset_path=row["dataset_path"],
            answer=rows.answer_record(row),
            parser_version=row["parser_version"],
        )

    def _recipe(self, recipe_id: int) -> Recipe | ImportedRecipe:
        if recipe_id not in self._recipes:
            if len(self._recipes) >= _MOST_RECIPES:
                self._recipes.clear()
            self._recipes[recipe_id] = Recipes(self._db).get_recipe(recipe_id)
        return self._recipes[recipe_id]


_MOST_RECIPES = 1_000  # kept between batches: every trace of a store may have its own recipe


@contextmanager
def reading(db: Db, recipes: dict[int, Recipe | ImportedRecipe]) -> Iterator[Reading]:
    """Read the store as it is at one moment. Raises StoreError where SQLite refuses.

    recipes: those read so far, by id; the caller keeps them from one reading to the next.
    """
    with db.reading():
        yield Reading(db, recipes)


def put_audits(
    db: Db,
    suite_id: int,
    audited: Sequence[Audited],
    *,
    skipped_checks: Collection[str],
    with_keys: bool,
) -> int:
    """Record the results of a batch in one transaction; the number of traces recorded.

    The new flags replace all flags of a trace but those of `skipped_checks`, which were
    not run. with_keys: whether `response_key` was computed; if not, the stored
    keys stay. Doing it twice changes nothing.
    """
    audits = [
        [
            each.trace.trace_id,
            each.trace.closed_at,
            each.trace.parser_version,
            int(each.trace.prompts_read),
            each.response_key,
        ]
        for each in audited
    ]
    flags = [
        [each.trace.trace_id, flag.check, flag.version, flag.detail]
        for each in audited
        for flag in each.flags
    ]
    now = utc_now()
    with db.transaction():
        recorded = db.run(
            "put_audits",
            suite_id=suite_id,
            audits=canonical_text(audits),
            with_keys=int(with_keys),
            now=now,
        ).fetchall()
        ids = canonical_text([row["trace_id"] for row in recorded])
        db.run("drop_flags", trace_ids=ids, skipped_checks=canonical_text(sorted(skipped_checks)))
        db.run("put_flags", flags=canonical_text(flags), trace_ids=ids, now=now)
    return len(recorded)


def flag_same_responses(db: Db, flag: str, version: int) -> None:
    """Set `flag` on traces whose words a trace of another recipe shares, and only on those.

    Looks at all audited traces of the store.
    """
    with db.transaction():
        db.run("drop_same_response_flags", flag=flag)
        db.run("put_same_response_flags", flag=flag, version=version, now=utc_now())


def flag_counts(db: Db) -> tuple[int, dict[str, FlagCount]]:
    """How many traces were audited, and the counts of each check that flagged any."""
    all_audited, *by_flag = db.run("flag_counts").fetchall()
    counts = {
        row["flag"]: FlagCount(row["traces"], tuple(orjson.loads(row["examples"])))
        for row in by_flag
    }
    return all_audited["traces"], counts


def _grouped(sorted_rows: Rows) -> Iterator[tuple[int, list[Row]]]:
    """The rows of one trace after another."""
    for trace_id, group in groupby(sorted_rows, key=itemgetter("trace_id")):
        yield trace_id, list(group)
