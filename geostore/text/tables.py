"""Rows of an answer as text: a plain table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from rich.cells import cell_len

_LONGEST_CELL = 80  # characters; longer text is cut
_WIDEST = 120  # columns of a terminal; a wider table of few rows is transposed


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to a question: named columns, and rows of values as DuckDB gives them."""

    columns: tuple[str, ...]
    """Names, in the order of a row's values; none comes twice."""
    rows: list[tuple[Any, ...]]
    """In the order of the answer; empty where nothing fits the question."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Each row as column name to value."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def format_table(result: QueryResult) -> str:
    """Plain aligned text, the same in a terminal and in a file.

    A column of fractions has three decimals where all of them are below 10, else
    one; degrees have five. Long text is cut. Up to six rows that would be too wide
    are transposed: each becomes a column beside the names.
    """
    if result.columns == ("explain_key", "explain_value"):
        return "\n".join(
            str(row[1]).rstrip() for row in result.rows
        )  # DuckDB draws its plans itself
    rows = _cells(result)
    names = tuple(map(_cut, result.columns))
    numbers = [_is_number(result, place) for place in range(len(result.columns))]
    lines = _aligned([names, *rows], numbers)
    if 1 <= len(rows) <= 6 and max(map(_width, lines)) > _WIDEST:
        return format_transposed(result)
    rule = "  ".join("-" * width for width in _widths([names, *rows]))
    row_count = f"({len(rows):,} row{'' if len(rows) == 1 else 's'})"
    return "\n".join([lines[0], rule, *lines[1:], row_count])


def format_transposed(result: QueryResult) -> str:
    """Plain aligned text with a line for each column of the result, and a column for each row."""
    lines = list(zip(map(_cut, result.columns), *_cells(result), strict=True))
    return "\n".join(_aligned(lines, [False] + [True] * len(result.rows)))


def format_csv(result: QueryResult) -> str:
    """CSV with a header, in full precision; null is an empty field, booleans are true and false."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(result.columns)
    for row in result.rows:
        values = map(_plain, row)
        writer.writerow(json.dumps(v) if isinstance(v, bool | dict | list) else v for v in values)
    return out.getvalue().removesuffix("\n")


def format_json(result: QueryResult) -> str:
    """A JSON array with an object per row, each on a line of its own; NaN and infinity are null."""
    objects = (dict(zip(result.columns, map(_plain, row), strict=True)) for row in result.rows)
    lines = ",\n".join(json.dumps(o, ensure_ascii=False, allow_nan=False) for o in objects)
    return f"[\n{lines}\n]" if lines else "[]"


FORMATS: Mapping[str, Callable[[QueryResult], str]] = MappingProxyType(
    {"table": format_table, "csv": format_csv, "json": format_json}
)
"""How rows can be printed, by the name that --format takes."""


def _plain(value: Any) -> Any:
    """A value of DuckDB as JSON can hold it; times in ISO-8601."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(_plain(k)): _plain(v) for k, v in value.items()}
    return value.hex() if isinstance(value, bytes) else str(value)


def _cells(result: QueryResult) -> list[tuple[str, ...]]:
    columns = []
    for place, name in enumerate(result.columns):
        values = [row[place] for row in result.rows]
        fractions = [
            abs(float(v)) for v in values if isinstance(v, float | Decimal) and math.isfinite(v)
        ]
        decimals = 3 if max(fractions, default=0) < 10 else 1
        if name in ("lat", "lon") or name.endswith(("_lat", "_lon")):
            decimals = 5
        columns.append([_cell(v, decimals) for v in values])
    return list(zip(*columns, strict=True))


def _cell(value: Any, decimals: int) -> str:
    if isinstance(value, float | Decimal):
        return f"{value:.{decimals}f}"
    plain = _plain(value)
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    return "" if plain is None else _cut(str(plain))


def _cut(text: str) -> str:
    # A response may hold line breaks, and escape sequences that a terminal would carry out.
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def _is_number(result: QueryResult, place: int) -> bool:
    values = [row[place] for row in result.rows if row[place] is not None]
    return bool(values) and all(
        isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in values
    )


def _aligned(rows: Sequence[Sequence[str]], align_right: Sequence[bool]) -> list[str]:
    widths = _widths(rows)
    lines = []
    for row in rows:
        cells = []
        for cell, width, right in zip(row, widths, align_right, strict=True):
            space = " " * (width - _width(cell))
            cells.append(space + cell if right else cell + space)
        lines.append("  ".join(cells).rstrip())
    return lines


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(_width, column)) for column in zip(*rows, strict=True)]


def _width(text: str) -> int:
    """Width in columns of a terminal, where East Asian characters take two."""
    return cell_len(text)
