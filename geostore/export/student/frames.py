"""Names every box of a trace in the frame that a student knows, and proves where each lies.

A trace goes in and the same trace comes out, as if the teacher had been asked in the other
frame: prompts, tool schemas, the calls in its words and beside them, and the sentences of
the tools (`reframed_trace`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from geostore.conversation.recipe import FRAME_SENTENCES, tool_names, tools_section
from geostore.errors import ExportError
from geostore.export.student.reframed_trace import TraceInFrame, Unprovable
from geostore.export.student.students import Student, StudentFrame
from geostore.records import ImageFacts, ImportedRecipe, Recipe, StoredTrace
from geostore.tools import tool_schemas


@dataclass(slots=True)
class ReframedCounts:
    """What was re-framed so far."""

    calls: int = 0
    """Boxes of calls."""
    in_words: int = 0
    """Boxes in the teacher's words and reasoning that are of no call of the same turn."""
    left: int = 0
    """Times that four numbers in square brackets may be a box and were left as they are."""


class Reframer:
    """Re-frames traces for a student."""

    def __init__(self, frame: StudentFrame, student: Student) -> None:
        self.frame = frame
        self.student = student
        self.counts = ReframedCounts()
        """Of all traces so far."""
        self._recipes: dict[str, Recipe] = {}

    def why_not(self, trace: StoredTrace) -> str | None:
        """Why a trace cannot be re-framed, in words; None where it can, or has no boxes."""
        if isinstance(trace.recipe, ImportedRecipe) and (trace.recipe.says_tools or trace.calls):
            return "its file tells of boxes in its own words, which cannot be written anew"
        return None

    def reframed(self, trace: StoredTrace) -> StoredTrace:
        """The trace in the student's frame; the same one where it has no tools.

        Raises ExportError, naming the trace, where a call would mean something else.
        """
        recipe = trace.recipe
        if not isinstance(recipe, Recipe) or not recipe.tools or trace.photo is None:
            return trace
        try:
            key = trace.key.recipe_sha256
            if key not in self._recipes:
                self._recipes[key] = reframed_recipe(recipe, self.frame)
            work = TraceInFrame(
                trace, recipe, self._recipes[key], photo=trace.photo, seen=self.seen
            )
            again = work.reframed()
        except Unprovable as error:
            raise ExportError(
                f"{trace.name}: {error}; leave it out with --where \"trace <> '{trace.name}'\", or "
                "export without --bbox-frame"
            ) from error
        self.counts.calls += len(work.boxes)
        self.counts.in_words += work.in_words
        self.counts.left += work.left
        return again

    def seen(self, image: ImageFacts) -> ImageFacts:
        """An image with the size that boxes in the new frame are of."""
        if self.frame != "pixel":
            return image
        width, height = self.student.seen_size((image.width, image.height))
        return replace(image, width=width, height=height)

    def section(self, setting: str | None) -> str:
        """The section about boxes for the export's README, in Markdown.

        setting: how the student is told the greatest area, in words that end a sentence; None
        where it knows.
        """
        if self.frame == "pixel":
            frame = (
                f"pixels of the image as {self.student.title} sees it: its sides are multiples of "
                f"{self.student.factor}, and its area is from {self.student.min_pixels:,} to "
                f"{self.student.max_pixels:,} pixels"
                f"{'' if setting is None else f', so {setting}'}."
            )
        else:
            frame = "thousandths of the image's width and height."
        counts = self.counts
        lines = [
            f"Boxes are [x1, y1, x2, y2] in {frame}",
            "",
            f"{counts.calls:,} boxes of calls were re-framed. Each call was understood again in "
            "the new frame, and means the region that it meant, to one unit. "
            f"{counts.in_words:,} further boxes in the teacher's words were re-framed.",
        ]
        if counts.left:
            lines[-1] += (
                f" {counts.left:,} times four numbers in brackets were left as they are, because "
                "nothing says of which image they are."
            )
        return "## Boxes\n\n" + "\n".join(lines) + "\n"


def reframed_recipe(recipe: Recipe, frame: StudentFrame) -> Recipe:
    """The recipe as it would be if the teacher had been asked in the frame."""
    if recipe.bbox_frame == frame:
        return recipe
    names = tool_names(recipe)
    before, after = tool_schemas(recipe.bbox_frame, names), tool_schemas(frame, names)
    section, sentence = tools_section(before), FRAME_SENTENCES[recipe.bbox_frame]
    in_text = recipe.protocol == "text"
    if (
        recipe.tools != before
        or recipe.user_prompt.count(sentence) != 1
        or (in_text and not recipe.system_prompt.endswith(section))
    ):
        raise Unprovable("its prompts tell of boxes in other words than this version's")
    system = recipe.system_prompt
    if in_text:
        system = system.removesuffix(section) + tools_section(after)
    return replace(
        recipe,
        system_prompt=system,
        user_prompt=recipe.user_prompt.replace(sentence, FRAME_SENTENCES[frame]),
        tools=after,
        bbox_frame=frame,
    )
