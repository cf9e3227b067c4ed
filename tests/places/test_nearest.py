"""City and region against a search through all places of the country."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geostore.places import Place, place_of, places_of
from geostore.places.cities import cities, rows_by_id

Floats = NDArray[np.float64]
EARTH_RADIUS_KM = 6371.0


def haversine_km(lat: float, lon: float, lats: Floats, lons: Floats) -> Floats:
    half = np.sin(np.radians(lats - lat) / 2) ** 2
    half += (
        np.cos(np.radians(lat))
        * np.cos(np.radians(lats))
        * (np.sin(np.radians(lons - lon) / 2) ** 2)
    )
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(half)))


def some_places() -> list[tuple[float, float, Place]]:
    """Points about cities and anywhere, with their places."""
    rng = np.random.default_rng(3)
    rows = rng.integers(len(cities().ids), size=1200)
    lats = cities().lats[rows] + rng.normal(0, 0.3, len(rows))
    lons = cities().lons[rows] + rng.normal(0, 0.3, len(rows))
    lats = np.concatenate([lats, np.degrees(np.arcsin(rng.uniform(-1, 1, 1200)))])
    lons = np.concatenate([(lons + 180) % 360 - 180, rng.uniform(-180, 180, 1200)])
    return list(zip(lats.tolist(), lons.tolist(), places_of(lats, lons), strict=True))


def test_the_city_is_the_nearest_of_all_of_the_country_or_what_that_is_a_part_of() -> None:
    of = cities()
    countries = np.array(of.countries)
    compared = 0
    for lat, lon, place in some_places():
        held = [row for row, holder in of.holders.items() if holder == place.country]
        rows = np.concatenate([np.flatnonzero(countries == place.country), held]).astype(int)
        if not len(rows):
            assert (place.city, place.city_id, place.city_km) == (None, None, None)
            continue
        kms = haversine_km(lat, lon, of.lats[rows], of.lons[rows])
        # Of places at the same position the largest counts, then the one with the lowest id.
        nearest = min(
            rows[kms <= kms.min() + 1e-6], key=lambda row: (-of.populations[row], of.ids[row])
        )
        whole = of.whole[nearest]
        assert (place.city_id, place.city) == (of.ids[whole], of.names[whole])
        km = haversine_km(lat, lon, of.lats[[whole]], of.lons[[whole]])[0]
        assert place.city_km is not None
        assert abs(place.city_km - km) < 0.001
        compared += 1
    assert compared > 1000


def test_one_point_gets_what_it_gets_among_many() -> None:
    assert all(place_of(lat, lon) == place for lat, lon, place in some_places())


def test_one_point_gets_what_it_gets_among_very_many_in_a_corner_of_the_world() -> None:
    """About Luxembourg, where four countries, many cities and two blocks of the grid meet."""
    rng = np.random.default_rng(9)
    lats, lons = 50.0 + rng.normal(0, 0.8, 6000), 6.0 + rng.normal(0, 2.0, 6000)
    some = rng.integers(6000, size=600)
    places = places_of(lats, lons)
    assert [places[row] for row in some] == [place_of(lats[row], lons[row]) for row in some]
    assert {"BE", "DE", "FR", "LU"} <= {place.country for place in places}
    assert len({place.city_id for place in places}) > 300


def test_a_part_has_the_region_of_its_city_if_that_has_one_and_no_city_is_a_part_itself() -> None:
    of = cities()
    parts = np.flatnonzero(of.whole != np.arange(len(of.ids)))
    assert len(parts) > 1000
    for part in parts.tolist():
        whole = int(of.whole[part])
        assert of.whole[whole] == whole
        assert of.countries[part] == of.countries[whole]
        # A city without a region, such as Hong Kong, holds places of every region.
        assert of.regions[whole] in (of.regions[part], None)
        assert of.populations[whole] >= 2 * of.populations[part]
    assert rows_by_id()[of.ids[17]] == 17
