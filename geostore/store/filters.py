"""Which traces to read: the one filter of exports, of the Python face and of a rescore."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, get_args

from geostore.errors import FilterError
from geostore.records import Status
from geostore.text.nearest import did_you_mean

ENDED: tuple[Status, ...] = ("answered", "exhausted")
"""The statuses of traces that ended with a response."""

_STATUSES: tuple[Status, ...] = get_args(Status)
_EXAMPLES = {
    "min_score": 0.3,
    "max_distance_km": 25,
    "recipe": "4e0b8a39",
    "reward": "geoguessr",
    "model": "Qwen/*",
    "since": "12h",
    "where": "turns > 2",
    "min_turns": 2,
    "max_turns": 6,
    "max_tokens": 16_000,
    "require_tools": True,
}
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


_LARGEST = 2**63 - 1
_COUNTS = ("min_turns", "max_turns", "max_tokens")
_OPTIONAL_MEMBERS = frozenset({"model", "flags", "since", "where", *_COUNTS, "require_tools"})


@dataclass(frozen=True, slots=True)
class Filter:
    """Which traces to read: those that meet every condition. None: no such condition."""

    min_score: float | None = None
    """The least score. Leaves out traces whose final response could not be parsed, unless the
    reward gives them a score."""
    max_distance_km: float | None = None
    """Only smaller distances, in km. Leaves out traces whose response could not be parsed."""
    recipe: str | None = None
    """The start of the recipe's hash, in hex."""
    reward: str | None = None
    """The reward spec whose scores count and are carried: its name, or the start of its hash.
    None: the store's default."""
    statuses: tuple[Status, ...] | None = ENDED
    """The statuses to keep."""
    exclude_flags: tuple[str, ...] = ()
    """Checks of an audit. Traces that one of them flagged are left out."""
    model: str | None = None
    """The teacher's name, in which ``*`` stands for any text and ``?`` for one character. Leaves
    out imported traces whose files do not name the model."""
    flags: tuple[str, ...] = ()
    """Checks of an audit. Only traces that one of them flagged are kept; empty: no such condition.
    """
    since: str | None = None
    """Only traces closed at or after this time, as `moment` writes it."""
    where: str | None = None
    """One SQL expression over the columns of the view ``trace_results``, such as ``turns > 2``. Its
    ``score``, ``distance_km`` and ``geoguessr_points`` are those of `reward`."""
    min_turns: int | None = None
    """The least number of responses."""
    max_turns: int | None = None
    """The greatest number of responses."""
    max_tokens: int | None = None
    """The most tokens of the last request and its response, which hold the whole conversation:
    as the server counted them, else as estimated."""
    require_tools: bool = False
    """Whether to keep only traces in which a tool call gave a result."""

    def to_json(self) -> dict[str, Any]:
        """The conditions as an object of JSON; those after `exclude_flags` only where set."""
        members = asdict(self)
        return {
            name: value for name, value in members.items() if value or name not in _OPTIONAL_MEMBERS
        }


class Conditions(TypedDict, total=False):
    """The conditions of a `Filter` as keyword arguments, written as a person writes them."""

    status: Status | Sequence[Status] | None
    """One status or several; None for all that can be asked for."""
    min_score: float | None
    max_distance_km: float | None
    recipe: str | None
    reward: str | None
    model: str | None
    flags: str | Sequence[str]
    """One check of an audit or several."""
    exclude_flags: str | Sequence[str]
    """One check of an audit or several."""
    since: str | datetime | None
    """A time that `moment` reads, such as ``2026-10-01`` or ``12h``."""
    where: str | None
    min_turns: int | None
    max_turns: int | None
    max_tokens: int | None
    require_tools: bool


def make_filter(
    conditions: Conditions,
    *,
    statuses: tuple[Status, ...] | None,
    beside: Sequence[str] = (),
) -> Filter:
    """The filter that keyword arguments mean.

    statuses: those that count where `conditions` names no status. beside: further names that the
    caller knows, one of which may be meant where a name is misspelt. Raises
    FilterError for a time that cannot be read and for an unknown status, TypeError for an unknown
    name or a value of another type; each names what is meant.
    """
    members: dict[str, Any] = dict(conditions)
    check_names(members, Conditions.__annotations__, beside=beside)
    _check_types(members)
    status = members.pop("status", None)
    since = members.pop("since", None)
    for name in ("flags", "exclude_flags"):
        members[name] = _several(members.get(name) or ())
    if status is not None:
        statuses = _several(status)
        for one in statuses:
            if one not in _STATUSES:
                raise FilterError(f"no status {one!r}{_nearest(one, _STATUSES)}")
    if isinstance(since, datetime):
        since = since.isoformat()
    return Filter(statuses=statuses, since=None if since is None else moment(since), **members)


def check_names(
    members: Iterable[str], known: Collection[str], *, beside: Sequence[str] = ()
) -> None:
    """Raise TypeError for a keyword that is not known; it names what may be meant, also beside."""
    for name in members:
        if name not in known:
            raise TypeError(f"no condition {name!r}{_nearest(name, [*beside, *known])}")


def _check_types(conditions: Mapping[str, Any]) -> None:
    """Raise TypeError for a condition of another type."""
    for name, value in conditions.items():
        if value is None:
            continue
        if name in ("min_score", "max_distance_km"):
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise TypeError(f"{name} is a number, such as {_EXAMPLES[name]}, and not {value!r}")
            if not math.isfinite(value):
                raise FilterError(f"{name} is a finite number, and not {value!r}")
        elif name in _COUNTS:
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(
                    f"{name} is a whole number, such as {_EXAMPLES[name]}, and not {value!r}"
                )
            if not -_LARGEST <= value <= _LARGEST:
                raise FilterError(f"{name} is too large: whole numbers have 64 bits")
        elif name == "require_tools":
            if not isinstance(value, bool):
                raise TypeError(f"{name} is True or False, and not {value!r}")
        elif name in ("status", "flags", "exclude_flags"):
            several = _several(value) if isinstance(value, Iterable) else (None,)
            if not all(isinstance(one, str) for one in several):
                raise TypeError(f"{name} is a name or a list of names, and not {value!r}")
        elif not isinstance(value, str) and not (name == "since" and isinstance(value, datetime)):
            raise TypeError(f"{name} is a text, such as {_EXAMPLES[name]!r}, and not {value!r}")


def _several(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _nearest(word: object, words: Collection[str]) -> str:
    return f"{did_you_mean(str(word), words)}; there are: {', '.join(words)}"


def moment(text: str, *, now: datetime | None = None) -> str:
    """A time as ISO-8601 UTC text, which sorts: from ``2026-10-01``, with a time, or ``90m`` ago.

    Units of a time ago: s, m, h, d, w. A time without an offset is UTC. Raises FilterError.
    """
    if ago := _AGO.fullmatch(text.strip()):
        seconds = float(ago[1]) * _SECONDS[ago[2]]
        try:
            time = (now or datetime.now(UTC)) - timedelta(seconds=seconds)
        except OverflowError as error:
            raise FilterError(f"{text!r} ago is before the year 1: write a later time") from error
    else:
        try:
            time = datetime.fromisoformat(text.strip())
            time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        except (ValueError, OverflowError) as error:
            raise FilterError(
                f"{text!r} is no time; write 2026-10-01, 2026-10-01T12:00, or 90m, 12h, 3d ago"
            ) from error
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
