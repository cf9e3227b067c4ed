"""Finds a place from the rows of a sign: matches names with the gazetteer, then trilaterates.

A sign's three distances meet in one point, up to their rounding. Where several
towns share a name, the right ones are those whose distances fit together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from geostore.demo.gazetteer import City, Gazetteer, great_circle_km
from geostore.demo.reader import Row
from geostore.earth import EARTH_RADIUS_KM

SURE_KM = 1.2
"""A place is sure if its three distances miss it by no more than this on average, in km."""

_LEAST_LIKENESS = 0.6  # of a name to the letters read
_NEARLY_BEST = 0.05  # names whose likeness is below the best by no more than this stay in
_MOST_NAMES, _MOST_CITIES = 4, 12
_SLACK_KM = 3.0


@dataclass(frozen=True)
class Fix:
    """A place that follows from towns and distances."""

    lat: float
    """Degrees."""
    lon: float
    """Degrees."""
    towns: tuple[tuple[City, int], ...]
    """Each with its distance on the sign, in km."""
    error_km: float
    """Root mean square by which the distances miss the place; 0 for fewer than three towns."""

    @property
    def sure(self) -> bool:
        """Whether at least three distances meet in one point."""
        return len(self.towns) >= 3 and self.error_km <= SURE_KM


def locate(rows: Sequence[Row], gazetteer: Gazetteer) -> Fix | None:
    """The place that best fits the most rows; None if no name is known.

    The circles of two rows meet in two points, and the point half-way is given. One row
    gives the town itself.
    """
    known = [(row.km, matching_cities(row, gazetteer)) for row in rows[:5]]
    known = [(km, cities) for km, cities in known if cities]
    for count in range(len(known), 0, -1):
        fixes = [
            _trilaterated(towns) for some in combinations(known, count) for towns in _agreeing(some)
        ]
        if count == 1 and fixes:  # nothing confirms the name, so take the largest town
            return max(fixes, key=lambda fix: fix.towns[0][0].population)
        fixes = [fix for fix in fixes if fix.error_km <= 2 * _SLACK_KM]
        if fixes:
            return min(fixes, key=lambda fix: fix.error_km)
    return None


def matching_cities(row: Row, gazetteer: Gazetteer) -> tuple[City, ...]:
    """Cities whose names are most like the letters of a row, the likeliest first."""
    keys, letters = gazetteer.keys_of_length(len(row.scores))
    if not keys:
        return ()
    likeness = row.scores[np.arange(len(row.scores)), letters].mean(axis=1)
    best = float(likeness.max())
    if best < _LEAST_LIKENESS:
        return ()
    order = np.argsort(-likeness, kind="stable")[:_MOST_NAMES]
    names = [keys[int(i)] for i in order if likeness[i] >= best - _NEARLY_BEST]
    return tuple(city for name in names for city in gazetteer.find(name))[:_MOST_CITIES]


def _agreeing(
    rows: Sequence[tuple[int, tuple[City, ...]]],
) -> list[tuple[tuple[City, int], ...]]:
    """One city for each row so that any two circles can meet."""
    chosen: list[tuple[tuple[City, int], ...]] = [()]
    for km, cities in rows:
        chosen = [
            (*before, (city, km))
            for before in chosen
            for city in cities
            if all(_can_meet(city, km, other, far) for other, far in before)
        ]
    return chosen


def _can_meet(one: City, km: int, other: City, far: int) -> bool:
    place = np.array([other.lat]), np.array([other.lon])
    apart = float(great_circle_km(one.lat, one.lon, *place)[0])
    return abs(km - far) - _SLACK_KM <= apart <= km + far + _SLACK_KM and apart > 0.1


def _trilaterated(towns: tuple[tuple[City, int], ...]) -> Fix:
    """Least squares by Gauss-Newton on the sphere, from the towns' middle."""
    lats = np.array([city.lat for city, _ in towns])
    lons = np.array([city.lon for city, _ in towns])
    kms = np.array([float(km) for _, km in towns])
    if len(towns) == 1:
        return Fix(float(lats[0]), float(lons[0]), towns, 0.0)
    if len(towns) == 2:
        # The point between the towns where the line through both meeting points crosses.
        apart = float(great_circle_km(float(lats[0]), float(lons[0]), lats[1:], lons[1:])[0])
        share = (apart**2 + kms[0] ** 2 - kms[1] ** 2) / (2 * apart**2)
        lat = float(lats[0] + share * (lats[1] - lats[0]))
        lon = float(lons[0] + share * _wrapped(lons[1] - lons[0]))
        return Fix(lat, lon, towns, 0.0)
    lat, lon = float(lats.mean()), float(lons[0] + _wrapped(lons - lons[0]).mean())
    for _ in range(30):
        distances = great_circle_km(lat, lon, lats, lons)
        degree = np.radians(1.0) * EARTH_RADIUS_KM
        shrink = max(float(np.cos(np.radians(lat))), 1e-6)
        north = (lats - lat) * degree
        east = _wrapped(lons - lon) * degree * shrink
        flat = np.maximum(np.hypot(north, east), 1e-6)
        # Moving towards a town shortens its distance.
        slopes = -np.stack([north / flat, east / flat], axis=1)
        step, *_ = np.linalg.lstsq(slopes, kms - distances, rcond=None)
        step = step * min(1.0, 20.0 / max(float(np.hypot(*step)), 1e-9))
        lat = float(np.clip(lat + step[0] / degree, -89.9, 89.9))
        lon = float(lon + step[1] / degree / shrink)
        if float(np.hypot(*step)) < 1e-4:
            break
    misses = great_circle_km(lat, lon, lats, lons) - kms
    error = float(np.sqrt((misses**2).mean()))
    return Fix(lat, (lon + 180) % 360 - 180, towns, error)


def _wrapped(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differences of longitude in [-180, 180)."""
    return np.asarray((degrees + 180) % 360 - 180)
