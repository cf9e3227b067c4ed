"""The zoom tool: cuts a box out of an image at its full resolution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from geostore.errors import ImageError
from geostore.imaging import crop
from geostore.records import BboxFrame, ImageFacts, ToolCall
from geostore.tools.arguments import Arguments
from geostore.tools.boxes import FRAME_ORDER, Frame, box_text, covers_nearly_all
from geostore.tools.tool import Meaning, Operation, Point, Tool


def _properties(frame: BboxFrame) -> dict[str, Any]:
    where = {
        "pixel": "in pixels of the image as you see it",
        "norm1000": "on a scale from 0 to 1000 across the image",
        "norm1000_yx": "on a scale from 0 to 1000 across the image, y first",
    }
    return {
        "bbox_2d": {
            "type": "array",
            "items": {"type": "number"},
            "minItems": 4,
            "maxItems": 4,
            "description": (
                f"The box of the region to zoom in on, as {FRAME_ORDER[frame]} {where[frame]}, "
                "where (x1, y1) is the top-left and (x2, y2) the bottom-right corner."
            ),
        },
        "label": {
            "type": "string",
            "description": "What is in the box, in a few words (optional).",
        },
    }


def _understand(arguments: Arguments, frame: Frame) -> Meaning:
    numbers = arguments.box(frame)
    label = arguments.label()
    box, clamped = frame.source_box(numbers)
    canonical: dict[str, Any] = {"bbox_2d": list(numbers)}
    if label is not None:
        canonical["label"] = label
    return Meaning(
        arguments=canonical,
        box=box,
        clamped=clamped,
        noop=covers_nearly_all(box, frame.image),
    )


def _zoom(call: Operation | ToolCall, image: Image.Image) -> Image.Image:
    if call.box is None:
        raise ImageError("a zoom without a box cannot be applied", kind="missing")
    return crop(image, call.box)


def _effect(call: Operation | ToolCall) -> dict[str, Any]:
    return {"box": None if call.box is None else list(call.box)}


def _to_source(call: ToolCall, _source: ImageFacts, _result: ImageFacts, point: Point) -> Point:
    if call.box is None:
        raise ImageError("a zoom without a box lies nowhere", kind="missing")
    return point[0] + call.box[0], point[1] + call.box[1]


def _describe(operation: Operation, arguments: Mapping[str, Any], frame: Frame) -> str:
    used = box_text(frame.clamp(arguments["bbox_2d"]))
    text = f"zoom into image {frame.index}, box {used}"
    if "clamped" in operation.flags:
        text += "; the box you gave reached past the edge and was cut off there"
    if operation.box is not None and covers_nearly_all(operation.box, frame.image):
        text += ". The box is nearly the whole image, so this shows little that is new"
    return text + "."


TOOL = Tool(
    name="image_zoom_in_tool",
    description=(
        "Zoom in on a region of an image: it is cut from the full-resolution image and given back "
        "as a new image. Use it to read text and to see distant detail."
    ),
    properties=_properties,
    required=("bbox_2d",),
    understand=_understand,
    apply=_zoom,
    effect=_effect,
    describe=_describe,
    short_side=lambda limits: max(limits.zoom_side, limits.min_side),
    becomes_current=False,
    to_source=_to_source,
)
