"""Reads the traces of a store in order, a few at a time, as they were at one moment.

Everything is read in one transaction on a connection of its own, so a reader
sees a store that stands still while `generate` goes on writing, and holds no
more in memory than one batch, however large the store is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from geostore.errors import StoreError
from geostore.identity import canonical_text
from geostore.records import (
    DatasetFacts,
    ImportedRecipe,
    Recipe,
    Sample,
    StoredTrace,
)
from geostore.sqlfiles import store_statements
from geostore.store import rows
from geostore.store.choice import EVERY, Choice
from geostore.store.chosen import Chosen, apply_choice
from geostore.store.conditions import MARK, check_condition, condition_error
from geostore.store.db import Db, Row, Rows
from geostore.store.exports import export_mark
from geostore.store.filters import Filter
from geostore.store.image_proofs import image_proof_record
from geostore.store.listing import Order, TraceList, trace_line
from geostore.store.opening import open_to_read
from geostore.store.rewards import StoredSpec, default_spec, get_spec
from geostore.store.traces import rows_of_traces

BATCH = 64
"""Traces that are read at a time. Python looks for garbage when some 700 objects are new, and these
few with their rows are less, so that it seldom finds a batch of rows to look through."""
_LARGE_BATCH = 5_000  # of rows whose texts are not read


@dataclass(frozen=True, slots=True)
class Scope:
    """Which datasets and recipes the traces have that a filter keeps."""

    datasets: tuple[DatasetFacts, ...]
    """In the order in which their traces are read."""
    recipes: dict[str, Recipe | ImportedRecipe]
    """By hash, in the order of the hashes."""


class Snapshot:
    """A store as it was when this was opened. Made by `open_snapshot`."""

    def __init__(self, db: Db, *, batch: int) -> None:
        self._db = db
        self._batch_size = batch
        self._datasets = {
            int(row["id"]): rows.dataset_record(row) for row in self._db.run("snapshot_datasets")
        }
        self._recipes: dict[int, Recipe | ImportedRecipe] = {}
        self._conditions: dict[tuple[str, int | None], int] = {}
        self._choices = 0
        self._db.run("temp_chosen")

    def scope(self, filters: Filter, *, with_images: bool = False) -> Scope:
        """The datasets and recipes of the traces with at least one turn that a filter keeps.

        with_images: of those alone whose images can all be made again.
        """
        datasets = []
        recipes: dict[str, Recipe | ImportedRecipe] = {}
        for dataset_id, facts in self._datasets.items():
            selected = self._run(
                "snapshot_recipes", dataset_id, filters, with_turns=True, with_images=with_images
            )
            of_dataset = {row["sha256"]: self._recipe(row["recipe_id"]) for row in selected}
            recipes |= of_dataset
            if of_dataset:
                datasets.append(facts)
        return Scope(tuple(datasets), dict(sorted(recipes.items())))

    def traces(
        self, filters: Filter, *, choice: Choice = EVERY, with_turns: bool = False
    ) -> Iterator[StoredTrace]:
        """Traces by dataset name, row number, recipe hash and rollout, or in a choice's order.

        choice: which of those that the filter keeps. with_turns: leave out those without a
        response. Raises FilterError where the
        filter's condition is not one expression, or fails on a trace; RewardError
        where the store does not have its reward.
        """
        if choice != EVERY:
            yield from self.chosen_traces(self.choose(filters, choice, with_turns=with_turns))
            return
        for dataset_id, facts in self._datasets.items():
            selected = self._run("snapshot_traces", dataset_id, filters, with_turns=with_turns)
            while batch := selected.fetchmany(self._batch_size):
                yield from self._batch(batch, [facts] * len(batch))

    def choose(
        self,
        filters: Filter,
        choice: Choice,
        *,
        with_turns: bool = False,
        with_images: bool = False,
    ) -> Chosen:
        """Compare the traces that a filter keeps, and keep those of a choice.

        with_images: leave out traces whose images cannot all be made again before any are
        compared. Raises as `traces` does, and FilterError for a column that there is not.
        """
        for statement in ("temp_picks", "temp_lines"):
            self._db.run(statement)
        number, before = self._choices, 0
        self._choices += 1
        for dataset_id in self._datasets:
            before += self._run(
                "put_picks",
                dataset_id,
                filters,
                with_turns=with_turns,
                choice=number,
                before=before,
                images_needed=int(with_images),
            ).rowcount
        spec = self.reward_spec(filters)
        spec_id = None if spec is None else spec.id
        counts = apply_choice(
            self._db, number, choice, take_scores=partial(self._take_scores_of, spec_id)
        )
        without_images = counts.pop("images", 0)
        return Chosen(number, spec_id, counts.pop("", 0), counts, without_images)

    def spread(self, chosen: Chosen, *, about: int) -> Chosen:
        """About so many of a choice's traces, in the same order: all of some of its samples.

        Which samples follows from a hash, so that no pattern in the rows decides it.
        """
        number = self._choices
        self._choices += 1
        spread = self._db.run("put_spread_lines", choice=chosen.number, spread=number, about=about)
        return Chosen(number, chosen.spec_id, spread.rowcount, Counter())

    def chosen_traces(self, chosen: Chosen, *, left_out: str = "") -> Iterator[StoredTrace]:
        """The traces of a choice in its order.

        left_out: ``images`` gives instead those that were left out for their images.
        """
        selected = self._db.run(
            "picked_traces", choice=chosen.number, reason=left_out, spec_id=chosen.spec_id
        )
        while batch := selected.fetchmany(self._batch_size):
            yield from self._batch(batch, [self._datasets[row["dataset_id"]] for row in batch])

    def chosen_samples(self, chosen: Chosen) -> Iterator[tuple[Sample, DatasetFacts]]:
        """The sample of each of the traces of a choice, in its order, and the sample's dataset."""
        for row in self._db.run("picked_samples", choice=chosen.number):
            yield rows.sample_record(row), self._datasets[row["dataset_id"]]

    def chosen_scope(self, chosen: Chosen) -> Scope:
        """The datasets and recipes of the traces that a choice keeps."""
        selected = self._db.run("picked_recipes", choice=chosen.number).fetchall()
        ids = {row["dataset_id"] for row in selected}
        datasets = tuple(facts for id, facts in self._datasets.items() if id in ids)
        return Scope(datasets, {row["sha256"]: self._recipe(row["recipe_id"]) for row in selected})

    def trace_ids(self, filters: Filter) -> Iterator[int]:
        """The ids of the traces that a filter keeps, in no order. Raises as `traces` does."""
        for dataset_id in self._datasets:
            for row in self._run("snapshot_trace_ids", dataset_id, filters, with_turns=False):
                yield int(row["id"])

    def list_traces(
        self, filters: Filter, *, order: Order, limit: int | None, choice: Choice = EVERY
    ) -> TraceList:
        """The first traces of those that a filter keeps, in an order, each in a line.

        limit: how many at most; None for all of them. choice: lists only those that it keeps.
        Raises as `traces` and `choose` do.
        """
        for statement in ("temp_listed", "clear_listed"):
            self._db.run(statement)
        if choice == EVERY:
            for dataset_id in self._datasets:
                self._run("put_listed", dataset_id, filters, with_turns=False)
        else:
            self._db.run("put_listed_of_choice", choice=self.choose(filters, choice).number)
        spec = self.reward_spec(filters)
        self._take_scores_of(None if spec is None else spec.id)
        listed = self._db.run("listed_traces", order=order, limit=-1 if limit is None else limit)
        lines = tuple(trace_line(row) for row in listed)
        return TraceList(lines, self._db.number("count_listed"))

    def unaudited(self, filters: Filter, checks: Mapping[str, int]) -> int:
        """How many of the traces with a turn were not audited by these checks as they are now.

        filters: its flags are not looked at. checks: name to version.
        """
        missing = 0
        every = replace(filters, flags=(), exclude_flags=())
        for dataset_id in self._datasets:
            selected = self._run("snapshot_trace_ids", dataset_id, every, with_turns=True)
            while batch := selected.fetchmany(_LARGE_BATCH):
                ids = canonical_text([row["id"] for row in batch])
                missing += self._db.number(
                    "snapshot_unaudited", trace_ids=ids, checks=canonical_text(dict(checks))
                )
        return missing

    def left_out(self, filters: Filter, *, kept: int = 0) -> Counter[str]:
        """How many of the store's traces a filter does not keep, by the first reason that holds.

        kept: how many it is known to keep; where these are all, no trace is looked at.

        A reason is ``open``, ``failed``, ``no_response``, ``unparsed``, ``no_score``,
        ``no_distance``, or the name of a condition of the filter, which is one for traces that
        ended with a response. Raises as `traces` does.
        """
        counts: Counter[str] = Counter()
        if kept == self._db.number("count_traces"):
            return counts
        for dataset_id in self._datasets:
            for row in self._run("snapshot_left_out", dataset_id, filters, with_turns=True):
                counts[row["reason"] or ""] += row["traces"]
        del counts[""]
        return counts

    def traces_of(self, trace_ids: Sequence[int]) -> list[tuple[int, StoredTrace]]:
        """Traces with their ids, in this order; those that are not there are left out.

        Meant for a few: each is looked up by itself.
        """
        looked_up = (
            self._db.run("get_trace", trace_id=trace_id).fetchone() for trace_id in trace_ids
        )
        present = [row for row in looked_up if row is not None]
        traces = self._batch(present, [self._datasets[row["dataset_id"]] for row in present])
        return list(zip((int(row["id"]) for row in present), traces, strict=True))

    def datasets(self) -> tuple[DatasetFacts, ...]:
        """All datasets of the store, in the order in which their traces are exported."""
        return tuple(self._datasets.values())

    def export_mark(self) -> str | None:
        """The mark of what exports read, as it is here; see `store.exports`."""
        return export_mark(self._db)

    def reward_spec(self, filters: Filter) -> StoredSpec | None:
        """The spec whose rewards the traces carry; None where nothing was scored yet.

        Raises RewardError where the filter names one that the store does not have.
        """
        if filters.reward is None:
            return default_spec(self._db)
        return get_spec(self._db, filters.reward)

    def _run(
        self,
        statement: str,
        dataset_id: int,
        filters: Filter,
        *,
        with_turns: bool,
        with_images: bool = False,
        **others: Any,
    ) -> Rows:
        """Run a statement over the part filtered_traces of ``sql/store/filters.sql``.

        others: parameters that the statement has beside those of the part.
        """
        spec = self.reward_spec(filters)
        return self._db.run(
            statement,
            dataset_id=dataset_id,
            spec_id=None if spec is None else spec.id,
            with_turns=int(with_turns),
            with_images=int(with_images),
            statuses=None if filters.statuses is None else canonical_text(list(filters.statuses)),
            recipe=filters.recipe,
            model=filters.model,
            since=filters.since,
            min_turns=filters.min_turns,
            max_turns=filters.max_turns,
            max_tokens=filters.max_tokens,
            require_tools=int(filters.require_tools),
            min_score=filters.min_score,
            max_distance_km=filters.max_distance_km,
            condition=self._condition(filters, spec),
            flags=canonical_text(list(filters.flags)) if filters.flags else None,
            exclude_flags=(
                canonical_text(list(filters.exclude_flags)) if filters.exclude_flags else None
            ),
            **others,
        )

    def _condition(self, filters: Filter, spec: StoredSpec | None) -> int | None:
        """The number under which temp.chosen holds the traces that fulfil a filter's condition."""
        if filters.where is None:
            return None
        key = (filters.where, None if spec is None else spec.id)
        if key not in self._conditions:
            self._choose(len(self._conditions), *key)
            self._conditions[key] = len(self._conditions)
        return self._conditions[key]

    def _choose(self, number: int, condition: str, spec_id: int | None) -> None:
        self._take_scores_of(spec_id)
        columns = [row["name"] for row in self._db.run("condition_columns")]
        check_condition(self._db, condition, columns)
        choose = store_statements()["put_chosen"].replace(MARK, condition)
        try:
            self._db.execute(choose, {"condition": number})
        except StoreError as error:
            # It can fail on a row, as json_extract does on a text that is no JSON.
            raise condition_error(condition, error, columns) from error

    def _take_scores_of(self, spec_id: int | None) -> None:
        """Let temp.trace_results have the scores of a reward spec; None: of the store's default."""
        for statement in ("temp_condition_reward", "temp_trace_results", "clear_condition_reward"):
            self._db.run(statement)
        self._db.run("put_condition_reward", spec_id=spec_id)

    def _batch(self, batch: list[Row], datasets: Sequence[DatasetFacts]) -> Iterator[StoredTrace]:
        ids = [row["id"] for row in batch]
        turns = rows_of_traces(self._db, "turns_of_traces", ids)
        calls = rows_of_traces(self._db, "tool_calls_of_traces", ids)
        failures = rows_of_traces(self._db, "attempts_of_traces", ids)
        proofs = rows_of_traces(self._db, "image_proofs_of_traces", ids)
        # Records are made trace by trace: thousands that live at a time would keep Python's search
        # for garbage busy.
        for (trace_id, recipe_id, _, *values), dataset in zip(batch, datasets, strict=True):
            yield rows.stored_trace_record(
                values,
                dataset=dataset,
                find_dataset=self._datasets.__getitem__,
                recipe=self._recipe(recipe_id),
                turns=map(rows.turn_record, turns.get(trace_id, ())),
                calls=map(rows.tool_call_record, calls.get(trace_id, ())),
                failures=map(rows.attempt_record, failures.get(trace_id, ())),
                image_proofs=map(image_proof_record, proofs.get(trace_id, ())),
            )

    def _recipe(self, recipe_id: int) -> Recipe | ImportedRecipe:
        if recipe_id not in self._recipes:
            row = self._db.run("get_recipe", recipe_id=recipe_id).fetchone()
            self._recipes[recipe_id] = rows.recipe_record(row)
        return self._recipes[recipe_id]


@contextmanager
def open_snapshot(path: Path, *, batch: int = BATCH) -> Iterator[Snapshot]:
    """The store at `path`, which must be open (and so have its schema) already, for reading.

    batch: how many traces are read, and held in memory, at a time.
    Raises StoreError, also for what SQLite refuses while it is read.
    """
    db = open_to_read(path)
    try:
        db.execute("begin")
        yield Snapshot(db, batch=batch)
    finally:
        db.close()
