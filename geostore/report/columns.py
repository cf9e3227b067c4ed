"""The columns and rows of a question's answer as a page takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from math import isfinite
from types import MappingProxyType
from typing import Any

from geostore.report.document import Column, Format, Kind
from geostore.text.tables import QueryResult

_WORDS: Mapping[str, tuple[str, Format, str]] = MappingProxyType(
    {
        "with_tools": ("tools", "text", ""),
        "number": ("", "text", ""),
        "value": ("value", "number", ""),
        "low": ("from", "number", ""),
        "high": ("to", "number", ""),
        "n": ("n", "int", ""),
        "of": ("of", "int", ""),
        "lat": ("latitude", "degrees", ""),
        "lon": ("longitude", "degrees", ""),
        "answer_lat": ("answered latitude", "degrees", ""),
        "answer_lon": ("answered longitude", "degrees", ""),
        "acc": ("right answers", "share", ""),
        "score": ("score", "number", ""),
        "decile": ("tenth", "int", ""),
        "cost": ("cost", "money", ""),
        "tokens": ("tokens", "tokens", ""),
        "in_country": ("in the country", "share", ""),
        "mean_confidence": ("confidence", "share", ""),
        "tokens_per_trace": ("tokens per trace", "tokens", ""),
        "class": ("class", "text", ""),
    }
)
"""Of columns whose name does not say it: label, format, unit."""

_COUNTS = frozenset(
    {
        *(
            "traces",
            "photos",
            "answers",
            "samples",
            "failures",
            "pairs",
            "turns",
            "tool_calls",
            "placed",
            "answered",
        ),
        *("going_on", "stopped_after", "uncounted_turns", "calls", "accepted", "scored"),
        *("wins", "ties", "losses", "requests", "n_pairs", "rollouts", "turn"),
    }
)


def column_of(name: str) -> Column:
    """How a question's column is headed and written, by its name."""
    if name in _WORDS:
        label, format, unit = _WORDS[name]
        return Column(name, label, unit, format)
    return Column(name, _label(name), "", _format(name))


def columns_of(names: Sequence[str]) -> tuple[Column, ...]:
    """`column_of` each."""
    return tuple(map(column_of, names))


def _format(name: str) -> Format:
    stem = name.removesuffix("_low").removesuffix("_high")
    if name in _COUNTS or name.startswith("count_"):
        return "int"
    if (
        "acc_" in stem
        or stem.startswith(("share", "in_country", "under_", "win", "pass_at"))
        or (
            stem.endswith(("_rate", "_share", "_validity"))
            or stem in ("acc", "share", "lift", "lift_parsed")
        )
    ):
        return "share"
    if "points" in stem:
        return "points"
    if stem.endswith("_km") or "_km_" in stem:
        return "km"
    if "token" in stem:
        return "tokens"
    if "cost" in stem:
        return "money"
    if stem.endswith("_ms"):
        return "ms"
    if stem.startswith(("mean_", "median_", "lift")) or stem.endswith("_score"):
        return "number"
    return "text"


def _label(name: str) -> str:
    """The name in words: an interval's ends are "from" and "to" of what stands before them."""
    for suffix, word in (("_low", "from"), ("_high", "to")):
        if name.endswith(suffix):
            return word
    words = name.replace("_failures_20000", ", failures 20,000").replace(
        "_failures_0", ", failures 0"
    )
    words = words.replace("_parsed", ", failures left out")
    return words.replace("_km", " km").replace("_", " ")


_FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "traces": "int",
        "photos": "int",
        "km": "km",
        "share": "share",
        "points": "points",
        "turns": "number",
        "calls": "number",
        "tokens": "tokens",
        "cost": "money",
    }
)
"""Of the units that the question ``headline`` has."""

_WITH_TOOLS: Mapping[bool | None, str] = MappingProxyType(
    {True: "with tools", False: "without tools", None: "not known"}
)


def table_of(kind: Kind, answer: QueryResult) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
    """The columns and rows of an answer as a page takes them for this kind."""
    if kind == "numbers":
        return _NUMBERS, [
            (
                row["number"],
                plain(row["value"]),
                plain(row["low"]),
                plain(row["high"]),
                _FORMATS[row["unit"]],
                _note(row),
            )
            for row in answer.to_dicts()
        ]
    if kind == "map":
        # How many there are in all is said above the map, once.
        answer = without(answer, "of")
    columns = columns_of(answer.columns)
    if kind == "map":
        columns = tuple(
            replace(column, name="km") if column.name == "distance_km" else column
            for column in columns
        )
    rows = [
        tuple(
            _WITH_TOOLS[value] if name == "with_tools" else plain(value)
            for name, value in zip(answer.columns, row, strict=True)
        )
        for row in answer.rows
    ]
    return columns, rows


def without(answer: QueryResult, column: str) -> QueryResult:
    """An answer without one of its columns."""
    place = answer.columns.index(column)
    return QueryResult(
        (*answer.columns[:place], *answer.columns[place + 1 :]),
        [(*row[:place], *row[place + 1 :]) for row in answer.rows],
    )


def _note(row: Mapping[str, Any]) -> str:
    """What stands below a number: of how many it is, or why there is none."""
    if row["unit"] == "cost" and row["value"] is None:
        return "no price is known"
    return f"of {row['n']:,}" if row["unit"] == "share" and row["n"] else ""


_NUMBERS = (
    Column("label", "number"),
    Column("value", "value", "", "number"),
    Column("low", "from", "", "number"),
    Column("high", "to", "", "number"),
    Column("format", "format"),
    Column("note", ""),
)


def plain(value: Any) -> Any:
    """A value of DuckDB's as JSON has it: a number that is none is null, a time is text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float):
        # More digits than any interval here has, and a smaller page.
        return float(f"{value:.9g}") if isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    return value
