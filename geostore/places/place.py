"""The country, region and city of points: offline, and the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geostore.errors import PlaceError
from geostore.places.borders import SEA, borders
from geostore.places.cities import cities, cities_by_country
from geostore.places.coast import coast
from geostore.places.regions import regions_by_country
from geostore.places.sphere import Floats, chords_km, directions, squared_chords

GAZETTEER_VERSION = 1
"""Raised whenever any point could get another place, or any words another country, region or city,
so that stored places are computed again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point lies."""

    country: str | None
    """ISO 3166-1 alpha-2 (``XK``: Kosovo); None for a point at sea far from every coast."""
    region: str | None
    """First-order region of GeoNames with its country, such as ``US.CA``; None without one. That of
    the nearest place of 1,000 people and above in that country."""
    city: str | None
    """GeoNames' name of its nearest place in that country, or of the larger city that the place
    is a part of; None where it has none there."""
    city_id: int | None
    """GeoNames id of that city."""
    city_km: float | None
    """Great-circle distance to the middle of that city in km, to the metre."""
    coast_km: float | None
    """Great-circle distance to the coast of `country` in km, to the metre; None on land."""


_NOWHERE = Place(None, None, None, None, None, None)


def place_of(lat: float, lon: float) -> Place:
    """The place of one point in degrees.

    Raises PlaceError for latitudes and longitudes that no point on earth has.
    """
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise PlaceError(_not_on_earth("", lat, lon))
    number = borders().country_at_one(lat, lon)
    coast_km = None
    if number == SEA:
        kms, numbers = coast().nearest(np.array([lat]), np.array([lon]))
        coast_km, number = float(kms[0]), int(numbers[0])
        if number == SEA:
            return _NOWHERE
    country = borders().codes[number]
    point = directions(np.array([lat]), np.array([lon]))
    by_region, codes = regions_by_country()
    region_number = by_region.answer_at(country, lat, lon, point)
    region = None if region_number is None else codes[region_number]
    row = cities_by_country().answer_at(country, lat, lon, point)
    if row is None:
        return Place(country, region, None, None, None, coast_km)
    of = cities()
    km = chords_km(squared_chords(point, cities_by_country().places[:, row, None]))
    return Place(country, region, of.names[row], of.ids[row], float(km[0]), coast_km)


def places_of(lats: ArrayLike, lons: ArrayLike) -> Sequence[Place]:
    """The places of points in degrees, in their order: the same as `place_of` gives each.

    Raises PlaceError for latitudes and longitudes that no point on earth has, and says whose.
    """
    lat_array = np.asarray(lats, dtype=np.float64)
    lon_array = np.asarray(lons, dtype=np.float64)
    if lat_array.ndim != 1 or lat_array.shape != lon_array.shape:
        raise PlaceError(
            f"{lat_array.size} latitudes and {lon_array.size} longitudes are no list of points; "
            "give one latitude and one longitude a point"
        )
    possible = (abs(lat_array) <= 90) & (abs(lon_array) <= 180)
    if not possible.all():
        wrong = int(np.flatnonzero(~possible)[0])
        raise PlaceError(_not_on_earth(f"point {wrong}: ", lat_array[wrong], lon_array[wrong]))
    places = [_NOWHERE] * len(lat_array)
    numbers = borders().country_at(lat_array, lon_array)
    coast_kms: list[float | None] = [None] * len(lat_array)
    at_sea = np.flatnonzero(numbers == SEA)
    if len(at_sea):
        kms, numbers[at_sea] = coast().nearest(lat_array[at_sea], lon_array[at_sea])
        for point, km in zip(at_sea.tolist(), kms.tolist(), strict=True):
            coast_kms[point] = km
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=SEA))
    for points in np.split(order, starts)[1:]:
        country = borders().codes[numbers[points[0]]]
        near = _regions_and_cities(country, lat_array[points], lon_array[points])
        for point, in_country in zip(points.tolist(), near, strict=True):
            places[point] = Place(country, *in_country, coast_kms[point])
    return places


def _regions_and_cities(
    country: str, lats: Floats, lons: Floats
) -> Iterator[tuple[str | None, str | None, int | None, float | None]]:
    """Region, city, its id and its distance of each point of a country."""
    points = directions(lats, lons)
    by_region, codes = regions_by_country()
    region_numbers = by_region.answers_at(country, lats, lons, points)
    city_rows = cities_by_country().answers_at(country, lats, lons, points)
    kms = chords_km(squared_chords(points, cities_by_country().places[:, city_rows]))
    of = cities()
    for region, row, km in zip(
        region_numbers.tolist(), city_rows.tolist(), kms.tolist(), strict=True
    ):
        code = None if region < 0 else codes[region]
        yield (code, None, None, None) if row < 0 else (code, of.names[row], of.ids[row], km)


def _not_on_earth(which: str, lat: float, lon: float) -> str:
    return (
        f"{which}no point on earth has latitude {lat} and longitude {lon}; "
        "a latitude is -90 to 90, a longitude -180 to 180"
    )
