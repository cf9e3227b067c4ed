"""The figures of a run so far, counted from its events."""

from __future__ import annotations

import time
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from geostore.costs.usage import Tally, Usage, usage_of_failure, usage_of_turn
from geostore.generate.events import (
    AskingEnded,
    AskingStarted,
    Event,
    FoundDone,
    Gauges,
    Planned,
    RequestFailed,
    Ticked,
    TraceEnded,
    TurnCommitted,
)
from geostore.generate.plan import RunResult
from geostore.pace import Hold
from geostore.records import ACCEPTED_SCORE, PROBE
from geostore.text.phrases import (
    format_cost_per_trace,
    format_counts,
    format_km,
    format_pace,
    format_quality,
    format_span,
)

_WINDOW_SECONDS = 60
_TRACES_SHOWN = 8

_HELD_BY: dict[Hold, str] = {
    "level": "the server bears {level:,} requests at a time so far",
    "ceiling": "--concurrency {ceiling:,} holds requests back",
    "rpm": "--rpm holds requests back",
    "tpm": "--tpm holds requests back",
    "outage": "the server does not answer",
}


@dataclass(frozen=True, slots=True)
class EndedTrace:
    """A trace that this run closed, for a line of the view."""

    name: str
    """Its public name."""
    outcome: str
    """Its distance, or why it has none."""
    score: float | None
    """Under the default reward; None where unknown."""
    is_failure: bool
    """Whether it failed or was refused."""


class RunFigures:
    """A watcher that counts, and puts the counts into words.

    clock: seconds, never going back. Traces that were done before this run count in no rate.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._gauges: Gauges | None = None
        self.result: RunResult | None = None
        """What the run did; None until no request is in flight any more."""
        self.all_planned = 0
        self.done_before = 0
        self.ended = 0
        self.turns = 0
        self._tally = Tally()
        self.failures: Counter[str] = Counter()
        self._accepted = 0
        self._sum_km = 0.0
        # Sorted: the median is asked for twice a second.
        self._distances: list[float] = []
        self._last_traces: deque[EndedTrace] = deque(maxlen=_TRACES_SHOWN)
        # (whole second, tokens in it), of the last minute.
        self._recent: deque[tuple[int, int]] = deque()

    def watch(self, event: Event) -> None:
        """Count the event."""
        match event:
            case AskingStarted() | Ticked():
                self._gauges = event.gauges
            case AskingEnded():
                self._gauges = event.gauges
                self.result = event.result
            case Planned():
                self.all_planned = event.traces
            case FoundDone():
                self.done_before += event.traces
            case TurnCommitted():
                self.turns += 1
                self._tally.add_turn(event.turn)
                self._add(usage_of_turn(event.turn))
            case RequestFailed():
                if event.attempt.error_class != PROBE:
                    self.failures[event.attempt.error_class] += 1
                self._tally.add_failure(event.attempt)
                self._add(usage_of_failure(event.attempt))
            case TraceEnded():
                self._add_trace(event)
            case _:
                pass

    def _add_trace(self, event: TraceEnded) -> None:
        self.ended += 1
        km = score = None
        if event.reward is not None:
            km, score = event.reward.distance_km, event.reward.score
        if km is not None:
            self._sum_km += km
            insort(self._distances, km)
        self._accepted += (score or 0.0) >= ACCEPTED_SCORE
        closing = event.closing
        words = "refused" if closing.by_refusal else closing.status
        outcome = f"{words} ({closing.reason})" if closing.reason != words else words
        self._last_traces.append(
            EndedTrace(
                name=str(event.key),
                outcome=outcome if km is None else format_km(km),
                score=score,
                is_failure=closing.by_refusal or closing.status == "failed",
            )
        )

    def _add(self, usage: Usage) -> None:
        tokens = usage.total_tokens + usage.estimated_tokens
        now = int(self._clock())
        if self._recent and self._recent[-1][0] == now:
            self._recent[-1] = (now, self._recent[-1][1] + tokens)
        else:
            self._recent.append((now, tokens))
        self._forget(now)

    def _forget(self, now: int) -> None:
        while self._recent and self._recent[0][0] <= now - _WINDOW_SECONDS:
            self._recent.popleft()

    @property
    def usage(self) -> Usage:
        """All tokens of this run, billed failures included."""
        return self._tally.total

    @property
    def has_asked(self) -> bool:
        """Whether any request was answered or failed."""
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
        """Seconds until the plan is done, at the pace so far; None before a trace closed."""
        if not self.ended:
            return None
        return max(self.to_do - self.ended, 0) * self.elapsed / self.ended

    @property
    def tokens_per_second(self) -> float:
        """Tokens a second over the last minute, or since the start of a shorter run."""
        self._forget(int(self._clock()))
        tokens = sum(count for _, count in self._recent)
        return tokens / min(max(self.elapsed, 1.0), _WINDOW_SECONDS)

    @property
    def mean_km(self) -> float | None:
        """Mean distance of the answers; None without any."""
        return self._sum_km / len(self._distances) if self._distances else None

    @property
    def median_km(self) -> float | None:
        """Median distance of the answers; None without any."""
        # Not by `statistics.median`, which copies and sorts what is sorted.
        distances = self._distances
        middle = len(distances) // 2
        if not distances:
            return None
        return (distances[middle] + distances[-middle - 1]) / 2

    @property
    def last_traces(self) -> Sequence[EndedTrace]:
        """The last traces that this run closed, the newest first."""
        return tuple(reversed(self._last_traces))

    def tokens_by_time(self, parts: int) -> list[float]:
        """Tokens a second in each of so many equal parts of the last minute, the oldest first."""
        now = int(self._clock())
        self._forget(now)
        sums = [0.0] * parts
        for second, tokens in self._recent:
            # The second that is running is not over, so it stands with the ones before it.
            age = min(now - second, _WINDOW_SECONDS - 1)
            sums[parts - 1 - age * parts // _WINDOW_SECONDS] += tokens
        return [total * parts / _WINDOW_SECONDS for total in sums]

    @property
    def accept_rate(self) -> float | None:
        """Share of the closed traces with a score of at least 0.3; None without any."""
        return self._accepted / self.ended if self.ended else None

    @property
    def cost(self) -> float | None:
        """The cost of this run, as far as tokens were counted; None without prices."""
        prices = self._gauges.prices if self._gauges else None
        return None if prices is None else prices.cost_of_all(self._tally)

    def progress_text(self) -> str:
        """Such as ``120 of 500 (24.0 %), 60 done before``."""
        text = f"{self.ended:,} of {self.to_do:,}"
        if self.to_do:
            text += f" ({100 * self.ended / self.to_do:.1f} %)"
        return f"{text}, {self.done_before:,} done before" if self.done_before else text

    def time_text(self) -> str:
        """Such as ``1 h 20 min, 3.0 traces/min, about 2 h 42 min left``."""
        return f"{format_span(self.elapsed)}, {format_pace(self.per_minute, self.left_seconds)}"

    def requests_text(self) -> str:
        """Such as ``1,234 answered, 14 in flight, 16 at a time of 64``."""
        if self._gauges is None:
            return "none yet"
        level, ceiling = self._gauges.level, self._gauges.ceiling
        in_flight = self._gauges.in_flight
        text = f"{self.turns:,} answered, {in_flight:,} in flight, {level:,} at a time"
        return text if level >= ceiling else f"{text} of {ceiling:,}"

    def pace_text(self) -> str:
        """What limits the pace now; empty where that is the time that the server takes."""
        gauges = self._gauges
        if gauges is None or gauges.paused is not None:
            return ""
        held_by = gauges.held_by
        if held_by is None and gauges.in_flight >= gauges.ceiling:
            # As many traces are played as requests may be in flight, and each has sent its own.
            held_by = "ceiling"
        if held_by is None:
            return ""
        return _HELD_BY[held_by].format(level=gauges.level, ceiling=gauges.ceiling)

    def tokens_text(self, unit: str = " tokens") -> str:
        """Such as ``1,234,567 tokens, 4,321/s``; ``about`` where some of them are estimated.

        unit: empty below a label that names it.
        """
        usage = self.usage
        about = "about " if usage.uncounted else ""
        tokens = usage.total_tokens + usage.estimated_tokens
        return f"{about}{tokens:,}{unit}, {self.tokens_per_second:,.0f}/s"

    def quality_text(self) -> str:
        """Such as ``median 120 km, mean 824 km, 53.2 % accepted``."""
        return format_quality(self.median_km, self.mean_km, self.accept_rate)

    def failures_text(self) -> str:
        """Such as ``rate_limit 12, timeout 3``; empty where none failed."""
        return format_counts(self.failures)

    def cost_text(self) -> str:
        """Such as ``1.23, 0.0145 per trace; budget: 4.56 of 10.00``; empty without prices."""
        parts = []
        if self.cost is not None:
            text = format_cost_per_trace(self.cost, self.ended)
            parts.append(f"{text} (of counted tokens)" if self.usage.uncounted else text)
        if budget := self.budget_text():
            parts.append(f"budget: {budget}")
        return "; ".join(parts)

    def budget_text(self) -> str:
        """Such as ``4.56 of 10.00, 12,000 of 50,000 tokens``; empty without a limit."""
        budget = self._gauges.budget if self._gauges else None
        return "" if budget is None else budget.text()

    @property
    def paused(self) -> str | None:
        """Why nothing but single probes is sent; None while the teacher answers."""
        return self._gauges.paused if self._gauges else None

    def line(self) -> str:
        """All of it in one line."""
        parts = [f"traces: {self.progress_text()}", self.time_text()]
        parts += [f"requests: {self.requests_text()}", self.pace_text()]
        parts += [self.tokens_text(), self.quality_text()]
        if self.failures:
            parts.append(f"failed requests: {self.failures_text()}")
        if cost := self.cost_text():
            parts.append(f"cost {cost}")
        if self.paused:
            parts.append(f"paused: {self.paused}")
        return "; ".join(filter(None, parts))
