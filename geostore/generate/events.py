"""What happens in a generate run, as plain values that a watcher receives.

An event holds numbers and records only, so it can be written to a file or sent
to another process. A run gives each event to each of its watchers, in order, and
only after the store has what the event says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from geostore.costs.budget import BudgetUse
from geostore.costs.prices import Prices
from geostore.generate.plan import RunResult
from geostore.pace import Hold
from geostore.records import (
    Closing,
    FailedAttempt,
    Reward,
    Sample,
    StoredTrace,
    ToolCall,
    TraceKey,
    Turn,
)


@dataclass(frozen=True, slots=True)
class Gauges:
    """What a run shows at one moment."""

    in_flight: int
    """Requests that were sent and are not answered yet."""

    level: int
    """How many requests may be in flight now, from 1 to `ceiling`."""

    ceiling: int
    """How many requests the user lets be in flight at most."""

    paused: str | None
    """Why nothing but single probes is sent, in words; None while the teacher answers."""

    prices: Prices | None
    """Of the model; None where unknown."""

    budget: BudgetUse | None
    """How far the budget is used; None without a limit."""

    held_by: Hold | None = None
    """What holds back the requests that wait, as `Pace.held_by`; None where none waits."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The process begins to work on a request; nothing was opened yet."""

    pid: int
    """The process id."""


@dataclass(frozen=True, slots=True)
class AskingStarted:
    """Dataset, store and budget are open, and requests may be sent from now on."""

    gauges: Gauges
    """At this moment."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """About half a second has passed; sent whether or not anything happened."""

    gauges: Gauges
    """At this moment."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something that a person should read."""

    message: str
    """One sentence."""

    at_end: bool = False
    """Whether the run ends for it at once, and its last lines say it to a person."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The run knows how many traces its plan is about."""

    traces: int
    """Of the whole plan, those that are done already included."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What the run is about to do; nothing was asked yet."""

    lines: tuple[tuple[str, str], ...]
    """A label and a text each, for people: dataset, columns, photos, recipe, teacher, store, to do.
    """


@dataclass(frozen=True, slots=True)
class FoundDone:
    """Traces of the plan need no work from this run."""

    traces: int
    """How many more were found; another process may hold some of them."""


@dataclass(frozen=True, slots=True)
class TurnCommitted:
    """A response is in the store."""

    key: TraceKey
    """The trace it belongs to."""

    turn: Turn
    """The response."""


@dataclass(frozen=True, slots=True)
class CallCommitted:
    """A tool call and its result are in the store."""

    key: TraceKey
    """The trace it belongs to."""

    call: ToolCall
    """The call and its result."""


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A failed attempt is in the store.

    Mostly a request; also a photo that cannot be used, a tool that crashed, or a
    trace that took too long.
    """

    key: TraceKey
    """The trace it belongs to."""

    attempt: FailedAttempt
    """What failed and why."""

    ends_run: bool = False
    """Whether the run ends for it, and says so in the same words."""


@dataclass(frozen=True, slots=True)
class TraceEnded:
    """A trace closed."""

    key: TraceKey
    """The trace."""

    sample: Sample
    """The dataset row it is about."""

    closing: Closing
    """Its status and why."""

    reward: Reward | None
    """Under the store's default reward; None for a failed trace."""

    trace: StoredTrace | None
    """The whole trace; None unless the run was asked to send whole traces."""


@dataclass(frozen=True, slots=True)
class AskingEnded:
    """No request is in flight, and none is sent any more."""

    gauges: Gauges
    """At this moment."""

    result: RunResult
    """What the run did, also where an error ends it."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The process is done with the request; the last event."""

    error: str | None = None
    """The class of the error that ended the run; None where none did."""

    message: str | None = None
    """The error's message; None without an error."""


Event = (
    RunStarted
    | AskingStarted
    | Ticked
    | Noticed
    | Planned
    | Understood
    | FoundDone
    | TurnCommitted
    | CallCommitted
    | RequestFailed
    | TraceEnded
    | AskingEnded
    | RunEnded
)


class Watcher(Protocol):
    """Whoever wants to know how a run goes."""

    def watch(self, event: Event) -> None:
        """Take an event. Called in the event loop, so it must not block for long."""


class Watchers:
    """Gives each event to every watcher. One that fails gets no more of them.

    A log on a full disk or a terminal that was closed must not end a run whose
    responses are paid for.
    """

    def __init__(self, watchers: Iterable[Watcher]) -> None:
        self._watchers = list(watchers)

    def watch(self, event: Event) -> None:
        """Give an event to all; where one fails, tell the others once."""
        dropped = []
        for watcher in tuple(self._watchers):
            try:
                watcher.watch(event)
            except Exception as error:
                self._watchers.remove(watcher)
                name = type(watcher).__name__
                reason = str(error) or type(error).__name__
                dropped.append(Noticed(f"{name} failed and gets no more of this run: {reason}"))
        for notice in dropped:
            self.watch(notice)
