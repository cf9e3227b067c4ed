"""Writes the numbers of a table: thousands grouped, and no small one lost to rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import TypeAlias

from geostore.text.phrases import format_cost

Number: TypeAlias = int | float | Decimal

_UNGROUPED = ("id", "pid", "seed", "year", "port", "row", "sample")
"""Columns whose whole numbers are names; also those that end so after an underscore."""
_UNGROUPED_ENDS = ("_id", "_index", "_seed", "_year", "_version", "_port", "_row")
_DEGREES = ("lat", "lon")
_DEGREE_DECIMALS = 5  # about a metre
_SMALLEST, _LARGEST = 1e-6, 1e15
"""Numbers outside these have an exponent, because nobody counts zeros."""


def format_numbers(name: str, values: Sequence[Number | None]) -> list[str]:
    """The numbers of one column, alike; empty text for None.

    name: of the column; a cost, degrees and numbers that only name something are written
    as such. Fractions have three decimals where all of them are below 10, else one, and
    none that no value needs; a smaller number keeps two significant digits.
    """
    decimals = _decimals(name, values)
    return [_number(name, value, decimals) for value in values]


def _number(name: str, value: Number | None, decimals: int) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value) if _is_a_name(name) else f"{value:,}"
    if not math.isfinite(value):
        return f"{value}".lower().replace("infinity", "inf")
    if "cost" in name:
        return format_cost(float(value))
    if value == 0:
        return "0"
    if not _SMALLEST <= abs(float(value)) < _LARGEST:
        return f"{value:.3g}"
    return f"{value:,.{max(decimals, _decimals_for_two_digits(float(value)))}f}"


def _decimals(name: str, values: Sequence[Number | None]) -> int:
    if name in _DEGREES or name.endswith(tuple(f"_{degrees}" for degrees in _DEGREES)):
        return _DEGREE_DECIMALS
    fractions = [
        abs(float(v)) for v in values if isinstance(v, float | Decimal) and math.isfinite(v)
    ]
    most = 3 if max(fractions, default=0) < 10 else 1
    return next(
        (n for n in range(1, most) if all(round(v, n) == round(v, most) for v in fractions)), most
    )


def _decimals_for_two_digits(value: float) -> int:
    """How many decimals show two significant digits."""
    return max(1 - math.floor(math.log10(abs(value))), 0)


def _is_a_name(name: str) -> bool:
    return name in _UNGROUPED or name.endswith(_UNGROUPED_ENDS)
