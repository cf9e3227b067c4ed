"""What the teacher is asked, and that a recipe's hash covers all of it and no more."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from geostore.errors import RecipeError
from geostore.recipe import FRAME_SENTENCES, PHOTO_SIZE, make_recipe, recipe_hash, tool_names
from geostore.records import ImageLimits, Recipe

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
}


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_every_field_is_part_of_the_hash(name: str) -> None:
    assert recipe_hash(replace(RECIPE, **{name: OTHER[name]})) != recipe_hash(RECIPE)


def test_the_hash_does_not_drift() -> None:
    """A changed hash makes every trace of every store missing again, to be paid again."""
    fixed = Recipe("m", "s", "u", (), "text", "pixel", ImageLimits(), 0.7, 2048)
    assert recipe_hash(fixed) == "4f0ea4ac5231ee3a96662df3343a695cb7e967e77bf22f3df7c72aa1e2ed5e2b"


@pytest.mark.parametrize(
    ("model", "frame", "protocol", "factor"),
    [
        ("Qwen/Qwen2.5-VL-72B-Instruct", "pixel", "text", 28),
        ("Qwen/Qwen3-VL-235B-A22B", "norm1000", "text", 1),
        ("gemini-2.5-pro", "norm1000_yx", "native", 1),
        ("gpt-4o", "pixel", "native", 1),
        ("openai/o3", "pixel", "native", 1),
        ("claude-opus", "pixel", "native", 1),
        ("my-own-model", "norm1000", "text", 1),
    ],
)
def test_frame_and_protocol_follow_the_models_name(
    model: str, frame: str, protocol: str, factor: int
) -> None:
    made = make_recipe(model=model)
    assert (made.bbox_frame, made.protocol, made.limits.factor) == (frame, protocol, factor)


def test_what_is_chosen_overrides_the_name() -> None:
    made = make_recipe(model="gpt-4o", protocol="text", bbox_frame="norm1000")
    assert (made.protocol, made.bbox_frame) == ("text", "norm1000")
    assert make_recipe(model="qwen3-vl", bbox_frame="pixel").limits.factor == 32


@pytest.mark.parametrize("frame", sorted(FRAME_SENTENCES))
def test_the_prompt_tells_the_frame_and_the_size(frame: Any) -> None:
    made = make_recipe(model="test", bbox_frame=frame)
    assert FRAME_SENTENCES[frame] in made.user_prompt
    assert PHOTO_SIZE in made.user_prompt
    assert sum(sentence in made.user_prompt for sentence in FRAME_SENTENCES.values()) == 1


def test_without_tools_frame_and_protocol_make_no_second_recipe() -> None:
    one = make_recipe(model="test", tools=False, protocol="native", bbox_frame="pixel")
    assert one == make_recipe(model="test", tools=False)
    assert tool_names(one) == ()


def test_the_prompt_asks_for_the_form_that_the_parser_likes_best() -> None:
    for made in (RECIPE, make_recipe(model="test", tools=False)):
        assert "<answer>\\boxed{latitude, longitude}</answer>" in made.user_prompt


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": " "}, "--model"),
        ({"temperature": 2.5}, "0 to 2"),
        ({"max_tokens": 0}, "at least 1"),
        ({"max_pixels": 100}, "at least"),
        ({"extra_body": {"messages": []}}, "an option of its own"),
        ({"extra_body": {"n": 4}}, "--rollouts"),
        ({"extra_body": {"stream": True}}, "stored whole"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        make_recipe(**{"model": "test", **options})
