"""What a benchmark found, and how it is shown: one line per figure, with its goal if it has one.

Machines are shared and noisy, so what is compared is measured in one run, turn about, and medians
are taken of ratios between neighbours instead of ratios between runs that lie minutes apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """One measured number.

    what: what was measured. value: None where it could not be. unit: printed behind the value.
    goal: the value must not be above it; None where it is only told. note: what else to know.
    """

    what: str
    value: float | None
    unit: str = ""
    goal: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.value is not None and self.value <= self.goal

    def line(self) -> str:
        """The figure as a line of the report."""
        met = {None: "", True: "met", False: "MISSED"}[self.met]
        goal = "" if self.goal is None else f"<= {_number(self.goal)}{self.unit}"
        value = "failed" if self.value is None else f"{_number(self.value)}{self.unit}"
        return f"  {self.what:<50}{value:>12}  {goal:<11} {met:<7} {self.note}".rstrip()


HEADER = f"  {'what':<50}{'figure':>12}  {'goal':<11} {'':<7}".rstrip()


def turn_about(measures: Sequence[Callable[[], T]], *, rounds: int) -> list[list[T]]:
    """Call each measure once a round, A B A B ...; the values of each, in order of rounds.

    Every other round goes backwards, so that none always follows the same neighbour.
    """
    values: list[list[T]] = [[] for _ in measures]
    for number in range(rounds):
        order = range(len(measures))
        for index in reversed(order) if number % 2 else order:
            values[index].append(measures[index]())
    return values


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the ratios of values that were measured in the same round."""
    return median(a / b for a, b in zip(above, below, strict=True))


def spread(values: Sequence[float]) -> str:
    """The least and the greatest value, for a note."""
    return f"{_number(min(values))} to {_number(max(values))}"


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:.2f}"
