"""Cuts a line of a statement to a width, so that the caret below still points at its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

_PREFIX = ": "
"""Ends what stands before the statement in a line, such as ``LINE 1``."""
_BEFORE = 0.6
"""The share of the width that shows what stands before the caret."""


def fit_to_caret(lines: Sequence[str], columns: int) -> Iterator[str]:
    """The lines; one that is too wide and has a caret below is cut around the place.

    A character may take two columns of a terminal. Other lines are left as they are.
    """
    cut_caret = None
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if cut_caret is not None:
            yield cut_caret
            cut_caret = None
        elif below.strip() == "^" and max(cell_len(line), len(below)) > columns:
            cut_line, cut_caret = _cut(line, below.index("^"), columns)
            yield cut_line
        else:
            yield line


def _cut(line: str, caret: int, columns: int) -> tuple[str, str]:
    prefix = line[: line.find(_PREFIX) + len(_PREFIX)] if _PREFIX in line else ""
    # One entry for each column of the terminal; the second of a wide character is empty.
    cells = [c for char in line[len(prefix) :] for c in (char, *[""] * (cell_len(char) - 1))]
    width = columns - len(prefix)
    place = caret - len(prefix)
    first = min(max(0, place - int(_BEFORE * width)), max(0, len(cells) - width))
    shown = cells[first : first + width]
    if first > 0:
        # The place of a wide character's first half stays a column wide.
        shown[0] = "…"
        if len(shown) > 1 and not shown[1]:
            shown[1] = " "
    if first + width < len(cells):
        if not shown[-1]:
            shown[-2] = " "
        shown[-1] = "…"
    return prefix + "".join(shown), " " * (len(prefix) + place - first) + "^"
