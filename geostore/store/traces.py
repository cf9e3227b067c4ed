"""The turns, calls, failures and answers of traces as rows, and whole traces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from geostore.errors import NotFoundError
from geostore.identity import canonical_text
from geostore.records import (
    Answer,
    Closing,
    FailedAttempt,
    ImageFacts,
    StoredTrace,
    ToolCall,
    Turn,
)
from geostore.store import rows
from geostore.store.db import Db, utc_now
from geostore.store.image_proofs import image_proof_record
from geostore.store.names import find_trace
from geostore.store.recipes import Recipes
from geostore.store.samples import Samples

T = TypeVar("T")


def rows_of_traces(
    db: Db, statement: str, trace_ids: Sequence[int]
) -> dict[int, list[tuple[Any, ...]]]:
    """The rows of some traces in their order, by trace id; traces without rows are missing.

    statement: takes `trace_ids` and gives rows that are sorted by the trace's id, which is first.
    """
    rows_of_all = db.run(statement, trace_ids=canonical_text(list(trace_ids))).tuples()
    return {trace_id: list(group) for trace_id, group in groupby(rows_of_all, key=itemgetter(0))}


class Traces:
    """The traces of a store: records what happens in one, and reads one."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._samples = Samples(db)
        self._recipes = Recipes(db)

    def put_turn(
        self, trace_id: int, turn: Turn, *, run_id: int | None, photo: ImageFacts | None = None
    ) -> None:
        """Record a response, and with the first one the photo as it was sent.

        run_id: None for a response that no run of this store asked for.
        """
        if photo is not None:
            self._db.run(
                "put_sent_photo",
                trace_id=trace_id,
                sha256=photo.sha256,
                pixels_xxh128=photo.pixels_xxh128,
                width=photo.width,
                height=photo.height,
            )
        self._db.run(
            "put_turn", **rows.turn_row(turn), trace_id=trace_id, run_id=run_id, now=utc_now()
        )

    def put_call(self, trace_id: int, call: ToolCall) -> None:
        """Record a tool call and its result."""
        self._db.run("put_tool_call", **rows.tool_call_row(call), trace_id=trace_id, now=utc_now())

    def put_attempt(self, trace_id: int, attempt: FailedAttempt, *, run_id: int) -> None:
        """Record a failed request."""
        self._db.run(
            "put_attempt",
            **rows.attempt_row(attempt),
            trace_id=trace_id,
            run_id=run_id,
            now=utc_now(),
        )

    def close_trace(self, trace_id: int, closing: Closing, *, turn_limit: int) -> None:
        """Close an open trace; a closed one stays as it is."""
        self._db.run(
            "close_trace",
            trace_id=trace_id,
            status=closing.status,
            reason=closing.reason,
            turn_limit=turn_limit,
            now=utc_now(),
        )
        self._db.facts_changed([trace_id])

    def put_answer(
        self,
        trace_id: int,
        parser_version: int,
        answer: Answer,
        *,
        interim: Iterable[tuple[int, Answer]] = (),
    ) -> None:
        """Record what a version of the parser reads in a trace's final response.

        interim: the coordinates in earlier turns, by turn.
        """
        self._db.run(
            "put_answer",
            **rows.answer_row(answer),
            trace_id=trace_id,
            parser_version=parser_version,
            now=utc_now(),
        )
        for turn, earlier in interim:
            self._db.run(
                "put_interim_answer",
                **rows.interim_row(earlier),
                trace_id=trace_id,
                turn=turn,
                parser_version=parser_version,
            )
        self._db.facts_changed([trace_id])

    def trace_turns(self, trace_id: int) -> tuple[Turn, ...]:
        """A trace's turns, in order."""
        return tuple(self._rows("turns_of_traces", trace_id, rows.turn_record))

    def trace_calls(self, trace_id: int) -> tuple[ToolCall, ...]:
        """A trace's tool calls, in order."""
        return tuple(self._rows("tool_calls_of_traces", trace_id, rows.tool_call_record))

    def find_trace(self, name: str) -> int:
        """The id of the trace that a name means, or the start of one; see `names.find_trace`."""
        return find_trace(self._db, name)

    def get_trace(self, trace_id: int) -> StoredTrace:
        """Everything of one trace. Raises NotFoundError."""
        row = self._db.run("get_trace", trace_id=trace_id).fetchone()
        if row is None:
            raise NotFoundError(f"no trace with id {trace_id} in {self._db.path}")
        _, recipe_id, dataset_id, *values = row
        return rows.stored_trace_record(
            values,
            dataset=self._samples.get_dataset(dataset_id),
            find_dataset=self._samples.get_dataset,
            recipe=self._recipes.get_recipe(recipe_id),
            turns=self.trace_turns(trace_id),
            calls=self.trace_calls(trace_id),
            failures=self._rows("attempts_of_traces", trace_id, rows.attempt_record),
            image_proofs=self._rows("image_proofs_of_traces", trace_id, image_proof_record),
        )

    def _rows(
        self, statement: str, trace_id: int, record: Callable[[tuple[Any, ...]], T]
    ) -> list[T]:
        of_trace = rows_of_traces(self._db, statement, [trace_id])
        return [record(row) for row in of_trace.get(trace_id, ())]
