"""Draws named numbers for a terminal: groups of rows, and a column for each thing that has them.

Columns stand side by side as far as the terminal is wide, and the others follow below. What says
less, such as the interval of a share, is left out before a column has to go below. On a wide
terminal the groups stand in two halves. Colours repeat what words say, so that nobody needs them;
Rich leaves them out where NO_COLOR is set or the terminal has none.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.console import Group as Stacked
from rich.table import Table
from rich.text import Text

from geostore.text.bars import upright_bars
from geostore.text.terminal import output_width, text_width, wrap_words

_INDENT = 2
_GAP = 2
"""Columns of a terminal between two columns of numbers."""
_HALVES_GAP = 6
_CHART_LINES = {1: 4, 2: 2, 3: 2, 4: 2}
"""Lines of each row of a chart, by how many rows it has; with more rows, each is a line."""
_END = re.compile(r"(?: |\x1b\[[\d;]*m)*$")
"""Spaces at the end of a line, and the colours that end among them."""
_PROBLEM = "red"
_BAR = "cyan"


@dataclass(frozen=True, slots=True)
class Cell:
    """A number with its unit."""

    value: str = ""
    """Such as ``87.5 %``; empty where there is none."""
    aside: str = ""
    """What says more about it, such as ``69-96``; left out on a narrow terminal."""


@dataclass(frozen=True, slots=True)
class Row:
    """One number of every column."""

    label: str
    """What it is."""
    cells: tuple[Cell, ...]
    """One for each head of the sheet."""
    is_problem: bool = False
    """Whether these numbers had better be 0."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that belong together."""

    title: str
    """Stands above them."""
    note: str
    """What else has to be known about them, beside the title; may be empty."""
    rows: tuple[Row, ...]
    """A group without any is not drawn."""
    asides: str = ""
    """What the asides of its cells are; stands before the note where they are drawn."""


@dataclass(frozen=True, slots=True)
class Chart:
    """How the same share is spread in every column of the sheet, drawn as bars."""

    title: str
    """Stands above it."""
    note: str
    """What else has to be known, beside the title."""
    shares: tuple[tuple[float, ...], ...]
    """For each head of the sheet: a number from 0 to 1 for each bar."""
    ticks: Mapping[int, str]
    """Words below the axis, by the number of the bar at whose left edge they begin."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that is drawn, from top to bottom."""

    names: tuple[tuple[str, ...], ...]
    """A table of what the columns are: its heads and its rows."""
    heads: tuple[tuple[str, str], ...]
    """Above each column: its name, and a word about it that may be empty."""
    chart: Chart | None
    """None where there is nothing to draw."""
    groups: tuple[Group, ...]
    """In this order."""
    warnings: tuple[str, ...]
    """Sentences that stand last."""


def print_sheet(sheet: Sheet, console: Console | None = None) -> None:
    """Draw a sheet on a terminal, at most as wide as it is.

    console: where to draw; None for stdout.
    """
    width = output_width() if console is None else console.width
    console = console or Console(
        width=width, highlight=False, markup=False, emoji=False, soft_wrap=False
    )
    with console.capture() as captured:
        for part in _parts(sheet, console.width, ascii_only=not _has_blocks(console)):
            console.print(part)
    # Rich fills lines with spaces, which whoever copies a line would get too.
    for line in captured.get().splitlines():
        end = _END.search(line)
        assert end is not None
        console.file.write(f"{line[: end.start()]}{end[0].replace(' ', '')}\n")


def _has_blocks(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")


def _parts(sheet: Sheet, width: int, *, ascii_only: bool) -> Iterator[RenderableType]:
    if sheet.names[1:]:
        yield _names(sheet.names, width)
        yield ""
    if sheet.chart is not None:
        yield from _chart(sheet.chart, sheet.heads, width, ascii_only=ascii_only)
        yield ""
    yield from _numbers(sheet, width)
    for warning in sheet.warnings:
        yield ""
        yield Text("\n".join(wrap_words(warning, width)), "bold")


def _names(rows: Sequence[Sequence[str]], width: int) -> Table:
    table = Table.grid(padding=(0, _GAP))
    widths = [max(map(text_width, cells)) for cells in zip(*rows, strict=True)]
    # Only the longest may be cut: a model's name is as long as its maker likes.
    widest = widths.index(max(widths))
    widths[widest] -= max(sum(widths) + _GAP * (len(widths) - 1) - width, 0)
    for columns in widths:
        table.add_column(width=max(columns, 1), overflow="fold")
    for number, row in enumerate(rows):
        table.add_row(*row, style="" if number else "dim")
    return table


# --- the chart -------------------------------------------------------------------------------


def _chart(
    chart: Chart, heads: Sequence[tuple[str, str]], width: int, *, ascii_only: bool
) -> Iterator[Text]:
    yield from _title(chart.title, chart.note, width)
    bars = len(chart.shares[0])
    margin = _INDENT + max(text_width(name) for name, _ in heads) + _GAP
    wide = max(min((width - margin) // bars, 3), 1)
    largest = max(itertools.chain(*chart.shares))
    lines = 1 if ascii_only else _CHART_LINES.get(len(heads), 1)
    for (name, _), shares in zip(heads, chart.shares, strict=True):
        drawn = upright_bars(shares, largest, lines=lines, width=wide, ascii_only=ascii_only)
        for number, line in enumerate(drawn, 1):
            text = Text(" " * _INDENT + (name if number == lines else ""))
            text.pad_right(margin - len(text.plain))
            yield text.append(line, _BAR)
    axis = ""
    for place, words in sorted(chart.ticks.items()):
        axis = axis.ljust(place * wide) + words
    yield Text(" " * margin + axis, "dim")


# --- the numbers -----------------------------------------------------------------------------


def _numbers(sheet: Sheet, width: int) -> Iterator[RenderableType]:
    groups = [group for group in sheet.groups if group.rows]
    every = range(len(sheet.heads))
    label = _INDENT + max(text_width(row.label) for group in groups for row in group.rows)
    with_asides = _Columns(sheet, every, label, with_asides=True)
    without = _Columns(sheet, every, label, with_asides=False)
    if 2 * with_asides.width + _HALVES_GAP <= width:
        half_width = (width - _HALVES_GAP) // 2
        table = Table.grid(padding=(0, _HALVES_GAP))
        table.add_row(*(Stacked(*with_asides.draw(half, half_width)) for half in _halves(groups)))
        yield table
    elif with_asides.width <= width:
        yield from with_asides.draw(groups, width)
    elif without.width <= width:
        yield from without.draw(groups, width)
    else:
        at_once = max((width - label) // without.widest, 1)
        # As many in each band, or the last might have one alone.
        at_once = math.ceil(len(every) / math.ceil(len(every) / at_once))
        for start in range(0, len(every), at_once):
            if start:
                yield ""
            yield from _Columns(
                sheet, every[start : start + at_once], label, with_asides=False
            ).draw(groups, width)


def _halves(groups: Sequence[Group]) -> tuple[Sequence[Group], Sequence[Group]]:
    """The groups in two parts of about as many lines."""
    sizes = [len(group.rows) + 2 for group in groups]
    cut = min(range(1, len(groups) + 1), key=lambda at: max(sum(sizes[:at]), sum(sizes[at:])))
    return groups[:cut], groups[cut:]


class _Columns:
    """Some of a sheet's columns, side by side."""

    def __init__(
        self, sheet: Sheet, places: Sequence[int], label: int, *, with_asides: bool
    ) -> None:
        self._heads = [sheet.heads[place] for place in places]
        self._places = places
        self._label = label
        rows = [row for group in sheet.groups for row in group.rows]
        self._values = [
            max(
                *(text_width(row.cells[place].value) for row in rows),
                *map(text_width, sheet.heads[place]),
            )
            + _GAP
            for place in places
        ]
        self._asides = [
            max(text_width(row.cells[place].aside) for row in rows) if with_asides else 0
            for place in places
        ]
        self._asides = [aside and aside + 1 for aside in self._asides]
        self.widest = max(map(sum, zip(self._values, self._asides, strict=True)))
        self.width = label + sum(self._values) + sum(self._asides)

    def draw(self, groups: Sequence[Group], width: int) -> Iterator[RenderableType]:
        """Heads and groups. width: what titles with their notes may take."""
        heads = self._table()
        heads.add_row("", *self._parted((Text(name, "bold"), Text()) for name, _ in self._heads))
        if any(word for _, word in self._heads):
            heads.add_row("", *self._parted((Text(word, "dim"), Text()) for _, word in self._heads))
        yield heads
        for number, group in enumerate(groups):
            if number:
                yield ""
            notes = (group.asides if any(self._asides) else "", group.note)
            yield from _title(group.title, "; ".join(filter(None, notes)), width)
            table = self._table()
            for row in group.rows:
                cells = [row.cells[place] for place in self._places]
                table.add_row(
                    " " * _INDENT + row.label,
                    *self._parted(
                        (Text(cell.value, _style(row, cell)), Text(cell.aside, "dim"))
                        for cell in cells
                    ),
                )
            yield table

    def _table(self) -> Table:
        table = Table.grid()
        table.add_column(width=self._label, no_wrap=True)
        for value, aside in zip(self._values, self._asides, strict=True):
            table.add_column(width=value, justify="right", no_wrap=True)
            if aside:
                table.add_column(width=aside, justify="right", no_wrap=True)
        return table

    def _parted(self, cells: Iterable[tuple[Text, Text]]) -> Iterator[Text]:
        """What stands in the columns of a table, where a number may have two."""
        for (value, aside), width in zip(cells, self._asides, strict=True):
            yield value
            if width:
                yield aside


def _style(row: Row, cell: Cell) -> str:
    if not row.is_problem:
        return ""
    return "dim" if cell.value == "0" else _PROBLEM


def _title(title: str, note: str, width: int) -> Iterator[Text]:
    """A line in bold with a note behind it, or below it where that would be too wide."""
    if not note:
        yield Text(title, "bold")
    elif text_width(f"{title}  {note}") <= width:
        yield Text.assemble((title, "bold"), "  ", (note, "dim"))
    else:
        yield Text(title, "bold")
        for line in wrap_words(note, width - _INDENT):
            yield Text(" " * _INDENT + line, "dim")
