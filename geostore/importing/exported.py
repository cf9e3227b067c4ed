"""Makes rows of the trace files that `geostore export` wrote, if they prove themselves.

The member ``geostore`` of such a file holds what its rows held. Somebody may have
edited it, so it must be proven: the recipe in the manifest must have the hash that
the file names, and for every turn the request that follows from the rows must have
the hash that was kept when it was sent. Then the rows are what they were, and
`generate` counts the trace as paid for. A trace that was imported and then exported
has no such hashes, proves nothing, and stays an imported one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from geostore.conversation.machine import read_answer
from geostore.conversation.messages import RequestWriter
from geostore.conversation.request_form import RequestForm
from geostore.conversation.sent import sent_requests, stored_messages
from geostore.errors import GeostoreError
from geostore.export.round_trip import CALL_FIELDS, TURN_FIELDS
from geostore.importing.documents import BadFile, member, optional, switch, whole_number
from geostore.importing.file_images import named_by_hash
from geostore.importing.manifest import Manifest
from geostore.importing.older import read_reward, read_sample, read_turn_numbers
from geostore.importing.origin import unseen_dataset
from geostore.importing.pixels import message_lists, own_part
from geostore.importing.stated_proofs import read_proofs
from geostore.records import (
    DatasetFacts,
    ImageFacts,
    ImportedRecipe,
    PhotoFacts,
    Recipe,
    Sample,
    StoredTrace,
    ToolCall,
    TraceKey,
    Turn,
)
from geostore.rewards import KINDS
from geostore.store import ENDED
from geostore.store.imports import ImportedTrace

_WHOLE_FIELDS = frozenset(
    {
        *("turn_limit", "cached_tokens", "cache_write_tokens", "image_tokens", "reasoning_tokens"),
        *("estimated_prompt_tokens", "estimated_completion_tokens"),
        *("call_index", "source_index", "image_index"),
    }
)
"""Members of turns and calls that are whole numbers."""

_FLOAT_FIELDS = frozenset({"angle", "stated_cost"})

_LABEL = re.compile(r"[A-Za-z0-9_.+-]{1,200}")


class Unproven(GeostoreError):
    """A file of geostore's does not prove itself; the message says why."""


def is_ours(document: Mapping[str, Any]) -> bool:
    """Whether a file has the member that `geostore export` writes."""
    return isinstance(document.get("geostore"), dict)


class ExportReader:
    """Reads the files of one export; writers of requests are made once for each recipe."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._writers: dict[str, RequestWriter] = {}

    def read(self, document: Mapping[str, Any]) -> ImportedTrace:
        """The rows of a file. Raises Unproven where it does not prove itself."""
        try:
            return self._read(document)
        except (
            BadFile,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            AssertionError,
        ) as error:
            # The file may hold anything in any member, and then proves nothing.
            raise Unproven(f"it does not hold what an export writes ({error})") from error

    def _read(self, document: Mapping[str, Any]) -> ImportedTrace:
        own = member(document, "geostore", dict)
        metadata = member(document, "metadata", dict)
        recipe_sha256 = member(metadata, "recipe", str, "metadata.")
        recipe = self._manifest.recipes.get(recipe_sha256)
        if recipe is None:
            raise Unproven(f"no manifest.json beside it holds its recipe {recipe_sha256[:8]} whole")
        index = whole_number(document, "sample_index")
        dataset = self._dataset(own, member(document, "dataset_path", str), index)
        sample = _sample(document, own, index)
        turns, calls = _turns(document, own, recipe), _calls(document, own)
        if own["status"] not in ENDED:
            raise Unproven(f"its status {own['status']!r} is not that of a trace that ended")
        sent = _image(own["sent"])
        proofs = read_proofs(own.get("image_proofs", ()), sent, calls)
        if proofs and isinstance(recipe, Recipe):
            raise Unproven("its images were not made again, but sent by geostore")
        trace = StoredTrace(
            name="",
            key=TraceKey(index, recipe_sha256, whole_number(own, "rollout", "geostore.")),
            dataset=dataset,
            sample=sample,
            recipe=recipe,
            status=own["status"],
            stop_reason=optional(metadata, "stop_reason", str, "metadata."),
            turn_limit=_whole(own["turn_limit"]),
            photo=sent,
            turns=turns,
            calls=calls,
            failures=(),
            answer=None,
            reward=None,
            reward_spec=None,
        )
        if isinstance(recipe, Recipe):
            self._prove(trace, recipe)
        elif any(turn.request_sha256 is not None for turn in turns) or (
            sent is not None and not proofs
        ):
            raise Unproven("it holds hashes of requests that its recipe does not lead to")
        if trace.key.rollout < 1 or trace.final_response != document.get("final_response"):
            raise Unproven("its final response is not that of its last turn")
        spec = self._manifest.reward_spec
        # A formula computes the same reward again, so only others are taken from the file.
        computable = spec is not None and spec.kind in KINDS
        reward, extra = (None, {}) if computable else read_reward(document)
        return ImportedTrace(
            variant="geostore",
            stated_index=index,
            dataset=dataset,
            dataset_seen=False,
            sample=sample,
            recipe=recipe,
            recipe_sha256=recipe_sha256,
            rollout=trace.key.rollout,
            status=trace.status,
            stop_reason=trace.stop_reason,
            turn_limit=trace.turn_limit,
            photo=sent,
            turns=turns,
            calls=calls,
            answer=read_answer(turns[-1], cut=trace.stop_reason == "truncated"),
            reward=reward,
            reward_extra=extra,
            image_proofs=proofs,
            label=_label(member(metadata, "trace", str, "metadata.")),
        )

    def _dataset(self, own: Mapping[str, Any], path: str, index: int) -> DatasetFacts:
        fingerprint = own["dataset"]
        if fingerprint is None:
            return unseen_dataset(path)
        facts = self._manifest.datasets.get(fingerprint)
        if facts is None or facts.num_rows is None or index >= facts.num_rows:
            raise Unproven("its dataset is not in the manifest, or has no such row")
        return replace(facts, path=path)

    def _prove(self, trace: StoredTrace, recipe: Recipe) -> None:
        """Compute the hash of every request again. Raises Unproven where one differs."""
        sha256 = trace.key.recipe_sha256
        writer = self._writers.setdefault(sha256, RequestWriter(recipe))
        if trace.sample.photo is None or trace.photo is None or trace.turn_limit is None:
            raise Unproven("it does not say which photo was sent")
        if (trace.photo.full_width, trace.photo.full_height) != (
            trace.sample.photo.width,
            trace.sample.photo.height,
        ):
            raise Unproven("its photo as sent is not made of its photo")
        for turn, request in zip(trace.turns, sent_requests(trace), strict=True):
            form = RequestForm.of_json(turn.request_form)
            if writer.hash(request, form) != turn.request_sha256:
                raise Unproven(f"the request of turn {turn.turn} is not the one that was sent")


def _label(name: str) -> str | None:
    """What stands before a trace's name; None where nothing does that could be a label."""
    label, _, _ = name.rpartition(":")
    return label if _LABEL.fullmatch(label) else None


def _sample(document: Mapping[str, Any], own: Mapping[str, Any], index: int) -> Sample:
    sample = read_sample(document, index)
    photo = own["photo"]
    if photo is None:
        return replace(sample, exclusion=member(own, "exclusion", str))
    facts = PhotoFacts(**photo)
    if not (isinstance(facts.sha256, str) and facts.width > 0 and facts.height > 0):
        raise Unproven("its photo has no size")
    return replace(sample, photo=facts, exclusion=None)


def _turns(
    document: Mapping[str, Any], own: Mapping[str, Any], recipe: Recipe | ImportedRecipe
) -> tuple[Turn, ...]:
    where = "conversation_history"
    entries = member(document, where, list)
    read_turn_numbers(entries, where)
    imported = isinstance(recipe, ImportedRecipe)
    lists: list[list[dict[str, Any]]] = []
    if imported:
        lists = message_lists([entry["messages"] for entry in entries], where)
        hashes = _image_hashes(own)
        # Paths of files are those of this one export, and the next one may carry bytes.
        lists = own_part([[named_by_hash(m, hashes) for m in messages] for messages in lists])
    turns: list[Turn] = []
    for entry, added in zip(entries, own["turns"], strict=True):
        usage = entry["usage"]
        turn = Turn(
            turn=len(turns) + 1,
            response=member(entry, "response", str),
            reasoning=optional(entry, "reasoning", str),
            prompt_tokens=_whole(usage["prompt_tokens"]),
            completion_tokens=_whole(usage["completion_tokens"]),
            total_tokens=_whole(usage["total_tokens"]),
            **{name: _value(added, name) for name in TURN_FIELDS},
        )
        if isinstance(recipe, ImportedRecipe):
            before = turns[-1] if turns else None
            text = stored_messages(lists[len(turns)], recipe, before)
            turn = replace(turn, messages=text)
        turns.append(turn)
    return tuple(turns)


def _image_hashes(own: Mapping[str, Any]) -> set[str]:
    """Of the images that the trace's teacher saw; none where one is not known."""
    proofs = own.get("image_proofs", ())
    if not proofs or any(proof["proof"] == "not" for proof in proofs):
        return set()
    images = [own["sent"], *(call["image"] for call in own["calls"])]
    return {image["sha256"] for image in images if image is not None}


def _calls(document: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    calls = []
    for entry, added in zip(member(document, "tool_calls", list), own["calls"], strict=True):
        box = added["box"]
        calls.append(
            ToolCall(
                turn=whole_number(entry, "turn"),
                name=member(entry["tool_call"], "name", str),
                success=switch(entry, "success"),
                box=None if box is None else _box(box),
                flags=tuple(str(flag) for flag in added["flags"]),
                image=_image(added["image"]),
                **{name: _value(added, name) for name in CALL_FIELDS},
            )
        )
    return tuple(calls)


def _box(value: Any) -> tuple[int, int, int, int]:
    left, top, right, bottom = (int(edge) for edge in value)
    return left, top, right, bottom


_IMAGE_KINDS = {"sha256": str, "pixels_xxh128": str | None}


def _image(value: Any) -> ImageFacts | None:
    if value is None:
        return None
    facts = ImageFacts(**value)
    for item in fields(facts):
        kind = _IMAGE_KINDS.get(item.name, int)
        if not isinstance(getattr(facts, item.name), kind):
            raise TypeError(f"{item.name} of an image")
    return facts


def _value(added: Mapping[str, Any], name: str) -> Any:
    value = added[name]
    if name in _FLOAT_FIELDS:
        return None if value is None else float(value)
    if name in _WHOLE_FIELDS:
        return _whole(value)
    return optional(added, name, str)


def _whole(value: Any) -> int | None:
    if value is not None and not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value
