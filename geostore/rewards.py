"""Reward specs, and the rewards that SQLite computes from them: only what is missing.

A spec is data: kind and parameters, named by their hash. A new spec adds rows
and leaves the others; a trace whose answer could not be read has a row without
distance, never one with 0 km or 20,000 km. The formulas stand in
``sql/store/rescore_traces.sql`` and take everything from the spec's row.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from geostore.errors import RewardError
from geostore.identity import canonical_text, content_hash
from geostore.records import Reward
from geostore.sqlfiles import load_sql
from geostore.store import utc_now
from geostore.store.errors import store_error

CODE_VERSION = 1
"""Of the formulas in SQL: raised when one changes, so that its rewards are new rows."""
EARTH_RADIUS_KM = 6371.0
GEOGUESSR_SCALE_KM = 1492.7

_TABLE = ((1.0, 1.0), (25.0, 0.8), (200.0, 0.6), (750.0, 0.4), (2500.0, 0.2))
_KINDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "geoguessr": {"scale": GEOGUESSR_SCALE_KM},
        "exponential": {"scale": 1000.0},
        "linear": {"max": 20000.0},
        "threshold": {"km": 1000.0},
        "steps": {"table": _TABLE},
        "piecewise": {"table": _TABLE},
    }
)
_COMMON: Mapping[str, Any] = MappingProxyType({"radius": EARTH_RADIUS_KM, "rounding": None})
DEFAULT_KIND = "geoguessr"
KINDS = tuple(_KINDS)


@dataclass(frozen=True, slots=True)
class RewardSpec:
    """A reward's definition; `make_spec` checks what goes into one.

    kind: the formula. With d the distance in km:
        ``geoguessr`` and ``exponential`` exp(-d / scale);
        ``linear`` max(0, 1 - d / max);
        ``threshold`` 1 where d <= km, else 0;
        ``steps`` the value of the first pair with d <= km, 0 past the last;
        ``piecewise`` straight lines through the pairs, and outside of them the
        nearest pair's value.
    parameters: those of the kind (km; `table` is ascending pairs of km and
        value), and of every kind `radius` (of the earth, km) and `rounding`
        (decimals of the score, None: as computed).
    code_version: of the formulas.
    name: for people; the hash does not cover it.
    """

    name: str
    kind: str
    parameters: dict[str, Any] = field(hash=False)
    code_version: int = CODE_VERSION

    @property
    def sha256(self) -> str:
        """Hash of all that decides the numbers."""
        return content_hash(
            {
                "kind": self.kind,
                "parameters": self.parameters,
                "code_version": self.code_version,
            }
        )


@dataclass(frozen=True, slots=True)
class RescoreResult:
    """computed: rewards written. found_done: traces that had theirs already."""

    computed: int
    found_done: int


# --- specs -----------------------------------------------------------------------------------


def make_spec(name: str = DEFAULT_KIND, params: Mapping[str, str] | None = None) -> RewardSpec:
    """The spec of a built-in kind; `params` as a command line gives them, such as scale=2000.

    A table is a JSON array of [km, value] pairs. A spec whose parameters are not
    the kind's own carries them in its name. Raises RewardError, which names what
    is allowed.
    """
    if name not in _KINDS:
        raise RewardError(f"no reward {name!r}; there are: {', '.join(KINDS)}")
    parameters = {**_KINDS[name], **_COMMON}
    changed = []
    for key, text in (params or {}).items():
        if key not in parameters:
            raise RewardError(
                f"{name} has no parameter {key!r}; it has: {', '.join(sorted(parameters))}"
            )
        value = _PARSERS[key](f"{name}'s {key}", text)
        if value != parameters[key]:
            parameters[key] = value
            changed.append(f"{key}={text.strip()}")
    suffix = f"({', '.join(sorted(changed))})" if changed else ""
    return RewardSpec(name=f"{name}{suffix}", kind=name, parameters=parameters)


def _number(what: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise RewardError(f"{what} must be a number, not {text!r}") from error
    if not math.isfinite(value):
        raise RewardError(f"{what} must be a finite number, not {text!r}")
    return value


def _positive(what: str, text: str) -> float:
    value = _number(what, text)
    if value <= 0:
        raise RewardError(f"{what} must be above 0 km, not {text!r}")
    return value


def _not_negative(what: str, text: str) -> float:
    value = _number(what, text)
    if value < 0:
        raise RewardError(f"{what} must not be below 0 km, not {text!r}")
    return value


def _decimals(what: str, text: str) -> int | None:
    if text.strip() == "none":
        return None
    if not (text.strip().isascii() and text.strip().isdigit() and int(text) <= 15):
        raise RewardError(f"{what} must be a number of decimals (0 to 15) or none, not {text!r}")
    return int(text)


def _table(what: str, text: str) -> tuple[tuple[float, float], ...]:
    wanted = f"{what} must be JSON pairs of km and value, such as [[1, 1], [25, 0.8], [200, 0]]"
    try:
        pairs = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RewardError(f"{wanted}; not {text!r}") from error
    if not isinstance(pairs, list) or not pairs:
        raise RewardError(f"{wanted}; not {text!r}")
    table: list[tuple[float, float]] = []
    for pair in pairs:
        if not isinstance(pair, list) or [type(v) in (int, float) for v in pair] != [True, True]:
            raise RewardError(f"{wanted}; not {pair!r}")
        km, value = _not_negative(what, str(pair[0])), _number(what, str(pair[1]))
        if table and km <= table[-1][0]:
            raise RewardError(f"{what} must have ascending km, but {km:g} follows {table[-1][0]:g}")
        table.append((km, value))
    return tuple(table)


_PARSERS: Mapping[str, Callable[[str, str], Any]] = MappingProxyType(
    {
        "scale": _positive,
        "max": _positive,
        "km": _not_negative,
        "table": _table,
        "radius": _positive,
        "rounding": _decimals,
    }
)


def ensure_spec(connection: sqlite3.Connection, spec: RewardSpec) -> int:
    """Record a spec by its hash; its id. Begins no transaction of its own."""
    connection.execute(
        load_sql("store", "put_reward_spec"),
        {
            "sha256": spec.sha256,
            "name": spec.name,
            "kind": spec.kind,
            "parameters": canonical_text(spec.parameters),
            "code_version": spec.code_version,
            "now": utc_now(),
        },
    )
    row = connection.execute(load_sql("store", "get_reward_spec"), {"sha256": spec.sha256})
    return int(row.fetchone()[0])


def ensure_default_spec(connection: sqlite3.Connection) -> int:
    """The id of the store's default spec; a store without one gets geoguessr.

    Raises RewardError where the default is of a kind that is not known here.
    """
    find = load_sql("store", "find_default_reward_spec")
    row = connection.execute(find).fetchone()
    if row is None:
        spec_id = ensure_spec(connection, make_spec())
        connection.execute(load_sql("store", "make_reward_spec_default"), {"spec_id": spec_id})
        # Read again: another process may have been first.
        row = connection.execute(find).fetchone()
    spec_id, kind = row
    if kind not in _KINDS:
        raise RewardError(
            f"the store's default reward is of the kind {kind!r}, which this geostore does not "
            "know; upgrade geostore"
        )
    return int(spec_id)


# --- rewards ---------------------------------------------------------------------------------


def score_trace(connection: sqlite3.Connection, trace_id: int, spec_id: int) -> Reward:
    """Compute one trace's reward in the caller's transaction, unless it is there.

    Raises RewardError where the trace has no answer.
    """
    ensure_math_functions(connection)
    _score(connection, spec_id, after=trace_id - 1, last=trace_id)
    row = connection.execute(
        load_sql("store", "get_reward"), {"trace_id": trace_id, "spec_id": spec_id}
    ).fetchone()
    if row is None:
        raise RewardError(f"trace {trace_id} has no answer yet, so there is no reward to compute")
    return Reward(distance_km=row[0], score=row[1], geoguessr_points=row[2])


def rescore(
    connection: sqlite3.Connection,
    spec: RewardSpec,
    *,
    trace_id: int | None = None,
    batch: int = 50_000,
    progress: Callable[[int, int], None] | None = None,
) -> RescoreResult:
    """Compute the rewards of a spec that are missing, or older than their answer.

    Safe beside a running generate: each batch of at most so many traces is a
    transaction of its own, and one that is stopped goes on where it was.
    trace_id: only this one. progress: told the rewards computed, of how many.
    Raises StoreError where the store cannot be written.
    """
    try:
        ensure_math_functions(connection)
        spec_id = ensure_spec(connection, spec)
        after, last = (0, None) if trace_id is None else (trace_id - 1, trace_id)
        answered, pending = connection.execute(
            load_sql("store", "rescore_count"), {"spec_id": spec_id, "after": after, "last": last}
        ).fetchone()
        computed = 0
        while True:
            end = connection.execute(
                load_sql("store", "rescore_bounds"),
                {"spec_id": spec_id, "after": after, "last": last, "batch": batch},
            ).fetchone()[0]
            if end is None:
                break
            connection.execute("begin immediate")
            try:
                computed += _score(connection, spec_id, after=after, last=end)
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise
            after = end
            if progress is not None:
                # A generate beside this may have closed more traces meanwhile.
                progress(computed, max(pending, computed))
    except sqlite3.Error as error:
        raise store_error(error, _path(connection)) from error
    return RescoreResult(computed=computed, found_done=answered - pending)


def _score(connection: sqlite3.Connection, spec_id: int, *, after: int, last: int) -> int:
    """Compute what is missing for the traces with ids in (after, last]; how many."""
    return connection.execute(
        load_sql("store", "rescore_traces"),
        {"spec_id": spec_id, "after": after, "last": last, "now": utc_now()},
    ).rowcount


def _path(connection: sqlite3.Connection) -> Path:
    return Path(connection.execute("pragma database_list").fetchone()[2])


# --- SQLite's math functions -----------------------------------------------------------------

_MATH: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "sin": math.sin,
        "cos": math.cos,
        "asin": math.asin,
        "exp": math.exp,
        "radians": math.radians,
        "sqrt": math.sqrt,
    }
)


def has_math_functions(connection: sqlite3.Connection) -> bool:
    """Whether this connection can compute sin, exp and the like; they are a build option."""
    try:
        connection.execute(load_sql("store", "probe_math"))
    except sqlite3.OperationalError:
        return False
    return True


def ensure_math_functions(connection: sqlite3.Connection) -> None:
    """Give a connection whose SQLite was built without them Python's, which are slower."""
    if not has_math_functions(connection):
        for name, function in _MATH.items():
            connection.create_function(name, 1, _or_null(function), deterministic=True)


def _or_null(function: Callable[[float], float]) -> Callable[[float | None], float | None]:
    return lambda value: None if value is None else function(value)


# --- the same formulas in Python, for what is no row ----------------------------------------


def haversine_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance in km of two points in degrees, on a sphere of 6371.0 km."""
    across_lat = math.sin(math.radians(lat1 - lat2) / 2)
    across_lon = math.sin(math.radians(lon1 - lon2) / 2)
    shrink = math.cos(math.radians(lat1)) * math.cos(math.radians(lat2))
    root = math.sqrt(across_lat**2 + shrink * across_lon**2)
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, root))


def geoguessr_points(km: float) -> int:
    """Points of a guess so many km away: 5000 * exp(-km / 1492.7), a whole number.

    Source: the community's curve for the world map, PIGEON (arXiv 2307.05845);
    GeoGuessr publishes none.
    """
    # Half up, as SQLite rounds; Python's round takes halves to the even number.
    return math.floor(5000 * math.exp(-km / GEOGUESSR_SCALE_KM) + 0.5)
