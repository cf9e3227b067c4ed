"""What an export adds to the older format, so that `geostore import` can make rows of it again.

The member ``geostore`` of a trace holds those values of its rows that the older
members do not hold; `importing.exported` reads it. Recipes and datasets stand in the
manifest, once each, and traces name them by their hashes. An export leaves out times,
request ids and failed requests. It also leaves out what a user added to request
bodies, because there could be a secret in it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from geostore.records import (
    DatasetFacts,
    ImageFacts,
    ImportedRecipe,
    PhotoFacts,
    Recipe,
    StoredTrace,
    ToolCall,
    Turn,
)

TURN_FIELDS = (
    "finish_reason",
    "turn_limit",
    "request_sha256",
    "reasoning_source",
    "native_calls",
    "usage",
    "cached_tokens",
    "cache_write_tokens",
    "image_tokens",
    "reasoning_tokens",
    "service_tier",
    "stated_cost",
    "estimated_prompt_tokens",
    "estimated_completion_tokens",
    "served_model",
    "members",
    "request_form",
)
CALL_FIELDS = (
    "call_index",
    "raw_arguments",
    "arguments",
    "source_index",
    "angle",
    "error_kind",
    "observation",
    "image_index",
)


def own_members(trace: StoredTrace) -> dict[str, Any]:
    """The member ``geostore`` of a trace's record; its ``dataset`` is the dataset's fingerprint."""
    photo = trace.sample.photo
    return {
        "rollout": trace.key.rollout,
        "status": trace.status,
        "turn_limit": trace.turn_limit,
        "dataset": trace.dataset.fingerprint,
        "exclusion": trace.sample.exclusion if photo is None else None,
        "photo": None if photo is None else _photo(photo),
        "sent": None if trace.photo is None else _image(trace.photo),
        "turns": [_turn(turn) for turn in trace.turns],
        "calls": [_call(call) for call in trace.calls],
        **_image_proofs(trace),
    }


def recipe_entry(sha256: str, recipe: Recipe | ImportedRecipe) -> dict[str, Any]:
    """A recipe in the manifest: all of its members, so that its hash can be computed again.

    ``withheld`` names the members that are left out. That is ``extra_body``, unless
    it holds only numbers and switches: a text in it could be a key. An imported
    recipe has its members under ``imported``.
    """
    if isinstance(recipe, ImportedRecipe):
        return {"sha256": sha256, "model": recipe.model, "imported": asdict(recipe)}
    shown = all(_is_harmless(value) for value in recipe.extra_body.values())
    return {
        "sha256": sha256,
        "model": recipe.model,
        "protocol": recipe.protocol,
        "bbox_frame": recipe.bbox_frame,
        "temperature": recipe.temperature,
        "max_tokens": recipe.max_tokens,
        "seed": recipe.seed,
        "max_calls_per_turn": recipe.max_calls_per_turn,
        "max_nudges": recipe.max_nudges,
        "answer_with_calls": recipe.answer_with_calls,
        "reasoning_field": recipe.reasoning_field,
        "limits": asdict(recipe.limits),
        "extra_body": recipe.extra_body if shown else None,
        "withheld": [] if shown else ["extra_body"],
        "system_prompt": recipe.system_prompt,
        "user_prompt": recipe.user_prompt,
        "tools": list(recipe.tools),
    }


def dataset_entry(facts: DatasetFacts) -> dict[str, Any]:
    """A dataset in the manifest; each trace names the path where the store saw it last."""
    return {
        "name": facts.name,
        "fingerprint": facts.fingerprint,
        "split": facts.split,
        "num_rows": facts.num_rows,
        "columns": list(facts.columns),
        "column_map": facts.column_map,
    }


def _image_proofs(trace: StoredTrace) -> dict[str, Any]:
    """Of an imported trace whose images were made again, what could be proven of them."""
    if not trace.image_proofs:
        return {}
    return {"image_proofs": [asdict(proof) for proof in trace.image_proofs]}


# Each member by its name: a loop over names takes three times as long, and `asdict` thirty times.


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "finish_reason": turn.finish_reason,
        "turn_limit": turn.turn_limit,
        "request_sha256": turn.request_sha256,
        "reasoning_source": turn.reasoning_source,
        "native_calls": turn.native_calls,
        "usage": turn.usage,
        "cached_tokens": turn.cached_tokens,
        "cache_write_tokens": turn.cache_write_tokens,
        "image_tokens": turn.image_tokens,
        "reasoning_tokens": turn.reasoning_tokens,
        "service_tier": turn.service_tier,
        "stated_cost": turn.stated_cost,
        "estimated_prompt_tokens": turn.estimated_prompt_tokens,
        "estimated_completion_tokens": turn.estimated_completion_tokens,
        "served_model": turn.served_model,
        "members": turn.members,
        "request_form": turn.request_form,
    }


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "call_index": call.call_index,
        "raw_arguments": call.raw_arguments,
        "arguments": call.arguments,
        "source_index": call.source_index,
        "angle": call.angle,
        "error_kind": call.error_kind,
        "observation": call.observation,
        "image_index": call.image_index,
        "box": call.box,
        "flags": call.flags,
        "image": None if call.image is None else _image(call.image),
    }


def _photo(photo: PhotoFacts) -> dict[str, Any]:
    return {
        "sha256": photo.sha256,
        "width": photo.width,
        "height": photo.height,
        "format": photo.format,
    }


def _image(image: ImageFacts) -> dict[str, Any]:
    return {
        "sha256": image.sha256,
        "width": image.width,
        "height": image.height,
        "full_width": image.full_width,
        "full_height": image.full_height,
        "pixels_xxh128": image.pixels_xxh128,
    }


def _is_harmless(value: Any) -> bool:
    """Whether a value is a number, a switch or null, and so holds no secret."""
    return value is None or isinstance(value, bool | int | float)
