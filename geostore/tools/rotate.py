"""The rotate tool: turns an image counter-clockwise on a canvas that grows with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from PIL import Image

from geostore.errors import ImageError
from geostore.imaging import resize
from geostore.records import BboxFrame, ImageFacts, ToolCall
from geostore.tools.arguments import Arguments
from geostore.tools.boxes import Frame, number_text
from geostore.tools.tool import Meaning, Operation, Point, Tool

MAX_ROTATED_PIXELS = 32_000_000
"""An image whose canvas would grow past this area is reduced first: a turn can double
the area, and turns can be chained."""


def _properties(_frame: BboxFrame) -> dict[str, Any]:
    return {
        "angle": {
            "type": "number",
            "description": (
                "By how many degrees to turn the image; positive is counter-clockwise. The canvas "
                "grows so that nothing is cut off."
            ),
        },
    }


def _understand(arguments: Arguments, _frame: Frame) -> Meaning:
    angle = arguments.angle()
    return Meaning(arguments={"angle": angle}, angle=angle, noop=within_turn(angle) == 0)


def _rotate(call: Operation | ToolCall, image: Image.Image) -> Image.Image:
    if call.angle is None:
        raise ImageError("a rotation without an angle cannot be applied", kind="missing")
    return turn(image, within_turn(call.angle))


def turn(image: Image.Image, angle: float, *, most_pixels: int = MAX_ROTATED_PIXELS) -> Image.Image:
    """The image turned, reduced before where its canvas would grow past the bound."""
    if angle % 90:
        image = resize(image, _turned_at(image.width, image.height, angle, most_pixels))
    # Pillow moves pixels exactly for multiples of 90 degrees, whatever the filter.
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=True)


def _turned_at(
    width: int, height: int, angle: float, most_pixels: int = MAX_ROTATED_PIXELS
) -> tuple[int, int]:
    """The size at which an image is turned: its own, or less where its canvas grew too large."""
    cos, sin = (abs(f(math.radians(angle))) for f in (math.cos, math.sin))
    grown = (width * cos + height * sin) * (width * sin + height * cos)
    if grown <= most_pixels:
        return width, height
    scale = math.sqrt(most_pixels / grown)
    return max(1, int(width * scale)), max(1, int(height * scale))


def _to_source(call: ToolCall, source: ImageFacts, result: ImageFacts, point: Point) -> Point:
    """The turn the other way round the middle, which is the middle of both images."""
    if call.angle is None:
        raise ImageError("a rotation without an angle lies nowhere", kind="missing")
    angle = within_turn(call.angle)
    width, height = source.full_width, source.full_height
    turned_width, turned_height = (
        _turned_at(width, height, angle) if angle % 90 else (width, height)
    )
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = point[0] - result.full_width / 2, point[1] - result.full_height / 2
    # y points down, so a turn counter-clockwise is taken back by this matrix.
    turned = (cos * x - sin * y + turned_width / 2, sin * x + cos * y + turned_height / 2)
    return turned[0] * width / turned_width, turned[1] * height / turned_height


def within_turn(angle: float) -> float:
    """The same turn as an angle from 0 up to, but not including, 360 degrees."""
    within = angle % 360.0
    # The remainder of a tiny negative number is rounded up to the divisor.
    return 0.0 if within == 360.0 else within


def _effect(call: Operation | ToolCall) -> dict[str, Any]:
    return {"angle": None if call.angle is None else within_turn(call.angle)}


def _describe(operation: Operation, arguments: Mapping[str, Any], frame: Frame) -> str:
    angle = float(arguments["angle"])
    sense = "clockwise" if angle < 0 else "counter-clockwise"
    text = f"image {frame.index} turned {number_text(abs(angle))} degrees {sense}."
    if within_turn(angle) == 0:
        text += " That is no turn at all, so it looks as before."
    if operation.becomes_current:
        text += " Calls without img_idx now mean this image."
    return text


TOOL = Tool(
    name="image_rotate_tool",
    description=(
        "Turn an image and get it back as a new image. Use it where the photo lies on its side or "
        "a text is slanted."
    ),
    properties=_properties,
    required=("angle",),
    understand=_understand,
    apply=_rotate,
    effect=_effect,
    describe=_describe,
    short_side=lambda limits: limits.min_side,
    becomes_current=True,
    to_source=_to_source,
)
