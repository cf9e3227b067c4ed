"""The figures of a report: which question each is drawn from, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from math import isfinite
from types import MappingProxyType
from typing import Any

from geostore.query.thresholds import format_km
from geostore.report.document import Column, Format, Kind
from geostore.text.tables import QueryResult

NO_TRACES = "No such trace is closed yet: geostore generate makes some."
_NO_TOOLS = "No photo was asked both with and without tools; ask the same photos with --no-tools."
_NO_LOCATABILITY = "The dataset has no column of locatability."
_NO_PLACES = "No place is computed yet: geostore rescore computes them."
_NO_DISTANCES = "No answer has a distance yet: geostore rescore computes them."


@dataclass(frozen=True, slots=True)
class Drawn:
    """How one question becomes a figure."""

    id: str
    """The figure's anchor."""
    title: str
    """What it shows."""
    note: str
    """A sentence or two below the title."""
    kind: Kind
    """How it is drawn."""
    question: str
    """The named question that is asked."""
    spec: Mapping[str, Any]
    """What the kind needs: names of columns, words on axes."""
    empty: str = NO_TRACES
    """What is said where the question has no row, or no value to draw."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of the question; the others have their defaults."""
    kept: tuple[str, Any] | None = None
    """A column and its value in the rows that the figure shows; None: all rows."""
    drawn_column: str | None = None
    """The column without whose values nothing can be drawn; None: any row is enough."""


FIGURES: tuple[Drawn, ...] = (
    Drawn(
        "headline",
        "At a glance",
        "A failure counts as 20,000 km, as a miss and as 0 points unless a line says otherwise. "
        "Ranges are 95 % intervals.",
        "numbers",
        "headline",
        {},
    ),
    Drawn(
        "map",
        "Where the answers are",
        "A line runs from the true place to the answered one, along the shortest way.",
        "map",
        "answers_on_map",
        {},
        _NO_DISTANCES,
        {"most": "{lines}"},
    ),
    Drawn(
        "distances",
        "How far off the answers are",
        "Each bar is a bin of distance; bins grow with it. Answers without coordinates are in the "
        "table, and in no bar.",
        "histogram",
        "distance_histogram",
        {
            "x0": "from_km",
            "x1": "to_km",
            "count": "answers",
            "scale": "log",
            "x_label": "distance in km",
        },
        _NO_DISTANCES,
        drawn_column="from_km",
        kept=("country", "(all)"),
    ),
    Drawn(
        "difficulty",
        "Accuracy by difficulty",
        "The share of answers within {km} km for each tenth of locatability; a failure is a miss.",
        "lines",
        "tool_use_by_difficulty",
        {
            "x": "decile",
            "y": "acc",
            "low": "acc_low",
            "high": "acc_high",
            "series": "with_tools",
            "x_label": "tenth of locatability, 1 the hardest",
            "y_label": "within {km} km",
            "ordinal": True,
        },
        _NO_LOCATABILITY,
        {"km": "{km}"},
        drawn_column="decile",
    ),
    Drawn(
        "tools",
        "What tools bring",
        "On the photos that were asked both with and without tools: by how much the share of "
        "answers within {km} km is higher with them. Intervals are of a bootstrap over photos.",
        "dots",
        "tool_lift_by_difficulty",
        {
            "label": "locatability",
            "value": "lift",
            "low": "lift_low",
            "high": "lift_high",
            "zero": True,
            "x_label": "tools better, in points of per cent",
        },
        _NO_TOOLS,
        {"km": ["{km}"], "bins": 5},
        kept=("model", "(all)"),
    ),
    Drawn(
        "tool-use",
        "When tools are used",
        "The share of traces with a call, for each tenth of locatability.",
        "lines",
        "tool_use_by_difficulty",
        {
            "x": "decile",
            "y": "share_using_tools",
            "low": "share_using_tools_low",
            "high": "share_using_tools_high",
            "x_label": "tenth of locatability, 1 the hardest",
            "y_label": "traces with a call",
            "ordinal": True,
        },
        _NO_LOCATABILITY,
        {"km": "{km}"},
        drawn_column="decile",
        kept=("with_tools", True),
    ),
    Drawn(
        "countries",
        "Accuracy by country",
        "The share of answers within {km} km, by the country of the true place; a failure is "
        "a miss.",
        "countries",
        "countries",
        {"code": "country", "value": "acc", "n": "traces", "low": "acc_low", "high": "acc_high"},
        _NO_PLACES,
        {"km": "{km}"},
    ),
    Drawn(
        "costs",
        "What an accepted trace costs",
        "Tokens of all traces of a recipe, also of those that failed, for each trace that was "
        "accepted; the table has the cost.",
        "bars",
        "costs",
        {
            "label": "recipe",
            "value": "tokens_per_accepted_trace",
            "x_label": "tokens per accepted trace",
            "horizontal": True,
        },
        "No trace is accepted yet, or the server counts no tokens.",
        drawn_column="tokens_per_accepted_trace",
    ),
    Drawn(
        "best-of-n",
        "What more rollouts bring",
        "GeoGuessr points of the best of n rollouts of a photo, as expected over all choices of n.",
        "lines",
        "best_of_n",
        {
            "x": "n",
            "y": "points",
            "low": "points_low",
            "high": "points_high",
            "series": "recipe",
            "x_label": "rollouts",
            "y_label": "points of the best",
            "ordinal": True,
        },
    ),
    Drawn(
        "turns",
        "What each further turn buys",
        "Had every trace stopped after so many turns: answers within {km} km, and tokens for them.",
        "lines",
        "turn_budget",
        {
            "x": "stopped_after",
            "y": "acc_{km}_km",
            "series": "recipe",
            "x_label": "turns",
            "y_label": "within {km} km",
            "ordinal": True,
        },
    ),
    Drawn(
        "calibration",
        "Whether the teacher knows when it is right",
        "The share of answers within {km} km against the confidence that they state. On the "
        "diagonal both are the same.",
        "lines",
        "calibration",
        {
            "x": "mean_confidence",
            "y": "acc_{km}_km",
            "series": "recipe",
            "x_label": "stated confidence",
            "y_label": "within {km} km",
            "diagonal": True,
        },
        "No answer states a confidence; a prompt may ask for it.",
        drawn_column="mean_confidence",
    ),
    Drawn(
        "failures",
        "What went wrong",
        "Final responses without coordinates, and requests that failed, by class.",
        "bars",
        "failures",
        {
            "label": "class",
            "value": "failures",
            "series": "kind",
            "x_label": "failures",
            "horizontal": True,
        },
        "Nothing failed.",
    ),
)
"""In reading order; {km} stands for the distance within which an answer is right. `build` puts the
head-to-head after the first one, and the traces at the end."""


def figures_at(km: float, *, lines: int = 2000) -> tuple[Drawn, ...]:
    """The figures for this distance, in km, within which an answer is right.

    lines: the most that a map draws.
    """

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(item) for item in value]
        if not isinstance(value, str):
            return value
        whole = {"{km}": km, "{lines}": lines}
        return whole.get(value) or value.replace("{km}", format_km(km))

    return tuple(
        replace(
            drawn,
            note=filled(drawn.note),
            spec={name: filled(value) for name, value in drawn.spec.items()},
            parameters={name: filled(value) for name, value in drawn.parameters.items()},
        )
        for drawn in FIGURES
    )


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
