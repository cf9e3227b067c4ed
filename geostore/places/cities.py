"""The GeoNames place next to a point, among the places of one country.

Distances to all places of a country would take too long for a million points. So each
cell of half a degree gets the few places that can be nearest to a point in it, and only
their distances are compared.
"""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable

import numpy as np
from numpy.typing import NDArray

from geostore.places.sphere import chords_km, directions, squared_chords

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CELLS_A_DEGREE = 2
_COLUMNS = 360 * _CELLS_A_DEGREE
_ROUNDING = 1e-9
"""Added to distances on the unit sphere when places are ruled out: 6 mm."""


@dataclass(frozen=True, slots=True)
class City:
    """A place of GeoNames: 15,000 people and above, or a seat of administration."""

    name: str
    """As GeoNames writes it."""
    country: str
    """ISO 3166-1 alpha-2, as GeoNames has it."""
    lat: float
    """Degrees."""
    lon: float
    """Degrees."""
    population: int
    """As GeoNames gives it."""
    region: str | None
    """Country and code of GeoNames' first-order region, such as ``US.CA``; None without one."""
    city_id: int
    """GeoNames id."""
    holder: str
    """The country whose border holds it, far enough from the border; mostly `country`."""


def data_folder() -> Traversable:
    """Where the packaged data is."""
    return resources.files("geostore.places") / "data"


def table_rows(text: str) -> list[list[str]]:
    """The rows of one of the data's tables, without the comments at its head."""
    return [row.split("\t") for row in text.splitlines() if not row.startswith("#")]


@cache
def all_cities() -> tuple[City, ...]:
    """The packaged cities, sorted by country and name; read once per process."""
    text = lzma.decompress((data_folder() / "cities.tsv.xz").read_bytes()).decode()
    return tuple(
        City(
            name=name,
            country=country,
            lat=float(lat),
            lon=float(lon),
            population=int(population),
            region=f"{country}.{region}" if region else None,
            city_id=int(city_id),
            holder=holder or country,
        )
        for country, name, lat, lon, population, region, city_id, holder in table_rows(text)
    )


class NearestCities:
    """Finds the place next to a point among the places of a country."""

    def __init__(self, cities: tuple[City, ...]) -> None:
        by_country: dict[str, list[City]] = {}
        # Of places equally near, the largest counts, then the one with the lowest id.
        for city in sorted(cities, key=lambda city: (-city.population, city.city_id)):
            for country in {city.country, city.holder}:
                by_country.setdefault(country, []).append(city)
        self._by_country = by_country
        self._directions = {
            country: directions(
                np.array([city.lat for city in of_country]),
                np.array([city.lon for city in of_country]),
            )
            for country, of_country in by_country.items()
        }
        self._of_cell = lru_cache(maxsize=4096)(self._candidates)

    def nearest(self, country: str, lats: Floats, lons: Floats) -> tuple[list[City], Floats]:
        """The nearest place of `country` to each point in degrees, and how many km it is away.

        Nothing and no distances for a country of which GeoNames has no place.
        """
        if country not in self._by_country:
            return [], np.empty(0)
        points = directions(lats, lons)
        cells = _cells(lats, lons)
        nearest, squared = np.empty(len(lats), dtype=np.int64), np.empty(len(lats))
        order = np.argsort(cells, kind="stable") if len(cells) > 1 else np.zeros(1, dtype=np.int64)
        bounds = np.flatnonzero(np.diff(cells[order])) + 1
        for some in np.split(order, bounds) if len(bounds) else [order]:
            numbers, places = self._of_cell(country, int(cells[some[0]]))
            chords = squared_chords(points[:, some, None], places[:, None, :])
            best = chords.argmin(axis=1)
            nearest[some] = numbers[best]
            squared[some] = chords[np.arange(len(some)), best]
        of_country = self._by_country[country]
        return [of_country[number] for number in nearest], chords_km(squared)

    def _candidates(self, country: str, cell: int) -> tuple[Ints, Floats]:
        """The places that can be nearest to a point of a cell: their numbers and directions."""
        row, column = divmod(cell, _COLUMNS)
        south, west = row / _CELLS_A_DEGREE - 90, column / _CELLS_A_DEGREE - 180
        side = 1 / _CELLS_A_DEGREE
        middle = directions(np.array([south + side / 2]), np.array([west + side / 2]))
        corners = directions(
            np.array([south, south, south + side, south + side]),
            np.array([west, west + side, west, west + side]),
        )
        places = self._directions[country]
        chords = np.sqrt(squared_chords(places, middle))
        # No point of the cell is farther from its middle than a corner is.
        reach = np.sqrt(squared_chords(corners, middle)).max()
        numbers = np.flatnonzero(chords <= chords.min() + 2 * reach + _ROUNDING)
        return numbers, places[:, numbers]


def _cells(lats: Floats, lons: Floats) -> Ints:
    rows = np.minimum(((lats + 90) * _CELLS_A_DEGREE).astype(np.int64), 180 * _CELLS_A_DEGREE - 1)
    columns = np.minimum(((lons + 180) * _CELLS_A_DEGREE).astype(np.int64), _COLUMNS - 1)
    return np.asarray(rows * _COLUMNS + columns)


@cache
def nearest_cities() -> NearestCities:
    """The packaged cities, prepared once per process."""
    return NearestCities(all_cities())
