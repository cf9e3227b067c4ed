"""The formulas over arrays, for where SQLite cannot compute them: the same numbers.

``sql/store/rescore_traces.sql`` is the other place in which they stand; a test
compares the two. What is not known is NaN here and null there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geostore.rewards.formulas import (
    DISTANCE_KINDS,
    EARTH_RADIUS_KM,
    EXTRA_TERMS,
    GEOGUESSR_SCALE_KM,
    WEIGHTED,
)
from geostore.rewards.specs import RewardSpec

Floats = NDArray[np.float64]


def haversine_km(
    lat1: ArrayLike,
    lon1: ArrayLike,
    lat2: ArrayLike,
    lon2: ArrayLike,
    *,
    radius: float = EARTH_RADIUS_KM,
) -> Floats:
    """Great-circle distances in km of points in degrees, on a sphere of so many km; NaN for NaN."""
    first, second = np.radians(lat1), np.radians(lat2)
    across_lat = np.sin(np.radians(np.subtract(lat1, lat2)) / 2)
    across_lon = np.sin(np.radians(np.subtract(lon1, lon2)) / 2)
    root = np.sqrt(across_lat**2 + np.cos(first) * np.cos(second) * across_lon**2)
    # Rounding can lift a root above 1 near the antipode.
    return np.asarray(2 * radius * np.arcsin(np.minimum(1.0, root)), dtype=np.float64)


def geoguessr_points(km: ArrayLike) -> Floats:
    """Points of guesses so many km away: 5000 * exp(-km / 1492.7), whole numbers; NaN for NaN.

    Source: the community's curve for the world map, PIGEON (arXiv 2307.05845);
    GeoGuessr publishes none.
    """
    # Half up, as SQLite rounds; numpy's round takes halves to the even number.
    points = np.floor(5000 * np.exp(-np.asarray(km) / GEOGUESSR_SCALE_KM) + 0.5)
    return np.asarray(points, dtype=np.float64)


def scores(spec: RewardSpec, km: Floats, extras: Mapping[str, Floats]) -> Floats:
    """The scores of traces whose answers lie so many km from the truth (NaN: no answer).

    extras: by name of the term, for those of `formulas.EXTRA_TERMS` that the spec has: 0 or 1
    for ``parsed``, ``format`` and ``tool_use``, counts for ``turns`` and ``tokens``, and the
    share for ``tools``, NaN without a call. All arrays are of one length.
    """
    parameters = spec.parameters
    if spec.kind == WEIGHTED:
        found = np.zeros_like(km)
        for term in parameters["terms"]:
            found = found + term["weight"] * _term(term, parameters["unparsed"], km, extras)
    else:
        found = _of_distance(spec.kind, parameters, km)
    decimals = parameters["rounding"]
    if decimals is None:
        return found
    # As SQLite does it: by the digits of the number, which numpy's round does not look at.
    return np.array([float(f"{value:.{decimals}f}") for value in found], dtype=np.float64)


def needs_extras(spec: RewardSpec) -> bool:
    """Whether a spec has a term for which turns or tool calls have to be counted."""
    counted = EXTRA_TERMS.keys() - {"parsed", "format"}
    return any(term["term"] in counted for term in spec.parameters.get("terms", ()))


def _term(
    term: Mapping[str, Any], unparsed: float | None, km: Floats, extras: Mapping[str, Floats]
) -> Floats:
    kind = term["term"]
    if kind in DISTANCE_KINDS:
        found = _of_distance(kind, term, km)
        return found if unparsed is None else np.where(np.isnan(km), unparsed, found)
    values = extras[kind]
    if kind == "tools":
        return np.where(np.isnan(values), 1.0, values)
    return np.minimum(1.0, values / term["max"]) if "max" in term else values


def _of_distance(kind: str, parameters: Mapping[str, Any], km: Floats) -> Floats:
    if kind in ("geoguessr", "exponential"):
        found = np.exp(-km / parameters["scale"])
    elif kind == "linear":
        found = np.maximum(0.0, 1 - km / parameters["max"])
    elif kind == "threshold":
        found = np.where(km <= parameters["km"], 1.0, 0.0)
    else:
        kms, values = np.array(parameters["table"], dtype=np.float64).T
        if kind == "steps":
            found = np.append(values, 0.0)[np.searchsorted(kms, km)]
        else:
            found = np.interp(km, kms, values)
    return np.where(np.isnan(km), np.nan, found)
