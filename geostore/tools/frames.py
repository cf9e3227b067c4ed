"""Flags boxes that look as if they were in another frame than the recipe's, and warns of many.

Numbers up to 1000 mean something in every frame, so one box proves little, and
nothing here changes how a box is read. A box can only show that it does not fit
the frame it should be in and fits another. Whether it does is decided once, when
its call runs, and kept as flags of the call: one ``looks_like:FRAME`` for each
frame that would explain the box. Queries, the audit and the alarm of a run count
these flags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import orjson

from geostore.records import BboxFrame, ImageFacts, ToolCall

LooksLike = Literal["full_pixel", "norm1000", "pixel", "pixel_yx", "relative"]
"""What a box may be in: pixels of the image at full resolution; thousandths; pixels of the image
as sent, and the same with y first; fractions of the image from 0 to 1."""

_FLAG = "looks_like:"

OVERSHOOT = 1.02
"""A side may reach so far past the edge and still fit: teachers are careless at edges."""

LEAST_BOXES = 5
LEAST_SHARE = 0.05
"""The alarm is raised from this many odd boxes on, and this share of all boxes.
`sql/analytics/frame_alarm.sql` has the same two numbers."""

ADVICE: dict[LooksLike, str] = {
    "norm1000": "give --bbox-frame norm1000 if that is what this model means",
    "pixel": "give --bbox-frame pixel if that is what this model means",
    "full_pixel": (
        "give --bbox-frame pixel, and a --max-pixels up to which its server leaves images as they "
        "are, if that is what this model means"
    ),
    "pixel_yx": (
        "no frame has pixels with y first; "
        "give --bbox-frame norm1000_yx if the model can be had to use it"
    ),
    "relative": "no frame goes from 0 to 1; give --bbox-frame norm1000 if the model can use it",
}
# Where several explain as many boxes, the first of them is named.
_DESCRIPTIONS: dict[LooksLike, str] = {
    "pixel": "pixels of the image as sent",
    "norm1000": "a scale from 0 to 1000",
    "relative": "fractions from 0 to 1",
    "pixel_yx": "pixels with y first",
    "full_pixel": "pixels of the image at full resolution",
}


def looks_like(frame: BboxFrame, box: Sequence[float], image: ImageFacts) -> frozenset[LooksLike]:
    """The frames that would explain a box which does not fit its own; empty where it fits.

    box: the four numbers as the teacher wrote them. image: the one they are of.
    """
    a, b, c, d = box
    least, most = min(box), max(box)
    if least < 0:
        return frozenset()
    if most <= 1:
        # A thousandth of an image, or a pixel of it, is no region to look at.
        return frozenset({"relative"}) if most > 0 else frozenset()
    fits = (
        _within(a, c, image.width) and _within(b, d, image.height)
        if frame == "pixel"
        else most <= 1000 * OVERSHOOT
    )
    if fits:
        return frozenset()
    explained_by: set[LooksLike] = set()
    if most <= 1000:
        explained_by.add("norm1000")
    if max(a, c) <= image.width and max(b, d) <= image.height:
        explained_by.add("pixel")
    elif max(a, c) <= image.full_width and max(b, d) <= image.full_height:
        explained_by.add("full_pixel")
    if max(b, d) <= image.width and max(a, c) <= image.height:
        explained_by.add("pixel_yx")
    return frozenset(explained_by)


def names_box(call: ToolCall) -> bool:
    """Whether a call names a box, as four numbers, of an image that exists.

    Of a refused call only arguments in plain JSON count.
    """
    return call.source_index is not None and _written_box(call) is not None


def with_frame_flags(call: ToolCall, frame: BboxFrame, images: Sequence[ImageFacts]) -> ToolCall:
    """The call with a flag for each frame that would explain a box which does not fit `frame`.

    Refused calls are flagged too: a box in another frame often lies outside.
    images: facts of the images before the call, by number.
    """
    box, source = _written_box(call), call.source_index
    if box is None or source is None or not 0 <= source < len(images):
        return call
    flags = {f"{_FLAG}{name}" for name in looks_like(frame, box, images[source])}
    return replace(call, flags=tuple(sorted({*call.flags, *flags})))


def flagged_frames(call: ToolCall) -> tuple[LooksLike, ...]:
    """The frames that a call's flags name, sorted; () where its box fits or it has none."""
    return tuple(flag.removeprefix(_FLAG) for flag in call.flags if flag.startswith(_FLAG))  # type: ignore[misc]


class FrameAlarm:
    """Counts the calls of a run of one recipe, and warns once where its frame looks wrong."""

    def __init__(self, frame: BboxFrame, *, notice: Callable[[str], None]) -> None:
        self.frame = frame
        self.boxes = 0
        self.odd = 0
        self._notice = notice
        self._explained: Counter[LooksLike] = Counter()
        self._raised = False

    def add(self, call: ToolCall) -> None:
        """Count a call that was run."""
        if not names_box(call):
            return
        frames = flagged_frames(call)
        self.boxes += 1
        self.odd += bool(frames)
        self._explained.update(frames)
        enough = self.odd >= LEAST_BOXES and self.odd >= LEAST_SHARE * self.boxes
        if enough and not self._raised:
            self._raised = True
            self._notice(self.sentence())

    def sentence(self) -> str:
        """What is wrong and what to do; at least one box was odd."""
        # max() gives the first of equals.
        likely = max(_DESCRIPTIONS, key=lambda name: self._explained[name])
        return (
            f"the boxes look like another frame than {self.frame}: {self.odd} of {self.boxes} do "
            f"not fit it, and {self._explained[likely]} of them fit {_DESCRIPTIONS[likely]}; "
            f"{ADVICE[likely]}"
        )


def _within(first: float, second: float, side: int) -> bool:
    return max(first, second) <= side * OVERSHOOT


def _written_box(call: ToolCall) -> tuple[float, float, float, float] | None:
    """The four numbers of a call's box as the teacher wrote them; None where it has no such box."""
    text = call.arguments or call.raw_arguments
    if '"bbox_2d"' not in text:
        return None
    try:
        members: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    value = members.get("bbox_2d") if isinstance(members, dict) else None
    if not isinstance(value, list) or len(value) != 4:
        return None
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in value):
        return None
    a, b, c, d = map(float, value)
    return a, b, c, d
