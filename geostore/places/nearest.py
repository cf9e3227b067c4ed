"""The place next to a point among the places of one country, and what it stands for.

A place stands for a number: that of a city or a region. Distances to all places of a
country would take too long for a million points. So each cell of a grid gets the few
places that can be nearest to a point in it, and only their distances are compared;
none at all where these places stand for the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from geostore.places.sphere import directions, squared_chords

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CELLS_A_DEGREE = 2
_ROWS, _COLUMNS = 180 * _CELLS_A_DEGREE, 360 * _CELLS_A_DEGREE
_ROUNDING = 1e-9
"""Added to distances on the unit sphere when places are ruled out: 6 mm."""


class Candidates:
    """The places that can be nearest to a point of a cell."""

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
    """Places of countries, by the cells in which they can be nearest."""

    def __init__(self, places: Floats, answers: Ints, rows_of: Mapping[str, Ints]) -> None:
        self.places = places
        """Directions, in columns."""
        self.answers = answers
        """What each place stands for."""
        # The places of a country side by side, because every new cell looks at all of them.
        self._of = {
            country: (np.ascontiguousarray(places[:, rows]), answers[rows])
            for country, rows in rows_of.items()
        }
        self._candidates = lru_cache(maxsize=4096)(self._without_the_far)

    def candidates(self, country: str, cell: int) -> Candidates | None:
        """What can be nearest to points of a cell; None for a country without a place.

        Of places equally near, the first of the country's rows is the nearest.
        """
        return self._candidates(country, cell) if country in self._of else None

    def _without_the_far(self, country: str, cell: int) -> Candidates:
        row, column = divmod(cell, _COLUMNS)
        south, west = row / _CELLS_A_DEGREE - 90, column / _CELLS_A_DEGREE - 180
        side = 1 / _CELLS_A_DEGREE
        middle = directions(np.array([south + side / 2]), np.array([west + side / 2]))
        corners = directions(
            np.array([south, south, south + side, south + side]),
            np.array([west, west + side, west, west + side]),
        )
        places, answers = self._of[country]
        chords = np.sqrt(squared_chords(places, middle))
        # No point of the cell is farther from its middle than a corner is.
        reach = np.sqrt(squared_chords(corners, middle)).max()
        near = chords <= chords.min() + 2 * reach + _ROUNDING
        return Candidates(places[:, near], answers[near])


def cell_of(lat: float, lon: float) -> int:
    """The number of the cell in which a point lies."""
    row = min(int((lat + 90) * _CELLS_A_DEGREE), _ROWS - 1)
    return row * _COLUMNS + min(int((lon + 180) * _CELLS_A_DEGREE), _COLUMNS - 1)


def by_cell(lats: Floats, lons: Floats) -> Iterator[tuple[int, Ints]]:
    """Each cell that holds points, and which points it holds."""
    rows = np.minimum(((lats + 90) * _CELLS_A_DEGREE).astype(np.int64), _ROWS - 1)
    columns = np.minimum(((lons + 180) * _CELLS_A_DEGREE).astype(np.int64), _COLUMNS - 1)
    cells = rows * _COLUMNS + columns
    order = np.argsort(cells, kind="stable")
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
    for points in np.split(order, starts)[1:]:
        yield int(cells[points[0]]), points
