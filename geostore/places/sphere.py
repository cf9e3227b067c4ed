"""Points as directions from the middle of the earth: no place, pole or meridian is special there.

Sums are written out, because `matmul` may add in another order for another number of
points, and one point alone has to get what it gets among a million.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geostore.earth import EARTH_RADIUS_KM

Floats = NDArray[np.float64]


def directions(lats: Floats, lons: Floats) -> Floats:
    """Unit vectors of points in degrees: three rows, x to latitude and longitude 0, z north."""
    phi, along = np.radians(lats), np.radians(lons)
    flat = np.cos(phi)
    vectors = np.empty((3, len(phi)))
    vectors[0], vectors[1], vectors[2] = flat * np.cos(along), flat * np.sin(along), np.sin(phi)
    return vectors


def dot(first: Floats, second: Floats) -> Floats:
    """Products of vectors that stand in columns."""
    return np.asarray(first[0] * second[0] + first[1] * second[1] + first[2] * second[2])


def cross(first: Floats, second: Floats) -> Floats:
    """Vectors at right angles to both."""
    return np.stack(
        [
            first[1] * second[2] - first[2] * second[1],
            first[2] * second[0] - first[0] * second[2],
            first[0] * second[1] - first[1] * second[0],
        ]
    )


def squared_chords(first: Floats, second: Floats) -> Floats:
    """Squares of the straight distances between unit vectors, on a sphere of radius 1."""
    x, y, z = first[0] - second[0], first[1] - second[1], first[2] - second[2]
    return np.asarray(x * x + y * y + z * z)


def normals(starts: Floats, ends: Floats) -> Floats:
    """Unit vectors at right angles to the great circles through both ends of edges."""
    normal = cross(starts, ends)
    return np.asarray(normal / np.sqrt(dot(normal, normal)))


def squared_chords_to_edges(points: Floats, starts: Floats, ends: Floats, normal: Floats) -> Floats:
    """To the nearest place of each edge: between its ends where the point is beside it."""
    to_an_end = np.minimum(squared_chords(points, starts), squared_chords(points, ends))
    beside = (dot(cross(normal, starts), points) > 0) & (dot(cross(ends, normal), points) > 0)
    height = dot(normal, points)
    # The chord of an angle whose sine is known, without taking two like numbers apart.
    square = height * height
    to_the_line = 2 * square / (1 + np.sqrt(np.maximum(0.0, 1 - square)))
    return np.where(beside, to_the_line, to_an_end)


def chords_km(squared: Floats) -> Floats:
    """Great-circle distances in km, to the metre, of squared chords."""
    angles = 2 * np.arcsin(np.minimum(1.0, np.sqrt(squared) / 2))
    return np.asarray(np.round(EARTH_RADIUS_KM * angles, 3))
