"""How wide the lines of an output may be, and text that is broken between words to fit them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.cells import cell_len, chop_cells

NARROWEST = 40
"""Columns. A narrower terminal breaks the lines itself."""

PROSE_WIDTH = 100
"""Columns that sentences take at most, because longer lines are hard to read."""

_LONGEST_WORD = 200  # characters

_WORDS = re.compile(r"\s+|\S+")


def output_width(stream: TextIO | None = None) -> int | None:
    """Columns that a line of this stream may take; None in a file or a pipe, where no line folds.

    COLUMNS in the environment comes first, as in other programs; then a terminal's own
    width. stream: None for standard output.
    """
    stream = sys.stdout if stream is None else stream
    given = os.environ.get("COLUMNS", "")
    columns = int(given) if given.isdecimal() else 0
    if columns == 0:
        try:
            columns = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
        # ValueError: the stream is closed, or is no file, as in a notebook.
        except (OSError, ValueError):
            return None
    return max(columns, NARROWEST) if columns else None


def prose_width(stream: TextIO | None = None) -> int | None:
    """`output_width` for sentences: at most `PROSE_WIDTH`."""
    width = output_width(stream)
    return None if width is None else min(width, PROSE_WIDTH)


def text_width(text: str) -> int:
    """Columns of a terminal that a text takes; East Asian characters take two."""
    return cell_len(text)


def longest_word(text: str) -> int:
    """Columns of the longest part that `wrap_words` leaves whole."""
    words = (word for word in text.split() if not _breaks_anywhere(word))
    return max(map(text_width, words), default=min(text_width(text), 2))


def wrap_words(text: str, width: int | None) -> list[str]:
    """A text in lines of at most `width` columns, broken between words; one line at least.

    A longer word stays whole, because a path or a name is copied whole, unless it is no
    word: text in East Asian characters, or data of more than `_LONGEST_WORD` characters.
    Spaces at the beginning stay. width: None for one line.
    """
    if width is None or text_width(text) <= width:
        return [text.rstrip()]
    lines, line, used = [], "", 0
    for part in _parts(text, width):
        taken = text_width(part)
        if line and used + taken > width and not part.isspace():
            lines.append(line.rstrip())
            line, used = "", 0
        if part.isspace() and not line and lines:
            continue
        line, used = line + part, used + taken
    return [*lines, line.rstrip()]


def wrap_with_indent(
    text: str, width: int | None, *, first: str, later: str, most: int | None = None
) -> list[str]:
    """`wrap_words` with `first` before the first line and `later` before each other one.

    most: how many lines at most; the last one then ends in an ellipsis.
    """
    if width is not None and text_width(f"{first}{text}") <= width:
        return [f"{first}{text}".rstrip()]
    room = None if width is None else max(width - max(map(text_width, (first, later))), 1)
    lines = shorten(wrap_words(text, room), most)
    return [f"{later if number else first}{line}".rstrip() for number, line in enumerate(lines)]


def wrap_lines(text: str, width: int | None, *, hanging: int = 0) -> str:
    """Each line of a text wrapped, and indented as it begins.

    hanging: how many spaces more where a line goes on.
    """
    lines = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip(" "))]
        lines += wrap_with_indent(
            line[len(indent) :], width, first=indent, later=indent + " " * hanging
        )
    return "\n".join(lines)


def format_entries(entries: Iterable[tuple[str, str]], width: int | None) -> str:
    """Two lines for each entry: its name, then what it means, indented and wrapped."""
    lines = []
    for name, meaning in entries:
        lines += [name, *wrap_with_indent(meaning, width, first="  ", later="  ")]
    return "\n".join(lines)


def shorten(lines: list[str], most: int | None) -> list[str]:
    """The first `most` of some lines, with an ellipsis for the last words where some are left out.

    most: None for all lines.
    """
    if most is None or len(lines) <= most:
        return lines
    *words, _ = lines[most - 1].split(" ")
    return [*lines[: most - 1], " ".join([*words, "…"])]


def _parts(text: str, width: int) -> Iterator[str]:
    """Words and the spaces between them; a long word without spaces of its script in pieces."""
    for part in _WORDS.findall(text):
        if text_width(part) > width and _breaks_anywhere(part):
            yield from chop_cells(part, max(width, 2))
        else:
            yield part


def _breaks_anywhere(word: str) -> bool:
    return len(word) > _LONGEST_WORD or text_width(word) > len(word)
