"""Rows of an answer as text: a table that fits the terminal, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from geostore.text.json_lines import json_text
from geostore.text.layouts import Column, lay_out, lay_out_turned
from geostore.text.numbers import format_numbers
from geostore.text.phrases import format_number_of
from geostore.text.terminal import output_width

_LONG_WORD = 40  # characters


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


def format_table(result: QueryResult, width: int | None = None, *, with_count: bool = True) -> str:
    """Plain aligned text; numbers as `text.numbers` writes them.

    In a file or a pipe each row is one line, however long, and text beyond 80 characters
    is cut. On a terminal a table that is too wide folds, or its rows become blocks of
    names and values (`text.layouts` says which). width: columns of a terminal; None:
    those of standard output's. with_count: say below how many rows there are.
    """
    if result.columns == ("explain_key", "explain_value"):
        # DuckDB draws its plans itself.
        return "\n".join(str(row[1]).rstrip() for row in result.rows)
    lines = lay_out(_columns(result), output_width() if width is None else width)
    if with_count:
        lines.append(f"({format_number_of(len(result.rows), 'row')})")
    return "\n".join(lines)


def format_transposed(result: QueryResult, width: int | None = None) -> str:
    """Plain aligned text with a line for each column of the result, and a column for each row.

    Rows that do not fit side by side follow below. width: as for `format_table`.
    """
    width = output_width() if width is None else width
    return "\n".join(lay_out_turned(_columns(result), width))


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
    lines = ",\n".join(map(json_text, objects))
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


def _columns(result: QueryResult) -> list[Column]:
    columns = []
    for place, name in enumerate(result.columns):
        values = [row[place] for row in result.rows]
        known = [value for value in values if value is not None]
        is_number = bool(known) and all(map(_is_number, known))
        cells = format_numbers(_printable(name), values) if is_number else map(_cell, values)
        columns.append(Column(_printable(name), tuple(cells), is_number))
    return columns


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    plain = _plain(value)
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    if isinstance(plain, dict | list):
        return _printable(json.dumps(plain, ensure_ascii=False))
    return "" if plain is None else _printable(_spaced(str(plain)))


def _spaced(text: str) -> str:
    """A long JSON document with spaces between its members, where a line may break."""
    if len(text) > _LONG_WORD and text[0] in "[{" and " " not in text:
        with suppress(ValueError):
            return json.dumps(json.loads(text), ensure_ascii=False)
    return text


def _printable(text: str) -> str:
    # A response may hold line breaks, and escape sequences that a terminal would carry out.
    return "".join(c if c.isprintable() else " " for c in text)
