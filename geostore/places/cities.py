"""The city of a point: the GeoNames place next to it, among the places of one country.

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


@dataclass(frozen=True)
class Cities:
    """The places of GeoNames with 15,000 people and above, and seats of administration.

    One column a field, sorted by country and name.
    """

    countries: list[str]
    """ISO 3166-1 alpha-2, as GeoNames has it."""
    names: list[str]
    """As GeoNames writes them."""
    lats: Floats
    """Degrees."""
    lons: Floats
    """Degrees."""
    populations: Ints
    """As GeoNames gives them."""
    regions: list[str | None]
    """Country and code of GeoNames' first-order region, such as ``US.CA``; None without one."""
    ids: list[int]
    """GeoNames ids."""
    holders: dict[int, str]
    """The country whose border holds a place, by its row, where GeoNames has it in another."""
    whole: Ints
    """The row of the city that a place is a part of; its own row where it is none."""


def data_folder() -> Traversable:
    """Where the packaged data is."""
    return resources.files("geostore.places") / "data"


def table_rows(text: str) -> list[list[str]]:
    """The rows of one of the data's tables, without the comments at its head."""
    return [row.split("\t") for row in text.splitlines() if not row.startswith("#")]


@cache
def cities() -> Cities:
    """The packaged cities, read once per process."""
    text = lzma.decompress((data_folder() / "cities.tsv.xz").read_bytes()).decode()
    lines = text.splitlines()
    rows = lines[sum(line.startswith("#") for line in lines[:20]) :]
    # Cells in one list are cut into columns much sooner than rows are.
    cells = "\t".join(rows).split("\t")
    width = len(cells) // len(rows)
    countries, names, lats, lons, populations, regions, ids, holders, wholes = (
        cells[column::width] for column in range(width)
    )
    numbers = list(map(int, ids))
    row_of = dict(zip(numbers, range(len(numbers)), strict=True))
    return Cities(
        countries=countries,
        names=names,
        lats=np.array(lats, dtype=np.float64),
        lons=np.array(lons, dtype=np.float64),
        populations=np.array(populations, dtype=np.int64),
        regions=[
            f"{country}.{region}" if region else None
            for country, region in zip(countries, regions, strict=True)
        ],
        ids=numbers,
        holders={row: holder for row, holder in enumerate(holders) if holder},
        whole=np.array(
            [row_of[int(whole)] if whole else row for row, whole in enumerate(wholes)],
            dtype=np.int64,
        ),
    )


@cache
def rows_by_id() -> dict[int, int]:
    """The row in `cities` of each GeoNames id."""
    return {city_id: row for row, city_id in enumerate(cities().ids)}


class NearestCities:
    """Finds the city of a point among the places of a country."""

    def __init__(self, of: Cities) -> None:
        rows_of: dict[str, list[int]] = {}
        # Of places equally near, the largest counts, then the one with the lowest id.
        for row in np.lexsort((np.array(of.ids), -of.populations)).tolist():
            rows_of.setdefault(of.countries[row], []).append(row)
            if row in of.holders:
                rows_of.setdefault(of.holders[row], []).append(row)
        self._rows_of = {country: np.array(rows) for country, rows in rows_of.items()}
        self._directions = directions(of.lats, of.lons)
        self._whole = of.whole
        self._candidates_of = lru_cache(maxsize=4096)(self._candidates)

    def of(self, country: str, lats: Floats, lons: Floats) -> tuple[Ints, Floats] | None:
        """The row of each point's city in `country`, and how many km away the city is.

        The nearest place counts, or the city that it is a part of. None for a country of
        which GeoNames has no place.
        """
        if country not in self._rows_of:
            return None
        points = directions(lats, lons)
        cells = _cells(lats, lons)
        nearest = np.empty(len(lats), dtype=np.int64)
        order = np.argsort(cells, kind="stable")
        starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
        for some in np.split(order, starts[1:]):
            rows, places = self._candidates_of(country, int(cells[some[0]]))
            chords = squared_chords(points[:, some, None], places[:, None, :])
            nearest[some] = rows[chords.argmin(axis=1)]
        rows = self._whole[nearest]
        return rows, chords_km(squared_chords(points, self._directions[:, rows]))

    def of_one(self, country: str, lat: float, lon: float) -> tuple[int, float] | None:
        """As `of`, for one point, without the time that sorting many takes."""
        if country not in self._rows_of:
            return None
        lats, lons = np.array([lat]), np.array([lon])
        point = directions(lats, lons)
        rows, places = self._candidates_of(country, int(_cells(lats, lons)[0]))
        row = self._whole[rows[squared_chords(point, places).argmin()]]
        km = chords_km(squared_chords(point, self._directions[:, row, None]))
        return int(row), float(km[0])

    def _candidates(self, country: str, cell: int) -> tuple[Ints, Floats]:
        """The places that can be nearest to a point of a cell: their rows and directions."""
        row, column = divmod(cell, _COLUMNS)
        south, west = row / _CELLS_A_DEGREE - 90, column / _CELLS_A_DEGREE - 180
        side = 1 / _CELLS_A_DEGREE
        middle = directions(np.array([south + side / 2]), np.array([west + side / 2]))
        corners = directions(
            np.array([south, south, south + side, south + side]),
            np.array([west, west + side, west, west + side]),
        )
        rows = self._rows_of[country]
        chords = np.sqrt(squared_chords(self._directions[:, rows], middle))
        # No point of the cell is farther from its middle than a corner is.
        reach = np.sqrt(squared_chords(corners, middle)).max()
        rows = rows[chords <= chords.min() + 2 * reach + _ROUNDING]
        return rows, self._directions[:, rows]


def _cells(lats: Floats, lons: Floats) -> Ints:
    rows = np.minimum(((lats + 90) * _CELLS_A_DEGREE).astype(np.int64), 180 * _CELLS_A_DEGREE - 1)
    columns = np.minimum(((lons + 180) * _CELLS_A_DEGREE).astype(np.int64), _COLUMNS - 1)
    return np.asarray(rows * _COLUMNS + columns)


@cache
def nearest_cities() -> NearestCities:
    """The packaged cities, prepared once per process."""
    return NearestCities(cities())
