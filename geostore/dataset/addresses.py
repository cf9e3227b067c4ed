"""Names a value inside a row: a column, or a part of one, such as `location.lat` or `coords.0`.

A whole column (`Address.array`) and one value of it (`Address.value`) are taken apart
alike, or a sample would get other coordinates than those by which it was drawn.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class Address:
    """A column of a dataset, or a part of one."""

    column: str
    """Its name."""
    steps: tuple[str, ...] = ()
    """From the column inwards: fields of structs, and places, from 0, in lists and in text that
    holds a pair of numbers."""

    @classmethod
    def find(cls, text: str, names: Collection[str]) -> Address | None:
        """Read ``column.part``; a column of the whole name comes first. None: no such column."""
        parts = text.split(".")
        for length in range(len(parts), 0, -1):
            if ".".join(parts[:length]) in names:
                return cls(".".join(parts[:length]), tuple(parts[length:]))
        return None

    @property
    def fields(self) -> str:
        """The column and the fields that the address begins with, as Parquet names them."""
        names = [self.column]
        for step in self.steps:
            if step.isdecimal():
                break
            names.append(step)
        return ".".join(names)

    def kind(self, kind: Any) -> Any:
        """The Arrow type at the address, given its column's. Raises LookupError."""
        for number, step in enumerate(self.steps):
            if pa.types.is_struct(kind):
                if kind.get_field_index(step) < 0:
                    raise LookupError(f"it has no field {step!r}")
                kind = kind.field(step).type
            elif is_list(kind) and step.isdecimal():
                kind = kind.value_type
            elif is_text(kind) and step in ("0", "1") and number == len(self.steps) - 1:
                kind = pa.float64()
            else:
                raise LookupError(f"{kind} has no part {step!r}")
        return kind

    def array(self, column: Any) -> Any:
        """What stands at the address in each row of a column (a chunked array)."""
        for step in self.steps:
            if pa.types.is_null(column.type):
                break
            if pa.types.is_struct(column.type):
                column = pc.struct_field(column, step)
            elif is_list(column.type):
                column = item(column, int(step))
            else:
                texts = column.cast(pa.large_binary()).to_pylist()
                column = pa.chunked_array([_numbers(texts, int(step))])
        return column

    def value(self, scalar: Any) -> Any:
        """What stands at the address in one value of the column; a null where nothing does."""
        for step in self.steps:
            if not scalar.is_valid:
                break
            if pa.types.is_struct(scalar.type):
                scalar = scalar[step]
            elif is_list(scalar.type):
                scalar = item_of(scalar, int(step))
            else:
                scalar = _numbers([scalar.as_buffer().to_pybytes()], int(step))[0]
        return scalar


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of the kinds of UTF-8 text."""
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is one of the kinds of lists whose items can be taken."""
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def item(lists: Any, place: int) -> Any:
    """One item of each list, null where a list is shorter."""
    padded = pc.list_slice(lists, place, place + 1, return_fixed_size_list=True)
    return pc.list_element(padded, 0)


def item_of(scalar: Any, place: int) -> Any:
    """One item of a list, null where the list is shorter."""
    values = scalar.values
    return values[place] if place < len(values) else pa.scalar(None, values.type)


def _numbers(texts: list[bytes | None], place: int) -> Any:
    return pa.array([_pair_number(text, place) for text in texts], pa.float64())


def _pair_number(text: bytes | None, place: int) -> float | None:
    """The first or second number of a text that is a pair of numbers and nothing else.

    Reads degrees, minutes and seconds too, and letters for hemispheres.
    """
    if text is None:
        return None
    from geostore.answers.angles import read_angle
    from geostore.answers.text import normalise

    words = text.decode("utf-8", "replace")
    pair = _pair_patterns()
    match = next((m for p in pair if (m := p.fullmatch(words))), None)
    if match is None:
        words = normalise(words)
        match = next((m for p in pair if (m := p.fullmatch(words))), None)
    if match is None:
        return None
    angles = [read_angle(match, group) for group in (1, 2)]
    return None if any(angle.failure for angle in angles) else angles[place].degrees


@cache
def _pair_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    # Imported where it is needed: a dataset seldom has its coordinates in one text.
    from geostore.answers.angles import COMMA_NUMBER, POINT_NUMBER, angle_pattern

    def pattern(number: str, between: str) -> re.Pattern[str]:
        first, second = (angle_pattern(group, number=number) for group in (1, 2))
        return re.compile(rf"\s*[(\[]?\s*{first}{between}{second}\s*[)\]]?\s*")

    return pattern(POINT_NUMBER, r"\s*[,;/\s]\s*"), pattern(COMMA_NUMBER, r"\s*[;/\s]\s*")
