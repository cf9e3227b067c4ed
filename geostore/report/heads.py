"""Two sides on the photos that both were asked about: who wins, and each photo as a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from geostore.report.document import Column, Figure
from geostore.text.tables import QueryResult

TIE = 100.0
"""GeoGuessr points up to which two answers are as good as each other: 2 % of 5,000."""

DRAWN = 2000
"""The most points that are drawn; which ones follows from the photos' hashes."""

_Z = 1.959964  # of the normal distribution, for 95 %


@dataclass(frozen=True, slots=True)
class _Pair:
    sample: str
    points: float
    other_points: float
    km: float
    other_km: float


def head_to_head(
    this: QueryResult, other: QueryResult, *, names: tuple[str, str], sql: str
) -> tuple[Figure, Figure]:
    """The shares of wins, ties and losses, and the photos as points.

    this, other: answers to ``sample_results``. A photo is the same where its bytes and its true
    place are. names: of the two sides. sql: of the question.
    """
    pairs = _pairs(this, other)
    wins = sum(pair.points - pair.other_points > TIE for pair in pairs)
    losses = sum(pair.other_points - pair.points > TIE for pair in pairs)
    counts = {
        f"better: {names[0]}": wins,
        "a tie": len(pairs) - wins - losses,
        f"better: {names[1]}": losses,
    }
    none = "The two sides have no photo in common." if not pairs else None
    outcome = Figure(
        id="head-to-head",
        title="Head to head",
        note=f"On {len(pairs):,} shared photos, by mean GeoGuessr points; up to {TIE:.0f} points "
        "apart is a tie.",
        kind="bars",
        spec={
            "label": "outcome",
            "value": "share",
            "low": "share_low",
            "high": "share_high",
            "x_label": "share of shared photos",
            "horizontal": True,
        },
        columns=(
            Column("outcome", "", "", "text"),
            Column("photos", "photos", "", "int"),
            Column("share", "share", "", "share"),
            Column("share_low", "from", "", "share"),
            Column("share_high", "to", "", "share"),
        ),
        rows=[
            (words, count, count / len(pairs), *wilson(count, len(pairs)))
            for words, count in counts.items()
            if pairs
        ],
        against_rows=None,
        sql=sql,
        question="sample_results",
        empty=none,
    )
    drawn = pairs[:DRAWN]
    note = "Each point is a photo; above the diagonal the other side is better."
    if len(drawn) < len(pairs):
        note += f" {len(drawn):,} of {len(pairs):,} photos are drawn, as their hashes fall."
    scatter = Figure(
        id="head-to-head-photos",
        title="Photo by photo",
        note=note,
        kind="scatter",
        spec={
            "x": "points",
            "y": "other_points",
            "label": "sample",
            "x_label": f"points, {names[0]}",
            "y_label": f"points, {names[1]}",
            "diagonal": True,
        },
        columns=(
            Column("sample", "photo", "", "text"),
            Column("points", f"points, {names[0]}", "", "points"),
            Column("other_points", f"points, {names[1]}", "", "points"),
            Column("km", f"distance, {names[0]}", "", "km"),
            Column("other_km", f"distance, {names[1]}", "", "km"),
        ),
        rows=[
            (pair.sample, pair.points, pair.other_points, pair.km, pair.other_km) for pair in drawn
        ],
        against_rows=None,
        sql=sql,
        question="sample_results",
        empty=none,
    )
    return outcome, scatter


def _pairs(this: QueryResult, other: QueryResult) -> list[_Pair]:
    """Of the photos that both have, in the order of their hashes."""
    others = {_key(row): row for row in other.to_dicts()}
    pairs: list[_Pair] = []
    for row in this.to_dicts():
        against = others.get(_key(row))
        if against is None or row["mean_points"] is None or against["mean_points"] is None:
            continue
        pairs.append(
            _Pair(
                row["sample"],
                row["mean_points"],
                against["mean_points"],
                row["mean_km"],
                against["mean_km"],
            )
        )
    return pairs


def _key(row: dict[str, Any]) -> Sequence[Any]:
    return row["photo"], row["lat"], row["lon"]


def wilson(hits: int, n: int) -> tuple[float | None, float | None]:
    """The 95 % interval of a share, as the macros of ``sql/analytics/views.sql``; None without n.

    Source: Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    if n == 0:
        return None, None
    share = hits / n
    middle = share + _Z * _Z / (2 * n)
    spread = _Z * sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    scale = 1 + _Z * _Z / n
    return (
        max(0.0, (middle - spread) / scale),
        min(1.0, (middle + spread) / scale),
    )
