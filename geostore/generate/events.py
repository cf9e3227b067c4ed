"""Who is told how a generate run goes, and of what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from geostore.costs.budget import Budget
from geostore.costs.prices import Prices
from geostore.pace import Pace
from geostore.records import Closing, FailedAttempt, Reward, Sample, StoredTrace, TraceKey, Turn


@dataclass(frozen=True, slots=True)
class TraceEnd:
    """A trace that closed, as a watcher is told of it."""

    key: TraceKey
    sample: Sample
    closing: Closing
    reward: Reward | None


@dataclass(frozen=True, slots=True)
class Gauges:
    """What can be read off a run at any moment.

    ceiling: the most requests at a time that were asked for. prices: of the
    model, None where unknown. budget: None without a limit.
    """

    pace: Pace
    ceiling: int
    prices: Prices | None
    budget: Budget | None


class Watcher:
    """Who is told how a run goes; called in the event loop, after the store has it.

    This one heeds nothing; others override what they want to hear of.
    """

    @property
    def wants_traces(self) -> bool:
        """Whether `trace_ended` should be given the whole trace."""
        return False

    def started(self, gauges: Gauges) -> None:
        """The run has its pace and its budget, and is about to ask."""

    def tick(self) -> None:
        """Half a second or so has passed, whatever happened in it."""

    def notice(self, message: str) -> None:
        """Something a person should read."""

    def planned(self, traces: int) -> None:
        """How many traces the run is about, done ones included."""

    def found_done(self, traces: int) -> None:
        """So many more traces were found done, or cannot be had."""

    def turn(self, key: TraceKey, turn: Turn) -> None:
        """A response was paid for and is in the store."""

    def failure(self, key: TraceKey, attempt: FailedAttempt) -> None:
        """A request failed."""

    def trace_ended(self, end: TraceEnd, stored: StoredTrace | None) -> None:
        """A trace closed; `stored` where `wants_traces`."""


class Watchers(Watcher):
    """Several watchers as one, told in their order."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    @property
    def wants_traces(self) -> bool:
        """Whether any of them does."""
        return any(watcher.wants_traces for watcher in self._watchers)

    def started(self, gauges: Gauges) -> None:
        """Tell all."""
        self._tell(lambda watcher: watcher.started(gauges))

    def tick(self) -> None:
        """Tell all."""
        self._tell(lambda watcher: watcher.tick())

    def notice(self, message: str) -> None:
        """Tell all."""
        self._tell(lambda watcher: watcher.notice(message))

    def planned(self, traces: int) -> None:
        """Tell all."""
        self._tell(lambda watcher: watcher.planned(traces))

    def found_done(self, traces: int) -> None:
        """Tell all."""
        self._tell(lambda watcher: watcher.found_done(traces))

    def turn(self, key: TraceKey, turn: Turn) -> None:
        """Tell all."""
        self._tell(lambda watcher: watcher.turn(key, turn))

    def failure(self, key: TraceKey, attempt: FailedAttempt) -> None:
        """Tell all."""
        self._tell(lambda watcher: watcher.failure(key, attempt))

    def trace_ended(self, end: TraceEnd, stored: StoredTrace | None) -> None:
        """Tell all."""
        self._tell(lambda watcher: watcher.trace_ended(end, stored))

    def _tell(self, what: Callable[[Watcher], None]) -> None:
        for watcher in self._watchers:
            what(watcher)
