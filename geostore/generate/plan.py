"""What a run is to do, and what it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from geostore.generate.rollout import Patience
from geostore.records import Status
from geostore.sampling.orders import Draw
from geostore.store import Retry


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to do.

    num_samples: how many usable samples, from the first of the drawing order;
    None: all. rollouts: per sample. turn_limit: turns per trace. concurrency:
    traces in flight, and the most requests. duplicates: use a photo again that
    stands in several rows.
    retry: kinds of closed traces that are taken up again. grace: seconds that
    requests in flight are waited for once the run is asked to stop. rpm, tpm:
    requests and tokens a minute at most. give_up_after: seconds without any
    success after which the run ends; None: never.
    """

    num_samples: int | None = 10
    rollouts: int = 1
    turn_limit: int = 10
    concurrency: int = 16
    draw: Draw = field(default_factory=Draw)
    duplicates: bool = False
    retry: tuple[Retry, ...] = ()
    patience: Patience = field(default_factory=Patience)
    grace: float = 120.0
    rpm: float | None = None
    tpm: float | None = None
    give_up_after: float | None = None


@dataclass(slots=True)
class Tally:
    """What a run did, counted in traces.

    done: needed nothing. closed: by this run, by status. interrupted: left open
    by this run. elsewhere: claimed by another process. excluded: dataset rows
    that cannot be used, by reason. stopped: the run was asked to stop, or its
    budget is used up, which `paused` says in a sentence.
    """

    done: int = 0
    closed: Counter[Status] = field(default_factory=Counter)
    interrupted: int = 0
    elsewhere: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    stopped: bool = False
    paused: str | None = None
