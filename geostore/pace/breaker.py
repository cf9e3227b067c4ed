"""Notices when a teacher is down, as opposed to single requests that fail."""

from __future__ import annotations

import math

from geostore.pace.limits import PaceLimits
from geostore.text.phrases import format_span

_LONGEST_PROBE_SECONDS = 120.0
_SAY_UNANSWERED_AFTER = 3
"""Failures from the start after which the run says that nothing was answered yet."""


class Breaker:
    """Opens when every request fails, and says when to try again.

    failures: failures in a row. level_before: the level when that row began. A
    server that is down fails requests at any level, so what it bears when it is
    back is better guessed from before.
    """

    def __init__(self, limits: PaceLimits) -> None:
        self._limits = limits
        self.failures = 0
        self._refused = 0
        self._is_answered = False
        self.level_before = 1.0
        self.is_open = False
        self.opened_at = 0.0
        self.probe_at = math.inf
        self.give_up_at = math.inf
        self._first_at = 0.0
        self._last_at = 0.0
        self._last = ""
        self._interval = limits.probe_seconds

    def succeeded(self) -> None:
        """Close; any success counts, not only a probe's."""
        self.failures = self._refused = 0
        self._is_answered = True
        self.is_open = False
        self.give_up_at = math.inf
        self._interval = self._limits.probe_seconds

    def failed(
        self,
        message: str,
        now: float,
        *,
        level: float,
        refused: bool = False,
        is_outage: bool = False,
    ) -> None:
        """Count a failure, and open when the row is long enough.

        level: before this failure. refused: whether the server refused the request. Each
        refusal ends a trace, so a long row of them opens the breaker however fast it came.
        is_outage: whether it can only be the teacher's fault, so that no row is needed.
        """
        limits = self._limits
        if self.failures == 0:
            self._first_at, self.level_before = now, level
            if not self._is_answered:
                self.give_up_at = now + self._seconds_unanswered
        self.failures += 1
        self._refused += refused
        self._last, self._last_at = message, now
        lasted = now - self._first_at >= limits.break_after_seconds
        lasted = lasted or self._refused >= limits.break_after_failures
        if self.is_open:
            return
        if not lasted or not (is_outage or self.failures >= limits.break_after_failures):
            return
        self.is_open = True
        self.opened_at = now
        self.probe_again(now)
        if limits.give_up_after is not None:
            self.give_up_at = now + limits.give_up_after

    @property
    def _seconds_unanswered(self) -> float:
        """How long a run may fail from its first request on."""
        limits = self._limits
        if limits.give_up_after is None:
            return limits.give_up_unanswered
        # As where the breaker opens as soon as it can; with few traces it opens late.
        return limits.break_after_seconds + limits.give_up_after

    def warning(self) -> str | None:
        """The notice for when nothing was answered yet, due after the third failure."""
        if self._is_answered or self.is_open or self.failures != _SAY_UNANSWERED_AFTER:
            return None
        return (
            f"nothing was answered yet: {self.why()}; the run ends after "
            f"{format_span(self._seconds_unanswered)} without an answer (see --give-up-after)"
        )

    def probe_again(self, now: float) -> None:
        """Set the next probe an interval from now."""
        self.probe_at = now + self._interval

    def probe_more_rarely(self, now: float) -> None:
        """A probe failed: double the interval and set the next."""
        longest = max(_LONGEST_PROBE_SECONDS, self._limits.probe_seconds)
        self._interval = min(2 * self._interval, longest)
        self.probe_again(now)

    def why(self) -> str:
        """How many requests failed, for how long, and the latest message."""
        over = format_span(self._last_at - self._first_at)
        return f"{self.failures} requests in a row failed over {over}, the last with {self._last}"

    def announcement(self) -> str:
        """The notice for when it opens."""
        after = self._limits.give_up_after
        if after is None and not self._is_answered:
            after = self.give_up_at - self.opened_at
        giving_up = "" if after is None else f"; the run gives up after {format_span(after)}"
        return (
            f"pausing: {self.why()}; a single request is tried in {format_span(self._interval)} "
            f"and then ever more rarely, until one succeeds{giving_up}"
        )

    def farewell(self, now: float) -> str:
        """The message for when the run gives up."""
        begin = f"gave up after a pause of {format_span(now - self.opened_at)}"
        if not self.is_open or (not self._is_answered and self._limits.give_up_after is None):
            begin = f"gave up after {format_span(now - self._first_at)} without an answer"
        return f"{begin}: {self.why()}; run the command again when the teacher answers"
