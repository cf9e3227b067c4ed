"""Rows of an answer as text for programs, part by part, so that no answer has to fit in memory.

Nothing here folds, cuts or rounds: numbers have full precision.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeAlias

from geostore.text.json_lines import json_text

Batches: TypeAlias = Iterable[Sequence[tuple[Any, ...]]]
"""The rows of an answer in their order, some at a time, with values as DuckDB gives them."""

Parts: TypeAlias = Callable[[Sequence[str], Batches], Iterator[str]]
"""Gives the text of an answer in parts, from the names of its columns and its rows."""


def csv_parts(columns: Sequence[str], batches: Batches) -> Iterator[str]:
    """CSV with a header; null is an empty field, booleans are true and false."""
    yield _csv([columns])
    for rows in batches:
        yield _csv(
            [json.dumps(v) if isinstance(v, bool | dict | list) else v for v in map(plain, row)]
            for row in rows
        )


def json_parts(columns: Sequence[str], batches: Batches) -> Iterator[str]:
    """A JSON array with an object per row, each on a line of its own; NaN and infinity are null."""
    before = "[\n"
    for rows in batches:
        for row in rows:
            yield f"{before}{_object(columns, row)}"
            before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def json_lines_parts(columns: Sequence[str], batches: Batches) -> Iterator[str]:
    """A JSON object per row on a line of its own, as `json_parts` writes them."""
    for rows in batches:
        yield "".join(f"{_object(columns, row)}\n" for row in rows)


def markdown_parts(columns: Sequence[str], batches: Batches) -> Iterator[str]:
    """A table of Markdown's; columns of numbers alone are aligned to the right."""
    all_rows = [[plain(value) for value in row] for rows in batches for row in rows]
    yield _markdown_row(map(_markdown_cell, columns))
    yield _markdown_row(
        "---:" if _are_numbers(row[place] for row in all_rows) else "---"
        for place in range(len(columns))
    )
    for row in all_rows:
        yield _markdown_row(map(_markdown_cell, row))


PARTS: Mapping[str, Parts] = MappingProxyType(
    {
        "csv": csv_parts,
        "json": json_parts,
        "jsonl": json_lines_parts,
        "markdown": markdown_parts,
    }
)
"""The formats that can be written row by row, by the name that --format takes."""

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        ".txt": "table",
        ".csv": "csv",
        ".json": "json",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".md": "markdown",
        ".parquet": "parquet",
    }
)
"""The format that a file's suffix means."""


def plain(value: Any) -> Any:
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
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(plain(k)): plain(v) for k, v in value.items()}
    return value.hex() if isinstance(value, bytes) else str(value)


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _object(columns: Sequence[str], row: Sequence[Any]) -> str:
    return json_text(dict(zip(columns, map(plain, row), strict=True)))


def _are_numbers(values: Iterable[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in known
    )


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _markdown_cell(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, bool | dict | list) else value
    # A line break would end the row, and < would begin a tag of HTML.
    words = " ".join(str("" if text is None else text).split())
    for mark in "\\|`*_<[":
        words = words.replace(mark, f"\\{mark}")
    return words
