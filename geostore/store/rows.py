"""Turns records into rows of the store and back; the only place that knows both shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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

Places = Row | Sequence[Any]
"""A row whose values are read by their places: a row looks through all of its names whenever it is
asked for one."""

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


def sample_record(row: Places) -> Sample:
    """From a row that begins with sample_columns."""
    (
        sample_index,
        lat,
        lon,
        locatability_score,
        country,
        columns,
        image_sha256,
        image_format,
        width,
        height,
        exclusion,
    ) = row[:11]
    return _make_sample(
        sample_index=sample_index,
        lat=lat,
        lon=lon,
        locatability_score=locatability_score,
        country=country,
        columns=orjson.loads(columns),
        photo=None if width is None else _make_photo(image_sha256, width, height, image_format),
        exclusion=exclusion,
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


def turn_record(row: Places) -> Turn:
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


def tool_call_record(row: Places) -> ToolCall:
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


def attempt_record(row: Places) -> FailedAttempt:
    """From attempts_of_traces, which gives all fields in their order behind the trace's id."""
    return FailedAttempt(*row[1:])


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


def answer_record(row: Places) -> Answer | None:
    """From a row that begins with sample_columns and answer_columns; None without an answer."""
    parser_version, lat, lon, form, failure, flags, *stated = row[11:22]
    if parser_version is None:
        return None
    return _make_answer(
        lat=lat,
        lon=lon,
        form=form,
        failure=failure,
        flags=() if flags == "[]" else tuple(orjson.loads(flags)),
        stated=_make_stated(*stated),
    )


def stored_trace_record(
    row: Places,
    *,
    dataset: DatasetFacts,
    find_dataset: Callable[[int], DatasetFacts],
    recipe: Recipe | ImportedRecipe,
    turns: Iterable[Turn],
    calls: Iterable[ToolCall],
    failures: Iterable[FailedAttempt],
    image_proofs: Iterable[ImageProof],
) -> StoredTrace:
    """From the values of trace_columns.

    find_dataset: gives a dataset by its id, for those that hold a copy of the photo.
    """
    sample = sample_record(row)
    (
        recipe_sha256,
        dataset_label,
        rollout,
        status,
        stop_reason,
        turn_limit,
        reward_spec,
        reward_kind,
        copies,
        spec_id,
        *reward,
    ) = row[26:39]
    key = _make_key(sample.sample_index, recipe_sha256, rollout, dataset_label)
    return _make_trace(
        name=str(key),
        key=key,
        dataset=dataset,
        sample=sample,
        recipe=recipe,
        status=status,
        stop_reason=stop_reason,
        turn_limit=turn_limit,
        photo=sent_photo(row[22:26], sample.photo),
        turns=tuple(turns),
        calls=tuple(calls),
        failures=tuple(failures),
        answer=answer_record(row),
        reward=None if spec_id is None else _make_reward(*reward),
        reward_spec=reward_spec,
        reward_kind=reward_kind,
        image_proofs=tuple(image_proofs),
        copies=()
        if copies == "[]"
        else tuple((find_dataset(id), index) for id, index in orjson.loads(copies)),
    )


def sent_photo(sent: Places, photo: PhotoFacts | None) -> ImageFacts | None:
    """The photo as sent, from sent_columns; None before the first response.

    photo: as it is stored.
    """
    sha256, pixels_xxh128, width, height = sent
    if sha256 is None:
        return None
    return _make_image(
        sha256=sha256,
        width=width,
        height=height,
        full_width=None if photo is None else photo.width,
        full_height=None if photo is None else photo.height,
        pixels_xxh128=pixels_xxh128,
    )
