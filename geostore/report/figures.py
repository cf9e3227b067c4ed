"""The figures of a report: which question each is drawn from, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from geostore.query.thresholds import format_km
from geostore.report.document import Kind

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
