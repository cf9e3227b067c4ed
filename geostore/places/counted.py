"""To which country GeoNames counts a point, whatever borders say: for single points."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from geostore.places.cities import cities
from geostore.places.regions import regions_by_country
from geostore.places.sphere import chords_km, directions, squared_chords

Floats = NDArray[np.float64]

_NEAR_KM = 100.0


def country_of_next_place(lat: float, lon: float) -> str | None:
    """The country to which GeoNames counts the place nearest to a point in degrees.

    That may be another one than the border's where states disagree: in the Crimea it is Ukraine.
    Places are cities and, where there are regions, those of 1,000 people and above. None where
    none is within 100 km.
    """
    places, countries = _places()
    squared = squared_chords(places, directions(np.array([lat]), np.array([lon])))
    row = int(squared.argmin())
    return countries[row] if chords_km(squared[row]) <= _NEAR_KM else None


@cache
def _places() -> tuple[Floats, list[str]]:
    """The directions of all places, and their countries."""
    in_regions, codes = regions_by_country()
    countries_of_regions = [code.partition(".")[0] for code in codes]
    return (
        np.hstack([directions(cities().lats, cities().lons), in_regions.places]),
        [
            *cities().countries,
            *(countries_of_regions[number] for number in in_regions.answers.tolist()),
        ],
    )
