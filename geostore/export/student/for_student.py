"""Whom an export for a trainer is made for: the student, its boxes, and the length of its rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from geostore.export.options import ExportOptions, FormatRules
from geostore.export.student.frames import Reframer
from geostore.export.student.lengths import RowLengths, row_lengths
from geostore.export.student.students import Student, choose_student
from geostore.records import ImportedRecipe, Recipe

_BOUNDS_IN_ROWS = frozenset({"ms-swift", "verl"})
# Their rows say the bounds of their images.


@dataclass(frozen=True, slots=True)
class ForStudent:
    """The student of an export, and what is done and measured for it."""

    student: Student
    """Who is trained."""
    lengths: RowLengths
    """Measures the rows on the way."""
    reframer: Reframer | None
    """Re-frames each trace; None: boxes stay in the frames of the recipes."""
    how_to_set: str | None
    """How the student is told the greatest area of an image, in words; None: it knows."""
    moved_boxes: str = ""
    """The section about boxes in pixels that lie elsewhere in a reduced image; empty without."""

    def sections(self) -> str:
        """What the export's README says of boxes and lengths, in Markdown; after all rows."""
        boxes = self.reframer.section(self.how_to_set) if self.reframer else self.moved_boxes
        return "\n".join(filter(None, (boxes, self.lengths.section())))


def for_student(
    options: ExportOptions, rules: FormatRules, recipes: Iterable[Recipe | ImportedRecipe]
) -> ForStudent:
    """The student of an export under its options. recipes: of its traces.

    Raises ExportError for a student that cannot be, and for a tokenizer that cannot be read.
    """
    student, why = choose_student(
        options.student,
        recipes,
        frame=options.bbox_frame,
        student_pixels=options.student_pixels,
        trainer=rules.trainer,
    )
    how_to_set = None
    if options.student_pixels is not None and rules.trainer not in _BOUNDS_IN_ROWS:
        how_to_set = (
            f"set `size.longest_edge` to {options.student_pixels} in the student's "
            "`preprocessor_config.json`"
        )
    return ForStudent(
        student,
        row_lengths(options, rules, student, why),
        None if options.bbox_frame is None else Reframer(options.bbox_frame, student),
        how_to_set,
        _MOVED_BOXES if _moves_boxes(options, rules, recipes) else "",
    )


_MOVED_BOXES = """\
## Boxes

Some boxes are in pixels of the images as they are here. A student whose processor is set to a
smaller area sees larger images reduced, and those boxes lie elsewhere in them: export with
`--bbox-frame pixel` besides `--student-pixels`.
"""


def _moves_boxes(
    options: ExportOptions, rules: FormatRules, recipes: Iterable[Recipe | ImportedRecipe]
) -> bool:
    """Whether boxes in pixels stay as they are while images are reduced.

    Rows of ms-swift keep such images at their size.
    """
    if options.student_pixels is None or rules.trainer == "ms-swift":
        return False
    return any(
        isinstance(recipe, Recipe) and bool(recipe.tools) and recipe.bbox_frame == "pixel"
        for recipe in recipes
    )
