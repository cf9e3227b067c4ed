"""Rows of an answer as text: a table that fits the terminal, CSV or JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from geostore.text.layouts import Column, lay_out, lay_out_turned
from geostore.text.numbers import format_numbers
from geostore.text.phrases import format_number_of
from geostore.text.row_formats import csv_parts, json_parts, plain
from geostore.text.terminal import output_width

FROM_STDOUT = -1
"""A width: the columns of standard output's terminal, if it is one."""

_LONG_WORD = 40  # characters
_BOUNDS = ("_low", "_high")
"""End the names of the columns that hold the bounds of another's numbers."""


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


def format_table(
    result: QueryResult,
    width: int | None = FROM_STDOUT,
    *,
    with_count: bool = True,
    has_more: bool = False,
) -> str:
    """Plain aligned text; numbers as `text.numbers` writes them.

    In a file or a pipe each row is one line, however long, and text beyond 80 characters
    is cut. On a terminal a table that is too wide folds, or its rows become blocks of
    names and values (`text.layouts` says which), and an interval stands behind its number.
    width: columns of a terminal, None for a file. with_count: say below how many rows there
    are, and with has_more that there are more.
    """
    if result.columns == ("explain_key", "explain_value"):
        # DuckDB draws its plans itself.
        return "\n".join(str(row[1]).rstrip() for row in result.rows)
    width = output_width() if width == FROM_STDOUT else width
    folded = set() if width is None else _intervals(result)
    lines = lay_out(_columns(result, folded), width)
    if with_count:
        count = format_number_of(len(result.rows), "row")
        count = f"the first {count}; there are more" if has_more else count
        lines.append(f"({count}; in brackets from _low to _high)" if folded else f"({count})")
    return "\n".join(lines)


def format_transposed(result: QueryResult, width: int | None = FROM_STDOUT) -> str:
    """Plain aligned text with a line for each column of the result, and a column for each row.

    Rows that do not fit side by side follow below. width: as for `format_table`.
    """
    width = output_width() if width == FROM_STDOUT else width
    return "\n".join(lay_out_turned(_columns(result), width))


def format_csv(result: QueryResult) -> str:
    """`row_formats.csv_parts` in one text, without the last line break."""
    return "".join(csv_parts(result.columns, [result.rows])).removesuffix("\n")


def format_json(result: QueryResult) -> str:
    """`row_formats.json_parts` in one text, without the last line break."""
    return "".join(json_parts(result.columns, [result.rows])).removesuffix("\n")


def _columns(result: QueryResult, with_interval: Collection[str] = ()) -> list[Column]:
    """The columns as text. with_interval: those that take in the columns of their bounds."""
    bounds = {f"{name}{end}" for name in with_interval for end in _BOUNDS}
    columns = []
    for place, name in enumerate(result.columns):
        if name in bounds:
            continue
        values = [row[place] for row in result.rows]
        is_number = _are_numbers(values)
        if name in with_interval:
            cells = _with_bounds(result, name)
        else:
            cells = (
                format_numbers(_printable(name), values) if is_number else list(map(_cell, values))
            )
        columns.append(Column(_printable(name), tuple(cells), is_number))
    return columns


def _intervals(result: QueryResult) -> set[str]:
    """The columns of numbers that stand with their lower and upper bounds."""
    return {
        name
        for name in result.columns
        if all(
            part in result.columns and _are_numbers(_values(result, part))
            for part in (name, *(f"{name}{end}" for end in _BOUNDS))
        )
    }


def _with_bounds(result: QueryResult, name: str) -> list[str]:
    """Numbers such as ``0.875 (0.690..0.957)``, all with the same decimals."""
    parts = [_values(result, part) for part in (name, *(f"{name}{end}" for end in _BOUNDS))]
    count = len(result.rows)
    texts = format_numbers(_printable(name), [value for values in parts for value in values])
    # A zero has the decimals of the others here, or no point would stand below another.
    fractions = [text.partition(".")[2] for text in texts if "." in text]
    zero = f"0.{'0' * min(map(len, fractions))}" if fractions else "0"
    texts = [zero if text == "0" else text for text in texts]
    rows = zip(texts[:count], texts[count : 2 * count], texts[2 * count :], strict=True)
    return [f"{x} ({low}..{high})" if low and high else x for x, low, high in rows]


def _values(result: QueryResult, name: str) -> list[Any]:
    place = result.columns.index(name)
    return [row[place] for row in result.rows]


def _are_numbers(values: Iterable[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(map(_is_number, known))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    shown = plain(value)
    if isinstance(shown, dict | list):
        return _printable(json.dumps(shown, ensure_ascii=False))
    return "" if shown is None else _printable(_spaced(str(shown)))


def _spaced(text: str) -> str:
    """A long JSON document with spaces between its members, where a line may break."""
    if len(text) > _LONG_WORD and text[0] in "[{" and " " not in text:
        with suppress(ValueError):
            return json.dumps(json.loads(text), ensure_ascii=False)
    return text


def _printable(text: str) -> str:
    # A response may hold line breaks, and escape sequences that a terminal would carry out.
    return "".join(c if c.isprintable() else " " for c in text)
