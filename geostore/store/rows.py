"""Turns records into rows of the store and back; the only place that knows both shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

import orjson

from geostore.costs.usage import read_kept_usage
from geostore.identity import canonical_text
from geostore.makers import maker_of
from geostore.proofs import ImageProof
from geostore.records import (
    Answer,
    DatasetFacts,
    FailedAttempt,
    ImageFacts,
    ImageLimits,
    ImportedRecipe,
    PhotoFacts,
    Recipe,
    Reward,
    Sample,
    StoredTrace,
    ToolCall,
    TraceKey,
    Turn,
)
from geostore.stated import Stated
from geostore.store.db import Row

Values = Row | Mapping[str, Any]
"""A row, or what `values_of` gives of it."""

_RECIPE_JSON = ("tools", "limits", "extra_body")
_RECIPE_FIELDS = tuple(field.name for field in fields(Recipe))
_TURN_FIELDS = tuple(field.name for field in fields(Turn))

_make_turn = maker_of(Turn)
_make_call = maker_of(ToolCall)
_make_image = maker_of(ImageFacts)
_make_photo = maker_of(PhotoFacts)
_make_sample = maker_of(Sample)
_make_answer = maker_of(Answer)
_make_stated = maker_of(Stated)
_make_reward = maker_of(Reward)
_make_key = maker_of(TraceKey)
_make_trace = maker_of(StoredTrace)


def values_of(row: Values) -> Mapping[str, Any]:
    """A row's values by name. A row looks through all of its names whenever it is asked for one."""
    return dict(zip(row.keys(), row, strict=True)) if isinstance(row, Row) else row


def dataset_row(facts: DatasetFacts) -> dict[str, Any]:
    """Parameters of put_dataset and put_unseen_dataset."""
    unseen = facts.fingerprint is None
    return {
        "fingerprint": facts.fingerprint,
        "path": facts.path,
        "name": facts.name,
        "split": facts.split,
        "num_rows": facts.num_rows,
        "columns": None if unseen else canonical_text(list(facts.columns)),
        "column_map": None if unseen else canonical_text(facts.column_map),
    }


def dataset_record(row: Row) -> DatasetFacts:
    """From get_dataset."""
    return DatasetFacts(
        path=row["path"],
        name=row["name"],
        fingerprint=row["fingerprint"],
        split=row["split"],
        num_rows=row["num_rows"],
        columns=tuple(orjson.loads(row["columns"] or "[]")),
        column_map=orjson.loads(row["column_map"] or "{}"),
    )


def sample_row(sample: Sample) -> dict[str, Any]:
    """Parameters of put_sample, but for the dataset."""
    photo = sample.photo
    return {
        "sample_index": sample.sample_index,
        "lat": sample.lat,
        "lon": sample.lon,
        "locatability_score": sample.locatability_score,
        "country": sample.country,
        "columns": canonical_text(sample.columns),
        "image_sha256": photo.sha256 if photo else None,
        "image_format": photo.format if photo else None,
        "width": photo.width if photo else None,
        "height": photo.height if photo else None,
        "exclusion": sample.exclusion,
    }


def sample_record(row: Values) -> Sample:
    """From get_sample."""
    photo = None
    if row["width"] is not None:
        photo = _make_photo(row["image_sha256"], row["width"], row["height"], row["image_format"])
    return _make_sample(
        sample_index=row["sample_index"],
        lat=row["lat"],
        lon=row["lon"],
        locatability_score=row["locatability_score"],
        country=row["country"],
        columns=orjson.loads(row["columns"]),
        photo=photo,
        exclusion=row["exclusion"],
    )


def recipe_row(recipe: Recipe | ImportedRecipe) -> dict[str, Any]:
    """Parameters of put_recipe, but for the hash."""
    if isinstance(recipe, ImportedRecipe):
        tools = None if recipe.tools is None else canonical_text(list(recipe.tools))
        return {
            **dict.fromkeys(_RECIPE_FIELDS),
            "model": recipe.model,
            "system_prompt": recipe.system_prompt,
            "tools": tools,
            "imported": canonical_text(asdict(recipe)),
            "has_calls": int(recipe.tools is None and recipe.says_tools),
        }
    row = asdict(recipe)
    texts = {name: canonical_text(row[name]) for name in _RECIPE_JSON}
    return {**row, **texts, "imported": None, "has_calls": 0}


def recipe_record(row: Row) -> Recipe | ImportedRecipe:
    """From get_recipe."""
    if row["imported"] is not None:
        members = orjson.loads(row["imported"])
        tools = None if members["tools"] is None else tuple(members["tools"])
        return ImportedRecipe(**{**members, "tools": tools})
    values = {name: row[name] for name in _RECIPE_FIELDS}
    values |= {name: orjson.loads(row[name]) for name in _RECIPE_JSON}
    values["tools"] = tuple(values["tools"])
    values["limits"] = ImageLimits(**values["limits"])
    return Recipe(**values)


def turn_row(turn: Turn) -> dict[str, Any]:
    """Parameters of put_turn, but for the trace and the run."""
    return {name: getattr(turn, name) for name in _TURN_FIELDS}


def turn_record(row: Row) -> Turn:
    """From turns_of_traces, which gives all fields in their order behind the trace's id."""
    return _make_turn(*row[1:])


def tool_call_row(call: ToolCall) -> dict[str, Any]:
    """Parameters of put_tool_call, but for the trace."""
    left, top, right, bottom = call.box or (None, None, None, None)
    image = call.image
    return {
        "turn": call.turn,
        "call_index": call.call_index,
        "name": call.name,
        "raw_arguments": call.raw_arguments,
        "arguments": call.arguments,
        "source_index": call.source_index,
        "box_left": left,
        "box_top": top,
        "box_right": right,
        "box_bottom": bottom,
        "angle": call.angle,
        "success": int(call.success),
        "error_kind": call.error_kind,
        "flags": canonical_text(list(call.flags)),
        "observation": call.observation,
        "image_index": call.image_index,
        "image_sha256": image.sha256 if image else None,
        "image_width": image.width if image else None,
        "image_height": image.height if image else None,
        "full_width": image.full_width if image else None,
        "full_height": image.full_height if image else None,
        "image_pixels_xxh128": image.pixels_xxh128 if image else None,
    }


def tool_call_record(row: Row) -> ToolCall:
    """From tool_calls_of_traces, which gives an image's fields last and in their order."""
    (
        _,
        turn,
        call_index,
        name,
        raw_arguments,
        arguments,
        source_index,
        left,
        top,
        right,
        bottom,
        angle,
        success,
        error_kind,
        flags,
        observation,
        image_index,
        *image,
    ) = row
    return _make_call(
        turn=turn,
        call_index=call_index,
        name=name,
        raw_arguments=raw_arguments,
        arguments=arguments,
        source_index=source_index,
        box=None if left is None else (left, top, right, bottom),
        angle=angle,
        success=bool(success),
        error_kind=error_kind,
        flags=() if flags == "[]" else tuple(orjson.loads(flags)),
        observation=observation,
        image=None if image[0] is None else _make_image(*image),
        image_index=image_index,
    )


def attempt_row(attempt: FailedAttempt) -> dict[str, Any]:
    """Parameters of put_attempt, but for the trace and the run."""
    counts = read_kept_usage(attempt.usage)
    return {
        "turn": attempt.turn,
        "error_class": attempt.error_class,
        "message": attempt.message,
        "http_status": attempt.http_status,
        "usage": attempt.usage,
        "prompt_tokens": counts.prompt_tokens,
        "completion_tokens": counts.completion_tokens,
        "total_tokens": counts.total_tokens,
        "cached_tokens": counts.cached_tokens,
        "cache_write_tokens": counts.cache_write_tokens,
        "service_tier": counts.service_tier,
        "stated_cost": counts.stated_cost,
        "estimated_prompt_tokens": attempt.estimated_prompt_tokens,
        "estimated_completion_tokens": attempt.estimated_completion_tokens,
        "response": attempt.response,
    }


def attempt_record(row: Values) -> FailedAttempt:
    """From attempts_of_traces."""
    return FailedAttempt(
        turn=row["turn"],
        error_class=row["error_class"],
        message=row["message"],
        http_status=row["http_status"],
        usage=row["usage"],
        response=row["response"],
        estimated_prompt_tokens=row["estimated_prompt_tokens"],
        estimated_completion_tokens=row["estimated_completion_tokens"],
    )


def answer_row(answer: Answer) -> dict[str, Any]:
    """Parameters of put_answer, but for the trace and the version."""
    return {
        "lat": answer.lat,
        "lon": answer.lon,
        "form": answer.form,
        "failure": answer.failure,
        "flags": canonical_text(list(answer.flags)),
        "said_country": answer.stated.country,
        "said_region": answer.stated.region,
        "said_city": answer.stated.city,
        "confidence": answer.stated.confidence,
        "confidence_form": answer.stated.confidence_form,
    }


def interim_row(answer: Answer) -> dict[str, Any]:
    """The row of coordinates in a turn that is not its trace's last, without its keys."""
    return {
        "lat": answer.lat,
        "lon": answer.lon,
        "form": answer.form,
        "flags": canonical_text(list(answer.flags)),
    }


def answer_record(row: Values) -> Answer | None:
    """From a trace's row; None where there is no answer yet."""
    if row["parser_version"] is None:
        return None
    return _make_answer(
        lat=row["answer_lat"],
        lon=row["answer_lon"],
        form=row["form"],
        failure=row["failure"],
        flags=() if row["flags"] == "[]" else tuple(orjson.loads(row["flags"])),
        stated=_make_stated(
            row["said_country"],
            row["said_region"],
            row["said_city"],
            row["confidence"],
            row["confidence_form"],
        ),
    )


def reward_record(row: Values) -> Reward | None:
    """From a trace's row; None where the trace has no reward under the default spec."""
    if row["spec_id"] is None:
        return None
    return _make_reward(row["distance_km"], row["score"], row["geoguessr_points"])


def stored_trace_record(
    row: Values,
    *,
    dataset: DatasetFacts,
    find_dataset: Callable[[int], DatasetFacts],
    recipe: Recipe | ImportedRecipe,
    turns: Iterable[Turn],
    calls: Iterable[ToolCall],
    failures: Iterable[FailedAttempt],
    image_proofs: Iterable[ImageProof],
) -> StoredTrace:
    """From a row of get_trace or snapshot_traces, which give the same columns.

    find_dataset: gives a dataset by its id, for those that hold a copy of the photo.
    """
    row = values_of(row)
    key = _make_key(row["sample_index"], row["recipe_sha256"], row["rollout"], row["dataset_label"])
    return _make_trace(
        name=str(key),
        key=key,
        dataset=dataset,
        sample=sample_record(row),
        recipe=recipe,
        status=row["status"],
        stop_reason=row["stop_reason"],
        turn_limit=row["turn_limit"],
        photo=sent_photo(row, row["width"], row["height"]),
        turns=tuple(turns),
        calls=tuple(calls),
        failures=tuple(failures),
        answer=answer_record(row),
        reward=reward_record(row),
        reward_spec=row["reward_spec"],
        reward_kind=row["reward_kind"],
        image_proofs=tuple(image_proofs),
        copies=()
        if row["copies"] == "[]"
        else tuple((find_dataset(id), index) for id, index in orjson.loads(row["copies"])),
    )


def sent_photo(row: Values, full_width: int, full_height: int) -> ImageFacts | None:
    """The photo as sent, from a row of traces; None before the first response."""
    if row["sent_sha256"] is None:
        return None
    return _make_image(
        sha256=row["sent_sha256"],
        width=row["sent_width"],
        height=row["sent_height"],
        full_width=full_width,
        full_height=full_height,
        pixels_xxh128=row["sent_pixels_xxh128"],
    )
