"""Draws the boxes of tool calls on the photo they were looked for in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from geostore.records import ImageFacts, ToolCall
from geostore.tools import outline_on_photo
from geostore.tools.tool import Point

# Bright, so that black is readable on each; told apart by people who see fewer colours too.
# Source: Okabe and Ito, Color Universal Design, without its dark half.
_COLOURS = ("#F0E442", "#56B4E9", "#E69F00", "#40E0A0", "#FF9AD5", "#FFFFFF")


def draw_boxes(photo: Image.Image, calls: Sequence[ToolCall], *, turn: int | None) -> Image.Image:
    """A copy of the photo with every box that was applied, labelled with its turn.

    photo: image 0 as `imaging.decode` gives it. calls: all of the trace. turn: only
    the boxes of this one. Several boxes of a turn are labelled 2a, 2b, and so on;
    those of one turn have one colour. Each line is bright between two black ones,
    so that it shows on any ground. Raises ImageError as `outline_on_photo` does.
    """
    facts = ImageFacts("", photo.width, photo.height, photo.width, photo.height)
    drawn = photo.copy()
    pen = _Pen(drawn)
    for label, call in labelled_boxes(calls).items():
        if turn is None or call.turn == turn:
            colour = _COLOURS[(call.turn - 1) % len(_COLOURS)]
            pen.outline(outline_on_photo(call, facts, calls), label, colour)
    return drawn


def labelled_boxes(calls: Sequence[ToolCall]) -> Mapping[str, ToolCall]:
    """The calls that cut a box, in order, by label: the turn, and a letter where it has several."""
    boxes = [call for call in calls if call.success and call.box is not None]
    turns = [call.turn for call in boxes]
    labels: dict[str, ToolCall] = {}
    for number, call in enumerate(boxes):
        label = str(call.turn)
        if turns.count(call.turn) > 1:
            label += _letters(turns[:number].count(call.turn))
        labels[label] = call
    return labels


def _letters(number: int) -> str:
    """a to z, then aa, ab, and so on."""
    before, last = divmod(number, 26)
    return (_letters(before - 1) if before else "") + chr(ord("a") + last)


class _Pen:
    """Draws on one image, with widths that suit its size."""

    def __init__(self, image: Image.Image) -> None:
        side = min(image.size)
        self._size = image.size
        self._draw = ImageDraw.Draw(image)
        self._width = max(2, side // 250)
        self._font = ImageFont.load_default(max(12.0, side / 32))

    def outline(self, corners: Sequence[Point], label: str, colour: str) -> None:
        closed = [*corners, corners[0], corners[1]]  # past the end, so that the joint is drawn too
        edge = max(1, self._width // 2)
        self._draw.line(closed, fill="black", width=self._width + 2 * edge, joint="curve")
        self._draw.line(closed, fill=colour, width=self._width, joint="curve")
        self._label(min(corners, key=lambda corner: (corner[1], corner[0])), label, colour)

    def _label(self, at: Point, label: str, colour: str) -> None:
        """Above a point, so that it hides nothing of a small box; below it at the upper edge."""
        left, top, right, bottom = self._draw.textbbox((0, 0), label, font=self._font)
        margin = self._width + 2
        width, height = right - left + 2 * margin, bottom - top + 2 * margin
        x = min(max(at[0], 0), max(self._size[0] - width, 0))
        above = at[1] - height - self._width
        y = min(above if above >= 0 else max(at[1], 0), max(self._size[1] - height, 0))
        self._draw.rectangle((x, y, x + width, y + height), fill=colour, outline="black")
        self._draw.text((x + margin - left, y + margin - top), label, fill="black", font=self._font)
