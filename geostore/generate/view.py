"""Lays out the live view of a run: a bar, the figures, and the traces that ended last.

It fits the terminal: beside the figures where there is room for two columns, below them
where there is room for some lines, and not at all on a small one. Red is for failures.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from geostore.generate.figures import EndedTrace, RunFigures
from geostore.text.bars import sparkline
from geostore.text.phrases import format_score

_WIDE = 110
"""Columns from which the last traces stand beside the figures."""

_FIGURES_WIDTH = 70
_FIGURE_LINES = 12
"""Lines that the figures may take, and one of the prompt below them."""

_TRACES_BELOW = 4
_PARTS = 20
"""Bars of the sparkline; each stands for three seconds."""


def view(figures: RunFigures, console: Console) -> Group:
    """The view as it should be drawn now."""
    bar = _bar(figures)
    numbers = _figures(figures, with_bars=console.encoding.lower().startswith("utf"))
    width, height = console.size
    traces = figures.last_traces
    if not traces:
        return Group(bar, numbers)
    if width >= _WIDE:
        return Group(bar, _side_by_side(numbers, _last_traces(traces)))
    room = min(height - _FIGURE_LINES - 1, _TRACES_BELOW)
    if room < 1:
        return Group(bar, numbers)
    return Group(bar, numbers, _last_traces(traces[:room]))


def _bar(figures: RunFigures) -> Table:
    bar = ProgressBar(
        total=max(figures.to_do, 1),
        completed=figures.ended,
        complete_style="cyan",
        finished_style="cyan",
    )
    grid = Table.grid(expand=True)  # ends the line, which the bar itself does not
    grid.add_row(bar)
    return grid


def _figures(figures: RunFigures, *, with_bars: bool) -> Table:
    tokens = Text(figures.tokens_text(unit=""))
    if with_bars and (bars := sparkline(figures.tokens_by_time(_PARTS))):
        tokens.append(f"  {bars}", "cyan")
    rows: dict[str, Text] = {
        "traces": Text(figures.progress_text()),
        "time": Text(figures.time_text()),
        "requests": Text(figures.requests_text()),
        "pace": Text(figures.pace_text()),
        "tokens": tokens,
        "distance": Text(figures.quality_text()),
        "cost": Text(figures.cost_text()),
        "failures": Text(figures.failures_text(), "red"),
        "paused": Text(figures.paused or "", "bold"),
    }
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for label, text in rows.items():
        if text.plain:
            grid.add_row(label, text)
    return grid


def _last_traces(traces: Sequence[EndedTrace]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_column(no_wrap=True, justify="right", style="dim")
    grid.add_row(Text("last traces", "dim"), "", "score")
    for trace in traces:
        score = "" if trace.score is None else format_score(trace.score, 2)
        style = "red" if trace.is_failure else ""
        grid.add_row(trace.name, Text(trace.outcome, style), score)
    return grid


def _side_by_side(left: RenderableType, right: RenderableType) -> Table:
    grid = Table.grid(padding=(0, 4))
    grid.add_column(min_width=_FIGURES_WIDTH)  # or the traces would move with each figure
    grid.add_column()
    grid.add_row(left, right)
    return grid
