"""A trace in one line, as lists of traces show it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from geostore.records import Status
from geostore.store.db import Row

Order = Literal["newest", "best", "worst"]
"""``newest``: closed last, an open trace when it was made. ``best``: by score, then by distance;
``worst``: the other way round, with a trace without coordinates as 20,000 km, and as score 0 unless
the reward gives it a score. What has no score yet comes last in both."""


@dataclass(frozen=True, slots=True)
class TraceLine:
    """What a list shows of a trace; names as in the view ``trace_results``."""

    trace_id: int
    """Of its row, which is of this store alone."""
    trace: str
    """Its public name."""
    dataset: str
    """The name of its dataset."""
    sample_index: int
    """Row number in the dataset, from 0."""
    country: str | None
    """As the dataset writes it; None: not known."""
    locatability_score: float | None
    """How easy the photo is to locate, 0 (hard) to 1 (easy); None: not known."""
    lat: float
    """The truth, in degrees north."""
    lon: float
    """The truth, in degrees east."""
    recipe: str
    """The first 8 hex of the recipe's hash."""
    model: str | None
    """None where an imported file does not say."""
    with_tools: bool | None
    """Whether the recipe offers tools; None where an imported file does not say."""
    rollout: int
    """From 1."""
    status: Status
    """``open``, ``answered``, ``exhausted`` or ``failed``."""
    stop_reason: str | None
    """As `records.Closing.reason`; None while it is open."""
    answer_lat: float | None
    """The guess, in degrees north; None without coordinates."""
    answer_lon: float | None
    """The guess, in degrees east; None without coordinates."""
    answer_failure: str | None
    """Why no coordinates could be read; None where they were, and without an answer."""
    failure: bool | None
    """Whether it ended without coordinates; None while it is open."""
    distance_km: float | None
    """Of the guess from the truth; None without coordinates."""
    score: float | None
    """Of the reward that counts; None where it is missing."""
    geoguessr_points: int | None
    """0 to 5000; None as `distance_km`."""
    distance_km_or_20000: float | None
    """The distance, with a failure as 20,000 km; None while it is open or has no reward."""
    score_or_0: float | None
    """The score, with a failure as 0; None while it is open or has no reward."""
    turns: int
    """Responses of the teacher."""
    tool_calls: int
    """Calls in them, also those that failed."""
    total_tokens: int | None
    """Sum over the turns; None where the server counted none."""
    closed_at: str | None
    """ISO-8601, UTC; None while it is open."""

    def to_json(self) -> dict[str, Any]:
        """All of it but the id."""
        members = asdict(self)
        del members["trace_id"]
        return members


@dataclass(frozen=True, slots=True)
class TraceList:
    """The first traces of those that a filter keeps."""

    lines: tuple[TraceLine, ...]
    """In the order that was asked for."""
    total: int
    """How many traces the filter keeps."""


def trace_line(row: Row) -> TraceLine:
    """From a row of listed_traces."""
    members = dict(row)
    for name in ("with_tools", "failure"):
        if members[name] is not None:
            members[name] = bool(members[name])
    return TraceLine(**members)
