"""The nearest coast of a point at sea, by great circle distance.

The edges of coasts stand in cubes of space somewhat larger than the distance that
counts. So every edge near enough is in the point's own cube or in one of the 26
around it, and neither the poles nor the antimeridian need a rule.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
from numpy.typing import NDArray

from geostore.earth import EARTH_RADIUS_KM
from geostore.places.borders import SEA, Borders, borders
from geostore.places.sphere import (
    chords_km,
    directions,
    dot,
    normals,
    squared_chords,
    squared_chords_to_edges,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COAST_KM = 100.0
"""A point at sea belongs to the country of the nearest coast within so many km, else to none."""

_STEP_KM = 10.0
"""An edge stands in the cubes of points so far apart on it."""
_CUBE = (COAST_KM + _STEP_KM) / EARTH_RADIUS_KM
_CUBES_ACROSS = 4 + int(2 / _CUBE)
_AROUND = np.array(
    [
        (x * _CUBES_ACROSS + y) * _CUBES_ACROSS + z
        for x, y, z in itertools.product((-1, 0, 1), repeat=3)
    ]
)
_PAIRS_AT_ONCE = 400_000
_ROUNDING = 1e-9
"""Added to distances on the unit sphere when edges are ruled out: 6 mm."""


class Coast:
    """The edges of coasts, or of all borders, by the cubes of space that they run through."""

    def __init__(self, of: Borders, *, coasts_only: bool = True) -> None:
        x0, y0, x1, y1 = of.edges.T
        wanted = (x0 != x1) | (y0 != y1)
        if coasts_only:
            wanted &= (of.east == SEA) != (of.west == SEA)
        self._country = np.maximum(of.east, of.west)[wanted]
        self._start = directions(*of.to_degrees(x0[wanted], y0[wanted]))
        self._end = directions(*of.to_degrees(x1[wanted], y1[wanted]))
        self._normal = normals(self._start, self._end)
        self._reach = np.sqrt(squared_chords(self._start, self._end))
        self._set_cubes()

    def _set_cubes(self) -> None:
        length_km = chords_km(squared_chords(self._start, self._end))
        steps = np.ceil(length_km / _STEP_KM).astype(np.int64) + 1
        edge = np.repeat(np.arange(len(steps)), steps)
        place = np.arange(len(edge)) - np.repeat(np.cumsum(steps) - steps, steps)
        share = place / np.maximum(steps - 1, 1)[edge]
        points = self._start[:, edge] * (1 - share) + self._end[:, edge] * share
        keys = _cubes(points / np.sqrt(dot(points, points)))
        # A number for each pair: sorting rows takes long, and no other thread runs meanwhile.
        keys, self._edges = np.divmod(np.unique(keys * len(steps) + edge), len(steps))
        self._keys, first = np.unique(keys, return_index=True)
        self._firsts = np.append(first, len(keys))

    def nearest(self, lats: Floats, lons: Floats) -> tuple[Floats, Ints]:
        """Distance in km to the nearest edge of each point, and the edge's country.

        Infinity and `SEA` where no edge is within `COAST_KM`. Of countries equally near, the
        first by its code.
        """
        points = directions(lats, lons)
        cells = _cubes(points)[:, None] + _AROUND
        at = np.minimum(np.searchsorted(self._keys, cells), len(self._keys) - 1)
        there = self._keys[at] == cells
        counts = np.where(there, self._firsts[at + 1] - self._firsts[at], 0)
        kms, countries = np.full(len(lats), np.inf), np.full(len(lats), SEA)
        ends = np.cumsum(counts.sum(axis=1))
        start = 0
        while start < len(lats):
            before = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, "right")))
            some = slice(start, stop)
            kms[some], countries[some] = self._nearest_of(
                points[:, some], self._firsts[at[some]], counts[some]
            )
            start = stop
        return kms, countries

    def _nearest_of(self, points: Floats, firsts: Ints, counts: Ints) -> tuple[Floats, Ints]:
        each = counts.ravel()
        pair_of = np.repeat(np.arange(each.size), each)
        place = np.arange(len(pair_of)) - np.repeat(np.cumsum(each) - each, each)
        edge = self._edges[firsts.ravel()[pair_of] + place]
        point = pair_of // counts.shape[1]
        # An edge can be nearer than its first end by its own length and no more.
        to_start = np.sqrt(squared_chords(points[:, point], self._start[:, edge]))
        pairs = counts.sum(axis=1)
        with_pairs = np.cumsum(pairs)[pairs > 0] - pairs[pairs > 0]
        nearest_start = np.minimum.reduceat(to_start, with_pairs) if len(with_pairs) else to_start
        nearest_start = np.repeat(nearest_start, pairs[pairs > 0])
        possible = to_start <= nearest_start + self._reach[edge] + _ROUNDING
        edge, point = edge[possible], point[possible]
        squared = squared_chords_to_edges(
            points[:, point], self._start[:, edge], self._end[:, edge], self._normal[:, edge]
        )
        kms = chords_km(squared)
        country = self._country[edge]
        order = np.lexsort((country, kms, point))
        nearest, first = np.unique(point[order], return_index=True)
        best = order[first]
        near = kms[best] <= COAST_KM
        nearest, best = nearest[near], best[near]
        km, number = np.full(points.shape[1], np.inf), np.full(points.shape[1], SEA)
        km[nearest], number[nearest] = kms[best], country[best]
        return km, number


def _cubes(points: Floats) -> Ints:
    """The number of the cube that holds each unit vector."""
    x, y, z = ((points + 1) / _CUBE).astype(np.int64) + 1
    return np.asarray((x * _CUBES_ACROSS + y) * _CUBES_ACROSS + z)


@cache
def coast() -> Coast:
    """The packaged coasts, prepared at the first point at sea."""
    return Coast(borders())
