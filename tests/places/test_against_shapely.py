"""Countries and coasts against shapely, over polygons that are put together here from the file."""

from __future__ import annotations

import json
import lzma
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from geostore.places import places_of
from geostore.places.borders import borders
from geostore.places.coast import COAST_KM

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FILE = resources.files("geostore.places") / "data" / "countries.topojson.xz"
EARTH_RADIUS_KM = 6371.0


@cache
def topology() -> dict[str, Any]:
    contents: dict[str, Any] = json.loads(lzma.decompress(FILE.read_bytes()))
    return contents


def ring_on_the_grid(ring: list[int]) -> Ints:
    """Corners of a ring as the file has them; x goes on past the map's end where it crosses it."""
    around = round(360 / topology()["transform"]["scale"][0])
    corners: list[Any] = []
    for number in ring:
        arc = np.cumsum(topology()["arcs"][number if number >= 0 else ~number], axis=0)
        corners += list(arc if number >= 0 else arc[::-1])
    on_the_grid: Ints = np.array(corners)
    jumps = np.diff(on_the_grid[:, 0], prepend=on_the_grid[0, 0])
    on_the_grid[:, 0] += around * (np.cumsum(jumps < -around / 2) - np.cumsum(jumps > around / 2))
    return on_the_grid


def ring_in_degrees(ring: list[int]) -> Floats:
    """Longitudes and latitudes of a ring; longitudes go on past 180 where it crosses there."""
    scale, shift = topology()["transform"]["scale"], topology()["transform"]["translate"]
    degrees: Floats = ring_on_the_grid(ring) * np.array(scale) + np.array(shift)
    return degrees


@cache
def polygons() -> tuple[list[str], Any]:
    """Country codes and their polygons, one each; each also a turn of the earth to both sides."""
    codes, shapes = [], []
    for geometry in topology()["objects"]["countries"]["geometries"]:
        for rings in geometry["arcs"]:
            outer, *holes = [ring_in_degrees(ring) for ring in rings]
            if abs(outer[-1, 0] - outer[0, 0]) > 1:
                # The Antarctic's coast goes round the pole.
                assert geometry["id"] == "AQ"
                outer = np.concatenate([outer, [[outer[-1, 0], -91], [outer[0, 0], -91]]])
            for turn in np.array([[-360, 0], [0, 0], [360, 0]]):
                codes.append(geometry["id"])
                shapes.append(shapely.Polygon(outer + turn, [hole + turn for hole in holes]))
    return codes, shapely.STRtree(shapes)


def countries_by_shapely(lats: Floats, lons: Floats) -> list[set[str]]:
    """The countries whose polygons hold each point."""
    codes, tree = polygons()
    points, shapes = tree.query(shapely.points(lons, lats), predicate="intersects")
    holders: list[set[str]] = [set() for _ in lats]
    for point, shape in zip(points.tolist(), shapes.tolist(), strict=True):
        holders[point].add(codes[shape])
    return holders


def countries_here(lats: Floats, lons: Floats) -> list[set[str]]:
    numbers = borders().country_at(lats, lons).tolist()
    return [{borders().codes[number]} if number >= 0 else set() for number in numbers]


def test_no_ring_touches_itself_and_each_goes_clockwise_round_its_country() -> None:
    """On the file's own grid. A hole goes the other way; the Antarctic's coast is no ring there."""
    open_lines, touching, turned = [], [], []
    for geometry in topology()["objects"]["countries"]["geometries"]:
        for rings in geometry["arcs"]:
            for part, ring in enumerate(rings):
                line = shapely.LineString(ring_on_the_grid(ring))
                if not line.is_simple:
                    touching.append((geometry["id"], line.wkt[:99]))
                if not line.is_closed:
                    open_lines.append(geometry["id"])
                elif shapely.is_ccw(line) != (part > 0):
                    turned.append((geometry["id"], line.wkt[:99]))
    assert (touching, turned, open_lines) == ([], [], ["AQ"])


def anywhere(count: int, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return np.degrees(np.arcsin(rng.uniform(-1, 1, count))), rng.uniform(-180, 180, count)


def near_borders(count: int, seed: int, *, spread: float) -> tuple[Floats, Floats]:
    """Points about `spread` degrees from a corner of a border."""
    rng = np.random.default_rng(seed)
    corners = np.concatenate([ring_in_degrees([arc]) for arc in range(len(topology()["arcs"]))])
    near = corners[rng.integers(len(corners), size=count)] + rng.normal(0, spread, (count, 2))
    return np.clip(near[:, 1], -90, 90), (near[:, 0] + 180) % 360 - 180


@pytest.mark.parametrize(
    ("lats", "lons"),
    [
        pytest.param(*anywhere(60_000, 1), id="anywhere"),
        pytest.param(*near_borders(30_000, 2, spread=0.5), id="half a degree from borders"),
        pytest.param(*near_borders(30_000, 3, spread=0.01), id="a kilometre from borders"),
        pytest.param(*near_borders(30_000, 4, spread=1e-5), id="a metre from borders"),
    ],
)
def test_each_point_is_in_the_country_whose_polygon_holds_it(lats: Floats, lons: Floats) -> None:
    """Without exception: no point of these lies on a border, nor do two polygons overlap there."""
    expected = countries_by_shapely(lats, lons)
    differ = [
        (lat, lon, here, by_shapely)
        for lat, lon, here, by_shapely in zip(
            lats, lons, countries_here(lats, lons), expected, strict=True
        )
        if here != by_shapely
    ]
    assert differ == []
    assert set() in expected
    assert len(set().union(*expected)) > 150


def unit_vectors(lons: Floats, lats: Floats) -> Floats:
    phi, along = np.radians(lats), np.radians(lons)
    return np.stack([np.cos(phi) * np.cos(along), np.cos(phi) * np.sin(along), np.sin(phi)], axis=1)


@cache
def coasts() -> tuple[list[str], list[Floats]]:
    """Country codes and one line a border, as unit vectors."""
    codes, lines = [], []
    for geometry in topology()["objects"]["countries"]["geometries"]:
        for rings in geometry["arcs"]:
            for ring in rings:
                degrees = ring_in_degrees(ring)
                codes.append(geometry["id"])
                lines.append(unit_vectors(degrees[:, 0], degrees[:, 1]))
    return codes, lines


def nearest_by_shapely(lat: float, lon: float) -> tuple[float, str]:
    """Distance in km and country, in the gnomonic projection about the point.

    There great circles are straight lines, and a distance from the middle is a tangent.
    """
    up = unit_vectors(np.array([lon]), np.array([lat]))[0]
    east = np.array([-np.sin(np.radians(lon)), np.cos(np.radians(lon)), 0.0])
    north = np.cross(up, east)
    kms: dict[str, float] = {}
    for code, line in zip(*coasts(), strict=True):
        heights = line @ up
        if heights.max() < np.cos(np.radians(2)):
            continue
        # Far corners would lie at infinity; their edges are left out, as they are far as well.
        flat = np.stack([line @ east, line @ north], axis=1) / np.maximum(heights, 0.5)[:, None]
        near = (heights[:-1] > 0.9) & (heights[1:] > 0.9)
        edges = np.stack([flat[:-1], flat[1:]], axis=1)[near]
        tangent = shapely.MultiLineString(list(edges)).distance(shapely.Point(0, 0))
        km = round(EARTH_RADIUS_KM * float(np.arctan(tangent)), 3)
        kms[code] = min(km, kms.get(code, km))
    nearest = min(kms.values(), default=np.inf)
    return nearest, min((code for code, km in kms.items() if km == nearest), default="")


def test_a_point_at_sea_has_the_nearest_coast() -> None:
    """Of near and far points, also about the poles and the antimeridian."""
    parts = (anywhere(300, 5), near_borders(400, 6, spread=0.6))
    lats, lons = (np.concatenate([part[axis] for part in parts]) for axis in (0, 1))
    near_180 = np.random.default_rng(7).uniform(-1, 1, 60)
    lats = np.concatenate([lats, np.random.default_rng(8).uniform(-90, 75, 60)])
    lons = np.concatenate([lons, np.sign(near_180) * 180 - near_180])
    at_sea = [
        number for number, holders in enumerate(countries_by_shapely(lats, lons)) if not holders
    ]
    places = places_of(lats[at_sea], lons[at_sea])
    beyond = 0
    for point, place in zip(at_sea, places, strict=True):
        km, country = nearest_by_shapely(lats[point], lons[point])
        if km > COAST_KM:
            assert place.country is None
            beyond += 1
        else:
            assert place.country == country
            assert place.coast_km == pytest.approx(km, abs=0.0011)  # both are rounded to the metre
    assert beyond > 100
    assert len(at_sea) - beyond > 100
