"""Great-circle distances over arrays, for what compares places outside of a store.

Rewards do not use it: ``sql/store/temp_pending_angles.sql`` is the formula of their distances.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geostore.rewards.formulas import EARTH_RADIUS_KM

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
