"""Who is told how a generate run goes, and of what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from geostore.records import Closing, FailedAttempt, Reward, Sample, StoredTrace, TraceKey, Turn


@dataclass(frozen=True, slots=True)
class TraceEnd:
    """A trace that closed, as a watcher is told of it."""

    key: TraceKey
    sample: Sample
    closing: Closing
    reward: Reward | None


class Watcher(Protocol):
    """Who is told how a run goes; called in the event loop, after the store has it."""

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

    @property
    def wants_traces(self) -> bool:
        """Whether `trace_ended` should be given the whole trace."""


class Watchers:
    """Several watchers as one, told in their order."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    @property
    def wants_traces(self) -> bool:
        """Whether any of them does."""
        return any(watcher.wants_traces for watcher in self._watchers)

    def notice(self, message: str) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.notice(message)

    def planned(self, traces: int) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.planned(traces)

    def found_done(self, traces: int) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.found_done(traces)

    def turn(self, key: TraceKey, turn: Turn) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.turn(key, turn)

    def failure(self, key: TraceKey, attempt: FailedAttempt) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.failure(key, attempt)

    def trace_ended(self, end: TraceEnd, stored: StoredTrace | None) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.trace_ended(end, stored)
