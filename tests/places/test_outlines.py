"""How far a point is from a country."""

from __future__ import annotations

import numpy as np
import pytest

from geostore.places import country_km
from geostore.places.borders import borders
from geostore.rewards.numeric import haversine_km


@pytest.mark.parametrize(
    ("country", "lat", "lon"),
    [
        ("FR", 45.76, 4.84),
        ("FR", -21.1, 55.5),  # Réunion, a territory with a code of its own
        ("LS", -29.5, 28.5),
        ("AQ", -89.9, 0.0),
        ("RU", 66.5, -175.0),
        ("FJ", -16.8, -179.97),
    ],
)
def test_a_point_in_a_country_is_no_distance_from_it(country: str, lat: float, lon: float) -> None:
    assert country_km(country, lat, lon) == 0.0


@pytest.mark.parametrize(
    ("country", "lat", "lon", "km"),
    [
        ("DE", 48.58, 7.70, 8),  # Strasbourg; the Rhine is the border
        ("GB", 50.95, 1.85, 42),  # Calais, from which Dover is seen
        ("US", 64.4, -173.2, 105),  # Provideniya; St. Lawrence Island lies in the Bering Strait
        ("AU", -9.4, 147.2, 518),  # Port Moresby; Cape York is 530 km off, the islets are not drawn
        ("RU", 65.6, -168.1, 47),  # Wales in Alaska; Big Diomede is Russian
    ],
)
def test_the_distance_to_a_country_is_that_to_its_nearest_border(
    country: str, lat: float, lon: float, km: float
) -> None:
    assert country_km(country, lat, lon) == pytest.approx(km, rel=0.15, abs=5)


def test_a_country_without_a_border_is_at_no_distance() -> None:
    assert country_km("ZZ", 0.0, 0.0) is None
    assert country_km("no code", 0.0, 0.0) is None


def test_no_place_on_a_border_is_nearer_than_the_distance_says() -> None:
    """Against a hundred places on each edge, by the formula of distances that rewards have."""
    chance = np.random.default_rng(7)
    of = borders()
    for code in ("IT", "LS", "FJ", "RU", "JP", "MC"):
        number = of.codes.index(code)
        edges = of.edges[(of.east == number) | (of.west == number)]
        edges = edges[(edges[:, 1] > 0) | (edges[:, 3] > 0)]
        share = np.linspace(0, 1, 100)
        x = edges[:, [0]] + (edges[:, [2]] - edges[:, [0]]) * share
        y = edges[:, [1]] + (edges[:, [3]] - edges[:, [1]]) * share
        on_border = of.to_degrees(x.ravel(), y.ravel())
        for lat, lon in zip(
            chance.uniform(-60, 80, 20), chance.uniform(-180, 180, 20), strict=True
        ):
            if of.country_at_one(lat, lon) == number:
                continue
            nearest = haversine_km(lat, lon, *on_border).min()
            assert country_km(code, lat, lon) == pytest.approx(nearest, rel=0.002, abs=0.5)
