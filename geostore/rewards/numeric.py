"""Distances over arrays.

The great circle is for what compares places outside of a store: rewards do not use it, because
``temp_pending_angles`` of ``sql/store/rescore.sql`` is the formula of their distances. The geodesic
is that of rewards whose radius is ``wgs84``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geostore import geodesic
from geostore.earth import EARTH_RADIUS_KM
from geostore.geodesic import FLATTENING, NODES, POLE_KM

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


_PASSES = 20
_EXACT = 1e-13  # radians
_NEARLY_OPPOSITE = 1e-5  # radians: closer to the antipode, rounding hides the azimuth


def geodesic_km(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> Floats:
    """Geodesic distances in km on the WGS-84 ellipsoid of points in degrees; NaN for NaN.

    `geostore.geodesic` computes the same for one pair. Here the longitude on the auxiliary sphere
    is found by putting it in again and again (Vincenty's iteration), which takes some four passes,
    all points at once: a million take two seconds. It does not settle near the antipode; those
    pairs (one in some thousand, if points lie anywhere) are given to `geostore.geodesic`.
    """
    points = np.broadcast_arrays(lat1, lon1, lat2, lon2)
    shape = points[0].shape
    lats, lons, other_lats, other_lons = (np.ravel(p).astype(np.float64) for p in points)
    sin1, cos1 = _reduced(lats)
    sin2, cos2 = _reduced(other_lats)
    difference = np.radians(np.abs((other_lons - lons + 180) % 360 - 180))
    km = np.full(len(lats), np.nan)
    sphere = difference.copy()
    left = np.flatnonzero(~np.isnan(difference + sin1 + sin2))
    for _ in range(_PASSES):
        if not len(left):
            break
        parts = (array[left] for array in (sin1, cos1, sin2, cos2, sphere))
        length, lag, is_opposite = _on_sphere(*parts)
        longitude = difference[left] + lag
        is_exact = (np.abs(longitude - sphere[left]) < _EXACT) & (longitude <= np.pi)
        is_exact &= ~is_opposite
        sphere[left] = longitude
        km[left[is_exact]] = length[is_exact]
        left = left[~is_exact]
    for i in left:
        km[i] = geodesic.geodesic_km(
            float(lats[i]), float(lons[i]), float(other_lats[i]), float(other_lons[i])
        )
    return km.reshape(shape)


def _on_sphere(
    sin1: Floats, cos1: Floats, sin2: Floats, cos2: Floats, longitude: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Of great circles of the auxiliary sphere: km, how far the ellipsoid's longitude lags behind
    the sphere's in radians, and whether the points lie too nearly opposite for either.
    """
    sine, cosine = np.sin(longitude), np.cos(longitude)
    east, north = cos2 * sine, cos1 * sin2 - sin1 * cos2 * cosine
    sin_arc, cos_arc = np.hypot(east, north), sin1 * sin2 + cos1 * cos2 * cosine
    scale = np.where(sin_arc > 0, sin_arc, 1.0)
    sin_equator = cos1 * east / scale
    half = np.arctan2(sin_arc, cos_arc) / 2
    middle = np.arctan2(sin1, cos1 * np.where(sin_arc > 0, north, 1.0) / scale) + half
    squared = geodesic.SECOND_ECCENTRICITY_SQUARED * (1 - sin_equator**2)
    length, lag = np.zeros_like(half), np.zeros_like(half)
    stretch, part = np.empty_like(half), np.empty_like(half)
    for place, weight in NODES:
        # stretch = sqrt(1 + squared * sin(middle + half * place) ** 2), without an array per step
        np.multiply(half, place, out=stretch)
        stretch += middle
        np.sin(stretch, out=stretch)
        stretch *= stretch
        stretch *= squared
        stretch += 1
        np.sqrt(stretch, out=stretch)
        length += np.multiply(stretch, weight, out=part)
        # lag += weight / (1 + (1 - FLATTENING) * stretch)
        stretch *= 1 - FLATTENING
        stretch += 1
        lag += np.divide(weight, stretch, out=stretch)
    lag *= FLATTENING * (2 - FLATTENING) * sin_equator * half
    return POLE_KM * half * length, lag, (cos_arc < 0) & (sin_arc < _NEARLY_OPPOSITE)


def _reduced(lats: Floats) -> tuple[Floats, Floats]:
    """Sines and cosines of the reduced latitudes of latitudes in degrees."""
    sines, cosines = (1 - FLATTENING) * np.sin(np.radians(lats)), np.cos(np.radians(lats))
    lengths = np.hypot(sines, cosines)
    return sines / lengths, cosines / lengths
