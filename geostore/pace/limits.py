"""The limits of a run's pace, as its user sets them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """How fast a run may go, and when it takes the teacher to be down.

    ceiling: requests in flight at most. rpm, tpm: requests and tokens a minute;
    None: no limit.
    break_after_seconds, break_after_failures: the breaker opens when at least so
    many requests in a row failed, over at least that time.
    probe_seconds: from the opening to the first probe; doubles from probe to
    probe up to two minutes. give_up_after: seconds with the breaker open, after
    which nothing more is tried; None: never.
    Raises ValueError for a value that is out of range.
    """

    ceiling: int
    rpm: float | None = None
    tpm: float | None = None
    break_after_seconds: float = 30.0
    break_after_failures: int = 10
    probe_seconds: float = 15.0
    give_up_after: float | None = None

    def __post_init__(self) -> None:
        for name in ("ceiling", "rpm", "tpm", "break_after_failures", "probe_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be greater than 0, and is {value}")
        for name in ("break_after_seconds", "give_up_after"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} must not be less than 0, and is {value}")
