"""Turns a box as a teacher names it into whole pixels of the image it is cut from.

Teachers name boxes in different frames, and small numbers mean something in
each of them, so the frame is given and never guessed. The result lies inside the
image, is not empty, and is the same region whichever frame it was named in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from geostore.records import BboxFrame, Box, ImageFacts

MIN_BOX_SIDE = 4
"""Least side of a box in pixels of its source at full resolution."""

MAX_ASPECT = 100
"""Greatest ratio of a box's sides."""

NEARLY_WHOLE = 0.95
"""From this part of the image's area on, a box shows nothing that was not seen before."""

FRAME_ORDER: dict[BboxFrame, str] = {
    "pixel": "[x1, y1, x2, y2]",
    "norm1000": "[x1, y1, x2, y2]",
    "norm1000_yx": "[y1, x1, y2, x2]",
}
"""The order in which each frame names the four sides."""


class RefusedCall(Exception):
    """Why a call cannot run. Raised while a call is read; `registry.understand` catches it.

    kind: a stable word for the store. sentence: one, for the teacher, that says
    what was wrong and what is allowed.
    """

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame in which boxes of one image are named: greatest x and y, and the order."""

    name: BboxFrame
    """The recipe's frame."""

    image: ImageFacts
    """The image that the boxes are of."""

    index: int
    """The image's number in the conversation, for sentences."""

    @property
    def width(self) -> int:
        """The right edge of the image."""
        return self.image.width if self.name == "pixel" else 1000

    @property
    def height(self) -> int:
        """The bottom edge of the image."""
        return self.image.height if self.name == "pixel" else 1000

    @property
    def limits(self) -> tuple[int, int, int, int]:
        """The greatest value of each of the four numbers, in the frame's order."""
        if self.name == "norm1000_yx":
            return self.height, self.width, self.height, self.width
        return self.width, self.height, self.width, self.height

    @property
    def allowed(self) -> str:
        """What the four numbers are, in words that end a sentence."""
        order = FRAME_ORDER[self.name]
        if self.name == "pixel":
            return (
                f"{order} in pixels of image {self.index} as you see it: "
                f"x from 0 to {self.width}, y from 0 to {self.height}"
            )
        return f"{order} on a scale from 0 to 1000 across image {self.index}"

    def clamp(self, numbers: Sequence[float]) -> tuple[float, ...]:
        """The four numbers, none outside the image."""
        return tuple(
            min(max(number, 0.0), float(limit))
            for number, limit in zip(numbers, self.limits, strict=True)
        )

    def source_box(self, numbers: Sequence[float]) -> tuple[Box, bool]:
        """The box in whole pixels of the full-resolution image, and whether it was clamped.

        Each edge is scaled and rounded to the nearest pixel boundary (half up),
        then brought inside the image. Only an edge that lies outside after
        rounding counts as clamped. Raises RefusedCall (kinds ``bbox_empty``,
        ``bbox_outside``, ``bbox_too_small``, ``bbox_too_thin``).
        """
        x1, y1, x2, y2 = self._x_first(numbers)
        if x1 >= x2 or y1 >= y2:
            raise RefusedCall(
                "bbox_empty",
                f"The box {box_text(numbers)} is empty: x1 must be less than x2 and y1 less than "
                f"y2; give {self.allowed}.",
            )
        # Before rounding: a sliver along an edge is inside, and too small.
        if x2 <= 0 or y2 <= 0 or x1 >= self.width or y1 >= self.height:
            raise RefusedCall(
                "bbox_outside",
                f"The box {box_text(numbers)} lies outside the image; give {self.allowed}.",
            )
        full_width, full_height = self.image.full_width, self.image.full_height
        left, right = (_edge(x, self.width, full_width) for x in (x1, x2))
        top, bottom = (_edge(y, self.height, full_height) for y in (y1, y2))
        box = (max(left, 0), max(top, 0), min(right, full_width), min(bottom, full_height))
        self._check_shape(numbers, box)
        return box, box != (left, top, right, bottom)

    def _check_shape(self, numbers: Sequence[float], box: Box) -> None:
        width, height = box[2] - box[0], box[3] - box[1]
        if min(width, height) < MIN_BOX_SIDE:
            least_x = MIN_BOX_SIDE * self.width / self.image.full_width
            least_y = MIN_BOX_SIDE * self.height / self.image.full_height
            raise RefusedCall(
                "bbox_too_small",
                f"The box {box_text(numbers)} is too small: its sides must be at least "
                f"{_up(least_x)} across and {_up(least_y)} down; give {self.allowed}.",
            )
        if max(width, height) > MAX_ASPECT * min(width, height):
            raise RefusedCall(
                "bbox_too_thin",
                f"The box {box_text(numbers)} is too thin: its longer side may be at most "
                f"{MAX_ASPECT} times the shorter one; give {self.allowed}.",
            )

    def _x_first(self, numbers: Sequence[float]) -> tuple[float, float, float, float]:
        a, b, c, d = numbers
        return (b, a, d, c) if self.name == "norm1000_yx" else (a, b, c, d)


def box_text(numbers: Sequence[float]) -> str:
    """The numbers as a teacher would write them: at most two decimals, no needless zeros."""
    return "[" + ", ".join(number_text(number) for number in numbers) + "]"


def number_text(number: float) -> str:
    """One number, at most two decimals; very large and very small ones in powers of ten."""
    if number and not 0.005 <= abs(number) < 1e9:
        return f"{number:.3g}"
    return f"{number + 0.0:.2f}".rstrip("0").rstrip(".")  # adding 0 drops the sign of -0.0


def covers_nearly_all(box: Box, image: ImageFacts) -> bool:
    """Whether the box is 95 % of the image or more."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    return area >= NEARLY_WHOLE * image.full_width * image.full_height


def _edge(value: float, frame_side: int, full_side: int) -> int:
    # Far outside is as good as just outside, and does not overflow when it is scaled.
    near = min(max(value, -2.0 * frame_side), 3.0 * frame_side)
    return math.floor(near * full_side / frame_side + 0.5)


def _up(length: float) -> str:
    return number_text(math.ceil(length * 100) / 100)
