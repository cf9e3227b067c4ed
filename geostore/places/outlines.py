"""How far a point is from a country, over all edges of its border: for single points."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from geostore.places.borders import borders
from geostore.places.sphere import chords_km, directions, normals, squared_chords_to_edges
from geostore.places.territories import TERRITORIES

Floats = NDArray[np.float64]


def country_km(country: str, lat: float, lon: float) -> float | None:
    """Great-circle distance in km of a point in degrees to a country or a territory of it.

    0 where one of them holds the point; None for an ISO code without a border.
    """
    kms = (_outline_km(code, lat, lon) for code in (country, *TERRITORIES.get(country, ())))
    return min((km for km in kms if km is not None), default=None)


def _outline_km(code: str, lat: float, lon: float) -> float | None:
    if code not in borders().codes:
        return None
    if borders().codes.index(code) == borders().country_at_one(lat, lon):
        return 0.0
    point = directions(np.array([lat]), np.array([lon]))
    return float(chords_km(squared_chords_to_edges(point, *_outline(code)).min()))


@cache
def _outline(code: str) -> tuple[Floats, Floats, Floats]:
    """The edges of a country's border: directions of their starts and ends, and their normals."""
    of = borders()
    number = of.codes.index(code)
    x0, y0, x1, y1 = of.edges.T
    wanted = ((of.east == number) | (of.west == number)) & ((x0 != x1) | (y0 != y1))
    starts = directions(*of.to_degrees(x0[wanted], y0[wanted]))
    ends = directions(*of.to_degrees(x1[wanted], y1[wanted]))
    return starts, ends, normals(starts, ends)
