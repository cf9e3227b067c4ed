"""Which country holds a point: Natural Earth's borders, as an index of their edges.

Every edge of a border knows the country on its east. So the country of a point is
that of the first edge to its west at the same latitude, and neither rings nor holes
have to be looked at. Where there is no edge to the west, the last one before the
antimeridian counts, because borders run on across it.
"""

from __future__ import annotations

import gc
import itertools
import lzma
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SEA = -1
"""Stands for no country."""
_STRIP = 64
"""Height of a strip of latitude in steps of the file's grid: 0.11 degrees."""
_PAIRS_AT_ONCE = 2_000_000
"""Points times edges that are compared at once: 16 MB an array."""
_BESIDE_A_CORNER = 1e-6
"""In steps of the grid, 0.2 mm: a point exactly at a corner's latitude is looked at so far north,
so that no line runs through a corner."""


class Borders:
    """All countries, and their borders as edges on the file's grid."""

    codes: tuple[str, ...]
    """ISO 3166-1 alpha-2, sorted; a country's number is its place here."""
    edges: Floats
    """One row per edge: x and y of its southern or first end, then of the other, on the grid."""
    east: Ints
    """The country on the eastern side of each edge (of a level one: on its northern)."""
    west: Ints
    """The country on the other side."""

    def __init__(self, topology: dict[str, Any]) -> None:
        geometries = topology["objects"]["countries"]["geometries"]
        self.codes = tuple(geometry["id"] for geometry in geometries)
        self._scale_x, self._scale_y = topology["transform"]["scale"]
        self._west_end, self._south_end = topology["transform"]["translate"]
        self._around = round(360 / self._scale_x)
        arcs = topology["arcs"]
        right, left = np.full(len(arcs), SEA), np.full(len(arcs), SEA)
        for number, geometry in enumerate(geometries):
            for arc in itertools.chain.from_iterable(itertools.chain(*geometry["arcs"])):
                # A ring goes round its country clockwise, and against that through its arc ~arc.
                (right if arc >= 0 else left)[arc if arc >= 0 else ~arc] = number
        corners, counts = _corners(arcs)
        last = np.cumsum(counts) - 1
        starts, ends = (
            np.delete(corners, last, axis=0),
            np.delete(corners, last - counts + 1, axis=0),
        )
        sides = np.repeat(right, counts - 1), np.repeat(left, counts - 1)
        self._set_edges(starts, ends, *sides)
        self._set_strips()

    def _set_edges(self, starts: Ints, ends: Ints, right: Ints, left: Ints) -> None:
        # Two parts of a country that meet at the antimeridian have no border there.
        inside = (starts[:, 0] % self._around != 0) | (ends[:, 0] % self._around != 0)
        starts, ends, right, left = starts[inside], ends[inside], right[inside], left[inside]
        southward = (ends[:, 1] < starts[:, 1]) | (
            (ends[:, 1] == starts[:, 1]) & (ends[:, 0] > starts[:, 0])
        )
        low = np.where(southward[:, None], ends, starts).astype(np.float64)
        high = np.where(southward[:, None], starts, ends).astype(np.float64)
        east = np.where(southward, left, right)
        west = np.where(southward, right, left)
        # An edge that crosses the antimeridian stands twice, once on each side of the map.
        shift = np.where(high[:, 0] - low[:, 0] > self._around / 2, -self._around, 0) + np.where(
            low[:, 0] - high[:, 0] > self._around / 2, self._around, 0
        )
        high[:, 0] += shift
        crossing = np.flatnonzero(shift)
        again = np.concatenate([low[crossing], high[crossing]], axis=1)
        again[:, [0, 2]] -= shift[crossing, None]
        self.edges = np.concatenate([np.concatenate([low, high], axis=1), again])
        self.east = np.concatenate([east, east[crossing]])
        self.west = np.concatenate([west, west[crossing]])

    def _set_strips(self) -> None:
        """Sort the edges by strips of latitude; one that runs through several stands in each."""
        rising = np.flatnonzero(self.edges[:, 3] > self.edges[:, 1])
        x0, y0, x1, y1 = self.edges[rising].T
        first = (y0 // _STRIP).astype(np.int64)
        last = (np.ceil(y1 / _STRIP)).astype(np.int64) - 1
        each = last - first + 1
        edge = np.repeat(np.arange(len(rising)), each)
        before = np.cumsum(each) - each
        strip = np.repeat(first - before, each) + np.arange(len(edge))
        order = np.argsort(strip, kind="stable")
        edge = edge[order]
        self._strips = int(strip.max()) + 1
        self._strip_starts = np.searchsorted(strip[order], np.arange(self._strips + 1)).tolist()
        self._lowest = float(y0.min())
        self._low, self._high, self._x = y0[edge], y1[edge], x0[edge]
        self._lean = ((x1 - x0) / (y1 - y0))[edge]
        self._east_of = self.east[rising][edge]
        self._south = self.codes.index("AQ")

    def to_degrees(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Latitudes and longitudes of places on the file's grid."""
        return y * self._scale_y + self._south_end, x * self._scale_x + self._west_end

    def country_at(self, lats: Floats, lons: Floats) -> Ints:
        """The number of the country that holds each point in degrees; `SEA` where none does.

        A point exactly on a border belongs to the country east of it.
        """
        x = (np.where(lons >= 180, -180.0, lons) - self._west_end) / self._scale_x
        y = (lats - self._south_end) / self._scale_y
        y = np.where(y == np.floor(y), y + _BESIDE_A_CORNER, y)
        countries = np.where(y < self._lowest, self._south, SEA)
        strips = np.maximum(y // _STRIP, 0).astype(np.int64)
        order = np.argsort(strips, kind="stable")
        starts = np.flatnonzero(np.diff(strips[order], prepend=-1))
        for points in np.split(order, starts[1:]):
            strip = int(strips[points[0]]) if len(points) else self._strips
            if strip >= self._strips:
                break
            at_once = max(1, _PAIRS_AT_ONCE // self._edges_in(strip))
            for start in range(0, len(points), at_once):
                some = points[start : start + at_once]
                edge = self._edge_west_of(strip, x[some, None], y[some, None])
                countries[some] = np.where(edge >= 0, self._east_of[edge], countries[some])
        return countries

    def country_at_one(self, lat: float, lon: float) -> int:
        """As `country_at`, for one point, without the time that sorting many takes."""
        x = ((-180.0 if lon >= 180 else lon) - self._west_end) / self._scale_x
        y = (lat - self._south_end) / self._scale_y
        y = y + _BESIDE_A_CORNER if y == int(y) else y
        strip = max(int(y // _STRIP), 0)
        if strip < self._strips:
            edge = int(self._edge_west_of(strip, x, y))
            if edge >= 0:
                return int(self._east_of[edge])
        return self._south if y < self._lowest else SEA

    def _edges_in(self, strip: int) -> int:
        return max(1, int(self._strip_starts[strip + 1] - self._strip_starts[strip]))

    def _edge_west_of(self, strip: int, x: Floats | float, y: Floats | float) -> Ints:
        """The first edge to the west of each point of a strip; -1 where no border is so far south.

        Points stand in a column, and the result has no such axis.
        """
        inside = slice(self._strip_starts[strip], self._strip_starts[strip + 1])
        low = self._low[inside]
        if not len(low):
            return np.full(np.shape(y)[:1], -1)
        meets = (low <= y) & (y < self._high[inside])
        edge_x = np.where(meets, self._x[inside] + (y - low) * self._lean[inside], np.inf)
        western = np.where(edge_x <= x, edge_x, -np.inf)
        first = western.argmax(axis=-1)
        none = western.max(axis=-1) == -np.inf
        if none.any():
            # Going on to the west, one comes back from the east.
            western = np.where(edge_x <= x + self._around, edge_x, -np.inf)
            first = np.where(none, western.argmax(axis=-1), first)
            none = western.max(axis=-1) == -np.inf
        return np.where(none, -1, first + self._strip_starts[strip])


def _corners(arcs: list[list[list[int]]]) -> tuple[Ints, Ints]:
    """The corners of all arcs, which TopoJSON has as steps, and how many each arc has."""
    counts = np.array([len(arc) for arc in arcs])
    numbers = itertools.chain.from_iterable(itertools.chain.from_iterable(arcs))
    # In one array: it takes four times as long to make one of each arc.
    way = np.cumsum(np.fromiter(numbers, np.int64).reshape(-1, 2), axis=0)
    before = np.concatenate([[[0, 0]], way[np.cumsum(counts)[:-1] - 1]])
    return way - np.repeat(before, counts, axis=0), counts


def read_borders(packed: bytes) -> Borders:
    """The borders of a compressed TopoJSON file whose geometries have ISO codes as `id`."""
    contents = lzma.decompress(packed)
    collects = gc.isenabled()
    # Its thousands of little lists would be looked at again and again while they are read.
    gc.disable()
    try:
        return Borders(orjson.loads(contents))
    finally:
        if collects:
            gc.enable()


@cache
def borders() -> Borders:
    """The packaged borders, read once per process."""
    return read_borders(
        (resources.files("geostore.places") / "data" / "countries.topojson.xz").read_bytes()
    )
