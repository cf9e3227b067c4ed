"""The SQLite file: opened, migrated, written and read here and nowhere else.

Every row has a natural key, and every write is insert-or-ignore or an update
that names the state it expects, so that doing it twice changes nothing. Methods
do not begin transactions of their own unless they say so: `transaction` groups
them, and outside of it each is its own.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from geostore.conversation.recipe import recipe_hash
from geostore.errors import ClaimLost, NotFoundError
from geostore.identity import canonical_text
from geostore.records import (
    Answer,
    Closing,
    DatasetFacts,
    FailedAttempt,
    ImageFacts,
    ImportedRecipe,
    Recipe,
    Sample,
    StoredTrace,
    ToolCall,
    Turn,
)
from geostore.sqlfiles import load_sql
from geostore.store import rows
from geostore.store.errors import store_error
from geostore.store.opening import BUSY_TIMEOUT, Durability, connect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NotClaimed = Literal["closed", "claimed"]
Retry = Literal["failed", "truncated", "exhausted"]
"""Closed traces that can be taken up again: attempts used up; cut by the token limit; any other end
without an answer."""


def utc_now() -> str:
    """Now as ISO-8601 UTC with milliseconds, which sorts as text."""
    return _iso(datetime.now(UTC))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class KnownSample:
    """A dataset row that was drawn; exclusion: why it cannot be used, None where it can."""

    sample_id: int
    exclusion: str | None


@dataclass(frozen=True, slots=True)
class ClaimedTrace:
    """A trace that this run may go on with, and all its rows so far.

    photo: as sent, None before the first response.
    """

    trace_id: int
    sample: Sample
    photo: ImageFacts | None
    turns: tuple[Turn, ...]
    calls: tuple[ToolCall, ...]


class Store:
    """One connection to a store. Not for use by two threads at once.

    durability: ``full`` syncs at every commit, so that what was acknowledged
    survives a power cut; ``normal`` syncs at checkpoints, and a power cut (not
    a crash of the process) may lose the last commits.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        durability: Durability = "full",
        busy_timeout: float = BUSY_TIMEOUT,
    ) -> Store:
        """Open a store for reading and writing, and bring its schema up to date.

        create: make it where there is none. busy_timeout: in seconds.
        Raises StoreError (not there, not a store, read-only, full),
        StoreVersionError (a newer or unknown schema), StoreLockedError.
        """
        where = Path(path)
        return cls(where, connect(where, create=create, durability=durability, wait=busy_timeout))

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the file stays whole whether this is called or not."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, for writing. Raises StoreError where the file refuses."""
        try:
            self.connection.execute("begin immediate")
            try:
                yield
                self.connection.execute("commit")
            except BaseException:
                # SQLite rolls back by itself on some errors, such as a full disk.
                if self.connection.in_transaction:
                    self.connection.execute("rollback")
                raise
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    def _run(self, statement: str, **values: Any) -> sqlite3.Cursor:
        return self.connection.execute(load_sql("store", statement), values)

    def _put(self, statement: str, values: Mapping[str, Any], **more: Any) -> sqlite3.Cursor:
        return self._run(statement, **values, **more, now=utc_now())

    def _only(self, statement: str, **values: Any) -> int:
        """The one number that a statement gives."""
        return int(self._run(statement, **values).fetchone()[0])

    # --- what is asked about ---------------------------------------------------------------

    def put_dataset(self, facts: DatasetFacts) -> int:
        """Record a dataset by its fingerprint; its id."""
        self._put("put_dataset", rows.dataset_row(facts))
        return self._only("find_dataset", fingerprint=facts.fingerprint)

    def get_dataset(self, dataset_id: int) -> DatasetFacts:
        """A dataset by id."""
        return rows.dataset_record(self._run("get_dataset", dataset_id=dataset_id).fetchone())

    def put_sample(self, dataset_id: int, sample: Sample) -> KnownSample:
        """Record a drawn row; one whose photo another row brought is marked ``duplicate``."""
        values = rows.sample_row(sample)
        if sample.exclusion is None:
            duplicate = self._run(
                "find_duplicate",
                dataset_id=dataset_id,
                image_sha256=values["image_sha256"],
                sample_index=sample.sample_index,
            ).fetchone()
            if duplicate is not None:
                values["exclusion"] = "duplicate"
        self._put("put_sample", values, dataset_id=dataset_id)
        row = self._run(
            "find_sample", dataset_id=dataset_id, sample_index=sample.sample_index
        ).fetchone()
        return KnownSample(row["id"], row["exclusion"])

    def get_sample(self, sample_id: int) -> Sample:
        """A sample by id."""
        return rows.sample_record(self._run("get_sample", sample_id=sample_id).fetchone())

    def known_samples(self, *, dataset_id: int, indices: Sequence[int]) -> dict[int, KnownSample]:
        """Of these dataset rows, those that were drawn, by row number."""
        found = self._run(
            "known_samples", dataset_id=dataset_id, indices=canonical_text(list(indices))
        )
        return {r["sample_index"]: KnownSample(r["sample_id"], r["exclusion"]) for r in found}

    def finished_samples(
        self,
        *,
        dataset_id: int,
        recipe_id: int,
        rollouts: int,
        turn_limit: int,
        retry: Collection[Retry] = (),
    ) -> NDArray[np.int64]:
        """The row numbers whose rollouts all need nothing more; see `claim`."""
        import numpy as np

        found = self._run(
            "finished_samples",
            dataset_id=dataset_id,
            recipe_id=recipe_id,
            rollouts=rollouts,
            turn_limit=turn_limit,
            retry=canonical_text(sorted(retry)),
        )
        return np.fromstring(found.fetchone()[0] or "", dtype=np.int64, sep=",")

    def excluded_samples(self, dataset_id: int) -> dict[str, list[int]]:
        """The row numbers that cannot be used, by reason."""
        found: dict[str, list[int]] = {}
        for reason, index in self._run("excluded_samples", dataset_id=dataset_id):
            found.setdefault(reason, []).append(index)
        return found

    def put_recipe(self, recipe: Recipe | ImportedRecipe) -> int:
        """Record a recipe by its hash; its id."""
        sha256 = recipe_hash(recipe)
        self._put("put_recipe", rows.recipe_row(recipe), sha256=sha256)
        return self._only("find_recipe", sha256=sha256)

    def get_recipe(self, recipe_id: int) -> Recipe | ImportedRecipe:
        """A recipe by id."""
        return rows.recipe_record(self._run("get_recipe", recipe_id=recipe_id).fetchone())

    # --- runs and claims -------------------------------------------------------------------

    def start_run(
        self,
        *,
        arguments: Mapping[str, Any],
        versions: Mapping[str, str],
        host: str,
        pid: int,
        process_started: str | None,
    ) -> int:
        """Record a process that is about to generate; its id. `arguments` holds no secret."""
        cursor = self._run(
            "start_run",
            arguments=canonical_text(dict(arguments)),
            versions=canonical_text(dict(versions)),
            host=host,
            pid=pid,
            process_started=process_started,
            now=utc_now(),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def end_run(self, run_id: int, outcome: str) -> None:
        """Record how a run ended and give back its claims; the first outcome stays."""
        self.release_claims(run_id)
        self._run("end_run", run_id=run_id, outcome=outcome, now=utc_now())

    def claiming_runs(self) -> list[sqlite3.Row]:
        """The runs that hold claims: id, host, pid, process_started."""
        return self._run("open_runs").fetchall()

    def release_claims(self, run_id: int) -> int:
        """Give back all traces of a run; how many."""
        return self._run("release_claims", run_id=run_id).rowcount

    def renew_claims(self, run_id: int, *, seconds: float) -> None:
        """Keep a run's claims for so many seconds from now."""
        self._run("renew_claims", run_id=run_id, expires_at=_in_seconds(seconds))

    def claim(
        self,
        *,
        sample_id: int,
        recipe_id: int,
        rollout: int,
        run_id: int,
        turn_limit: int,
        seconds: float,
        retry: Collection[Retry] = (),
    ) -> ClaimedTrace | NotClaimed:
        """Make a trace if it is new, and claim it for so many seconds.

        ``closed`` where it needs nothing more, ``claimed`` where another run
        holds it. A trace that ran out of turns under a lower limit, and one of a
        kind that `retry` names, is opened again, and the readings of its last
        response and what an audit found are removed. To be called inside `transaction`.
        """
        key = {"sample_id": sample_id, "recipe_id": recipe_id, "rollout": rollout}
        self._put("put_trace", key)
        reopened = self._run(
            "reopen_trace", **key, turn_limit=turn_limit, retry=canonical_text(sorted(retry))
        ).fetchone()
        if reopened is not None:
            self._run("drop_derived_rewards", trace_id=reopened["id"])
            self._run("drop_derived_answers", trace_id=reopened["id"])
            self._run("drop_audit", trace_id=reopened["id"])
        expires_at = _in_seconds(seconds)
        row = self._put("claim_trace", key, run_id=run_id, expires_at=expires_at).fetchone()
        if row is None:
            return "claimed" if self._only("is_trace_open", **key) else "closed"
        sample = self.get_sample(sample_id)
        assert sample.photo is not None  # only rows that can be used have traces
        return ClaimedTrace(
            trace_id=row["id"],
            sample=sample,
            photo=rows.sent_photo(row, sample.photo.width, sample.photo.height),
            turns=self.trace_turns(row["id"]),
            calls=self.trace_calls(row["id"]),
        )

    def require_claim(self, trace_id: int, run_id: int) -> None:
        """Nothing, where a run still holds a trace. Raises ClaimLost.

        To be called inside the transaction that then writes: a process that
        slept past its claim must not write into another's conversation.
        """
        if not self._only("holds_claim", trace_id=trace_id, run_id=run_id):
            raise ClaimLost(f"trace {trace_id} is no longer this run's")

    # --- what happens in a trace -----------------------------------------------------------

    def put_turn(
        self, trace_id: int, turn: Turn, *, run_id: int | None, photo: ImageFacts | None = None
    ) -> None:
        """Record a response, and with the first one the photo as it was sent.

        run_id: None for a response that no run of this store asked for.
        """
        if photo is not None:
            self._run(
                "put_sent_photo",
                trace_id=trace_id,
                sha256=photo.sha256,
                pixels_xxh128=photo.pixels_xxh128,
                width=photo.width,
                height=photo.height,
            )
        self._put("put_turn", rows.turn_row(turn), trace_id=trace_id, run_id=run_id)

    def put_call(self, trace_id: int, call: ToolCall) -> None:
        """Record a tool call and its result."""
        self._put("put_tool_call", rows.tool_call_row(call), trace_id=trace_id)

    def put_attempt(self, trace_id: int, attempt: FailedAttempt, *, run_id: int) -> None:
        """Record a failed request."""
        self._put("put_attempt", rows.attempt_row(attempt), trace_id=trace_id, run_id=run_id)

    def close_trace(self, trace_id: int, closing: Closing, *, turn_limit: int) -> None:
        """Close a trace that is open; one that is closed stays as it is."""
        self._put(
            "close_trace",
            {"status": closing.status, "reason": closing.reason},
            trace_id=trace_id,
            turn_limit=turn_limit,
        )

    def put_answer(self, trace_id: int, parser_version: int, answer: Answer) -> None:
        """Record what a version of the parser reads in a trace's final response."""
        self._put(
            "put_answer",
            rows.answer_row(answer),
            trace_id=trace_id,
            parser_version=parser_version,
        )

    def put_export(
        self, *, format: str, options: Mapping[str, Any], trace_count: int, sha256: str, path: Path
    ) -> None:
        """Record that an export was written; `sha256` is its manifest's."""
        self._run(
            "put_export",
            format=format,
            options=canonical_text(dict(options)),
            trace_count=trace_count,
            sha256=sha256,
            path=str(path),
            now=utc_now(),
        )

    # --- reading ---------------------------------------------------------------------------

    def trace_turns(self, trace_id: int) -> tuple[Turn, ...]:
        """A trace's turns, in order."""
        return tuple(map(rows.turn_record, self._run("trace_turns", trace_id=trace_id)))

    def trace_calls(self, trace_id: int) -> tuple[ToolCall, ...]:
        """A trace's tool calls, in order."""
        return tuple(map(rows.tool_call_record, self._run("trace_tool_calls", trace_id=trace_id)))

    def find_trace(self, name: str) -> int:
        """The id of the trace with a public name, the dataset's name before it or not.

        Raises NotFoundError where there is none, or more than one.
        """
        dataset, _, key = name.rpartition(":")
        index, _, rest = key.partition("-")
        recipe, _, rollout = rest.partition("-")
        if not (index.isdecimal() and recipe and rollout.isdecimal()):
            raise NotFoundError(
                f"{name!r} is no trace name; they look like 17-3fa1c2d4-1 "
                "(row, start of the recipe's hash, rollout)"
            )
        found = self._run(
            "find_traces",
            dataset=dataset or None,
            sample_index=int(index),
            recipe=recipe,
            rollout=int(rollout),
        ).fetchall()
        if not found:
            raise NotFoundError(
                f"no trace {name!r} in {self.path}; "
                'list them with: geostore query "select trace from trace_results"'
            )
        if len(found) > 1:
            raise NotFoundError(f"{name!r} is ambiguous; put the dataset's name and ':' before it")
        return int(found[0]["id"])

    def get_trace(self, trace_id: int) -> StoredTrace:
        """Everything of one trace. Raises NotFoundError."""
        row = self._run("get_trace", trace_id=trace_id).fetchone()
        if row is None:
            raise NotFoundError(f"no trace with id {trace_id} in {self.path}")
        return rows.stored_trace_record(
            row,
            dataset=self.get_dataset(row["dataset_id"]),
            several_datasets=row["dataset_count"] > 1,
            recipe=self.get_recipe(row["recipe_id"]),
            turns=self.trace_turns(trace_id),
            calls=self.trace_calls(trace_id),
            failures=tuple(
                map(rows.attempt_record, self._run("trace_attempts", trace_id=trace_id))
            ),
        )


def _in_seconds(seconds: float) -> str:
    return _iso(datetime.now(UTC) + timedelta(seconds=seconds))
