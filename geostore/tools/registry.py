"""The teacher's visual tools as pure functions on images.

A call is first understood (no pixels needed), then applied at full resolution,
then made ready to be sent. Every image of a conversation follows from the photo
and the rows of its calls, so no pixels have to be kept. A bad call is a value
with a sentence for the teacher, never an exception.

A further tool is one more module like `zoom` and one more name in `ALL_TOOLS`. It
is offered only where a recipe asks for it by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import orjson
from PIL import Image

from geostore.errors import ImageError, RecipeError
from geostore.identity import canonical_text
from geostore.imaging import encode, fit_size, resize
from geostore.records import BboxFrame, ImageFacts, ImageLimits, SentImage, ToolCall
from geostore.tools import enhance, rotate, zoom
from geostore.tools.arguments import Arguments, listed, quoted
from geostore.tools.boxes import Frame, RefusedCall
from geostore.tools.tool import BadCall, Operation, Tool

ALL_TOOLS = (zoom.TOOL, rotate.TOOL, enhance.TOOL)

TOOLS: Mapping[str, Tool] = MappingProxyType({tool.name: tool for tool in ALL_TOOLS})
"""Every tool by its name."""

ZOOM, ROTATE = zoom.TOOL.name, rotate.TOOL.name
DEFAULT_TOOLS = (ZOOM, ROTATE)
"""The names of the tools of a recipe that names none."""


def tool_schemas(
    frame: BboxFrame, names: Sequence[str] = DEFAULT_TOOLS
) -> tuple[dict[str, Any], ...]:
    """The tools as OpenAI function tools, in the order of `names`, boxes in `frame`.

    Raises RecipeError for a name that is no tool.
    """
    for name in names:
        if name not in TOOLS:
            raise RecipeError(f"there is no tool {name!r}; there are {listed(TOOLS)}")
    return tuple(_schema(TOOLS[name], frame) for name in names)


def understand(
    name: str,
    raw_arguments: str,
    *,
    enabled: Sequence[str],
    images: Sequence[ImageFacts],
    current_image: int,
    frame: BboxFrame,
    earlier: Sequence[ToolCall],
) -> Operation | BadCall:
    """What a call means, or why it cannot be run. Never raises for what a teacher wrote.

    name, raw_arguments: as written; name "" where not even that could be read.
    images: the facts of every image so far, by its number; 0 is the photo.
    current_image: the number of the image that a call without `img_idx` means.
    earlier: the calls of this conversation before this one.
    """
    source: int | None = None
    arguments: Arguments | None = None
    try:
        tool = _enabled_tool(name, enabled)
        arguments = Arguments.read(raw_arguments)
        given_index = arguments.image_index(len(images))
        source = current_image if given_index is None else given_index
        arguments.check_names(
            name,
            allowed=_schema(tool, frame)["function"]["parameters"]["properties"],
            required=tool.required,
        )
        meaning = tool.understand(arguments, Frame(frame, images[source], source))
    except RefusedCall as refused:
        repaired = arguments is not None and arguments.repaired
        return BadCall(refused.kind, refused.sentence, source, repaired)
    canonical = dict(meaning.arguments)
    if given_index is not None:
        canonical["img_idx"] = given_index
    operation = Operation(
        name=name,
        arguments=canonical_text(canonical),
        source_index=source,
        box=meaning.box,
        angle=meaning.angle,
        flags=(),
        becomes_current=tool.becomes_current and given_index is None,
    )
    repeat_of = next((call.image_index for call in earlier if _same(call, operation)), None)
    flags = {
        "clamped": meaning.clamped,
        "noop": meaning.noop or repeat_of is not None,
        "repaired": arguments.repaired,
    }
    return replace(
        operation,
        flags=tuple(flag for flag, holds in flags.items() if holds),
        repeat_of=repeat_of,
    )


def further_effect(call: ToolCall) -> dict[str, Any]:
    """What a call that ran did to its source, beside the box and angle that are in its record.

    Plain values by name, such as the factors of an enhancement; {} for most calls.
    """
    effect = TOOLS[call.name].effect(call) if call.success and call.name in TOOLS else {}
    return {name: value for name, value in effect.items() if name not in ("box", "angle")}


def apply(call: Operation | ToolCall, image: Image.Image) -> Image.Image:
    """Full-resolution pixels of a call's result; `image` are those of its source.

    Raises ImageError where the row and the image do not fit together.
    """
    return _tool_of(call).apply(call, image)


def present(
    image: Image.Image, name: str, limits: ImageLimits, *, with_pixels: bool = False
) -> SentImage:
    """The result of tool `name` as it is sent: enlarged or reduced to the limits, a JPEG.

    with_pixels: with the hash of its pixels.
    """
    size = fit_size(
        image.width, image.height, limits, enlarge_short_side=TOOLS[name].short_side(limits)
    )
    sent = resize(image, size)
    return encode(sent, limits, full_size=image.size, with_pixels=with_pixels)


def observation(
    operation: Operation,
    image: SentImage | ImageFacts,
    *,
    image_index: int,
    images: Sequence[ImageFacts],
    frame: BboxFrame,
) -> str:
    """The line that tells the teacher what a call gave.

    image, image_index: the result, as sent. images: facts of all images before it.
    """
    source = operation.source_index
    description = TOOLS[operation.name].describe(
        operation, orjson.loads(operation.arguments), Frame(frame, images[source], source)
    )
    line = f"Image {image_index} ({image.width} x {image.height} pixels): {description}"
    if operation.repeat_of is not None:
        line += f" You asked for the same before: it is image {operation.repeat_of} again."
    return line


def current_image_after(calls: Sequence[ToolCall]) -> int:
    """The number of the image that a call without `img_idx` means after these calls.

    That is the photo, image 0, until a rotation without `img_idx` turned it.
    """
    current = 0
    for call in calls:
        if call.success and call.image_index is not None and _became_current(call):
            current = call.image_index
    return current


def derive(photo: Image.Image, calls: Sequence[ToolCall], image_index: int) -> Image.Image:
    """Any image of a conversation again, at full resolution.

    photo: image 0 as `imaging.decode` gives it. calls: the conversation's.
    Raises ImageError (kind ``missing``) where no call gave that image.
    """
    by_image = {call.image_index: call for call in calls if call.success}
    chain: list[ToolCall] = []
    index = image_index
    while index != 0:
        call = by_image.get(index)
        if call is None or call.source_index is None or not 0 <= call.source_index < index:
            raise ImageError(f"no call gave image {index}", kind="missing")
        chain.append(call)
        index = call.source_index
    image = photo
    for call in reversed(chain):
        image = apply(call, image)
    return image


def _schema(tool: Tool, frame: BboxFrame) -> dict[str, Any]:
    index = {
        "type": "integer",
        "description": (
            "Which image to use, 0 is the photo (optional; without it the photo as it was last "
            "turned)."
        ),
    }
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": {
                "type": "object",
                "properties": {**tool.properties(frame), "img_idx": index},
                "required": list(tool.required),
            },
        },
    }


def _enabled_tool(name: str, enabled: Sequence[str]) -> Tool:
    if not name:
        raise RefusedCall(
            "malformed_json",
            "That tool call could not be read: write one JSON object with a name and arguments.",
        )
    if name not in enabled or name not in TOOLS:
        have = f"you can call {listed(enabled)}" if enabled else "there are no tools to call"
        raise RefusedCall("unknown_tool", f"There is no tool {quoted(name)}: {have}.")
    return TOOLS[name]


def _tool_of(call: Operation | ToolCall) -> Tool:
    tool = TOOLS.get(call.name)
    if tool is None:
        raise ImageError(f"there is no tool {call.name!r} to derive an image with", kind="missing")
    return tool


def _same(call: ToolCall, operation: Operation) -> bool:
    """Whether an earlier call did what this operation will do."""
    return (
        call.success
        and call.name == operation.name
        and call.source_index == operation.source_index
        and TOOLS[call.name].effect(call) == TOOLS[operation.name].effect(operation)
    )


def _became_current(call: ToolCall) -> bool:
    tool = TOOLS.get(call.name)
    if tool is None or not tool.becomes_current or call.arguments is None:
        return False
    return "img_idx" not in orjson.loads(call.arguments)
