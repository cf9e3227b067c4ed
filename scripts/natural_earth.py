"""Natural Earth's countries by ISO code: what `build_places.py` makes of the package world-atlas.

The result is TopoJSON: the arcs of the 1:50m countries, and those of countries and
islands that only the 1:10m file has. Each geometry has an ISO 3166-1 alpha-2 code as its `id`.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from geostore.places.borders import SEA, Borders
from geostore.places.coast import Coast

Point = tuple[int, int]

CODE_OF_NAME = {
    "Kosovo": "XK",
    "N. Cyprus": "CY",
    "Somaliland": "SO",
    "Siachen Glacier": "IN",
    "Indian Ocean Ter.": "CX",
}
"""For features without a number of ISO 3166. Somaliland and Northern Cyprus have no code, so they
are of the state that ISO counts them to; India holds the Siachen Glacier."""

PARTS = {
    "FR": {
        "GF": (2.0, -55.0, 6.0, -51.0),
        "GP": (15.8, -61.9, 16.6, -60.9),
        "MQ": (14.3, -61.3, 15.0, -60.7),
        "RE": (-21.5, 55.0, -20.8, 56.0),
        "YT": (-13.1, 44.9, -12.5, 45.4),
    },
    "NL": {"BQ": (12.0, -69.0, 18.0, -62.0)},
    "NO": {"SJ": (74.0, 10.0, 81.0, 34.0), "BV": (-55.0, 3.0, -54.0, 4.0)},
    "NZ": {"TK": (-10.0, -173.0, -8.0, -171.0)},
    "CX": {"CC": (-12.5, 96.5, -11.5, 97.5)},
}
"""Parts of a feature that have a code of their own in ISO 3166: south, west, north and east of
a box that holds them."""
JAN_MAYEN = (70.0, -10.0, 72.0, -7.0)

ONLY_IN_10M = ("GI", "TV", "UM")
"""What the 1:50m file leaves out although it has a code. None of it touches another country."""
OFF_KM = 5.0
"""An island of the 1:10m file is taken if all that the 1:50m file draws is so far from it."""


def countries_topology(
    at_50m: dict[str, Any], at_10m: dict[str, Any], numeric: dict[str, str]
) -> dict[str, Any]:
    """TopoJSON of all countries by ISO alpha-2 code; `numeric` has the code of each number."""
    arcs: list[list[Point]] = [[(x, y) for x, y in arc] for arc in at_50m["arcs"]]
    polygons: defaultdict[str, list[list[list[int]]]] = defaultdict(list)
    for geometry in at_50m["objects"]["countries"]["geometries"]:
        code = numeric.get(geometry.get("id")) or CODE_OF_NAME[geometry["properties"]["name"]]
        for polygon in _polygons(geometry):
            corner = _degrees(at_50m, _corners(at_50m, polygon[0])[0])
            polygons[_part(code, corner)].append(polygon)
    drawn = _topology(at_50m["transform"], polygons, arcs)
    for code, ring in _only_in_10m(drawn, at_10m, numeric):
        polygons[code].append([[len(arcs)]])
        arcs.append(_steps(ring))
    return _topology(at_50m["transform"], polygons, arcs)


def _topology(
    transform: dict[str, Any],
    polygons: Mapping[str, list[list[list[int]]]],
    arcs: list[list[Point]],
) -> dict[str, Any]:
    geometries = [
        {"type": "MultiPolygon", "id": code, "arcs": polygons[code]} for code in sorted(polygons)
    ]
    return {
        "type": "Topology",
        "transform": transform,
        "objects": {"countries": {"type": "GeometryCollection", "geometries": geometries}},
        "arcs": arcs,
    }


def _only_in_10m(
    drawn: dict[str, Any], at_10m: dict[str, Any], numeric: dict[str, str]
) -> Iterator[tuple[str, list[Point]]]:
    """Islands that are not drawn yet, on the same grid, each by its convex hull.

    Those of countries that are not drawn, and those off all that is. Of two that would overlap,
    the first is enough.
    """
    borders = Borders(drawn)
    edges = Coast(borders, coasts_only=False)
    boxes: list[tuple[int, int, int, int]] = []
    for geometry in at_10m["objects"]["countries"]["geometries"]:
        code = numeric.get(geometry.get("id")) or CODE_OF_NAME.get(geometry["properties"]["name"])
        if code is None or geometry["type"] is None:
            continue
        for polygon in _polygons(geometry):
            places = [_degrees(at_10m, corner) for corner in _corners(at_10m, polygon[0])]
            if code not in ONLY_IN_10M:
                lats, lons = np.array(places).T
                kms, _ = edges.nearest(lats, np.clip(lons, -180, 180))
                if kms.min() < OFF_KM or borders.country_at_one(lats[0], lons[0]) != SEA:
                    continue
            ring = _hull({_on_the_grid(drawn, place) for place in places})
            xs, ys = zip(*ring, strict=True)
            box = (min(xs), min(ys), max(xs), max(ys))
            if not any(_overlap(box, other) for other in boxes):
                boxes.append(box)
                yield _part(code, places[0]), ring


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _polygons(geometry: dict[str, Any]) -> list[list[list[int]]]:
    arcs: list[Any] = geometry["arcs"]
    return [arcs] if geometry["type"] == "Polygon" else arcs


def _corners(topology: dict[str, Any], ring: list[int]) -> list[Point]:
    corners: list[Point] = []
    for index in ring:
        x, y = 0, 0
        arc = []
        for dx, dy in topology["arcs"][index if index >= 0 else ~index]:
            x, y = x + dx, y + dy
            arc.append((x, y))
        corners += arc if index >= 0 else arc[::-1]
    return corners


def _degrees(topology: dict[str, Any], corner: Point) -> tuple[float, float]:
    """Latitude and longitude."""
    (scale_x, scale_y), (west, south) = (
        topology["transform"]["scale"],
        topology["transform"]["translate"],
    )
    return corner[1] * scale_y + south, corner[0] * scale_x + west


def _on_the_grid(topology: dict[str, Any], place: tuple[float, float]) -> Point:
    (scale_x, scale_y), (west, south) = (
        topology["transform"]["scale"],
        topology["transform"]["translate"],
    )
    return round((place[1] - west) / scale_x), round((place[0] - south) / scale_y)


def _part(code: str, place: tuple[float, float]) -> str:
    for part, box in PARTS.get(code, {}).items():
        if _in_box(place, box):
            return part
    return "SJ" if code == "NO" and _in_box(place, JAN_MAYEN) else code


def _in_box(place: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    south, west, north, east = box
    return south <= place[0] <= north and west <= place[1] <= east


def _hull(corners: set[Point]) -> list[Point]:
    """The smallest convex ring around corners, clockwise from the most western, and closed.

    A ring of a few steps of the grid may cross itself once its corners are on the grid. One
    without an area gets a step of the grid to the north and the east.
    """
    ring: list[Point] = []
    for half in (sorted(corners), sorted(corners, reverse=True)):
        start = len(ring)
        for corner in half:
            while len(ring) > start + 1 and _turns_left(ring[-2], ring[-1], corner):
                ring.pop()
            ring.append(corner)
        ring.pop()
    if len(ring) < 3:
        return _hull({(x + dx, y + dy) for x, y in corners for dx in (0, 1) for dy in (0, 1)})
    return [*ring, ring[0]]


def _turns_left(first: Point, second: Point, third: Point) -> bool:
    (x, y), (x2, y2), (x3, y3) = first, second, third
    return (x2 - x) * (y3 - y) - (y2 - y) * (x3 - x) >= 0


def _steps(ring: list[Point]) -> list[Point]:
    return [
        ring[0],
        *((b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(ring)),
    ]
