"""The figures of a run so far, counted from its events."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable

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
from geostore.records import ACCEPTED_SCORE, PROBE, Reward
from geostore.text.phrases import format_cost_per_trace, format_counts, format_pace, format_quality

_WINDOW_SECONDS = 60


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
        self._measured = 0
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
                self.ended += 1
                if event.reward is not None:
                    self._add_reward(event.reward)
            case _:
                pass

    def _add_reward(self, reward: Reward) -> None:
        if reward.distance_km is not None:
            self._sum_km += reward.distance_km
            self._measured += 1
        self._accepted += (reward.score or 0.0) >= ACCEPTED_SCORE

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
        return self._sum_km / self._measured if self._measured else None

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
        """Such as ``12/500 traces, 3.0/min, about 2 h 42 min left``."""
        parts = [f"{self.ended:,}/{self.to_do:,} traces"]
        if self.done_before:
            parts.append(f"{self.done_before:,} done before")
        parts.append(format_pace(self.per_minute, self.left_seconds))
        return ", ".join(parts)

    def requests_text(self) -> str:
        """Such as ``14 in flight, 16 at a time of 64``."""
        if self._gauges is None:
            return "none yet"
        level, ceiling = self._gauges.level, self._gauges.ceiling
        text = f"{self._gauges.in_flight:,} in flight, {level:,} at a time"
        return text if level >= ceiling else f"{text} of {ceiling:,}"

    def tokens_text(self) -> str:
        """Such as ``1,234,567 tokens, 4,321/s``; ``about`` where some of them are estimated."""
        usage = self.usage
        about = "about " if usage.uncounted else ""
        tokens = usage.total_tokens + usage.estimated_tokens
        return f"{about}{tokens:,} tokens, {self.tokens_per_second:,.0f}/s"

    def quality_text(self) -> str:
        """Such as ``mean 824 km, 53.2 % accepted``."""
        return format_quality(self.mean_km, self.accept_rate)

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
        """Tokens, quality, failures and cost in one line."""
        parts = [self.tokens_text(), self.quality_text()]
        if self.failures:
            parts.append(f"failed requests: {self.failures_text()}")
        if cost := self.cost_text():
            parts.append(f"cost {cost}")
        return "; ".join(parts)
