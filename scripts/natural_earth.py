"""Natural Earth's countries by ISO code: what `build_places.py` makes of the package world-atlas.

The result is TopoJSON: borders between countries as the 1:10m file draws them, and its coasts with
fewer corners. Each geometry has an ISO 3166-1 alpha-2 code as its `id`.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from simplified_coasts import simplified, twice_the_area, unwound, without_spikes

Ints = NDArray[np.int64]
Rings = list[list[int]]

CODE_OF_NAME = {
    "Kosovo": "XK",
    "Somaliland": "SO",
    "N. Cyprus": "CY",
    "Cyprus U.N. Buffer Zone": "CY",
    "Akrotiri": "CY",
    "Dhekelia": "CY",
    "USNB Guantanamo Bay": "CU",
    "Baikonur": "KZ",
    "Siachen Glacier": "IN",
    "Indian Ocean Ter.": "CX",
    "Coral Sea Is.": "AU",
    "Clipperton I.": "FR",
}
"""For features without a number of ISO 3166: the state that ISO counts a territory to which has no
code of its own, also where another one governs or leases it. India holds the Siachen Glacier."""

CLAIMED_BY_SEVERAL = ("Spratly Is.", "Scarborough Reef", "Bajo Nuevo Bank", "Serranilla Bank")
"""Reefs that are left out, because several states claim them and none has them by ISO."""

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


ENCLAVES: tuple[tuple[str, str, tuple[tuple[float, float], ...]], ...] = (
    (
        "VA",
        "IT",
        (
            (41.9015, 12.4457),
            (41.9040, 12.4470),
            (41.9075, 12.4530),
            (41.9065, 12.4560),
            (41.9040, 12.4580),
            (41.9015, 12.4585),
            (41.9000, 12.4530),
        ),
    ),
    (
        "DE",  # Büsingen
        "CH",
        (
            (47.6935, 8.6790),
            (47.7030, 8.6650),
            (47.7090, 8.6790),
            (47.7040, 8.6990),
            (47.6960, 8.7080),
            (47.6905, 8.6960),
        ),
    ),
    (
        "IT",  # Campione
        "CH",
        ((45.9640, 8.9660), (45.9740, 8.9660), (45.9740, 8.9790), (45.9655, 8.9770)),
    ),
)
"""Drawn by hand, because Natural Earth's have no area or are left out: country, the country all
around, and latitudes and longitudes clockwise. On the file's grid they are right to some 200 m."""

MENDED_CORNERS = {
    (36.1412, -5.3371): (36.1550, -5.3380),  # Gibraltar
    (36.1412, -5.3587): (36.1550, -5.3500),
    (47.6708, 9.1819): (47.6560, 9.1810),  # Konstanz
    (31.7441, 35.2066): (31.7441, 35.2180),  # Jerusalem, by the line of 1949
    (31.7661, 35.2066): (31.7661, 35.2290),
    (31.7830, 35.2066): (31.7830, 35.2265),
    (-1.6982, 29.2125): (-1.6990, 29.2450),  # Goma
    (-1.6593, 29.2341): (-1.6700, 29.2580),
    (41.4045, 128.1847): (41.4146, 128.2027),  # Hyesan and Changbai
    (41.3758, 128.1451): (41.3927, 128.1307),
    (24.0138, 97.8760): (24.0071, 97.8796),  # Mengmao
    (12.3626, 14.2039): (12.3795, 14.2111),  # Gamboru
    (26.8371, 89.3691): (26.8523, 89.3799),  # Jaigaon
    (21.5316, 107.9453): (21.5417, 107.9633),  # Móng Cái
    (40.2765, 71.9773): (40.3069, 71.9809),  # Quvasoy
    (-22.0117, -63.6936): (-22.0185, -63.6684),  # Yacuiba
    (44.6381, 22.6208): (44.6297, 22.5920),  # Drobeta-Turnu Severin
    (44.6313, 22.7000): (44.6077, 22.7144),
    (6.1352, 1.1862): (6.1301, 1.2006),  # Aflao
    (20.3479, 100.0972): (20.3716, 100.0864),  # Ton Pheung
    (20.3344, 100.0972): (20.3344, 100.0828),
    (43.3413, -1.7982): (43.3446, -1.7982),  # Irun and Hondarribia
    (43.3311, -1.7694): (43.3413, -1.7694),
    (43.3750, -1.7982): (43.3717, -1.7874),
    (-28.8893, 27.8985): (-28.8876, 27.8913),  # Maputsoe
    (51.1611, 14.9815): (51.1543, 14.9959),  # Görlitz
    (24.8530, 92.3571): (24.8632, 92.3967),  # Karimganj
    (16.1552, -13.5019): (16.1434, -13.5019),  # Kaédi
    (59.3743, 28.1865): (59.3828, 28.2045),  # Narva
    (36.9010, 38.2882): (36.9145, 38.2954),  # Ayn al-Arab
    (-4.2057, -69.9505): (-4.2226, -69.9325),  # Leticia
    (-4.2040, -69.9469): (-4.2040, -69.9361),
    (3.5263, 39.0694): (3.5364, 39.0658),  # Moyale
    (16.6905, 98.4916): (16.6921, 98.5168),  # Myawaddy
    (41.7473, 126.8635): (41.7219, 126.8527),  # Chunggang
    (41.7743, 126.8779): (41.7810, 126.8671),
    (26.3626, 87.2595): (26.4133, 87.2667),  # Jogbani
    (31.5618, 34.5117): (31.5685, 34.5189),  # Bayt Hanun
    (31.5415, 34.5297): (31.5381, 34.5441),
    (47.5627, 7.7851): (47.5560, 7.7923),  # Rheinfelden
    (45.9467, 13.6135): (45.9400, 13.6315),  # Gorizia
    (32.4871, -114.7817): (32.4820, -114.7853),  # San Luis
    (28.7081, -100.4932): (28.7047, -100.5040),  # Eagle Pass
    (28.6861, -100.4824): (28.6760, -100.4932),
    (12.7713, 14.5495): (12.7814, 14.5639),  # Blangwa
    (11.0894, 0.0594): (11.1046, 0.0594),  # Sinkassé
    (40.6953, 72.8917): (40.7155, 72.8737),  # Kara-Suu
    (49.7427, 18.6068): (49.7427, 18.6428),  # Český Těšín
    (-1.3216, 34.5585): (-1.2845, 34.5765),  # Sirari
    (2.1653, 11.3203): (2.1653, 11.3383),  # Ebebiyín
    (44.0927, 26.6493): (44.0758, 26.6421),  # Oltenița
    (42.2251, 129.2143): (42.2234, 129.1963),  # Musan
    (51.9311, 14.6971): (51.9311, 14.7187),  # Guben
    (34.9474, -2.0934): (34.9524, -2.0862),  # Ahfir
    (65.8416, 24.1616): (65.8449, 24.1364),  # Tornio
    (0.6557, 34.2525): (0.6388, 34.2633),  # Malaba
    (50.7845, 3.1050): (50.7920, 3.1050),  # Halluin
    (50.7795, 3.1302): (50.7896, 3.1338),
    (43.7989, 24.5000): (43.7533, 24.5000),  # Corabia
    (43.7600, 24.3596): (43.7415, 24.3992),
    (-27.3291, -54.2183): (-27.3341, -54.1967),  # El Soberbio
    (26.5399, 88.0875): (26.5399, 88.1019),  # Bhadrapur
    (48.3715, 21.6776): (48.3783, 21.6920),  # Sátoraljaújhely
    (-3.0000, 37.5610): (-2.9950, 37.5646),  # Tarakea
    (52.3380, 14.5675): (52.3363, 14.5567),  # Słubice
    (24.2671, 94.2831): (24.2519, 94.3083),  # Moreh
    (-10.3268, -67.1857): (-10.3454, -67.1857),  # Plácido de Castro
    (47.5610, 7.9111): (47.5458, 7.9291),  # Bad Säckingen
    (22.1851, 99.1576): (22.1918, 99.1684),  # Pangkham
}
"""Latitude and longitude of corners that Natural Earth draws 1 to 6 km off, in the middle of a city
or beyond it, and where to put them so that it lies in its own country. Only where states agree."""

AT_THE_ANTIMERIDIAN = {(0, 91321): (0, 91322), (0, 40704): (0, 40703)}
"""Corners on the file's grid at which the two parts of an island would not meet, and where they
do."""


def countries_topology(at_10m: dict[str, Any], numeric: dict[str, str]) -> dict[str, Any]:
    """TopoJSON of all countries by ISO alpha-2 code; `numeric` has the code of each number."""
    arcs = [np.cumsum(np.array(arc, dtype=np.int64), axis=0) for arc in at_10m["arcs"]]
    _mend(arcs, at_10m["transform"])
    around = round(360 / at_10m["transform"]["scale"][0])
    arcs = [without_spikes(unwound(arc, around)) for arc in arcs]
    polygons: defaultdict[str, list[Rings]] = defaultdict(list)
    for geometry in at_10m["objects"]["countries"]["geometries"]:
        name = geometry["properties"]["name"]
        if name in CLAIMED_BY_SEVERAL:
            continue
        code = numeric.get(geometry.get("id")) or CODE_OF_NAME[name]
        for polygon in _polygons(geometry):
            outer, *holes = itertools.chain.from_iterable(
                _simple_rings(ring, arcs) for ring in polygon
            )
            if outer:
                if twice_the_area(unwound(_corners(arcs, outer), around)) > 0:
                    outer = [~arc for arc in reversed(outer)]
                rings = [outer, *filter(None, holes)]
                corner = _degrees(at_10m["transform"], _corners(arcs, outer)[0])
                polygons[_part(code, corner)].append(rings)
    for code, around, corners in ENCLAVES:
        if around in polygons:
            ring = _on_the_grid(at_10m["transform"], [*corners, corners[0]])
            _holder(polygons[around], arcs, ring).append([~len(arcs)])
            polygons[code].append([[len(arcs)]])
            arcs.append(ring)
    return _topology(at_10m["transform"], polygons, arcs)


def _mend(arcs: list[Ints], transform: dict[str, Any]) -> None:
    drawn = map(tuple, _on_the_grid(transform, list(MENDED_CORNERS)).tolist())
    right = _on_the_grid(transform, list(MENDED_CORNERS.values()))
    place_of = {**dict(zip(drawn, right.tolist(), strict=True)), **AT_THE_ANTIMERIDIAN}
    for arc in arcs:
        for corner in arc:
            if (place := place_of.get((int(corner[0]), int(corner[1])))) is not None:
                corner[:] = place


def _corners(arcs: list[Ints], ring: list[int]) -> Ints:
    return np.concatenate([arcs[arc] if arc >= 0 else arcs[~arc][::-1] for arc in ring])


def _simple_rings(ring: list[int], arcs: list[Ints]) -> Iterator[list[int]]:
    """A ring without arcs that it goes forth and back at once; empty where no area is left.

    Holes that touch it, which Natural Earth draws as parts of it, follow as rings of their own.
    """
    way: list[int] = []
    for arc in ring:
        if way and way[-1] == ~arc:
            way.pop()
        elif len(arcs[max(arc, ~arc)]) > 1:
            way.append(arc)
    while len(way) > 1 and way[0] == ~way[-1]:
        way = way[1:-1]
    if not way or not twice_the_area(_corners(arcs, way)):
        yield []
        return
    closed = [[arc] for arc in way if _is_closed(arcs[max(arc, ~arc)])]
    rest = [arc for arc in way if [arc] not in closed]
    yield from sorted(
        filter(None, [rest, *closed]),
        key=lambda part: -abs(twice_the_area(_corners(arcs, part))),
    )


def _is_closed(arc: Ints) -> bool:
    return bool((arc[0] == arc[-1]).all())


def _join_coasts(polygons: Iterable[Rings], arcs: list[Ints]) -> None:
    """Make one arc, without spikes, of each ring of several arcs that no other ring has."""
    sides = _sides(polygons)
    for ring in itertools.chain.from_iterable(polygons):
        if len(ring) > 1 and all(sides[max(arc, ~arc)] == 1 for arc in ring):
            arcs.append(without_spikes(_corners(arcs, ring)))
            ring[:] = [len(arcs) - 1]


def _sides(polygons: Iterable[Rings]) -> Counter[int]:
    """How many rings have each arc."""
    return Counter(max(arc, ~arc) for rings in polygons for ring in rings for arc in ring)


def _holder(polygons: list[Rings], arcs: list[Ints], enclave: Ints) -> Rings:
    """The polygon that holds the whole of an enclave."""
    for rings in polygons:
        outer, *holes = (_corners(arcs, ring) for ring in rings)
        if shapely.Polygon(outer, holes).contains_properly(shapely.LineString(enclave)):
            return rings
    raise ValueError(f"no polygon of the country holds the enclave at {enclave[0]} on the grid")


def _polygons(geometry: dict[str, Any]) -> list[Rings]:
    arcs: list[Any] = geometry["arcs"]
    return [arcs] if geometry["type"] == "Polygon" else arcs


def _topology(
    transform: dict[str, Any], polygons: dict[str, list[Rings]], arcs: list[Ints]
) -> dict[str, Any]:
    """The file, with the arcs that a polygon has and no others."""
    in_all = list(itertools.chain.from_iterable(polygons.values()))
    _join_coasts(in_all, arcs)
    sides = _sides(in_all)
    used = sorted(sides)
    number_of = {old: new for new, old in enumerate(used)}
    drawn = simplified(
        [arcs[old] for old in used],
        np.array([sides[old] == 1 for old in used]),
        transform["scale"],
        transform["translate"][1],
    )
    geometries = [
        {
            "type": "MultiPolygon",
            "id": code,
            "arcs": [
                [
                    [number_of[arc] if arc >= 0 else ~number_of[~arc] for arc in ring]
                    for ring in rings
                ]
                for rings in polygons[code]
            ],
        }
        for code in sorted(polygons)
    ]
    return {
        "type": "Topology",
        "transform": transform,
        "objects": {"countries": {"type": "GeometryCollection", "geometries": geometries}},
        "arcs": [np.diff(arc, axis=0, prepend=[[0, 0]]).tolist() for arc in drawn],
    }


def _degrees(transform: dict[str, Any], corner: Ints) -> tuple[float, float]:
    """Latitude and longitude."""
    (scale_x, scale_y), (west, south) = transform["scale"], transform["translate"]
    return float(corner[1]) * scale_y + south, float(corner[0]) * scale_x + west


def _on_the_grid(transform: dict[str, Any], places: list[tuple[float, float]]) -> Ints:
    lons_lats = np.array(places)[:, ::-1]
    steps = (lons_lats - transform["translate"]) / transform["scale"]
    return np.asarray(np.round(steps).astype(np.int64))


def _part(code: str, place: tuple[float, float]) -> str:
    for part, box in PARTS.get(code, {}).items():
        if _in_box(place, box):
            return part
    return "SJ" if code == "NO" and _in_box(place, JAN_MAYEN) else code


def _in_box(place: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    south, west, north, east = box
    return south <= place[0] <= north and west <= place[1] <= east
