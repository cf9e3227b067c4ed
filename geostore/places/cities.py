"""The cities of GeoNames, and where the packaged tables are."""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

import numpy as np
from numpy.typing import NDArray

from geostore.places.nearest import PlacesByCountry
from geostore.places.sphere import directions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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


@cache
def cities_by_country() -> PlacesByCountry:
    """The packaged cities, each standing for the row of the city that it is or is a part of."""
    of = cities()
    rows_of: dict[str, list[int]] = {}
    # Of cities equally near, the largest counts, then the one with the lowest id.
    for row in np.lexsort((np.array(of.ids), -of.populations)).tolist():
        rows_of.setdefault(of.countries[row], []).append(row)
        if row in of.holders:
            rows_of.setdefault(of.holders[row], []).append(row)
    return PlacesByCountry(
        directions(of.lats, of.lons),
        of.whole,
        {country: np.array(rows) for country, rows in rows_of.items()},
    )
