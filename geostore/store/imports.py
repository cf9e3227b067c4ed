"""Writes traces that were read from files, and says which files are imported already.

Nothing overwrites a trace that the store has: where a file contradicts it, the
caller gets a `Conflict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from geostore.answers import PARSER_VERSION
from geostore.conversation.interim import interim_answers
from geostore.errors import RowRefused
from geostore.identity import canonical_text
from geostore.proofs import ImageProof
from geostore.records import (
    Answer,
    DatasetFacts,
    ImageFacts,
    ImportedRecipe,
    Recipe,
    Reward,
    Sample,
    Status,
    ToolCall,
    Turn,
)
from geostore.store.copies import SAME_PLACE_DEGREES
from geostore.store.db import Db, Row, utc_now
from geostore.store.image_proofs import put_image_proofs
from geostore.store.store import Store

Variant = Literal["geostore", "history", "log"]
"""The form of a file: an export of geostore whose hashes match, or a file of the older scripts."""


@dataclass(frozen=True, slots=True)
class ImportedTrace:
    """A trace as a file gives it, ready to be written."""

    variant: Variant
    """The form of the file."""
    stated_index: int
    """The file's own `sample_index`."""
    dataset: DatasetFacts
    """The dataset of its photo."""
    dataset_seen: bool
    """Whether the dataset was opened, so that its path is right."""
    sample: Sample
    """The photo it is about, and the photo's true place."""
    recipe: Recipe | ImportedRecipe
    """What the teacher was asked."""
    recipe_sha256: str
    """The recipe's content hash."""
    rollout: int
    """The number of this try of the recipe on the sample, from 1."""
    status: Status
    """Any but ``open``."""
    stop_reason: str | None
    """As `Closing.reason`; None where the file does not say."""
    turn_limit: int | None
    """The limit in force when it ended; None where the file does not say."""
    photo: ImageFacts | None
    """The photo as sent; None under an `ImportedRecipe`."""
    turns: tuple[Turn, ...]
    """The responses, in order."""
    calls: tuple[ToolCall, ...]
    """The tool calls, in order."""
    answer: Answer
    """What the parser of today reads in the last response."""
    reward: Reward | None = None
    """The reward that the file carries; None where it carries none."""
    reward_extra: dict[str, Any] = field(default_factory=dict, hash=False)
    """Further numbers of that reward, by name."""
    rollout_known: bool = True
    """Whether the file says which try it is; else it is the next one where `rollout` is taken."""
    image_proofs: tuple[ImageProof, ...] = ()
    """What an export says of images that were made again; empty in other files."""
    label: str | None = None
    """What stands before the trace's name in the store that exported it, so that the name means the
    same trace here; None: nothing, and in other files."""

    @property
    def is_moved(self) -> bool:
        """Whether its row was found by its coordinates, because the file's number is another."""
        return self.sample.sample_index != self.stated_index


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file that was read."""

    path: str
    """Its absolute path."""
    sha256: str
    """Of its bytes; of a row of training data with ``:`` and the name of its trace behind it."""
    stamp: str
    """Its size and times before it was read; the same stamp later means the same bytes."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The result for a file that contradicts the store; nothing of it is written."""

    why: str
    """What differs, and what to do."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file that was imported before."""

    stamp: str
    """Its size and times then."""
    is_seen: bool
    """Whether the dataset of its trace was opened; else the trace has no photo."""


def known_files(db: Db, paths: Iterable[str]) -> dict[str, KnownFile]:
    """Of some absolute paths, those that were imported."""
    imports = db.run("find_imports", paths=canonical_text(list(paths)))
    return {row["path"]: KnownFile(row["stamp"], bool(row["is_seen"])) for row in imports}


class ImportWriter:
    """Writes imported traces.

    It remembers the ids of datasets and recipes, so the caller must drop it when a
    transaction fails. spec_id: the reward spec for the files' own rewards.
    """

    def __init__(self, store: Store, *, spec_id: int) -> None:
        self._store = store
        self._spec_id = spec_id
        self._datasets: dict[tuple[str | None, str], int] = {}
        self._recipes: dict[str, int] = {}
        self._with_calls: set[int] = set()

    def is_taken(self, file: ImportedFile, folder: str) -> bool:
        """Whether another file in a folder or below it gave the trace that a file holds."""
        others = self._store.db.run("find_import_paths", sha256=file.sha256)
        return any(
            row["path"] != file.path and row["path"].startswith(f"{folder}/") for row in others
        )

    def put(
        self, file: ImportedFile, trace: ImportedTrace
    ) -> Literal["imported"] | Conflict | None:
        """Write a file's trace, all or nothing; None where the store has it already.

        Call it inside `Db.transaction`. Raises ValueError where the tables refuse a
        value of the file; then nothing of it is written.
        """
        try:
            with self._store.db.savepoint():
                return self._put(file, trace)
        except RowRefused as error:
            # The savepoint may have rolled back the rows of remembered ids as well.
            self._datasets.clear()
            self._recipes.clear()
            self._with_calls.clear()
            raise ValueError(str(error.__cause__)) from error

    def _put(
        self, file: ImportedFile, trace: ImportedTrace
    ) -> Literal["imported"] | Conflict | None:
        known = self._store.db.run("find_import", path=file.path, sha256=file.sha256).fetchone()
        if known["trace_id"] is not None:
            self._put_import(file, known["variant"], trace.stated_index, known["trace_id"])
            return None
        if known["path_sha256"] is not None:
            return Conflict(
                "the file was changed after it was imported, and the store keeps its trace as it "
                "was; give the file another name to import it beside that"
            )
        sample_id = self._sample(self._dataset(trace), trace)
        if isinstance(sample_id, Conflict):
            return sample_id
        key = {
            "sample_id": sample_id,
            "recipe_id": self._recipe(trace),
            "rollout": trace.rollout,
        }
        stored = self._store.db.run("find_trace_id", **key).fetchone()
        if stored is not None:
            same = self._same_trace(stored, key, trace)
            if same is not None:
                self._put_import(file, trace.variant, trace.stated_index, same)
                return None
            if not self._may_be_next(stored["id"], trace):
                return Conflict(
                    f"the store has another trace of row {trace.sample.sample_index}, rollout "
                    f"{trace.rollout}, of the same recipe; --label NAME keeps two batches apart"
                )
            key["rollout"] = self._store.db.number(
                "next_rollout", sample_id=sample_id, recipe_id=key["recipe_id"]
            )
        trace_id = self._put_trace(key, trace)
        self._put_import(file, trace.variant, trace.stated_index, trace_id)
        return "imported"

    def _put_trace(self, key: dict[str, int], trace: ImportedTrace) -> int:
        photo = trace.photo
        trace_id = self._store.db.number(
            "put_imported_trace",
            **key,
            status=trace.status,
            stop_reason=trace.stop_reason,
            turn_limit=trace.turn_limit,
            sent_sha256=photo.sha256 if photo else None,
            sent_pixels_xxh128=photo.pixels_xxh128 if photo else None,
            sent_width=photo.width if photo else None,
            sent_height=photo.height if photo else None,
            now=utc_now(),
        )
        for turn in trace.turns:
            self._store.traces.put_turn(trace_id, turn, run_id=None)
        for call in trace.calls:
            self._store.traces.put_call(trace_id, call)
        if trace.calls and key["recipe_id"] not in self._with_calls:
            self._store.db.run("mark_recipe_with_calls", recipe_id=key["recipe_id"])
            self._with_calls.add(key["recipe_id"])
        put_image_proofs(self._store.db, trace_id, trace.image_proofs, frame=None)
        self._store.traces.put_answer(
            trace_id, PARSER_VERSION, trace.answer, interim=interim_answers(trace.turns)
        )
        if trace.reward is not None:
            self._store.db.run(
                "put_imported_reward",
                trace_id=trace_id,
                spec_id=self._spec_id,
                distance_km=trace.reward.distance_km,
                score=trace.reward.score,
                geoguessr_points=trace.reward.geoguessr_points,
                extra=canonical_text(trace.reward_extra) if trace.reward_extra else None,
                now=utc_now(),
            )
        self._store.db.facts_changed([trace_id])
        return trace_id

    def _dataset(self, trace: ImportedTrace) -> int:
        facts = trace.dataset
        identity = (facts.fingerprint, "" if facts.fingerprint else facts.path)
        if identity not in self._datasets:
            samples = self._store.samples
            put = samples.put_dataset if trace.dataset_seen else samples.put_unseen_dataset
            dataset_id = put(facts, label=trace.label)
            self._datasets[identity] = dataset_id
        return self._datasets[identity]

    def _sample(self, dataset_id: int, trace: ImportedTrace) -> int | Conflict:
        sample = trace.sample
        stored = self._place(dataset_id, sample.sample_index)
        if stored is None:
            return self._store.samples.put_sample(dataset_id, sample).sample_id
        apart = max(abs(stored["lat"] - sample.lat), abs(stored["lon"] - sample.lon))
        if apart > SAME_PLACE_DEGREES:
            return Conflict(
                f"the store knows row {sample.sample_index} at {stored['lat']}, {stored['lon']}, "
                f"and the file has it at {sample.lat}, {sample.lon}"
                + ("" if trace.dataset_seen else "; --dataset-path tells which of them is right")
            )
        columns = orjson.loads(stored["columns"])
        if not sample.columns.keys() <= columns.keys():
            # A file may say more of its photo than the dataset or another file does.
            self._store.db.run(
                "set_sample_columns",
                sample_id=stored["id"],
                columns=canonical_text({**sample.columns, **columns}),
            )
        return int(stored["id"])

    def _place(self, dataset_id: int, sample_index: int) -> Row | None:
        row: Row | None = self._store.db.run(
            "find_sample_place", dataset_id=dataset_id, sample_index=sample_index
        ).fetchone()
        return row

    def _recipe(self, trace: ImportedTrace) -> int:
        if trace.recipe_sha256 not in self._recipes:
            self._recipes[trace.recipe_sha256] = self._store.recipes.put_recipe(trace.recipe)
        return self._recipes[trace.recipe_sha256]

    def _same_trace(self, stored: Row, key: dict[str, int], trace: ImportedTrace) -> int | None:
        """The id of the trace that has a file's words, at its rollout or at one it was given."""
        if self._is_same(stored["id"], stored["status"], trace):
            return int(stored["id"])
        if trace.rollout_known and not trace.is_moved:
            return None
        others = self._store.db.run(
            "find_rollouts", sample_id=key["sample_id"], recipe_id=key["recipe_id"]
        ).fetchall()
        same = (row["id"] for row in others if self._is_same(row["id"], row["status"], trace))
        return next(same, None)

    def _may_be_next(self, stored_id: int, trace: ImportedTrace) -> bool:
        """Whether a file whose rollout another trace has is taken as a further try.

        It is where it does not say which try it is, and where one of both was found by its
        coordinates: then the numbers come from two counts, and neither shuts out the other.
        """
        if not trace.rollout_known:
            return True
        stored_is_moved = self._store.db.number("is_moved", trace_id=stored_id)
        return bool(stored_is_moved) != trace.is_moved

    def _is_same(self, trace_id: int, status: str, trace: ImportedTrace) -> bool:
        """Whether a file holds the same words and calls as the store, perhaps in another layout."""
        return status == trace.status and _words(
            self._store.traces.trace_turns(trace_id), self._store.traces.trace_calls(trace_id)
        ) == _words(trace.turns, trace.calls)

    def _put_import(self, file: ImportedFile, variant: str, stated_index: int, id: int) -> None:
        self._store.db.run(
            "put_import",
            path=file.path,
            sha256=file.sha256,
            stamp=file.stamp,
            variant=variant,
            stated_index=stated_index,
            trace_id=id,
            now=utc_now(),
        )


def _words(turns: Sequence[Turn], calls: Sequence[ToolCall]) -> tuple[Any, ...]:
    return (
        [(turn.response, turn.reasoning) for turn in turns],
        [(call.turn, call.name, call.raw_arguments, call.success) for call in calls],
    )
