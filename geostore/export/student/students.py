"""The students an export is for: at which size each sees an image, and what that costs in tokens.

A student's processor resizes every image before the model sees it, and the model reads
the result as a number of tokens. Both follow from the image's size by a published rule,
so an export can say how long its rows are, and where a box lies in what the student sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from geostore.conversation.families import find_family
from geostore.errors import ExportError
from geostore.records import ImportedRecipe, Recipe

StudentFrame = Literal["pixel", "norm1000"]
"""The frames of students' boxes. ``pixel``: of an image as large as the student sees it."""

StudentName = Literal["qwen2.5-vl", "qwen3-vl", "llava-style"]
"""The names of the students whose rules are known."""

Size = tuple[int, int]
"""Width and height, in pixels."""

DEFAULT_STUDENT: StudentName = "qwen2.5-vl"


@dataclass(frozen=True, slots=True)
class Student:
    """How a student's processor sees images, and what its chat template adds to a row."""

    name: StudentName
    """As the user names it."""
    title: str
    """As its makers write it."""
    factor: int | None
    """Sides are multiples of this many pixels, and a square of it is one token; None: the student
    has a fixed number of tokens for each tile, whatever the image's size."""
    min_pixels: int
    """Least area of an image as the student sees it, in pixels; 0 where `factor` is None."""
    max_pixels: int
    """Greatest area, in pixels; 0 where `factor` is None."""
    message_tokens: int
    """Tokens that the chat template puts around each message."""
    image_extra_tokens: int
    """Tokens that it puts around the tokens of each image."""
    is_rounded_first: bool = False
    """Whether the trainer rounds sides to the factor before the processor sees an image, which
    may enlarge a small one otherwise then."""

    def seen_size(self, size: Size) -> Size:
        """The size at which the student sees an image of this size. Only where it has a factor.

        Source: smart_resize of Qwen's image processors (transformers, qwen-vl-utils).
        """
        assert self.factor is not None
        factor = self.factor
        if self.is_rounded_first:
            # With the least area of qwen-vl-utils, 4 tokens, which may be less than the student's.
            first = replace(self, min_pixels=4 * factor * factor, is_rounded_first=False)
            size = first.seen_size(size)
        width, height = size
        # Python's own rounding, to even at a half: the processors are written in Python.
        seen = [round(side / factor) * factor for side in size]
        area = seen[0] * seen[1]
        if area > self.max_pixels:
            scale = math.sqrt(width * height / self.max_pixels)
            seen = [max(factor, math.floor(side / scale / factor) * factor) for side in size]
        elif area < self.min_pixels:
            scale = math.sqrt(self.min_pixels / (width * height))
            seen = [math.ceil(side * scale / factor) * factor for side in size]
        return seen[0], seen[1]

    def image_tokens(self, sizes: Iterable[Size]) -> list[int]:
        """The tokens of each image of one row, without those around it. sizes: as sent."""
        sizes = list(sizes)
        if self.factor is None:
            return _tile_tokens(sizes)
        seen = map(self.seen_size, sizes)
        return [(width // self.factor) * (height // self.factor) for width, height in seen]


# Sources: preprocessor_config.json of the Qwen2.5-VL and Qwen3-VL models; their chat templates
# (<|im_start|>, role, line feed, <|im_end|>, line feed; <|vision_start|> and <|vision_end|>).
STUDENTS: Mapping[StudentName, Student] = MappingProxyType(
    {
        "qwen2.5-vl": Student("qwen2.5-vl", "Qwen2.5-VL", 28, 4 * 28 * 28, 16_384 * 28 * 28, 5, 2),
        "qwen3-vl": Student("qwen3-vl", "Qwen3-VL", 32, 64 * 32 * 32, 16_384 * 32 * 32, 5, 2),
        "llava-style": Student("llava-style", "LLaVA-OneVision", None, 0, 0, 5, 0),
    }
)
"""Every student by its name."""


_ROUNDS_FIRST = frozenset({"verl"})  # by qwen-vl-utils
_FRAME_WORDS: Mapping[StudentFrame, str] = MappingProxyType(
    {"pixel": "pixels", "norm1000": "thousandths"}
)
_FRAMES_STUDENT: Mapping[StudentFrame, StudentName] = MappingProxyType(
    {"pixel": "qwen2.5-vl", "norm1000": "qwen3-vl"}
)


def student_of(
    name: StudentName, *, student_pixels: int | None = None, trainer: str | None = None
) -> Student:
    """A student, with the greatest area of an image that the user sets, in pixels.

    trainer: who hands images to its processor.
    Raises ExportError where there could be no such bound.
    """
    student = replace(STUDENTS[name], is_rounded_first=trainer in _ROUNDS_FIRST)
    if student_pixels is None:
        return student
    if student.factor is None:
        raise ExportError(
            f"--student-pixels says nothing for the student {name}, which sees an image in tiles "
            "of a fixed size; leave it out"
        )
    if student_pixels < student.min_pixels:
        raise ExportError(
            f"--student-pixels {student_pixels} is less than the least area that {student.title} "
            f"sees; at least {student.min_pixels}"
        )
    return replace(student, max_pixels=student_pixels)


def choose_student(
    name: StudentName | None,
    recipes: Iterable[Recipe | ImportedRecipe],
    *,
    frame: StudentFrame | None = None,
    student_pixels: int | None = None,
    trainer: str | None = None,
) -> tuple[Student, str | None]:
    """The student that an export is for, and why, where the user named none.

    recipes: of the traces. frame: that the boxes are re-framed to. Raises ExportError as
    `student_of` does, and for a frame that the student cannot have.
    """
    why = None
    if name is None and frame is not None:
        name = _FRAMES_STUDENT[frame]
        why = f"no student was named; its own boxes are in {_FRAME_WORDS[frame]}"
    elif name is None:
        name = student_for(recipes)
        why = "no student was named; this one fits the teachers best"
    student = student_of(name, student_pixels=student_pixels, trainer=trainer)
    if frame == "pixel" and student.factor is None:
        raise ExportError(
            f"--bbox-frame pixel says nothing for the student {name}, which sees an image in "
            "tiles of a fixed size; give norm1000"
        )
    return student, why


def student_for(recipes: Iterable[Recipe | ImportedRecipe]) -> StudentName:
    """The student of the teachers' own family; the default where none fits all of them."""
    names: set[StudentName] = set()
    for recipe in recipes:
        family = find_family(recipe.model or "")
        factor = None if family is None else family.factor
        fitting = [name for name, s in STUDENTS.items() if factor and s.factor == factor]
        names.add(fitting[0] if fitting else DEFAULT_STUDENT)
    return names.pop() if len(names) == 1 else DEFAULT_STUDENT


# --- tiles --------------------------------------------------------------------------------------

_TILE = 384
_PATCHES = 27  # a side of a tile: 384 pixels in patches of 14
_MOST_TILES = 6  # along a side
_BUDGET = 9  # tiles' worth of tokens that an image may have beside the whole one


def _tile_tokens(sizes: list[Size]) -> list[int]:
    """LLaVA-OneVision: a single image is cut into tiles; each of several is one tile.

    Source: LlavaOnevisionProcessor of transformers (anyres_max_9, 729 tokens a tile).
    """
    whole = _PATCHES * _PATCHES
    if len(sizes) != 1:
        return [whole + 1] * len(sizes)  # and a line feed
    width, height = sizes[0]
    across, down = _grid(width, height)
    columns, rows = _PATCHES * across, _PATCHES * down
    # The image keeps its shape, so it fills the grid in one direction only; the rest is dropped.
    if width * rows > columns * height:
        filled = int(round(height * (columns / width), 7))
        rows -= (rows - filled) // 2 * 2
    else:
        filled = int(round(width * (rows / height), 7))
        columns -= (columns - filled) // 2 * 2
    ratio = math.sqrt(columns * rows / (_BUDGET * _PATCHES**2))
    if ratio > 1.1:
        columns, rows = int(columns // ratio), int(rows // ratio)
    return [columns * rows + rows + whole]  # a line feed behind each row of patches


def _grid(width: int, height: int) -> tuple[int, int]:
    """How many tiles an image is cut into, across and down: the grid that wastes least of it."""
    best, best_used, least_waste = (1, 1), 0, math.inf
    for down in range(1, _MOST_TILES + 1):
        for across in range(1, _MOST_TILES + 1):
            grid_width, grid_height = _TILE * across, _TILE * down
            scale = min(grid_width / width, grid_height / height)
            used = min(int(width * scale) * int(height * scale), width * height)
            waste = grid_width * grid_height - used
            if used > best_used or (used == best_used and waste < least_waste):
                best, best_used, least_waste = (across, down), used, waste
    return best
