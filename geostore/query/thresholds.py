"""The distances of accuracy: how close an answer has to be to count as right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

from geostore.errors import QueryError

USUAL_KM: tuple[float, ...] = (1.0, 25.0, 200.0, 750.0, 2500.0)
"""Street, city, region, country and continent, as most of the field reports them."""

_FARTHEST_KM = 20_038.0
"""No two places on Earth are farther apart: half of the equator."""


def read_km(text: str) -> tuple[float, ...]:
    """Distances as an option writes them, such as ``0.5,1,25``. Raises QueryError."""
    values = []
    for part in text.split(","):
        try:
            values.append(float(part))
        except ValueError:
            raise QueryError(
                f"{part.strip()!r} is not a number; give distances in km with commas between "
                "them, such as 0.5,1,25"
            ) from None
    return check_km(values)


def check_km(values: Iterable[float]) -> tuple[float, ...]:
    """The distances as numbers, the nearest first.

    Raises QueryError for what is no row of numbers, none at all, one that no answer can be within,
    and one given twice.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise QueryError(
            f"km is a list of distances in km, such as [0.5, 1, 25], and not {values!r}"
        )
    distances = sorted(map(_distance, values))
    if not distances:
        raise QueryError("no distance is given; name at least one in km, such as 25")
    for km in distances:
        if not 0 < km <= _FARTHEST_KM:  # also where it is NaN
            raise QueryError(
                f"{format_km(km)} km is no distance to be within; it is above 0 and at most "
                f"{_FARTHEST_KM:,.0f} km, which is half of the equator"
            )
    for km, following in itertools.pairwise(distances):
        if km == following:
            raise QueryError(f"{format_km(km)} km is given twice; name each distance once")
    return tuple(distances)


def _distance(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number ends below
    except (TypeError, ValueError) as error:
        raise QueryError(
            f"{value!r} is not a number; give distances in km, such as [0.5, 1, 25]"
        ) from error


def format_km(km: float) -> str:
    """A distance as it stands in names such as ``acc_0.5_km``: without zeros that say nothing."""
    return f"{km:.0f}" if math.isfinite(km) and km == int(km) else repr(km)
