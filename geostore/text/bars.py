"""Draws numbers as bars of block characters, in one line or several."""

from __future__ import annotations

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = ".:-=+*%#"


def sparkline(values: Sequence[float]) -> str:
    """A bar for each value, from none to the largest; empty where all are 0."""
    largest = max(values, default=0)
    if not largest:
        return ""
    return "".join(BARS[round(value / largest * (len(BARS) - 1))] for value in values)


def upright_bars(
    values: Sequence[float], largest: float, *, lines: int, width: int = 1, ascii_only: bool = False
) -> list[str]:
    """A bar for each value, as lines from top to bottom; 0 is empty, and no other value is.

    largest: the value of a full bar. lines: of a full bar. width: columns of a bar.
    ascii_only: in characters that every terminal has, whose ink grows with the value.
    """
    bars = _ASCII_BARS if ascii_only else BARS
    steps = [
        max(round(value / largest * lines * len(bars)), 1) if value > 0 else 0 for value in values
    ]
    return [
        "".join(width * _part(step - below * len(bars), bars) for step in steps)
        for below in reversed(range(lines))
    ]


def _part(steps: int, bars: str) -> str:
    """What a bar shows in one line, of which that many steps are left for it."""
    return bars[min(steps, len(bars)) - 1] if steps > 0 else " "
