"""Made-up documents of reports: one with figures of every kind, and ones at the edges."""

from __future__ import annotations

import base64
import io
import random
from dataclasses import replace
from typing import Any

from PIL import Image, ImageDraw

from geostore.geodesic import geodesic_km
from geostore.report.document import Column, Document, Figure

PLACES = (
    ("NO", 60.39, 5.32),
    ("FR", 45.76, 4.84),
    ("US", 39.74, -104.99),
    ("BR", -22.91, -43.17),
    ("KE", -1.29, 36.82),
    ("IN", 19.08, 72.88),
    ("JP", 35.68, 139.69),
    ("AU", -33.87, 151.21),
    ("NZ", -41.29, 174.78),
    ("SG", 1.29, 103.85),
    ("ZA", -33.92, 18.42),
    ("CL", -33.45, -70.67),
    ("RU", 55.03, 82.92),
    ("FJ", -17.71, 178.06),
    ("CA", 53.55, -113.49),
    ("TR", 38.42, 27.14),
)


def document(traces: int = 24, *, against: bool = False, images: bool = True) -> Document:
    """A document of so many traces with a figure of every kind; the same each time."""
    shown = [
        headline(),
        trace_map(traces),
        distances(traces),
        difficulty(),
        tool_lift(),
        countries(),
        costs(),
        best_of_n(),
        calibration(),
        failures(),
        per_day(),
        best_and_worst(images),
    ]
    if against:
        shown = [replace(figure, against_rows=other_rows(figure)) for figure in shown]
        shown.insert(0, head_to_head())
    return Document(
        title="How well qwen3-vl-235b places photos",
        subtitle="1,204 photos, four rollouts each, with and without tools; "
        "an answer is right within 200 km",
        store="batch.db",
        newest="2026-11-27 18:04 UTC",
        version="0.1.0",
        figures=shown,
        filter=("model qwen3-vl-235b-a22b", "locatability from 0.2"),
        notes=(
            "Distances leave out the 214 answers that could not be read; where a figure counts "
            "them as 20,000 km, it says so.",
            "Intervals are 95 % (Wilson for shares, bootstrap over photos for means).",
        ),
        own="qwen3-vl-235b",
        against="qwen3-vl-32b" if against else None,
    )


def other_rows(figure: Figure) -> Any:
    """Rows that differ a little from a figure's own."""
    if figure.kind == "traces":
        return figure.rows[:2]
    at = {"bars": "share", "lines": "share", "numbers": "value"}.get(figure.kind)
    names = [column.name for column in figure.columns]
    if at not in names:
        return figure.rows[: max(1, len(figure.rows) - 1)]
    place = names.index(at)
    return [[*row[:place], row[place] * 0.8, *row[place + 1 :]] for row in figure.rows]  # type: ignore[index]


def headline() -> Figure:
    return Figure(
        id="headline",
        title="Headline numbers",
        kind="numbers",
        note="Of closed traces.",
        columns=[
            Column("label", "What"),
            Column("value", "Value"),
            Column("low", "Low"),
            Column("high", "High"),
            Column("format", "Format"),
            Column("note", "Note"),
        ],
        rows=[
            ["Traces", 4816, None, None, "int", "4,790 closed"],
            ["Right within 25 km", 0.3112, 0.2983, 0.3244, "share", ""],
            ["Right within 200 km", 0.5471, 0.533, 0.5612, "share", ""],
            ["Median distance", 148.2, 131.5, 166.0, "km", "of 4,576 with an answer"],
            ["Mean points", 3127, 3081, 3174, "points", "failures count 0"],
            ["Answers that could be read", 0.9553, 0.949, 0.9608, "share", ""],
            ["Tokens a trace", 6412, 6301, 6520, "tokens", ""],
            ["Cost per accepted", 0.01873, 0.0179, 0.0196, "money USD", "prices of 2026-11-01"],
        ],
        sql="select 'Traces' as label, count(*) as value\nfrom trace_results\nwhere closed",
    )


def trace_map(traces: int) -> Figure:
    rng = random.Random(7)
    rows: list[list[Any]] = []
    for number in range(traces):
        code, lat, lon = PLACES[number % len(PLACES)]
        lat, lon = round(lat + rng.gauss(0, 2), 4), round(lon + rng.gauss(0, 3), 4)
        lon = (lon + 180) % 360 - 180
        spread = 10 ** rng.uniform(-2, 2)
        answer: tuple[Any, Any] = (
            round(max(-80, min(80, lat + rng.gauss(0, spread) / 2)), 4),
            round((lon + rng.gauss(0, spread) + 180) % 360 - 180, 4),
        )
        if number % 23 == 22:
            answer = (None, None)
        km = None if answer[0] is None else round(geodesic_km(lat, lon, *answer), 2)
        score = None if km is None else round(2.718 ** (-km / 1492), 4)
        rows.append([f"s{number:06d}-r0", lat, lon, *answer, km, score, code, "sample"])
    rows.sort(key=lambda row: -(row[5] or 0))
    for row in rows[: max(1, traces // 10)]:
        row[-1] = "worst"
    return Figure(
        id="map",
        title="Where the answers went",
        kind="map",
        note="A line runs from the true place to the answer, along the shortest way on the globe.",
        columns=[
            Column("trace", "Trace"),
            Column("lat", "Latitude", "°", "degrees"),
            Column("lon", "Longitude", "°", "degrees"),
            Column("answer_lat", "Answer's latitude", "°", "degrees"),
            Column("answer_lon", "Answer's longitude", "°", "degrees"),
            Column("km", "Distance", "km", "km"),
            Column("score", "Score", "", "number"),
            Column("country", "Country"),
            Column("chosen", "Chosen as"),
        ],
        rows=rows,
        sql="select trace, lat, lon\nfrom trace_results\norder by distance_km desc\nlimit 2000",
        question="furthest",
    )


def distances(traces: int) -> Figure:
    edges = [0, *(round(10 ** (step / 4), 3) for step in range(18))]
    counts = [max(0, round(traces * (0.2 - abs(at - 9) * 0.02))) for at in range(len(edges) - 1)]
    return Figure(
        id="distances",
        title="How far off the answers are",
        kind="histogram",
        note="Each bin is 1.8 times as wide as the one before it.",
        spec={
            "x0": "km_from",
            "x1": "km_to",
            "count": "traces",
            "series": "tools",
            "scale": "log",
            "x_label": "Distance (km)",
        },
        columns=[
            Column("tools", "Tools"),
            Column("km_from", "From", "km", "km"),
            Column("km_to", "To", "km", "km"),
            Column("traces", "Traces", "", "int"),
        ],
        rows=[
            [tools, low, high, round(count * part)]
            for tools, part in (("with tools", 1), ("without tools", 0.7))
            for low, high, count in zip(edges, edges[1:], counts, strict=False)
        ],
        sql="select km_from, km_to, traces from distances",
        question="distances",
    )


def difficulty() -> Figure:
    rows: list[list[Any]] = []
    for with_tools, lift in (("with tools", 0.05), ("without tools", 0.0)):
        for decile in range(1, 11):
            share = 0.12 + 0.075 * decile + lift * (1.2 - decile / 10)
            rows.append([decile, with_tools, 40 * decile, share, share - 0.05, share + 0.05])
    return Figure(
        id="difficulty",
        title="Accuracy by difficulty",
        kind="lines",
        note="Locatability in tenths, from 1 (hardest) to 10.",
        spec={
            "x": "decile",
            "y": "share",
            "low": "share_low",
            "high": "share_high",
            "series": "tools",
            "x_label": "Tenth of locatability",
            "y_label": "Right within 200 km",
            "ordinal": True,
        },
        columns=[
            Column("decile", "Tenth", "", "int"),
            Column("tools", "Tools"),
            Column("traces", "Traces", "", "int"),
            Column("share", "Right within 200 km", "", "share"),
            Column("share_low", "Low", "", "share"),
            Column("share_high", "High", "", "share"),
        ],
        rows=rows,
        sql="select decile, tools, traces, share from accuracy_by_difficulty",
        question="difficulty",
    )


def tool_lift() -> Figure:
    return Figure(
        id="lift",
        title="What tools add",
        kind="dots",
        note="The same photos with and without tools; right of zero, tools help.",
        spec={
            "label": "bin",
            "value": "lift",
            "low": "lift_low",
            "high": "lift_high",
            "series": "km",
            "zero": True,
            "x_label": "Difference in the share that is right (paired)",
        },
        columns=[
            Column("bin", "Locatability"),
            Column("km", "Within", "km", "km"),
            Column("pairs", "Pairs", "", "int"),
            Column("lift", "Lift", "", "share"),
            Column("lift_low", "Low", "", "share"),
            Column("lift_high", "High", "", "share"),
        ],
        rows=[
            ["0.0 to 0.2", 25, 210, 0.04, -0.01, 0.09],
            ["0.0 to 0.2", 200, 210, 0.081, 0.02, 0.14],
            ["0.2 to 0.5", 25, 402, 0.061, 0.02, 0.1],
            ["0.2 to 0.5", 200, 402, 0.032, -0.01, 0.07],
            ["0.5 to 1.0", 25, 588, -0.012, -0.05, 0.02],
            ["0.5 to 1.0", 200, 588, 0.004, -0.02, 0.03],
        ],
        sql="select bin, km, pairs, lift from tool_lift",
        question="tool_lift",
    )


def countries() -> Figure:
    values = {"FR": 0.71, "US": 0.66, "BR": 0.48, "RU": 0.31, "AU": 0.52, "IN": 0.38, "SG": 0.9}
    values |= {"ZA": 0.44, "KE": 0.35, "NO": 0.81, "JP": 0.77, "MT": 0.15, "CA": 0.57, "MN": 0.1}
    return Figure(
        id="countries",
        title="Accuracy by country",
        kind="countries",
        note="Countries of the true place.",
        spec={"code": "country", "value": "share", "n": "traces"},
        columns=[
            Column("country", "Country"),
            Column("name", "Name"),
            Column("traces", "Traces", "", "int"),
            Column("share", "Right within 200 km", "", "share"),
            Column("share_low", "Low", "", "share"),
            Column("share_high", "High", "", "share"),
        ],
        rows=[
            [code, name, 9 + 17 * at, share, max(0, share - 0.08), min(1, share + 0.08)]
            for at, (code, share) in enumerate(values.items())
            for name in ["</script><script>alert(1)</script>" if code == "MT" else code]
        ],
        sql="select country, traces, share\nfrom accuracy\nwhere country <> '</script>'",
        question="accuracy",
    )


def costs() -> Figure:
    return Figure(
        id="costs",
        title="Tokens and cost",
        kind="bars",
        note="Mean of closed traces; cost at the prices of the store.",
        spec={"label": "recipe", "value": "tokens", "series": "part", "x_label": "Tokens a trace"},
        columns=[
            Column("recipe", "Recipe"),
            Column("part", "Part"),
            Column("tokens", "Tokens", "tokens", "tokens"),
            Column("cost", "Cost", "USD", "money"),
        ],
        rows=[
            ["qwen3-vl-235b, zoom and rotate, low temperature", "prompt", 5210, 0.0052],
            ["qwen3-vl-235b, zoom and rotate, low temperature", "completion", 1202, 0.0061],
            ["qwen3-vl-235b, no tools", "prompt", 1830, 0.0018],
            ["qwen3-vl-235b, no tools", "completion", 803, 0.0041],
        ],
        sql="select recipe, part, tokens, cost from costs",
    )


def best_of_n() -> Figure:
    return Figure(
        id="best-of-n",
        title="Best of several rollouts",
        kind="lines",
        note="Mean points of the best of n rollouts of a photo.",
        spec={"x": "n", "y": "points", "low": "low", "high": "high", "x_label": "Rollouts"},
        columns=[
            Column("n", "Rollouts", "", "int"),
            Column("points", "Mean points", "points", "points"),
            Column("low", "Low", "points", "points"),
            Column("high", "High", "points", "points"),
        ],
        rows=[
            [n, 3127 + 640 * (1 - 1 / n), 3060 + 640 * (1 - 1 / n), 3190 + 640 * (1 - 1 / n)]
            for n in range(1, 9)
        ],
        sql="select n, points from best_of_n",
        question="best_of_n",
    )


def calibration() -> Figure:
    return Figure(
        id="calibration",
        title="Calibration",
        kind="lines",
        note="On the diagonal, stated confidence is the share that is right.",
        spec={
            "x": "confidence",
            "y": "share",
            "low": "share_low",
            "high": "share_high",
            "x_label": "Stated confidence",
            "y_label": "Right within 200 km",
            "diagonal": True,
        },
        columns=[
            Column("confidence", "Stated confidence", "", "share"),
            Column("traces", "Traces", "", "int"),
            Column("share", "Right within 200 km", "", "share"),
            Column("share_low", "Low", "", "share"),
            Column("share_high", "High", "", "share"),
        ],
        rows=[
            [at / 10 + 0.05, 40 + 30 * at, 0.2 + at * 0.06, 0.15 + at * 0.06, 0.25 + at * 0.06]
            for at in range(10)
        ],
        sql="select confidence, traces, share from calibration",
        question="calibration",
    )


def failures() -> Figure:
    reasons = {
        "no coordinates in the final response": 121,
        "turn limit": 48,
        "cut off by the token limit": 31,
        "refused": 9,
        "latitude out of range": 5,
    }
    return Figure(
        id="failures",
        title="Why answers failed",
        kind="bars",
        note="Share of closed traces.",
        spec={"label": "reason", "value": "share", "low": "share_low", "high": "share_high"},
        columns=[
            Column("reason", "Reason"),
            Column("traces", "Traces", "", "int"),
            Column("share", "Share of closed traces", "", "share"),
            Column("share_low", "Low", "", "share"),
            Column("share_high", "High", "", "share"),
        ],
        rows=[
            [reason, n, n / 4790, n / 4790 * 0.8, n / 4790 * 1.25] for reason, n in reasons.items()
        ],
        sql="select reason, traces, share from failures",
        question="failures",
    )


def head_to_head() -> Figure:
    rng = random.Random(3)
    return Figure(
        id="head-to-head",
        title="Photo by photo",
        kind="scatter",
        note="Each point is a photo that both answered. 412 won, 77 tied, 301 lost.",
        spec={
            "x": "theirs",
            "y": "ours",
            "label": "sample",
            "x_label": "Score of qwen3-vl-32b",
            "y_label": "Score of qwen3-vl-235b",
            "diagonal": True,
        },
        columns=[
            Column("sample", "Photo"),
            Column("ours", "qwen3-vl-235b", "", "number"),
            Column("theirs", "qwen3-vl-32b", "", "number"),
        ],
        rows=[
            [f"s{at:06d}", round(rng.betavariate(2, 1), 4), round(rng.betavariate(2, 1.4), 4)]
            for at in range(300)
        ],
        sql="select sample, ours, theirs from head_to_head",
    )


def per_day() -> Figure:
    return Figure(
        id="turns",
        title="Turn budget",
        kind="table",
        note="Turns that traces took, and how often the last one was the limit.",
        columns=[
            Column("turns", "Turns", "", "int"),
            Column("traces", "Traces", "", "int"),
            Column("share", "At the limit", "", "share"),
            Column("latency", "Median latency", "ms", "ms"),
        ],
        rows=[[1, 310, 0.0, 2100], [2, 1904, 0.0, 5230], [8, 48, 1.0, None]],
        sql="select turns, traces from turn_budget",
    )


def photo(seed: int, width: int = 256, height: int = 192) -> str:
    rng = random.Random(seed)
    image = Image.new("RGB", (width, height), (150, 180, 210))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, height * 0.6, width, height), fill=(90, 110, 80))
    for _ in range(14):
        left, top = rng.randrange(width), rng.randrange(height // 3, height)
        color = tuple(rng.randrange(60, 200) for _ in range(3))
        pen.rectangle((left, top, left + 30, top + rng.randrange(10, 70)), fill=color)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def best_and_worst(images: bool = True) -> Figure:
    def row(number: int, which: str, km: float | None) -> dict[str, Any]:
        boxes = [
            {"label": "1", "points": [[60, 70], [150, 70], [150, 150], [60, 150]]},
            {"label": "2", "points": [[180, 60], [220, 40], [240, 90], [200, 120]]},
        ]
        shown = [
            {
                "src": photo(number),
                "width": 256,
                "height": 192,
                "alt": "The photo, and where zoom looked",
                "boxes": boxes,
            },
            {
                "src": photo(number + 50, 192, 192),
                "width": 192,
                "height": 192,
                "alt": "1: zoom",
                "boxes": [],
            },
        ]
        return {
            "trace": f"s{number:06d}-r0",
            "which": which,
            "score": None if km is None else round(2.718 ** (-km / 1492), 3),
            "km": km,
            "country": "Norway",
            "words": "The bollards and the yellow centre line point to Norway. " * (number % 9 + 1),
            "images": shown if images else [],
            "unproven": "The dataset has another photo in this row: it is not what was sent."
            if number == 2
            else None,
        }

    return Figure(
        id="traces",
        title="The best and the worst",
        kind="traces",
        note="By score; photos are derived at the moment that this page was made.",
        rows=[
            row(0, "best", 0.4),
            row(1, "best", 1.9),
            row(2, "worst", 15312.4),
            row(22, "worst", None),
        ],
        sql="select trace, score from trace_results order by score",
    )


def empty_document() -> Document:
    """Of a store without a trace: every figure says why it is empty."""
    full = document()
    why = "No trace is closed yet. geostore generate fills this figure."
    return replace(
        full,
        notes=(),
        filter=(),
        newest="",
        figures=[replace(figure, rows=(), against_rows=None, empty=why) for figure in full.figures],
    )


def one_row_document() -> Document:
    """Every figure has one row."""
    full = document(1)
    return replace(
        full, figures=[replace(figure, rows=list(figure.rows)[:1]) for figure in full.figures]
    )


def odd_document() -> Document:
    """Values at the edges: unknown, all alike, zero, negative, huge; names that are long."""
    name = "a recipe with a name that goes on and on, " * 6
    text, share = Column("label", "Label"), Column("share", "Share", "", "share")
    ends = [Column("low", "Low", "", "share"), Column("high", "High", "", "share")]
    interval = {"low": "low", "high": "high"}
    bars = {"label": "label", "value": "share"}
    line = {"x": "x", "y": "y"}
    axes = [Column("x", "X", "", "int"), Column("y", "Y", "km", "km")]
    histogram = {"x0": "x", "x1": "y", "count": "n"}
    bins = [*axes, Column("n", "N", "", "int")]
    by_country = {"code": "country", "value": "y"}
    traces = trace_map(24)
    unanswered = [[*row[:3], None, None, None, None, None, "sample"] for row in traces.rows]  # type: ignore[index]
    one_place = [["t", 10.0, 179.99, 10.0, -179.99, 0.0, 1.0, "FJ", "worst"]] * 3
    across = [["t", 89.0, 0.0, -89.0, 0.0, 19_800.0, 0.0, None, "worst"]]
    odd = [
        ("zeros", "bars", [text, share, *ends], [["a", 0.0, 0.0, 0.0]], bars | interval),
        ("unknown", "bars", [text, share, *ends], [["a", None, None, None]], bars | interval),
        ("long", "bars", [text, share], [[name, 1.0], [name + "!", 0.0], [None, 0.5]], bars),
        ("negative", "bars", [text, share], [["a", -0.4], ["b", 0.2]], bars),
        ("many", "bars", [text, share], [[f"bar {at}", at / 60] for at in range(60)], bars),
        (
            "dots",
            "dots",
            [text, share, *ends],
            [["a", None, None, None], ["b", 0.5, None, None], [name, 0.0, -1.0, 1.0]],
            bars | interval,
        ),
        ("nothing", "lines", axes, [[None, None]], line),
        ("gap", "lines", axes, [[1, 5.0], [2, None], [3, 19_000.5]], line),
        ("alike", "lines", axes, [[1, 5.0], [2, 5.0]], line),
        ("once", "lines", axes, [[1, 0.0]], line),
        (
            "days",
            "lines",
            [text, share],
            [[f"2026-11-{d:02d}", d / 40] for d in range(1, 31)],
            {"x": "label", "y": "share"},
        ),
        ("bins", "histogram", bins, [[0, 0.1, 3]], histogram | {"scale": "log"}),
        ("linear", "histogram", bins, [[0, 10, 3], [10, 20, 0]], histogram | {"scale": "linear"}),
        ("same", "scatter", axes, [[1, 1], [1, 1], [None, 2]], line | {"label": "x"}),
        (
            "world",
            "countries",
            [Column("country", "Country"), *axes],
            [["NO", 1, 7.0], ["SG", 2, 7.0], ["ZZ", 3, 7.0], [None, 4, 1.0], ["FR", 5, None]],
            by_country | {"n": "x"},
        ),
        (
            "spread",
            "countries",
            [Column("country", "Country"), *axes],
            [["NO", 1, 0.01], ["SE", 2, 0.5], ["FI", 3, 12_345.6], ["AQ", 1, 3.0]],
            by_country,
        ),
        ("no-answers", "map", traces.columns, unanswered, {}),
        ("one-place", "map", traces.columns, one_place, {}),
        ("across", "map", traces.columns, across, {}),
        ("table", "table", [text] * 14, [[name] * 14], {}),
    ]
    figures = [
        Figure(id=id, title=id, kind=kind, columns=columns, rows=rows, spec=spec)  # type: ignore[arg-type]
        for id, kind, columns, rows, spec in odd
    ]
    bare: dict[str, Any] = {
        "trace": "t" * 200,
        "which": "worst",
        "score": None,
        "km": None,
        "country": None,
        "words": "word" * 300,
        "images": [],
        "unproven": None,
    }
    figures.append(Figure(id="bare", title="bare", kind="traces", rows=[bare]))
    nothing = [
        ["Unknown", None, None, None, "km", ""],
        ["Words", "most of them", None, None, "text", ""],
    ]
    figures.append(replace(headline(), rows=nothing))
    return Document(name, "", "s.db", "", "0.1.0", figures)
