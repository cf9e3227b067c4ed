"""Distances on the WGS-84 ellipsoid, against geographiclib, to a millimetre."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st

from geostore.geodesic import geodesic_km
from geostore.rewards import numeric

MILLIMETRE = 1e-6
COUNT = 400

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def geographiclib_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    return float(Geodesic.WGS84.Inverse(lat1, lon1, lat2, lon2, Geodesic.DISTANCE)["s12"]) / 1000


def anywhere(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return np.degrees(np.arcsin(rng.uniform(-1, 1, COUNT))), rng.uniform(-180, 180, COUNT)


def small(rng: np.random.Generator) -> np.ndarray:
    """Degrees from a tenth of a millimetre to a degree, of either sign."""
    return np.asarray(10 ** rng.uniform(-9, 0, COUNT) * rng.choice([-1, 1], COUNT))


def random_pairs(rng: np.random.Generator) -> Pairs:
    return (*anywhere(rng), *anywhere(rng))


def short_pairs(rng: np.random.Generator) -> Pairs:
    lat, lon = anywhere(rng)
    return lat, lon, np.clip(lat + small(rng), -90, 90), lon + small(rng)


def pairs_on_a_meridian(rng: np.random.Generator) -> Pairs:
    """Also over a pole, which is the other half of the meridian."""
    (lat, lon), (other, _) = anywhere(rng), anywhere(rng)
    return lat, lon, other, lon + 180 * rng.integers(0, 2, COUNT)


def pairs_on_the_equator(rng: np.random.Generator) -> Pairs:
    zero = np.zeros(COUNT)
    return zero, anywhere(rng)[1], zero, anywhere(rng)[1]


def pairs_beside_the_equator(rng: np.random.Generator) -> Pairs:
    return small(rng) / 1000, anywhere(rng)[1], small(rng) / 1000, anywhere(rng)[1]


def nearly_antipodal_pairs(rng: np.random.Generator) -> Pairs:
    lat, lon = anywhere(rng)
    return lat, lon, np.clip(-lat + small(rng), -90, 90), lon + 180 + small(rng)


def nearly_antipodal_pairs_on_the_equator(rng: np.random.Generator) -> Pairs:
    """Where the shortest way leaves the equator for a pole."""
    lon = anywhere(rng)[1]
    flat = small(rng) / 1000 * rng.integers(0, 2, COUNT)
    return flat, lon, np.zeros(COUNT), lon + 180 + rng.uniform(-1, 1, COUNT)


def pairs_beside_the_poles(rng: np.random.Generator) -> Pairs:
    near, far = 90 - np.abs(small(rng)), rng.choice([-1, 1], COUNT) * (90 - np.abs(small(rng)))
    return near, anywhere(rng)[1], far, anywhere(rng)[1]


def pairs_on_a_parallel(rng: np.random.Generator) -> Pairs:
    lat, lon = anywhere(rng)
    return lat, lon, lat * rng.choice([-1, 1], COUNT), lon + 180 * small(rng)


KINDS = (
    random_pairs,
    short_pairs,
    pairs_on_a_meridian,
    pairs_on_the_equator,
    pairs_beside_the_equator,
    nearly_antipodal_pairs,
    nearly_antipodal_pairs_on_the_equator,
    pairs_beside_the_poles,
    pairs_on_a_parallel,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_pair_and_an_array_of_pairs_agree_with_geographiclib(
    kind: Callable[[np.random.Generator], Pairs],
) -> None:
    pairs = kind(np.random.default_rng(12))
    rows = list(zip(*(column.tolist() for column in pairs), strict=True))
    wanted = [geographiclib_km(*row) for row in rows]
    assert [geodesic_km(*row) for row in rows] == pytest.approx(wanted, abs=MILLIMETRE, rel=0)
    assert numeric.geodesic_km(*pairs) == pytest.approx(wanted, abs=MILLIMETRE, rel=0)


latitudes = st.floats(-90, 90) | st.sampled_from([-90, -45, -1e-300, 0, 1e-300, 45, 90])
longitudes = st.floats(-180, 180) | st.sampled_from([-180, -90, 0, 90, 179.5, 180])


@given(latitudes, longitudes, latitudes, longitudes)
def test_every_pair_of_places_agrees_with_geographiclib(
    lat1: float, lon1: float, lat2: float, lon2: float
) -> None:
    wanted = geographiclib_km(lat1, lon1, lat2, lon2)
    assert geodesic_km(lat1, lon1, lat2, lon2) == pytest.approx(wanted, abs=MILLIMETRE, rel=0)
    found = float(numeric.geodesic_km(lat1, lon1, lat2, lon2))
    assert found == pytest.approx(wanted, abs=MILLIMETRE, rel=0)


def test_an_array_keeps_its_shape_and_what_is_not_known() -> None:
    lats = np.array([[0.0, np.nan], [10.0, 90.0]])
    found = numeric.geodesic_km(lats, 0.0, 0.0, [0.0, 180.0])
    assert found.shape == (2, 2)
    assert np.isnan(found).tolist() == [[False, True], [False, False]]
    assert found[0, 0] == 0
    assert found[1, 1] == pytest.approx(geographiclib_km(90, 0, 0, 180), abs=MILLIMETRE)
