"""Text that is broken between words at the width of a terminal."""

from __future__ import annotations

import pytest

from geostore.text.terminal import wrap_lines


@pytest.mark.parametrize("hanging", [0, 2])
def test_a_line_that_just_fits_stays_whole(hanging: int) -> None:
    """The rule under the heads of a table that takes the whole width is one line."""
    line = "-" * 30 + "  " + "-" * 48
    assert wrap_lines(f"{line}\n  {line[2:]}", 80, hanging=hanging) == f"{line}\n  {line[2:]}"
