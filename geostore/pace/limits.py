"""The limits of a run's pace, as its user sets them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """How fast a run may go, and when it takes the teacher to be down.

    Raises ValueError for a value that is out of range.
    """

    ceiling: int = 16
    """Requests in flight at most; at least 1."""

    rpm: float | None = None
    """Requests a minute at most; None: no limit."""

    tpm: float | None = None
    """Tokens a minute at most, in and out together; None: no limit."""

    break_after_seconds: float = 30.0
    """The breaker opens when requests have failed in a row for at least this long ..."""

    break_after_failures: int = 10
    """... and at least so many of them."""

    probe_seconds: float = 15.0
    """From the opening to the first probe; doubles from probe to probe up to two minutes."""

    give_up_after: float | None = None
    """Seconds with the breaker open after which the run ends; None: never, but for
    `give_up_unanswered`."""

    give_up_unanswered: float = 600.0
    """Seconds after the first failure at which a run ends that was never answered. Only where
    `give_up_after` says nothing."""

    @property
    def has_minutes(self) -> bool:
        """Whether there is a limit on a minute's requests or tokens."""
        return self.rpm is not None or self.tpm is not None

    def __post_init__(self) -> None:
        for name in ("ceiling", "rpm", "tpm", "break_after_failures", "probe_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be greater than 0, and is {value}")
        for name in ("break_after_seconds", "give_up_after", "give_up_unanswered"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} must not be less than 0, and is {value}")
