"""What a run has come to so far, counted from what its watcher is told."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable

from geostore.costs.prices import Usage, usage_of_json, usage_of_turn
from geostore.generate.events import Gauges, TraceEnd, Watcher
from geostore.records import ACCEPTED_SCORE, FailedAttempt, StoredTrace, TraceKey, Turn
from geostore.text.phrases import failures_by_class, format_cost, quality, span

_WINDOW_SECONDS = 60


class RunFigures(Watcher):
    """Counts, and says them.

    clock: seconds, never going back. What was done before this run is in no rate.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._gauges: Gauges | None = None
        self.all_planned = 0
        self.done_before = 0
        self.ended = 0
        self.turns = 0
        self.usage = Usage()
        self.failures: Counter[str] = Counter()
        self._accepted = 0
        self._distances = 0.0
        self._measured = 0
        # (whole second, tokens in it), of the last minute.
        self._recent: deque[tuple[int, int]] = deque()

    def started(self, gauges: Gauges) -> None:
        """From here on there is something to read off."""
        self._gauges = gauges

    def planned(self, traces: int) -> None:
        """The whole plan, done ones included."""
        self.all_planned = traces

    def found_done(self, traces: int) -> None:
        """They are not left to do, and were not done now."""
        self.done_before += traces

    def turn(self, key: TraceKey, turn: Turn) -> None:
        """Counts its tokens."""
        self.turns += 1
        self._add(usage_of_turn(turn))

    def failure(self, key: TraceKey, attempt: FailedAttempt) -> None:
        """Counted by class, and its tokens where it was billed."""
        self.failures[attempt.error_class] += 1
        self._add(usage_of_json(attempt.usage_json))

    def trace_ended(self, end: TraceEnd, stored: StoredTrace | None) -> None:
        """Counts it, and its distance where there is one."""
        self.ended += 1
        if end.reward is None:
            return
        if end.reward.distance_km is not None:
            self._distances += end.reward.distance_km
            self._measured += 1
        self._accepted += (end.reward.score or 0.0) >= ACCEPTED_SCORE

    def _add(self, usage: Usage) -> None:
        self.usage += usage
        now = int(self._clock())
        if self._recent and self._recent[-1][0] == now:
            self._recent[-1] = (now, self._recent[-1][1] + usage.total_tokens)
        else:
            self._recent.append((now, usage.total_tokens))
        self._forget(now)

    def _forget(self, now: int) -> None:
        while self._recent and self._recent[0][0] <= now - _WINDOW_SECONDS:
            self._recent.popleft()

    @property
    def has_asked(self) -> bool:
        """Whether any request came to anything."""
        return self.turns > 0 or bool(self.failures)

    @property
    def elapsed(self) -> float:
        """Seconds since the start; above 0."""
        return max(self._clock() - self._began, 1e-9)

    @property
    def to_do(self) -> int:
        """Traces of the plan that were not done before."""
        return max(self.all_planned - self.done_before, 0)

    @property
    def per_minute(self) -> float:
        """Traces closed a minute, since the start."""
        return 60 * self.ended / self.elapsed

    @property
    def left_seconds(self) -> float | None:
        """Until the plan is done, at the pace so far; None before the first trace closed."""
        if not self.ended:
            return None
        return max(self.to_do - self.ended, 0) * self.elapsed / self.ended

    @property
    def tokens_per_second(self) -> float:
        """Over the last minute, or since the start where that is less."""
        self._forget(int(self._clock()))
        tokens = sum(count for _, count in self._recent)
        return tokens / min(max(self.elapsed, 1.0), _WINDOW_SECONDS)

    @property
    def mean_km(self) -> float | None:
        """Mean distance of the answers; None without any."""
        return self._distances / self._measured if self._measured else None

    @property
    def accept_rate(self) -> float | None:
        """Share of the closed traces with a score of at least 0.3; None without any."""
        return self._accepted / self.ended if self.ended else None

    @property
    def cost(self) -> float | None:
        """Of this run, failures that were billed included; None without prices."""
        prices = self._gauges.prices if self._gauges else None
        return None if prices is None else prices.cost_of(self.usage)

    def progress_text(self) -> str:
        """Such as ``12/500 traces, 3.0/min, about 2 h 42 min left``."""
        parts = [f"{self.ended:,}/{self.to_do:,} traces"]
        if self.done_before:
            parts.append(f"{self.done_before:,} done before")
        parts.append(f"{self.per_minute:,.1f}/min")
        if self.left_seconds is not None:
            parts.append(f"about {span(self.left_seconds)} left")
        return ", ".join(parts)

    def requests_text(self) -> str:
        """Such as ``14 in flight, 16 at a time of 64``."""
        if self._gauges is None:
            return "none yet"
        pace, ceiling = self._gauges.pace, self._gauges.ceiling
        text = f"{pace.in_flight:,} in flight, {pace.level:,} at a time"
        return text if pace.level >= ceiling else f"{text} of {ceiling:,}"

    def tokens_text(self) -> str:
        """Such as ``1,234,567 tokens, 4,321/s``."""
        return f"{self.usage.total_tokens:,} tokens, {self.tokens_per_second:,.0f}/s"

    def quality_text(self) -> str:
        """Such as ``mean 824 km, 53.2 % accepted``."""
        return quality(self.mean_km, self.accept_rate)

    def failures_text(self) -> str:
        """Such as ``rate_limit 12, timeout 3``; nothing where none failed."""
        return failures_by_class(self.failures)

    def cost_text(self) -> str:
        """Such as ``1.23, 0.0145 per trace; budget: 4.56 of 10.00``; nothing without prices."""
        parts = []
        if self.cost is not None:
            parts.append(format_cost(self.cost))
            if self.ended:
                parts[0] += f", {format_cost(self.cost / self.ended)} per trace"
        budget = self._gauges.budget if self._gauges else None
        if budget is not None:
            parts.append(f"budget: {budget.state()}")
        return "; ".join(parts)

    @property
    def paused(self) -> str | None:
        """Why nothing but probes is sent; None while all is well."""
        return self._gauges.pace.broken if self._gauges else None

    def line(self) -> str:
        """All of it in one line, without the progress."""
        parts = [self.tokens_text(), self.quality_text()]
        if self.failures:
            parts.append(f"failed requests: {self.failures_text()}")
        if cost := self.cost_text():
            parts.append(f"cost {cost}")
        return "; ".join(parts)
