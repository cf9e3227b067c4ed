"""What a visual tool is, and what a call of one means once it is understood.

Each tool is a module of its own with one `Tool`, which the registry lists. The
rest of the package calls tools through the registry.
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
    """A call that was understood: what will be done, and to which image."""

    name: str
    """The tool's name."""

    arguments: str
    """Canonical JSON text. `bbox_2d` holds the numbers in the teacher's frame; `label` and
    `img_idx` are there only if they were given."""

    source_index: int
    """The number of the image it is applied to; 0 is the photo."""

    box: Box | None
    """In full-resolution pixels of the source; None for a tool without a box."""

    angle: float | None
    """In degrees, positive is counter-clockwise; None for a tool without an angle."""

    flags: tuple[str, ...]
    """Sorted, of ``clamped``, ``noop``, ``repaired``."""

    becomes_current: bool
    """Whether calls without `img_idx` mean the result from now on."""

    repeat_of: int | None = None
    """The number of the image that an earlier call like this one gave; None without one."""


@dataclass(frozen=True, slots=True)
class BadCall:
    """A call that cannot be run."""

    error_kind: str
    """A stable word: ``unknown_tool``, ``malformed_json``, ``arguments_not_object``,
    ``missing_argument``, ``extra_argument``, ``img_idx_invalid``, ``img_idx_unknown``,
    ``label_invalid``, ``bbox_invalid``, ``bbox_empty``, ``bbox_outside``, ``bbox_too_small``,
    ``bbox_too_thin``, ``angle_invalid``, ``factor_invalid``."""

    sentence: str
    """For the teacher: what was wrong and what is allowed."""

    source_index: int | None
    """The number of the image it was meant for; None where that cannot be told."""

    repaired: bool = False
    """Whether its arguments were written wrongly as well and had one reading."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a tool reads from its own arguments; the rest is the same for all tools."""

    arguments: dict[str, Any]
    """The arguments as they were understood, without `img_idx`.

    Kept whole in the call's row, so a tool with other parameters takes no new column.
    """

    box: Box | None = None
    """In full-resolution pixels of the source; None for a tool without a box."""

    angle: float | None = None
    """In degrees, positive is counter-clockwise; None for a tool without an angle."""

    clamped: bool = False
    """Whether the box reached past an edge and was cut off there."""

    noop: bool = False
    """Whether the call shows nothing that its source does not show."""


Point = tuple[float, float]
"""x and y in full-resolution pixels of an image; the first pixel reaches from 0 to 1."""


def same_place(_call: ToolCall, _source: ImageFacts, _result: ImageFacts, point: Point) -> Point:
    """Where a point of a result lies in its source, for a tool that moves nothing."""
    return point


@dataclass(frozen=True, slots=True)
class Tool:
    """One visual tool. Every tool takes `img_idx` as well, which is not described here."""

    name: str
    """As the teacher calls it."""

    description: str
    """For the teacher, as part of the tool's schema."""

    properties: Callable[[BboxFrame], dict[str, Any]]
    """The JSON schemas of its arguments by name, for boxes in a frame."""

    required: tuple[str, ...]
    """The names of the arguments that must be given."""

    understand: Callable[[Arguments, Frame], Meaning]
    """Reads the arguments of a call on the image that the frame is of; raises RefusedCall."""

    apply: Callable[[Operation | ToolCall, Image.Image], Image.Image]
    """Full-resolution pixels of the result from those of the source. It may use only the call's
    box, angle and canonical arguments, which are stored: every image is derived again from
    them, so the same call on the same pixels must give the same pixels."""

    effect: Callable[[Operation | ToolCall], dict[str, Any]]
    """What a call does to its source, as plain values by name. Calls with the same effect on the
    same image are repeats of each other."""

    describe: Callable[[Operation, Mapping[str, Any], Frame], str]
    """Tells the teacher what was done, from the call, its canonical arguments and the frame of its
    source: one or more sentences that go on after a colon."""

    short_side: Callable[[ImageLimits], int]
    """To how many pixels the short side of the result is enlarged."""

    becomes_current: bool
    """Whether calls without `img_idx` mean the result of a call without `img_idx` from then on."""

    to_source: Callable[[ToolCall, ImageFacts, ImageFacts, Point], Point] = same_place
    """Where a point of the result lies in its source, from the facts of source and result."""
