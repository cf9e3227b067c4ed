"""docs/tools.md says what the code does: sentences, frames, bounds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from geostore.conversation.families import Family, family_of, iter_families
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
    "family",
    [*(one for one in iter_families() if one.title != "offline-teacher"), family_of("another")],
    ids=lambda family: family.title,
)
def test_the_page_gives_each_familys_frame_protocol_and_source(family: Family) -> None:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {family.title} |"))
    assert f"| `{family.frame}`" in line
    assert (", assumed |" in line) == (family.doubt is not None)
    assert line.endswith(f"| {family.protocol} | {family.source} |")
    assert str(family.max_side or "") in line


def test_the_page_gives_the_bounds_of_the_code() -> None:
    words = " ".join(PAGE.split())  # a sentence may break anywhere
    assert f"{photos.MAX_PIXELS:,} pixels" in words
    assert f"a side under {photos.MIN_SIDE} pixels" in words
    assert f"over {photos.MAX_ASPECT} times the other" in words
    assert f"short side has {ImageLimits().zoom_side} pixels" in words
