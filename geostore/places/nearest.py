"""The place next to a point among the places of one country, and what it stands for.

A place stands for a number: that of a city or a region. Distances to all places of a
country would take too long for a million points. So each block of a coarse grid gets
the places that can be nearest to a point in it, and each cell of a fine grid the few
of these that can be nearest there; none at all where they stand for the same. A few
points of a block are compared with all of the block's, because that takes less time
than looking at their cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from geostore.places.sphere import directions, squared_chords

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CELL = 0.5
_BLOCK = 4.0
"""Degrees of latitude and of longitude. Each block consists of whole cells."""
_PAIRS_OF_A_BLOCK = 200_000
"""Points times places up to which the points of a block are compared with all of its places."""
_BLOCKS_KEPT = 4096
_CELLS_KEPT = 4096
_ROUNDING = 1e-9
"""Added to distances on the unit sphere when places are ruled out: 6 mm."""


class Candidates:
    """The places that can be nearest to a point of a cell or block."""

    def __init__(self, places: Floats, answers: Ints) -> None:
        self._places, self._answers = places, answers
        self._only = int(answers[0]) if (answers == answers[0]).all() else None

    def answers(self, points: Floats) -> Ints:
        """What the place next to each point (a direction in a column) stands for."""
        if self._only is not None:
            return np.full(points.shape[1], self._only)
        chords = squared_chords(points[:, :, None], self._places[:, None, :])
        return np.asarray(self._answers[chords.argmin(axis=1)])


class PlacesByCountry:
    """Places of countries, by the blocks and cells in which they can be nearest."""

    def __init__(self, places: Floats, answers: Ints, rows_of: Mapping[str, Ints]) -> None:
        self.places = places
        """Directions, in columns."""
        self.answers = answers
        """What each place stands for."""
        # The places of a country side by side, because every new block looks at all of them.
        self._of = {
            country: (np.ascontiguousarray(places[:, rows]), answers[rows])
            for country, rows in rows_of.items()
        }
        self._rows_of_block = lru_cache(maxsize=_BLOCKS_KEPT)(self._rows_near_a_block)
        self._of_cell = lru_cache(maxsize=_CELLS_KEPT)(self._near_a_cell)

    def answer_at(self, country: str, lat: float, lon: float, point: Floats) -> int | None:
        """What the place next to a point, in degrees and as a direction, stands for.

        None for a country without a place. Of places equally near, the first of the country's rows
        is the nearest.
        """
        if country not in self._of:
            return None
        cell = _number(lat, lon, _CELL)
        return int(self._of_cell(country, _number(lat, lon, _BLOCK), cell).answers(point)[0])

    def answers_at(self, country: str, lats: Floats, lons: Floats, points: Floats) -> Ints:
        """As `answer_at`, for many points; -1 for a country without a place."""
        numbers = np.full(len(lats), -1)
        if country not in self._of:
            return numbers
        for block, some in _by_area(lats, lons, _BLOCK):
            rows = self._rows_of_block(country, block)
            if len(some) * len(rows) <= _PAIRS_OF_A_BLOCK:
                numbers[some] = self._with_rows(country, rows).answers(points[:, some])
                continue
            for cell, few in _by_area(lats[some], lons[some], _CELL):
                in_cell = some[few]
                near = self._of_cell(country, block, cell)
                numbers[in_cell] = near.answers(points[:, in_cell])
        return numbers

    def _with_rows(self, country: str, rows: Ints) -> Candidates:
        places, answers = self._of[country]
        return Candidates(places[:, rows], answers[rows])

    def _rows_near_a_block(self, country: str, block: int) -> Ints:
        return _near(self._of[country][0], block, _BLOCK)

    def _near_a_cell(self, country: str, block: int, cell: int) -> Candidates:
        rows = self._rows_of_block(country, block)
        return self._with_rows(country, rows[_near(self._of[country][0][:, rows], cell, _CELL)])


def _near(places: Floats, area: int, side: float) -> Ints:
    """Which places can be nearest to a point of an area of the grid with this side."""
    row, column = divmod(area, round(360 / side))
    middle, reach = _middle_and_reach(row, column, side)
    squared = squared_chords(places, middle)
    # No point of the area is farther from its middle than a corner is.
    return np.flatnonzero(squared <= (math.sqrt(squared.min()) + 2 * reach + _ROUNDING) ** 2)


def _middle_and_reach(row: int, column: int, side: float) -> tuple[Floats, float]:
    """The direction of an area's middle, and the longest chord from there to one of its corners."""
    south, west = row * side - 90, column * side - 180
    lats = np.array([south + side / 2, south, south + side])
    lons = np.array([west + side / 2, west, west])
    middle, *corners = directions(lats, lons).T
    return middle, max(math.dist(middle, corner) for corner in corners)


def _number(lat: float, lon: float, side: float) -> int:
    """The number of the area of a grid with this side that holds a point."""
    rows, columns = round(180 / side), round(360 / side)
    return min(int((lat + 90) / side), rows - 1) * columns + min(
        int((lon + 180) / side), columns - 1
    )


def _by_area(lats: Floats, lons: Floats, side: float) -> Iterator[tuple[int, Ints]]:
    """Each area of a grid with this side that holds points, and which points it holds."""
    rows, columns = round(180 / side), round(360 / side)
    areas = columns * np.minimum(((lats + 90) / side).astype(np.int64), rows - 1)
    areas += np.minimum(((lons + 180) / side).astype(np.int64), columns - 1)
    order = np.argsort(areas, kind="stable")
    starts = np.flatnonzero(np.diff(areas[order], prepend=-1))
    for points in np.split(order, starts)[1:]:
        yield int(areas[points[0]]), points
