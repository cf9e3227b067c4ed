"""What the teacher is asked, and that a recipe's hash covers all of it and no more."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from geostore.conversation.recipe import (
    FRAME_SENTENCES,
    PHOTO_SIZE,
    make_recipe,
    recipe_hash,
    tool_names,
)
from geostore.errors import RecipeError
from geostore.imaging import fit_size
from geostore.records import ImageLimits, Recipe
from tests.builders import recipe_of

RECIPE = make_recipe(model="test")
OTHER: dict[str, Any] = {
    "model": "other",
    "system_prompt": "x",
    "user_prompt": "x",
    "tools": (),
    "protocol": "native",
    "bbox_frame": "pixel",
    "limits": ImageLimits(quality=50),
    "temperature": 0.1,
    "max_tokens": 1,
    "seed": 1,
    "extra_body": {"top_p": 0.5},
    "max_calls_per_turn": 1,
    "max_nudges": 0,
    "answer_with_calls": "final",
    "reasoning_field": "none",
}


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_every_field_is_part_of_the_hash(name: str) -> None:
    assert recipe_hash(replace(RECIPE, **{name: OTHER[name]})) != recipe_hash(RECIPE)


def test_the_hash_does_not_drift() -> None:
    """A changed hash makes every trace of every store missing again, to be paid again."""
    fixed = Recipe("m", "s", "u", (), "text", "pixel", ImageLimits(), 0.7, 2048)
    assert recipe_hash(fixed) == "6c0b39ec99728ae13e4d8d8b5287ab7adbe3befbe71223ad10ca410fb2bcfa84"


@pytest.mark.parametrize(
    ("options", "sha256"),
    [
        ({"model": "offline-teacher"}, "a1e2938444c5731a"),
        ({"model": "Qwen/Qwen3-VL-32B-Instruct"}, "1b5b16388f7db360"),
        ({"model": "Qwen/Qwen2.5-VL-7B-Instruct"}, "45eb4ab3dbc7262a"),
        ({"model": "google/gemini-2.5-pro"}, "c5f040f95a420807"),
        ({"model": "test", "tools": False}, "ef2a16f758f3254f"),
        ({"model": "test", "bbox_frame": "pixel"}, "0e521ecbe74aee58"),
    ],
)
def test_what_a_model_is_asked_by_default_does_not_drift(
    options: dict[str, Any], sha256: str
) -> None:
    """Prompts, schemas and limits of the usual recipes, as stores already hold them."""
    assert recipe_hash(recipe_of(**options)).startswith(sha256)


PIXEL_28, PIXEL_1 = ("pixel", "text", 28), ("pixel", "native", 1)
NORM, NORM_YX = ("norm1000", "text", 1), ("norm1000_yx", "native", 1)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("Qwen/Qwen2.5-VL-72B-Instruct", PIXEL_28),
        ("Qwen/Qwen2.5-VL-7B-Instruct-AWQ", PIXEL_28),
        ("qwen2.5vl:7b", PIXEL_28),
        ("qwen/qwen-2.5-vl-7b-instruct:free", PIXEL_28),
        ("accounts/fireworks/models/qwen2p5-vl-32b-instruct", PIXEL_28),
        ("qwen2_5_vl", PIXEL_28),
        ("/models/models--Qwen--Qwen2.5-VL-7B-Instruct/snapshots/0123", PIXEL_28),
        ("someone/Qwen2.5-VL-7B-gpt-4o-distill", PIXEL_28),
        ("Qwen/Qwen2-VL-7B-Instruct", NORM),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct", NORM),
        ("Qwen/Qwen3-VL-235B-A22B-Thinking-FP8", NORM),
        ("qwen3-vl:8b", NORM),
        ("openrouter/qwen/qwen3-vl-32b-instruct", NORM),
        ("Qwen/Qwen3.5-35B-A3B", NORM),
        ("gemini-2.5-pro", NORM_YX),
        ("google/gemini-2.5-flash", NORM_YX),
        ("models/gemini-3-pro-preview", NORM_YX),
        ("vertex_ai/gemini-2.0-flash-001", NORM_YX),
        ("gpt-4o", PIXEL_1),
        ("gpt-5-mini-2025-08-07", PIXEL_1),
        ("chatgpt-4o-latest", PIXEL_1),
        ("openai/gpt-5", PIXEL_1),
        ("openrouter/openai/gpt-4.1", PIXEL_1),
        ("azure/gpt-4o", PIXEL_1),
        ("ft:gpt-4o-2024-08-06:someone::abc", PIXEL_1),
        ("openai/o3", PIXEL_1),
        ("o4-mini", PIXEL_1),
        ("claude-opus-4-1", PIXEL_1),
        ("anthropic/claude-sonnet-4", PIXEL_1),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", PIXEL_1),
        ("my-own-model", NORM),
        ("Vision-CAIR/MiniGPT-4", NORM),
        ("AIDC-AI/Marco-o1", NORM),
        ("OpenGVLab/InternVL3-8B", NORM),
    ],
)
def test_frame_and_protocol_follow_the_models_name(
    model: str, expected: tuple[str, str, int]
) -> None:
    """With the prefixes and spellings under which servers offer a model."""
    made = make_recipe(model=model)
    assert (made.bbox_frame, made.protocol, made.limits.factor) == expected


@pytest.mark.parametrize(
    ("model", "limits"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", ImageLimits(factor=28, min_side=28)),
        ("Qwen/Qwen3-VL-8B-Instruct", ImageLimits(min_side=32)),
        ("gemini-2.5-pro", ImageLimits()),
        ("gpt-4o", ImageLimits(max_pixels=768 * 768, max_side=2048)),
        ("claude-sonnet-4", ImageLimits(max_pixels=768 * 768, max_side=1568)),
    ],
)
def test_images_are_sent_so_that_the_server_leaves_them_as_they_are(
    model: str, limits: ImageLimits
) -> None:
    assert make_recipe(model=model).limits == limits


def test_what_is_chosen_overrides_the_name() -> None:
    made = recipe_of(model="gpt-4o", protocol="text", bbox_frame="norm1000")
    assert (made.protocol, made.bbox_frame) == ("text", "norm1000")
    forced = recipe_of(model="qwen3-vl", bbox_frame="pixel").limits
    assert (forced.factor, forced.min_pixels, forced.min_side) == (32, 256 * 256, 32)
    relative = recipe_of(model="gpt-4o", bbox_frame="norm1000").limits
    assert relative.max_side is None, "the server may reduce it: nothing is told in its pixels"


def test_a_model_under_another_name_can_be_given_what_its_server_does() -> None:
    alias = recipe_of(
        model="teacher", bbox_frame="pixel", protocol="text", image_multiple=28, zoom_side=600
    )
    named = recipe_of(model="Qwen2.5-VL-7B", zoom_side=600)
    assert replace(alias, model=named.model) == named
    assert named.limits.zoom_side == 600


@pytest.mark.parametrize("frame", sorted(FRAME_SENTENCES))
def test_the_prompt_tells_the_frame_and_the_size(frame: Any) -> None:
    made = recipe_of(model="test", bbox_frame=frame)
    assert FRAME_SENTENCES[frame] in made.user_prompt
    assert PHOTO_SIZE in made.user_prompt
    assert sum(sentence in made.user_prompt for sentence in FRAME_SENTENCES.values()) == 1


@pytest.mark.parametrize(
    ("model", "temperature"),
    [
        ("o3", None),
        ("openai/o4-mini", None),
        ("gpt-5", None),
        ("azure/gpt-5-mini-2025-08-07", None),
        ("ft:gpt-5-nano:me::1", None),
        ("gpt-5-chat-latest", 0.7),
        ("gpt-5.2", 0.7),
        ("gpt-4o", 0.7),
        ("gpt-oss-20b", 0.7),
        ("test", 0.7),
    ],
)
def test_models_that_refuse_a_temperature_get_none_unless_it_is_asked_for(
    model: str, temperature: float | None
) -> None:
    assert recipe_of(model=model).temperature == temperature
    assert recipe_of(model=model, temperature=1.0).temperature == 1.0
    assert recipe_of(model=model, temperature="none").temperature is None


def test_a_recipe_that_leaves_reasoning_where_it_came_has_the_hash_it_had() -> None:
    """Stores hold this hash of the recipe of today's defaults."""
    known = "a3ac8b4fbe597d1c7bc1d0347152c6d7421401fd7384022ed7c4ee99ac8e64a2"
    assert recipe_hash(RECIPE) == known


def test_without_tools_frame_and_protocol_make_no_second_recipe() -> None:
    one = recipe_of(model="test", tools=False, protocol="native", bbox_frame="pixel")
    assert one == recipe_of(model="test", tools=False)
    assert tool_names(one) == ()


def test_the_prompt_asks_for_the_form_that_the_parser_likes_best() -> None:
    for made in (RECIPE, recipe_of(model="test", tools=False)):
        assert "<answer>\\boxed{latitude, longitude}</answer>" in made.user_prompt


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": " "}, "--model"),
        ({"temperature": 2.5}, "0 to 2"),
        ({"max_tokens": 0}, "at least 1"),
        ({"max_pixels": 100}, "at least"),
        ({"image_multiple": 0}, "1 to 56"),
        ({"image_multiple": 57}, "1 to 56"),
        ({"zoom_side": 0}, "1 to 4096"),
        ({"zoom_side": 5000}, "1 to 4096"),
        ({"extra_body": {"messages": []}}, "an option of its own"),
        ({"extra_body": {"n": 4}}, "--rollouts"),
        ({"extra_body": {"stream": True}}, "use --stream"),
        ({"extra_body": {"max_completion_tokens": 9}}, "--token-limit-name"),
        ({"extra_body": {"stream_options": {}}}, "use --transport"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        recipe_of(**options)


def qwens_rule(size: tuple[int, int], *, factor: int, least: int) -> tuple[int, int]:
    """What Qwen's server makes of an image; Source: smart_resize of qwen-vl-utils."""
    width, height = size
    bars = [max(factor, round(side / factor) * factor) for side in size]
    if bars[0] * bars[1] < least:
        beta = math.sqrt(least / (width * height))
        bars = [math.ceil(side * beta / factor) * factor for side in size]
    return bars[0], bars[1]


def reduced(size: tuple[int, int], *, long: int, short: int) -> tuple[int, int]:
    """What OpenAI's and Anthropic's servers make of one: within a long side, then a short one."""
    scale = min(1, long / max(size), short / min(size))
    return round(size[0] * scale), round(size[1] * scale)


SERVERS: dict[str, Callable[[tuple[int, int]], tuple[int, int]]] = {
    "Qwen/Qwen2.5-VL-7B": lambda size: qwens_rule(size, factor=28, least=56 * 56),
    "Qwen/Qwen3-VL-8B": lambda size: qwens_rule(size, factor=32, least=256 * 256),
    "gpt-5": lambda size: reduced(size, long=2048, short=768),
    "claude-sonnet-4": lambda size: reduced(size, long=1568, short=1568),
}


@given(st.sampled_from(sorted(SERVERS)), st.integers(4, 9000), st.integers(4, 9000), st.booleans())
def test_in_pixel_frames_a_server_leaves_every_image_as_it_was_sent(
    model: str, width: int, height: int, zoomed: bool
) -> None:
    """So the frame told, the frame sent and the frame seen are one, for photos and for zooms."""
    assume(max(width, height) <= 100 * min(width, height))
    limits = recipe_of(model=model, bbox_frame="pixel").limits
    side = max(limits.zoom_side, limits.min_side) if zoomed else limits.min_side
    sent = fit_size(width, height, limits, enlarge_short_side=side)
    assert SERVERS[model](sent) == sent
    assert sent[0] * sent[1] <= limits.max_pixels
