"""Lays a table out within a terminal's width, without a break inside a word or a number.

Each row is one line where that fits, if need be with one space between columns in place of
two, or with long text wrapped within its column.
Else the table is laid out in the one of these ways that takes the fewest lines:

- turned, up to six rows: a line for each name, the rows side by side;
- folded, up to forty rows: the columns in bands below each other, each band behind the
  columns that name the row;
- in blocks: lines of names and values for each row.

A single word that is wider than the terminal stays whole, as names of columns always do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from geostore.text.terminal import (
    longest_word,
    text_width,
    wrap_with_indent,
    wrap_words,
)

_GAP = 2  # spaces between columns
_LONGEST_CELL = 80  # columns of a text where each row is one line; longer text is cut
_MOST_TURNED = 6  # rows
_MOST_FOLDED = 40  # rows; below each other, bands of more are far apart
_LAST_NAMING = 6  # columns from the left that may name a row
_NARROWEST_TEXT = 20  # columns that a text to be wrapped gets at least
_MOST_LINES = 4  # of a cell, before rows become blocks
_MOST_BLOCK_LINES = 12  # of a value in a block


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, as text."""

    name: str
    """Its head."""
    cells: tuple[str, ...]
    """On one line each, in the order of the rows."""
    is_number: bool = False
    """Aligned at the decimal points, and never broken."""

    @property
    def width(self) -> int:
        """Columns of a terminal that it takes unfolded."""
        return max(map(text_width, (self.name, *self.cells)))

    @property
    def least_width(self) -> int:
        """Columns that it takes at least, where text is wrapped."""
        if self.is_number:
            return self.width
        words = max(map(longest_word, self.cells), default=0)
        return max(text_width(self.name), words, min(_NARROWEST_TEXT, self.width))

    def folded(self, width: int) -> list[list[str]]:
        """Each cell in lines of at most `width`; a number and a long word stay whole."""
        if self.is_number:
            return [[cell] for cell in self.cells]
        return [wrap_words(cell, width) for cell in self.cells]


def lay_out(columns: Sequence[Column], width: int | None) -> list[str]:
    """A table with heads and a rule below them. width: None for a file, whose rows never fold."""
    if width is None:
        return _table([_pointed(_cut(column)) for column in columns])
    pointed = [_pointed(column) for column in columns]
    for gap in (_GAP, 1):
        if _width(pointed, gap) <= width:
            return _table(pointed, gap=gap)
    rows = len(columns[0].cells)
    if rows == 0:
        return wrap_words(", ".join(column.name for column in columns), width)
    if widths := _folded(pointed, width):
        return _table(pointed, widths)
    layouts = [_blocks(columns, width)]
    if 1 < rows <= _MOST_FOLDED and (bands := _bands(pointed, width)):
        layouts.insert(0, _parted([_table(band, widths) for band, widths in bands]))
    if 1 < rows <= _MOST_TURNED:
        layouts.insert(0, lay_out_turned(columns, width))
    return min(layouts, key=len)


def lay_out_turned(columns: Sequence[Column], width: int | None) -> list[str]:
    """A line for each column, the rows side by side; in groups where they are too wide."""
    names, *rows = _turned(columns)
    if width is None:
        return _lines([names, *rows])
    room = width - names.width
    if any(_GAP + row.width > room for row in rows):
        return _blocks(columns, width)
    return _parted([_lines([names, *group]) for group in _packed(rows, room)])


# --- which columns fit ------------------------------------------------------------------------


def _folded(columns: Sequence[Column], width: int) -> list[int] | None:
    """Widths at which a table fits with text in several lines; None where it cannot."""
    widths = [column.least_width for column in columns]
    room = width - _GAP * (len(columns) - 1) - sum(widths)
    if room < 0:
        return None
    texts = [max(map(text_width, column.cells)) for column in columns]
    while room:
        # A wider column gains most where its text takes the most lines.
        place = max(range(len(columns)), key=lambda n: texts[n] / widths[n])
        if texts[place] <= widths[place]:
            break
        widths[place] += 1
        room -= 1
    tallest = max(
        len(lines)
        for column, width in zip(columns, widths, strict=True)
        for lines in column.folded(width)
    )
    return widths if tallest <= _MOST_LINES else None


def _bands(columns: Sequence[Column], width: int) -> list[tuple[list[Column], list[int]]] | None:
    """The columns in groups, each behind the columns that name a row; None where it cannot be."""
    naming = _naming(columns)
    others = [column for column in columns if column not in naming]
    room = width - _width(naming)
    for widths in ([c.width for c in others], [c.least_width for c in others]):
        if any(_GAP + needed > room for needed in widths):
            continue
        bands = [[*naming, *group] for group in _packed(others, room, widths)]
        folded = [_folded(band, width) for band in bands]
        if None not in folded:
            return list(zip(bands, filter(None, folded), strict=True))
    return None


def _naming(columns: Sequence[Column]) -> list[Column]:
    """The first column that tells the rows apart; else the first ones that do so together.

    Text further right joins the first column where those do not: a form and a band, say.
    """
    first = list(columns[:3])
    for group in ([column] for column in first if not column.is_number):
        if _tell_apart(group):
            return group
    together = [first[:count] for count in (2, 3)]
    texts = [column for column in columns[1:_LAST_NAMING] if not column.is_number]
    together += [[*first[:1], *more] for count in (1, 2) for more in combinations(texts, count)]
    return next((group for group in together if _tell_apart(group)), first[:1])


def _tell_apart(columns: Sequence[Column]) -> bool:
    names = list(zip(*(column.cells for column in columns), strict=True))
    return len(set(names)) == len(names)


def _packed(
    columns: Sequence[Column], room: int, widths: Sequence[int] | None = None
) -> list[list[Column]]:
    """The columns in groups that take at most `room`, each column with a gap before it."""
    widths = [column.width for column in columns] if widths is None else widths
    groups: list[list[Column]] = []
    left = -1
    for column, needed in zip(columns, widths, strict=True):
        if _GAP + needed > left:
            groups.append([])
            left = room
        groups[-1].append(column)
        left -= _GAP + needed
    return groups


def _width(columns: Sequence[Column], gap: int = _GAP) -> int:
    return sum(column.width for column in columns) + gap * (len(columns) - 1)


# --- cells ------------------------------------------------------------------------------------


def _pointed(column: Column) -> Column:
    """Numbers with spaces behind them, so that their decimal points stand below each other."""
    if not column.is_number:
        return column
    fractions = [len(cell) - cell.find(".") if "." in cell else 0 for cell in column.cells]
    longest = max(fractions, default=0)
    cells = zip(column.cells, fractions, strict=True)
    return replace(column, cells=tuple(f"{c}{' ' * (longest - n)}" if c else c for c, n in cells))


def _cut(column: Column) -> Column:
    return replace(
        column,
        name=_shortened(column.name),
        cells=tuple(map(_shortened, column.cells)),
    )


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_CELL:
        return text
    words, space, _ = text[: _LONGEST_CELL - 1].rpartition(" ")
    return f"{words} …" if space else f"{text[: _LONGEST_CELL - 1]}…"


def _turned(columns: Sequence[Column]) -> list[Column]:
    """The names as a column, then a column for each row, all without heads."""
    names = Column("", tuple(column.name for column in columns))
    rows = zip(*(column.cells for column in columns), strict=True)
    return [names, *(Column("", cells, is_number=True) for cells in rows)]


# --- lines ------------------------------------------------------------------------------------


def _table(
    columns: Sequence[Column], widths: Sequence[int] | None = None, *, gap: int = _GAP
) -> list[str]:
    widths = [column.width for column in columns] if widths is None else widths
    heads = [[column.name] for column in columns]
    rule = (" " * gap).join("-" * width for width in widths)
    return [*_row(columns, widths, heads, gap), rule, *_lines(columns, widths, gap)]


def _lines(
    columns: Sequence[Column], widths: Sequence[int] | None = None, gap: int = _GAP
) -> list[str]:
    """The rows without heads."""
    widths = [column.width for column in columns] if widths is None else widths
    folded = [column.folded(width) for column, width in zip(columns, widths, strict=True)]
    return [line for row in zip(*folded, strict=True) for line in _row(columns, widths, row, gap)]


def _row(
    columns: Sequence[Column], widths: Sequence[int], cells: Sequence[Sequence[str]], gap: int
) -> list[str]:
    """One row, whose cells may have several lines each."""
    lines = []
    for number in range(max(map(len, cells))):
        parts = []
        for column, width, cell in zip(columns, widths, cells, strict=True):
            text = cell[number] if number < len(cell) else ""
            space = " " * (width - text_width(text))
            parts.append(space + text if column.is_number else text + space)
        lines.append((" " * gap).join(parts).rstrip())
    return lines


def _blocks(columns: Sequence[Column], width: int) -> list[str]:
    """A line ``name: value`` for each column of each row; long values go on below themselves."""
    label = max(text_width(column.name) for column in columns) + _GAP
    if label > width // 2:
        label = _GAP
    blocks = []
    for cells in zip(*(column.cells for column in columns), strict=True):
        lines = []
        for column, cell in zip(columns, cells, strict=True):
            name = f"{column.name}:"
            first = name + " " * (label - text_width(name))
            longest = longest_word(cell)
            if text_width(name) >= label or longest > width - label:
                lines += wrap_words(name, width)
                # Without the spaces where the longest word fits only so.
                first = " " * min(_GAP, max(width - longest, 0))
            lines += wrap_with_indent(
                cell, width, first=first, later=" " * text_width(first), most=_MOST_BLOCK_LINES
            )
        blocks.append(lines)
    return _parted(blocks)


def _parted(blocks: Sequence[Sequence[str]]) -> list[str]:
    """Blocks of lines with an empty line between each two."""
    return [line for number, block in enumerate(blocks) for line in [""] * (number > 0) + [*block]]
