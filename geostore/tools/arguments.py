"""Reads a tool call's arguments as a teacher wrote them, or says in a sentence what is wrong.

Whatever a teacher writes, this raises nothing but `RefusedCall`. Arguments that
can be read in one way only are repaired and flagged; all others are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any

from geostore.text.lenient_json import load_lenient
from geostore.tools.boxes import Frame, RefusedCall

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER_TEXT = re.compile(rf"\s*({_NUMBER})\s*", re.ASCII)
_NEXT_NUMBER = rf"(?:\s*,\s*|\s+)({_NUMBER})"
_FOUR_NUMBERS = re.compile(rf"\s*([\[(])?\s*({_NUMBER}){_NEXT_NUMBER * 3}\s*([\])])?\s*", re.ASCII)
_LONGEST_TEXT = 200  # of a number or a box written as text
_MOST_ENCODED = 3  # times that arguments may be encoded too often
_ASCII = str.maketrans("，、［］（）－．０１２３４５６７８９\u3000\u00a0", ",,[]()-.0123456789  ")
_MODEL_TOKEN = re.compile(r"<\|\w+\|>")
_CORNERS = re.compile(
    rf"\s*\(\s*({_NUMBER}){_NEXT_NUMBER}\s*\)\s*,?\s*\(\s*({_NUMBER}){_NEXT_NUMBER}\s*\)\s*",
    re.ASCII,
)
# The names of a box's four sides where it is an object; each set in the order x1, y1, x2, y2.
_SIDES = (
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("left", "top", "right", "bottom"),
)


class Arguments:
    """The arguments of one call, read one by one; `repaired` says whether any was repaired.

    Every method raises RefusedCall where its argument cannot be understood.
    """

    def __init__(self, members: dict[str, Any], *, repaired: bool) -> None:
        self._members = members
        self.repaired = repaired

    @classmethod
    def read(cls, raw: str) -> Arguments:
        """From the JSON text of an object. Kinds: ``malformed_json``, ``arguments_not_object``."""
        if not raw.strip():
            return cls({}, repaired=False)
        value, repaired = load_lenient(raw)
        for _ in range(_MOST_ENCODED):
            if isinstance(value, str):
                # The object's JSON text as a JSON string: encoded once too often.
                value, _ = load_lenient(value)
                repaired = True
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
            value, repaired = value[0], True
        if isinstance(value, dict):
            return cls(value, repaired=repaired)
        if value is None and raw.strip() != "null":
            raise RefusedCall(
                "malformed_json",
                "The arguments are not valid JSON, or name one twice: write one JSON object.",
            )
        raise RefusedCall(
            "arguments_not_object",
            'The arguments must be one JSON object, such as {"name": value}.',
        )

    def check_names(
        self, tool: str, *, allowed: Collection[str], required: Collection[str]
    ) -> None:
        """Kinds: ``missing_argument``, ``extra_argument``."""
        takes = f"{tool} takes {listed(allowed)}"
        takes += f"; {listed(required)} must be given." if required else "."
        for name in required:
            if name not in self._members:
                raise RefusedCall("missing_argument", f"The argument {name} is missing: {takes}")
        for name in self._members:
            if name not in allowed:
                raise RefusedCall("extra_argument", f"There is no argument {quoted(name)}: {takes}")

    def image_index(self, count: int) -> int | None:
        """``img_idx``, None where it is not given. Kinds: ``img_idx_invalid``, ``img_idx_unknown``.

        count: how many images there are so far.
        """
        value = self._members.get("img_idx")
        if value is None:
            self.repaired |= "img_idx" in self._members
            return None
        have = "there is only image 0" if count == 1 else f"there are images 0 to {count - 1}"
        number = self._number(value)
        if number is None or number != math.floor(number):
            raise RefusedCall("img_idx_invalid", f"img_idx must be a whole number: {have}.")
        if not 0 <= number < count:
            raise RefusedCall("img_idx_unknown", f"That img_idx does not exist: {have}.")
        self.repaired |= not isinstance(value, int)
        return int(number)

    def box(self, frame: Frame) -> tuple[float, float, float, float]:
        """``bbox_2d`` as four finite numbers in the teacher's frame. Kind: ``bbox_invalid``."""
        value = self._four_sides(self._members["bbox_2d"], frame)
        if isinstance(value, list) and len(value) == 4:
            a, b, c, d = (self._number(side) for side in value)
            if a is not None and b is not None and c is not None and d is not None:
                return a, b, c, d
        raise RefusedCall(
            "bbox_invalid",
            f"bbox_2d must be a list of four finite numbers; give {frame.allowed}.",
        )

    def _four_sides(self, value: Any, frame: Frame) -> Any:
        """The list of a box's sides where it has one reading, else `value`."""
        if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
            text = _MODEL_TOKEN.sub("", value).translate(_ASCII)
            match = _FOUR_NUMBERS.fullmatch(text)
            if match and (match[1], match[6]) in ((None, None), ("[", "]"), ("(", ")")):
                return list(match.group(2, 3, 4, 5))
            if two := _CORNERS.fullmatch(text):
                return list(two.groups())
            value, _ = load_lenient(text)
            if not isinstance(value, list | dict):
                return None
            self.repaired = True
        if isinstance(value, dict):
            order = (1, 0, 3, 2) if frame.name == "norm1000_yx" else (0, 1, 2, 3)
            for sides in _SIDES:
                if set(value) == set(sides):
                    self.repaired = True
                    return [value[sides[place]] for place in order]
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
            value, self.repaired = value[0], True
        corners = isinstance(value, list) and len(value) == 2
        if corners and all(isinstance(corner, list) and len(corner) == 2 for corner in value):
            self.repaired = True
            return [*value[0], *value[1]]
        return value

    def label(self) -> str | None:
        """``label``, None where it is not given. Kind: ``label_invalid``."""
        value = self._members.get("label")
        if value is None:
            self.repaired |= "label" in self._members
            return None
        if not isinstance(value, str):
            raise RefusedCall("label_invalid", "label must be a text, or be left out.")
        # JSON can escape half of a surrogate pair, which no UTF-8 holds.
        encodable = value.encode(errors="replace").decode()
        self.repaired |= encodable != value
        return encodable

    def angle(self) -> float:
        """``angle`` in degrees. Kind: ``angle_invalid``."""
        number = self._number(self._members["angle"])
        if number is None:
            raise RefusedCall(
                "angle_invalid",
                "angle must be a finite number of degrees; positive turns counter-clockwise.",
            )
        return number

    def number(self, name: str, *, default: float) -> float:
        """A number that may be left out; NaN where what was given is no finite number."""
        value = self._members.get(name)
        if value is None:
            self.repaired |= name in self._members
            return default
        number = self._number(value)
        return math.nan if number is None else number

    def _number(self, value: Any) -> float | None:
        """A finite number, also from its decimal text; None otherwise."""
        number = math.nan
        if isinstance(value, str):
            match = _NUMBER_TEXT.fullmatch(value) if len(value) <= _LONGEST_TEXT else None
            if match:
                number = float(match[1])
                self.repaired = True
        elif isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:  # an integer past the range of floats
                return None
        return number if math.isfinite(number) else None


def quoted(written: str) -> str:
    """What a teacher wrote, short and on one line, for a sentence."""
    printable = "".join(c if c.isprintable() else " " for c in written[:60])
    return f'"{printable}"' if len(written) <= 60 else f'"{printable}..."'


def listed(names: Collection[str]) -> str:
    """The names in a sentence; there is at least one."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
