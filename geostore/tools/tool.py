"""What a visual tool is, and what a call of one means once it is understood.

Each tool is a module of its own that fills in one `Tool` and names it `TOOL`;
the registry finds them there, and is what the rest of the package calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geostore.records import BboxFrame, Box, ImageFacts, ImageLimits, ToolCall
from geostore.tools.arguments import Arguments
from geostore.tools.boxes import Frame

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Operation:
    """A call as it was understood: what will be done, and to which image.

    arguments: canonical JSON text; `bbox_2d` holds the numbers in the teacher's
        frame, `label` and `img_idx` are there only if they were given.
    source_index: the image it is applied to. box: in that image's
        full-resolution pixels. angle: degrees, counter-clockwise.
    flags: sorted, of ``clamped``, ``noop``, ``repaired``.
    moves_table: the result becomes the photo on the table.
    repeat_of: the image that an earlier call like this one gave.
    """

    name: str
    arguments: str
    source_index: int
    box: Box | None
    angle: float | None
    flags: tuple[str, ...]
    moves_table: bool
    repeat_of: int | None = None


@dataclass(frozen=True, slots=True)
class BadCall:
    """A call that cannot be run.

    error_kind: a stable word: ``unknown_tool``, ``malformed_json``,
        ``arguments_not_object``, ``missing_argument``, ``extra_argument``,
        ``img_idx_invalid``, ``img_idx_unknown``, ``label_invalid``,
        ``bbox_invalid``, ``bbox_empty``, ``bbox_outside``, ``bbox_too_small``,
        ``bbox_too_thin``, ``angle_invalid``, ``factor_invalid``.
    sentence: one, for the teacher: what was wrong and what is allowed.
    source_index: the image it was meant for, None where that cannot be said.
    repaired: the arguments were not as they should be written, beside what is wrong.
    """

    error_kind: str
    sentence: str
    source_index: int | None
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a tool reads from its own arguments; the rest is the same for all tools.

    arguments: canonical, without `img_idx`. noop: it changes or shows nothing new.
    """

    arguments: dict[str, Any]
    box: Box | None = None
    angle: float | None = None
    clamped: bool = False
    noop: bool = False


Point = tuple[float, float]
"""x and y in full-resolution pixels of an image; the first pixel reaches from 0 to 1."""


def same_place(_call: ToolCall, _source: ImageFacts, _result: ImageFacts, point: Point) -> Point:
    """Where a point of a result lies in its source, for a tool that moves nothing."""
    return point


@dataclass(frozen=True, slots=True)
class Tool:
    """One visual tool. `img_idx` is every tool's and is not described here.

    properties: the JSON schema of its arguments, for boxes in a frame.
    required: names that must be given.
    understand: reads the arguments for an image; raises RefusedCall.
    apply: full-resolution pixels of the result from those of the source. What it
        needs is in the call's box, angle and canonical arguments, which are
        stored; the same call on the same pixels must give the same pixels.
    effect: what a call does to its source, as plain values by name; calls with the
        same effect on the same image are repeats of each other.
    told: what was done, from the call, its canonical arguments, and the frame of
        its source; one or more sentences that go on after a colon.
    short_side: to how many pixels the result's short side is enlarged.
    moves_table: without `img_idx`, the result becomes the photo on the table.
    to_source: where a point of the result lies in its source, from the facts of both.
    """

    name: str
    description: str
    properties: Callable[[BboxFrame], dict[str, Any]]
    required: tuple[str, ...]
    understand: Callable[[Arguments, Frame], Meaning]
    apply: Callable[[Operation | ToolCall, Image.Image], Image.Image]
    effect: Callable[[Operation | ToolCall], dict[str, Any]]
    told: Callable[[Operation, Mapping[str, Any], Frame], str]
    short_side: Callable[[ImageLimits], int]
    moves_table: bool
    to_source: Callable[[ToolCall, ImageFacts, ImageFacts, Point], Point] = same_place
