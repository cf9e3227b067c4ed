from __future__ import annotations

import numpy as np
import pytest

from geostore.demo.gazetteer import (
    LEFT_DRIVING,
    drive_side,
    great_circle_km,
    load_cities,
    name_key,
    sign_name,
)
from geostore.places import country_name


def test_rows_are_sorted_and_within_range() -> None:
    """The build script's order and ranges hold for the packaged file."""
    cities = load_cities().cities
    keys = [(c.country, c.name) for c in cities]
    assert keys == sorted(keys)
    assert all(-90 <= c.lat <= 90 and -180 <= c.lon <= 180 for c in cities)
    assert all(len(c.country) == 2 and c.population >= 0 for c in cities)


@pytest.mark.parametrize("spelling", ["Łódź", "LODZ", "lodz", "Lo dz"])
def test_a_city_is_found_in_any_spelling(spelling: str) -> None:
    """Accents, case and blanks make no difference to a look-up."""
    found = load_cities().find(spelling)
    assert found[0].name == "Łódź"
    assert found[0].country == "PL"


def test_cities_of_one_name_come_with_the_most_populous_first() -> None:
    """There are many San Joses; order tells which one is meant by default."""
    found = load_cities().find("San José")
    assert len(found) > 3
    populations = [city.population for city in found]
    assert populations == sorted(populations, reverse=True)


def test_an_unknown_name_finds_nothing() -> None:
    """No match is an empty answer, not the nearest name."""
    assert load_cities().find("Xqzvw") == ()
    assert load_cities().keys_of_length(99)[0] == []


def test_every_name_can_stand_on_a_sign() -> None:
    """Folding leaves ASCII, and never drops a whole name."""
    for city in load_cities().cities:
        assert sign_name(city.name).isascii()
        assert name_key(city.name)


def test_keys_of_one_length_agree_with_their_letters() -> None:
    """The number rows given to the reader spell the keys beside them."""
    keys, letters = load_cities().keys_of_length(7)
    assert letters.shape == (len(keys), 7)
    assert "".join(chr(65 + n) for n in letters[10]) == keys[10]


def test_distances_are_great_circles_in_km() -> None:
    """Known distance: London to Paris; and a quarter of the equator."""
    to = great_circle_km(51.5074, -0.1278, np.array([48.8566]), np.array([2.3522]))
    assert to[0] == pytest.approx(343.6, abs=0.5)
    quarter = great_circle_km(0, 0, np.array([0.0]), np.array([90.0]))
    assert quarter[0] == pytest.approx(6371.0 * np.pi / 2)


def test_near_gives_towns_inside_the_radius_nearest_first() -> None:
    """Order and limit of a search around a place."""
    found = load_cities().near(52.52, 13.405, radius_km=30)
    distances = [km for _, km in found]
    assert found[0][0].name in {"Berlin", "Mitte"}
    assert distances == sorted(distances)
    assert distances[-1] <= 30


def test_driving_sides_of_known_countries() -> None:
    """A sample of both, and every code of the list is a country's."""
    assert {drive_side(code) for code in ("GB", "JP", "IN", "AU", "ZA", "TH")} == {"left"}
    assert {drive_side(code) for code in ("DE", "US", "CN", "BR", "SE", "MM")} == {"right"}
    assert all(country_name(code) != code for code in LEFT_DRIVING)
