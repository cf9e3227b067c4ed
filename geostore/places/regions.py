"""The first-order regions of GeoNames, by places that lie in them.

Places of 1,000 people and above count, because the next city may well lie in another
region.
"""

from __future__ import annotations

import lzma
from functools import cache

import numpy as np
from numpy.typing import NDArray

from geostore.places.cities import data_folder
from geostore.places.nearest import PlacesByCountry
from geostore.places.sphere import directions

_STEPS_A_DEGREE = 100


@cache
def regions_by_country() -> tuple[PlacesByCountry, tuple[str, ...]]:
    """Places that stand for the numbers of their regions, and the regions' codes by number.

    The file has one line for the places of a region in a country: the country, the region, how
    many there are. After an empty line come their latitudes, then their longitudes, as
    integers of two bytes in hundredths of a degree.
    """
    packed = (data_folder() / "region_places.xz").read_bytes()
    head, _, numbers = lzma.decompress(packed).partition(b"\n\n")
    lines = [line for line in head.decode().split("\n") if not line.startswith("#")]
    countries, codes, counts = zip(*(line.split("\t") for line in lines), strict=True)
    ends = np.cumsum([int(count) for count in counts])
    lats, lons = np.frombuffer(numbers, dtype="<i2").reshape(2, -1) / _STEPS_A_DEGREE
    rows_of: dict[str, list[NDArray[np.int64]]] = {}
    for country, start, end in zip(countries, [0, *ends[:-1]], ends, strict=True):
        rows_of.setdefault(country, []).append(np.arange(start, end))
    places = PlacesByCountry(
        directions(lats, lons),
        np.repeat(np.arange(len(codes)), np.diff(ends, prepend=0)),
        {country: np.concatenate(rows) for country, rows in rows_of.items()},
    )
    return places, codes
