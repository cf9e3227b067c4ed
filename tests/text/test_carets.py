"""A line with a caret below it is cut to the terminal, and the caret still points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from geostore.text.carets import fit_to_caret

WIDE = "LINE 1: select " + ", ".join(f"column_{i}" for i in range(20))


def above_caret(line: str, caret: str) -> str:
    """What stands at the caret, by columns of a terminal."""
    return next(line[i:] for i in range(len(line)) if cell_len(line[:i]) == len(caret) - 1)


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@pytest.mark.parametrize("word", ["select", "column_0", "column_9", "column_19"])
def test_the_caret_points_at_its_word_at_any_width(columns: int, word: str) -> None:
    caret = " " * WIDE.index(word) + "^"
    sentence, line, below = fit_to_caret(["No such column " * 20, WIDE, caret], columns)
    assert sentence == "No such column " * 20
    assert line.startswith("LINE 1: ")
    assert cell_len(line) <= max(columns, 0)
    assert above_caret(line, below)[:6] == word[:6]
    if columns >= len(WIDE):
        assert (line, below) == (WIDE, caret)


@given(st.text("ab東é ", min_size=1, max_size=120), st.integers(0, 119), st.integers(12, 90))
def test_no_line_is_wider_than_the_terminal_and_the_place_is_the_same(
    text: str, place: int, columns: int
) -> None:
    text = text[: place + 1].ljust(place + 1) + "x" + text[place + 1 :]
    line = f"LINE 1: {text}"
    at = cell_len(line[: line.index("x")])
    cut, caret = fit_to_caret([line, " " * at + "^"], columns)
    assert cell_len(cut) <= columns or cut == line
    assert len(caret) <= columns or cut == line
    assert above_caret(cut, caret)[0] in "x…"


def test_lines_without_a_caret_are_left_alone() -> None:
    lines = ["a" * 100, "b" * 100, "", "^ no caret"]
    assert list(fit_to_caret(lines, 40)) == lines
