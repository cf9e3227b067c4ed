"""The enhance tool: changes an image's brightness and contrast, for what is dark or in haze.

Off unless a recipe asks for it. Its result does not become the current image:
brightening cuts off for good what becomes too bright, so later calls must not
silently mean the changed photo. So two such calls in a row start from the same
source, and a repeat is recognised as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from PIL import Image, ImageEnhance

from geostore.errors import ImageError
from geostore.records import BboxFrame, ToolCall
from geostore.tools.arguments import Arguments
from geostore.tools.boxes import Frame, RefusedCall, number_text
from geostore.tools.tool import Meaning, Operation, Tool

LEAST_FACTOR = 0.2
MOST_FACTOR = 5.0
"""Bounds of both factors, both allowed: beyond them hardly anything is left of a photo."""

_FACTORS = ("brightness", "contrast")  # in the order in which they are applied
_RANGE = f"from {number_text(LEAST_FACTOR)} to {number_text(MOST_FACTOR)}"


def _properties(_frame: BboxFrame) -> dict[str, Any]:
    def factor(what: str) -> dict[str, Any]:
        return {
            "type": "number",
            "minimum": LEAST_FACTOR,
            "maximum": MOST_FACTOR,
            "description": f"{what}, {_RANGE}; 1 leaves it as it is (optional).",
        }

    return {
        "contrast": factor("By how much to multiply differences from the mean grey"),
        "brightness": factor("By how much to multiply every pixel, before contrast"),
    }


def _understand(arguments: Arguments, _frame: Frame) -> Meaning:
    factors = {name: _factor(arguments, name) for name in _FACTORS}
    return Meaning(arguments=factors, noop=all(factor == 1 for factor in factors.values()))


def _factor(arguments: Arguments, name: str) -> float:
    factor = arguments.number(name, default=1.0)
    if not LEAST_FACTOR <= factor <= MOST_FACTOR:  # nor is NaN
        raise RefusedCall(
            "factor_invalid", f"{name} must be a number {_RANGE}, where 1 leaves it as it is."
        )
    return factor


def _effect(call: Operation | ToolCall) -> dict[str, Any]:
    arguments = orjson.loads(call.arguments or "{}")
    return {name: arguments.get(name) for name in _FACTORS}


def _enhance(call: Operation | ToolCall, image: Image.Image) -> Image.Image:
    """Each pixel times brightness, rounded; then away from the mean grey of that by contrast."""
    brightness, contrast = _effect(call).values()
    if brightness is None or contrast is None:
        raise ImageError("an enhancement without its factors cannot be applied", kind="missing")
    enhanced = image
    if brightness != 1:
        enhanced = ImageEnhance.Brightness(enhanced).enhance(brightness)
    if contrast != 1:
        enhanced = ImageEnhance.Contrast(enhanced).enhance(contrast)
    if enhanced is not image:
        # Pillow's result has no colour profile, and without it the pixels mean other colours.
        enhanced.info = dict(image.info)
    return enhanced


def _describe(operation: Operation, arguments: Mapping[str, Any], frame: Frame) -> str:
    text = " and ".join(f"{name} times {number_text(arguments[name])}" for name in _FACTORS)
    text = f"image {frame.index} with {text}."
    if all(arguments[name] == 1 for name in _FACTORS):
        text += " That changes nothing, so it looks as before."
    return f"{text} The photo is as it was; to look closer at this image, give its number."


TOOL = Tool(
    name="image_enhance_tool",
    description=(
        "Change the brightness and contrast of an image and get it back as a new image. Use it "
        "where the photo is dark, faded or hazy."
    ),
    properties=_properties,
    required=(),
    understand=_understand,
    apply=_enhance,
    effect=_effect,
    describe=_describe,
    short_side=lambda limits: limits.min_side,
    becomes_current=False,
)
