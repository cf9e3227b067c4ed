"""Reads boxes of older traces in any frame, and finds out which frame a batch has.

A file does not state the frame of its boxes. Where it holds the images that the boxes
gave, each frame is tried on many of them, and the one that gives these images is
right. Without images only the numbers are left; they prove nothing, and the result
says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from geostore.conversation.families import family_of
from geostore.imaging.likeness import likeness, small_copy
from geostore.records import Box, ImageFacts

if TYPE_CHECKING:
    from PIL import Image

FrameName = Literal["norm1000", "pixel", "full_pixel", "relative", "norm1000_yx"]
"""What the four numbers of a box may be: thousandths of the image; pixels of the image as it was
sent; pixels of the photo at full resolution; fractions from 0 to 1; thousandths with y first."""
FRAME_NAMES: tuple[FrameName, ...] = get_args(FrameName)

Edges = Literal["nearest", "down", "outward"]
"""How an edge between pixels was rounded: to the nearer one, both down, or away from the box."""
EDGES: tuple[Edges, ...] = get_args(Edges)

KnownBy = Literal["given", "images", "numbers"]
"""How the frame is known: named by the user, by images in the files, or by the numbers alone."""

FITS_SHARE = 0.5
"""Part of the contrast up to which a small copy of a region counts as the one in the file."""

_OVERSHOOT = 1.02  # teachers are careless at edges

_Numbers = tuple[float, float, float, float]
_ROUND: Mapping[Edges, tuple[Callable[[float], int], Callable[[float], int]]] = MappingProxyType(
    {
        "nearest": (lambda value: math.floor(value + 0.5), lambda value: math.floor(value + 0.5)),
        "down": (math.floor, math.floor),
        "outward": (math.floor, math.ceil),
    }
)


@dataclass(frozen=True, slots=True)
class SeenBox:
    """A box that a teacher named of the photo, and what the file shows for it."""

    numbers: _Numbers
    """As the teacher wrote them."""
    source: ImageFacts
    """The photo, as it was sent."""
    photo: Image.Image | None
    """The photo, perhaps reduced; None where the file does not show what the box gave."""
    shown: Image.Image | None
    """A small copy of what the box gave; None where the file does not show it."""


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """The frame in which the boxes of a recipe are read, and why."""

    frame: FrameName
    """The frame."""
    known_by: KnownBy
    """How it is known."""
    boxes: int
    """The boxes that were looked at."""
    fitting: int
    """Of `boxes`, those that this frame explains."""
    others: Mapping[FrameName, int]
    """The same count for each other frame that explains any."""


def fractions(numbers: _Numbers, frame: FrameName, source: ImageFacts) -> _Numbers:
    """A box as left, top, right, bottom in parts of its image, not clamped."""
    if frame == "norm1000_yx":
        numbers = (numbers[1], numbers[0], numbers[3], numbers[2])
    width, height = {
        "pixel": (source.width, source.height),
        "full_pixel": (source.full_width, source.full_height),
        "relative": (1, 1),
    }.get(frame, (1000, 1000))
    return numbers[0] / width, numbers[1] / height, numbers[2] / width, numbers[3] / height


def box_in_source(
    numbers: _Numbers, frame: FrameName, source: ImageFacts, edges: Edges, grid: tuple[int, int]
) -> tuple[Box, bool] | None:
    """A box in whole pixels of its image at full size, and whether it was clamped.

    grid: the size of the pixels to which edges were rounded, which are coarser where
    the script cut from the photo as it was sent. None where nothing of the box is inside.
    """
    first, last = _ROUND[edges]
    left, top, right, bottom = fractions(numbers, frame, source)
    in_grid = (
        first(left * grid[0]),
        first(top * grid[1]),
        last(right * grid[0]),
        last(bottom * grid[1]),
    )
    clamped = (
        max(in_grid[0], 0),
        max(in_grid[1], 0),
        min(in_grid[2], grid[0]),
        min(in_grid[3], grid[1]),
    )
    if clamped[0] >= clamped[2] or clamped[1] >= clamped[3]:
        return None
    full = (source.full_width, source.full_height)
    x, y = full[0] / grid[0], full[1] / grid[1]
    box = (
        round(clamped[0] * x),
        round(clamped[1] * y),
        round(clamped[2] * x),
        round(clamped[3] * y),
    )
    return box, clamped != in_grid


def choose_frame(
    boxes: Sequence[SeenBox], *, given: FrameName | None, model: str | None
) -> FrameChoice:
    """The frame of a batch's boxes. model: the teacher's name, which may tell between equals."""
    seen = [box for box in boxes if box.shown is not None]
    explains = _explains_image if seen else _explains_numbers
    looked_at = seen or list(boxes)
    counts = {
        name: sum(explains(box, name) for box in looked_at) if looked_at else 0
        for name in FRAME_NAMES
    }
    if given is not None:
        chosen, known_by = given, "given"
    else:
        chosen = _best(counts, model)
        # Images of which no frame gives any tell frames apart no better than numbers do.
        known_by = "images" if seen and counts[chosen] else "numbers"
    others = {name: count for name, count in counts.items() if count and name != chosen}
    return FrameChoice(chosen, known_by, len(looked_at), counts[chosen], others)  # type: ignore[arg-type]


def _best(counts: Mapping[FrameName, int], model: str | None) -> FrameName:
    most = max(counts.values())
    best = [name for name in FRAME_NAMES if counts[name] == most]
    usual: FrameName = family_of(model or "").frame
    # Where nothing tells frames apart, the model's own habit is the likeliest.
    return usual if usual in best else best[0]


def _explains_image(box: SeenBox, frame: FrameName) -> bool:
    assert box.photo is not None
    assert box.shown is not None
    left, top, right, bottom = (
        min(max(edge, 0.0), 1.0) for edge in fractions(box.numbers, frame, box.source)
    )
    width, height = box.photo.size
    region = (left * width, top * height, right * width, bottom * height)
    if region[2] - region[0] < 1 or region[3] - region[1] < 1:
        return False
    return likeness(small_copy(box.photo, region), box.shown).share <= FITS_SHARE


def _explains_numbers(box: SeenBox, frame: FrameName) -> bool:
    left, top, right, bottom = fractions(box.numbers, frame, box.source)
    if not (left < right and top < bottom and min(left, top) >= 0):
        return False
    if max(right, bottom) > _OVERSHOOT:
        return False
    # A thousandth of an image, or a pixel of it, is no region to look at.
    return frame == "relative" or max(box.numbers) > 1
