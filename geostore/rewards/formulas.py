"""The kinds of reward that need no code: their parameters and what they mean.

The formulas themselves stand in ``sql/store/rescore_traces.sql``; here is what that takes from a
spec.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from geostore.earth import EARTH_RADIUS_KM
from geostore.errors import RewardError

WGS84 = "wgs84"
"""In the place of a radius: distances are geodesics on that ellipsoid."""
GEOGUESSR_SCALE_KM = 1492.7
DEFAULT_KIND = "geoguessr"
WEIGHTED = "weighted"

_TABLE = ((1.0, 1.0), (25.0, 0.8), (200.0, 0.6), (750.0, 0.4), (2500.0, 0.2))

DISTANCE_KINDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "geoguessr": {"scale": GEOGUESSR_SCALE_KM},
        "exponential": {"scale": 1000.0},
        "linear": {"max": 20000.0},
        "threshold": {"km": 1000.0},
        "steps": {"table": _TABLE},
        "piecewise": {"table": _TABLE},
    }
)
"""Kinds that are a function of the distance, with their parameters and the defaults of these."""

EXTRA_TERMS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "parsed": {},
        "format": {},
        "tools": {},
        "tool_use": {},
        "country": {},
        "region": {},
        "city": {},
        "said_country": {},
        "said_region": {},
        "said_city": {},
        "named": {"least": 2},
        "cut": {},
        "think_answer": {},
        "locatability": {},
        "constant": {},
        "turns": {"max": 10.0},
        "tokens": {"max": 4096.0},
    }
)
"""Terms of a weighted reward that need no distance, likewise."""

PLACE_TERMS = ("country", "region", "city", "said_country", "said_region", "said_city")
"""Terms that compare with the place of the truth, which the gazetteer gives."""

OPTIONAL: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"threshold": {"border": "in"}, "steps": {"border": "in"}}
)
"""Parameters that a spec holds only where they differ from these defaults, by kind."""

COMMON: Mapping[str, Any] = MappingProxyType({"radius": EARTH_RADIUS_KM, "rounding": None})
"""Parameters of every kind."""

KINDS = (*DISTANCE_KINDS, WEIGHTED)
TERMS = (*DISTANCE_KINDS, *EXTRA_TERMS)

FORMULAS: Mapping[str, str] = MappingProxyType(
    {
        "geoguessr": "exp(-d / scale)",
        "exponential": "exp(-d / scale)",
        "linear": "max(0, 1 - d / max)",
        "threshold": "1 where d <= km, else 0; with border=out d < km",
        "steps": "the value of the first [km, value] with d <= km, 0 past the last; "
        "with border=out d < km",
        "piecewise": "straight lines through the [km, value], the nearest value outside of them",
        "weighted": "the sum of weight * term over the terms that count: NAME.if and NAME.unless "
        "name terms on which the term NAME depends",
        "parsed": "1 where coordinates were read, else 0",
        "format": "1 where they were read from a box or an answer tag, else 0",
        "tools": "the share of tool calls that gave a result; 1 without a call",
        "tool_use": "1 where a tool call gave a result, else 0",
        "country": "1 where the point lies in the true country, else 0; unknown where the true "
        "point has no country",
        "region": "1 where the point lies in the true region, else 0; unknown where the true "
        "point has no region",
        "city": "1 where the point's nearest city is the true one, else 0; unknown where "
        "the true point has no city",
        "said_country": "1 where the answer's words name the true country, else 0; unknown "
        "where the true point has no country",
        "said_region": "1 where they name the true region, else 0; unknown where the true point "
        "has no region",
        "said_city": "1 where they name the true city, else 0; unknown where the true point has "
        "no city",
        "named": "1 where they state at least so many of country, region and city, else 0",
        "cut": "1 where a tool call cut a part out of an image, else 0",
        "think_answer": "1 where the final response is reasoning and then <answer>...</answer>, "
        "else 0",
        "locatability": "the dataset's locatability, 0 to 1; unknown where it has none",
        "constant": "1",
        "turns": "turns / max, at most 1",
        "tokens": "completion tokens of all turns / max, at most 1; unknown where not said",
        "custom": "a function of the user's; its source is hashed into the spec",
        "imported": "as the imported files gave it",
    }
)
"""What each kind and each term computes, d being the distance in km."""


def distance_parameters(kind: str, params: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """All parameters of a kind, and those that differ from its defaults as ``name=value``.

    params: as a command line gives them. Raises RewardError, which names what is allowed.
    """
    parameters = {**DISTANCE_KINDS[kind], **COMMON}
    defaults = {**parameters, **OPTIONAL.get(kind, {})}
    changed = []
    for key, text in params.items():
        if key not in defaults:
            known = ", ".join(sorted(defaults))
            raise RewardError(f"{kind} has no parameter {key!r}; it has: {known}")
        value = read_value(key, f"{kind}'s {key}", text)
        if value != defaults[key]:
            parameters[key] = value
            changed.append(f"{key}={text.strip()}")
    return parameters, changed


# --- values ----------------------------------------------------------------------------------


def read_value(parameter: str, what: str, text: str) -> Any:
    """The value of a parameter, or of a term's ``weight``, as it is kept in a spec.

    what: names it in the error. Raises RewardError for a text that is none.
    """
    return _PARSERS[parameter](what, text)


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
        raise RewardError(f"{what} must be above 0, not {text!r}")
    return value


def _not_negative(what: str, text: str) -> float:
    value = _number(what, text)
    if value < 0:
        raise RewardError(f"{what} must not be below 0, not {text!r}")
    return value


def _radius(what: str, text: str) -> float | str:
    if text.strip().lower() == WGS84:
        return WGS84
    try:
        return _positive(what, text)
    except RewardError as error:
        raise RewardError(f"{error}; or {WGS84}, for distances on that ellipsoid") from error


def _decimals(what: str, text: str) -> int | None:
    if text.strip() == "none":
        return None
    if not (text.strip().isascii() and text.strip().isdigit() and int(text) <= 15):
        raise RewardError(f"{what} must be a number of decimals (0 to 15) or none, not {text!r}")
    return int(text)


def _number_or_none(what: str, text: str) -> float | None:
    return None if text.strip() == "none" else _number(what, text)


def _count(what: str, text: str) -> int:
    if text.strip() not in ("1", "2", "3"):
        raise RewardError(f"{what} must be 1, 2 or 3, not {text!r}")
    return int(text)


def _border(what: str, text: str) -> str:
    if text.strip() not in ("in", "out"):
        raise RewardError(
            f"{what} must be in, where a distance of exactly km counts, or out, where it does not; "
            f"not {text!r}"
        )
    return text.strip()


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
        "radius": _radius,
        "rounding": _decimals,
        "border": _border,
        "least": _count,
        "unparsed": _number_or_none,
        "weight": _number,
    }
)
