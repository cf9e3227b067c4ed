"""Tells when a teacher's boxes look as if they were in another frame than the recipe's.

Numbers up to 1000 mean something in every frame, so one box proves little, and
nothing here changes how a box is read. What a box can show is that it does not
fit the frame it should be in and fits another; where many of a recipe's boxes do,
somebody has to look. `sql/analytics/views.sql` has the same rules for stores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

import orjson

from geostore.records import BboxFrame, ImageFacts, ToolCall

LooksLike = Literal["norm1000", "pixel", "full_pixel", "pixel_yx", "relative"]
"""What a box may be in: thousandths; pixels of the image as sent, at full resolution, or as sent
with y first; fractions of the image from 0 to 1."""

OVERSHOOT = 1.02
"""A side may reach so far past the edge, as a careless teacher's does, and still fit."""

LEAST_BOXES = 5
LEAST_SHARE = 0.05
"""From so many boxes on, and so large a share of all, the alarm is raised."""

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
# In this order of preference where they explain as many boxes.
_SAID: dict[LooksLike, str] = {
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
    found: set[LooksLike] = set()
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
    if most <= 1000:
        found.add("norm1000")
    if max(a, c) <= image.width and max(b, d) <= image.height:
        found.add("pixel")
    elif max(a, c) <= image.full_width and max(b, d) <= image.full_height:
        found.add("full_pixel")
    if max(b, d) <= image.width and max(a, c) <= image.height:
        found.add("pixel_yx")
    return frozenset(found)


def written_box(call: ToolCall) -> tuple[float, float, float, float] | None:
    """The four numbers of a call's box as the teacher wrote them; None where it has no such box.

    Of a call that was refused only what is plain JSON.
    """
    return _box(call.arguments or call.raw_arguments)


def call_looks_like(
    frame: BboxFrame, call: ToolCall, images: Sequence[ImageFacts]
) -> frozenset[LooksLike] | None:
    """`looks_like` of a call; None where it names no box of an image that there is.

    images: the facts of the images so far, by number.
    """
    box = written_box(call)
    source = call.source_index
    if box is None or source is None or not 0 <= source < len(images):
        return None
    return looks_like(frame, box, images[source])


class FrameAlarm:
    """Watches the calls of a run of one recipe, and says once where its frame looks wrong."""

    def __init__(self, frame: BboxFrame, *, notice: Callable[[str], None]) -> None:
        self.frame = frame
        self.boxes = 0
        self.odd = 0
        self._notice = notice
        self._explained: Counter[LooksLike] = Counter()
        self._raised = False

    def add(self, call: ToolCall, images: Sequence[ImageFacts]) -> None:
        """Take a call and the images that were there before it."""
        explained = call_looks_like(self.frame, call, images)
        if explained is None:
            return
        self.boxes += 1
        self.odd += bool(explained)
        self._explained.update(explained)
        enough = self.odd >= LEAST_BOXES and self.odd >= LEAST_SHARE * self.boxes
        if enough and not self._raised:
            self._raised = True
            self._notice(self.sentence())

    def sentence(self) -> str:
        """What is wrong and what to do; at least one box was odd."""
        likely = max(_SAID, key=lambda name: self._explained[name])  # the first of equals
        return (
            f"the boxes look like another frame than {self.frame}: {self.odd} of {self.boxes} do "
            f"not fit it, and {self._explained[likely]} of them fit {_SAID[likely]}; "
            f"{ADVICE[likely]}"
        )


def _within(first: float, second: float, side: int) -> bool:
    return max(first, second) <= side * OVERSHOOT


def _box(text: str) -> tuple[float, float, float, float] | None:
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
