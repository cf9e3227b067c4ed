"""The country, region and city of points: offline, and the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geostore.errors import PlaceError
from geostore.places.borders import SEA, borders
from geostore.places.cities import nearest_cities
from geostore.places.coast import coast

GAZETTEER_VERSION = 1
"""Raised whenever any point could get another place, so that stored places are computed again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point lies."""

    country: str | None
    """ISO 3166-1 alpha-2 (``XK``: Kosovo); None for a point at sea far from every coast."""
    region: str | None
    """First-order region of GeoNames with its country, such as ``US.CA``; None without one."""
    city: str | None
    """GeoNames' name of its nearest place in that country; None where it has none there."""
    city_id: int | None
    """GeoNames id of that place."""
    city_km: float | None
    """Great-circle distance to that place in km, to the metre."""
    coast_km: float | None
    """Great-circle distance to the coast of `country` in km, to the metre; None on land."""


_NOWHERE = Place(None, None, None, None, None, None)


def place_of(lat: float, lon: float) -> Place:
    """The place of one point in degrees.

    Raises PlaceError for a point that is none on earth.
    """
    return places_of([lat], [lon])[0]


def places_of(lats: ArrayLike, lons: ArrayLike) -> Sequence[Place]:
    """The places of points in degrees, in their order.

    Raises PlaceError for a point that is none on earth, and names it by its number.
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
        raise PlaceError(
            f"point {wrong} is none on earth: latitude {lat_array[wrong]}, longitude "
            f"{lon_array[wrong]}; a latitude is -90 to 90, a longitude -180 to 180"
        )
    places = [_NOWHERE] * len(lat_array)
    countries = borders().country_at(lat_array, lon_array)
    coast_kms: list[float | None] = [None] * len(lat_array)
    at_sea = np.flatnonzero(countries == SEA)
    if len(at_sea):
        kms, nearest = coast().nearest(lat_array[at_sea], lon_array[at_sea])
        countries[at_sea] = nearest
        for point, km in zip(at_sea.tolist(), kms.tolist(), strict=True):
            coast_kms[point] = km
    codes = borders().codes
    order = np.argsort(countries, kind="stable")
    for points in np.split(order, np.flatnonzero(np.diff(countries[order])) + 1):
        if not len(points) or countries[points[0]] == SEA:
            continue
        code = codes[countries[points[0]]]
        cities, city_kms = nearest_cities().nearest(code, lat_array[points], lon_array[points])
        if not cities:
            for point in points.tolist():
                places[point] = Place(code, None, None, None, None, coast_kms[point])
            continue
        for point, city, km in zip(points.tolist(), cities, city_kms.tolist(), strict=True):
            places[point] = Place(code, city.region, city.name, city.city_id, km, coast_kms[point])
    return places
