"""docs/tools.md says what the code does: sentences, frames, bounds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from geostore.conversation.recipe import family_of
from geostore.imaging import photos
from geostore.records import ImageFacts, ImageLimits
from geostore.tools import DEFAULT_TOOLS, ROTATE, TOOLS, ZOOM, BadCall, understand

PAGE = (Path(__file__).parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")
PHOTO = ImageFacts("a" * 64, 1024, 768, 4096, 3072)
ENHANCE = "image_enhance_tool"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("crop", {}),
        (ZOOM, "{"),
        (ZOOM, "[1]"),
        (ZOOM, {}),
        (ZOOM, {"bbox_2d": [1, 2, 3, 4], "zoom": 2}),
        (ZOOM, {"bbox_2d": [1, 2, 3]}),
        (ZOOM, {"bbox_2d": [500, 0, 100, 10]}),
        (ZOOM, {"bbox_2d": [1100, 0, 1200, 10]}),
        (ZOOM, {"bbox_2d": [0, 0, 0.5, 10]}),
        (ZOOM, {"bbox_2d": [0, 0, 1000, 5]}),
        (ZOOM, {"bbox_2d": [1, 2, 300, 400], "label": 7}),
        (ROTATE, {"angle": "left"}),
        (ROTATE, {"angle": 1, "img_idx": 3}),
        (ROTATE, {"angle": 1, "img_idx": 0.5}),
        (ENHANCE, {"contrast": 9}),
    ],
)
def test_the_page_gives_the_sentence_of_each_bad_call(name: str, arguments: object) -> None:
    refused = understand(
        name,
        arguments if isinstance(arguments, str) else json.dumps(arguments),
        enabled=(*DEFAULT_TOOLS, ENHANCE) if name == ENHANCE else DEFAULT_TOOLS,
        images=(PHOTO,),
        current_image=0,
        frame="norm1000",
        earlier=(),
    )
    assert isinstance(refused, BadCall)
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{refused.error_kind}`"))
    assert line.endswith(f"| {refused.sentence} |")


def test_the_page_names_every_tool_and_every_kind_of_bad_call() -> None:
    for name in TOOLS:
        assert f"| `{name}`" in PAGE
    kinds = set(re.findall(r"``(\w+)``", BadCall.__doc__ or ""))
    told = set(re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE))
    assert kinds <= told
    assert {"malformed_call", "too_many_calls", "tool_crash"} <= told


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("Qwen2.5-VL", "Qwen2.5-VL"),
        ("Qwen2-VL", "Qwen2-VL, QVQ"),
        ("Qwen3-VL", "Qwen3-VL, Qwen3.5"),
        ("gemini-2.5-pro", "Gemini"),
        ("gpt-5", "GPT, o3 and the like"),
        ("claude-sonnet-4", "Claude"),
        ("another", "any other"),
    ],
)
def test_the_page_gives_each_familys_frame_and_protocol(model: str, row: str) -> None:
    family = family_of(model)
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {row} |"))
    assert f"| `{family.frame}`" in line
    assert line.endswith(f"| {family.protocol} |")
    assert str(family.max_side or "") in line


def test_the_page_gives_the_bounds_of_the_code() -> None:
    words = " ".join(PAGE.split())  # a sentence may break anywhere
    assert f"{photos.MAX_PIXELS:,} pixels" in words
    assert f"a side under {photos.MIN_SIDE} pixels" in words
    assert f"over {photos.MAX_ASPECT} times the other" in words
    assert f"short side has {ImageLimits().zoom_side} pixels" in words
