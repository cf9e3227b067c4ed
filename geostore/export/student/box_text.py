"""Finds four numbers that may be a box in a teacher's words, and writes others in their place.

Only the digits change: brackets, quotes, tags and names around them stay as the teacher
wrote them, so a call is still written in its own form. Every function is linear in its
input, and none knows what a box means.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Numbers = tuple[float, float, float, float]

_NUMBER = r"(?<![\w.])[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w])"
_QUOTES = r"\"'“”‘’`\\"
_COMMAS = ",，、;"
_N = f"({_NUMBER})"
_SEP = rf"[\s{_QUOTES}{_COMMAS}]{{1,16}}"
_OPEN, _CLOSE = r"[\[(（［]", r"[\])）］]"
_GAP = rf"[\s{_QUOTES}]{{0,16}}"
_SIDE = r"(x_?(?:min|max|[12])|y_?(?:min|max|[12])|left|top|right|bottom)"
_NAMED_SIDE = rf"\b{_SIDE}{_GAP}[:：=]{_GAP}{_N}"

_BOX = re.compile(
    # The sides by their names, in any order.
    rf"(?P<named>{_NAMED_SIDE}{_SEP}{_NAMED_SIDE}{_SEP}{_NAMED_SIDE}{_SEP}{_NAMED_SIDE})"
    rf"|(?P<corners>{_OPEN}{_GAP}{_N}{_SEP}{_N}{_GAP}{_CLOSE}[\s{_COMMAS}]{{0,16}}"
    rf"{_OPEN}{_GAP}{_N}{_SEP}{_N}{_GAP}{_CLOSE})"
    rf"|(?P<list>{_OPEN}{_GAP}{_N}{_SEP}{_N}{_SEP}{_N}{_SEP}{_N}{_GAP}{_CLOSE})"
    # Without brackets, where a text or the value of a tag begins and ends with the numbers.
    rf"|(?P<bare>(?<=[{_QUOTES}>:：=])\s{{0,16}}{_N}{_SEP}{_N}{_SEP}{_N}{_SEP}{_N}"
    rf"(?=\s{{0,16}}(?:[{_QUOTES}<\n]|\Z)))"
)
# What only stands before a box: its tokens in the families' own languages, or its name.
_MARK = re.compile(
    rf"(?:<\|?box(?:_start)?\|?>|<bbox>|bbox(?:_2d)?{_GAP}[:：=>])[\s{_QUOTES}\[(（［]{{0,16}}\Z"
)
_LONGEST_MARK = 60
_NAMES = (
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("left", "top", "right", "bottom"),
)


@dataclass(frozen=True, slots=True)
class BoxInText:
    """Four numbers in a text, in the order in which the frame names them."""

    numbers: Numbers
    """As they stand there; of sides that have names, in the order of the frame."""
    has_square_brackets: bool
    """Whether they are a plain list in square brackets."""
    is_marked: bool
    """Whether a token or a name before them says that they are a box."""


def replace_boxes(
    text: str, write: Callable[[BoxInText], Numbers | None], *, y_first: bool, write_y_first: bool
) -> str:
    """The text with other numbers where `write` gives some, and as it is elsewhere.

    y_first: whether the frame of the text names y first, as sides with names do not.
    write_y_first: the same for the numbers that `write` gives.
    """
    parts: list[str] = []
    start = 0
    for match in _BOX.finditer(text):
        spans, names = _numbers(match)
        order = _order(names, y_first=y_first)
        if order is None:
            continue
        # float() would take "1_0"; the pattern does not.
        a, b, c, d = (float(text[slice(*spans[place])]) for place in order)
        listed = text[match.start("list")] == "[" if match["list"] else False
        before = text[max(0, match.start() - _LONGEST_MARK) : match.start()]
        box = BoxInText((a, b, c, d), listed, _MARK.search(before) is not None)
        written = write(box)
        if written is None:
            continue
        texts = dict(
            zip(_order(names, y_first=write_y_first) or (), map(number_text, written), strict=True)
        )
        for place, (first, last) in enumerate(spans):
            parts += [text[start:first], texts[place]]
            start = last
    return "".join([*parts, text[start:]])


def number_text(number: float) -> str:
    """A number as it is written into a text: without decimals where it has none."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))


def _numbers(match: re.Match[str]) -> tuple[list[tuple[int, int]], list[str]]:
    """Where the numbers stand, and the names before them, if they have any."""
    spans: list[tuple[int, int]] = []
    names: list[str] = []
    for group in range(1, _BOX.groups + 1):
        value = match.group(group)
        if value is None or group in _WHOLE:
            continue
        if value[0].isalpha():
            names.append(value.replace("_", ""))
        else:
            spans.append(match.span(group))
    return spans, names


_WHOLE = frozenset(_BOX.groupindex.values())


def _order(names: list[str], *, y_first: bool) -> tuple[int, int, int, int] | None:
    """The places of the four numbers in the order of a frame; None where a name is missing."""
    for sides in _NAMES:
        if sorted(names) == sorted(sides):
            left, top, right, bottom = map(names.index, sides)
            return (top, left, bottom, right) if y_first else (left, top, right, bottom)
    return None if names else (0, 1, 2, 3)
