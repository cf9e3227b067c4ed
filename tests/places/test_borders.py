"""The index of borders over a map made by hand, on a grid of a tenth of a degree; its sides."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from geostore.places.borders import SEA, Borders, borders
from geostore.places.coast import Coast

Corners = list[tuple[int, int]]

SQUARE: Corners = [(1800, 900), (1800, 1000), (1900, 1000), (1900, 900), (1800, 900)]
ENCLAVE: Corners = [(1840, 940), (1840, 960), (1860, 960), (1860, 940), (1840, 940)]
NEIGHBOUR_SHORE: Corners = [(1900, 1000), (2000, 1000), (2000, 900), (1900, 900)]
ACROSS_180: Corners = [(3590, 1200), (3590, 1300), (10, 1300), (10, 1200), (3590, 1200)]
POLAR_COAST: Corners = [(0, 200), (900, 210), (1800, 200), (2700, 210), (3590, 200), (0, 200)]


def steps(corners: Corners) -> Corners:
    """As TopoJSON has an arc: the first corner, then the way to each next one."""
    return [
        corners[0],
        *((b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(corners)),
    ]


def world() -> dict[str, Any]:
    """A square with a hole, another country in the hole, a neighbour in the east, and two more."""
    west_and_north, shared_border, south = SQUARE[:3], SQUARE[2:4], SQUARE[3:]
    arcs = [west_and_north, shared_border, south, ENCLAVE, NEIGHBOUR_SHORE, ACROSS_180, POLAR_COAST]
    countries = {
        "AA": [[[0, 1, 2], [~3]]],
        "AQ": [[[6]]],
        "BB": [[[3]]],
        "CC": [[[4, ~1]]],
        "DD": [[[5]]],
    }
    return {
        "transform": {"scale": [0.1, 0.1], "translate": [-180, -90]},
        "objects": {
            "countries": {
                "geometries": [{"id": code, "arcs": arcs} for code, arcs in countries.items()]
            }
        },
        "arcs": [steps(arc) for arc in arcs],
    }


@pytest.mark.parametrize(
    ("lat", "lon", "country"),
    [
        pytest.param(3.05, 3.05, "AA", id="inside"),
        pytest.param(5.0, 5.0, "BB", id="in the enclave"),
        pytest.param(5.0, 7.0, "AA", id="east of the enclave"),
        pytest.param(5.0, 10.0, "CC", id="on the border: the country east of it"),
        pytest.param(5.0, 9.999, "AA", id="just west of the border"),
        pytest.param(4.0, 5.0, "BB", id="on the level border south of the enclave: north of it"),
        pytest.param(6.0, 5.0, "AA", id="on the level border north of the enclave: north of it"),
        pytest.param(10.0, 5.0, None, id="on a northern coast"),
        pytest.param(5.0, 20.0, None, id="on an eastern coast"),
        pytest.param(5.0, 0.0, "AA", id="on a western coast"),
        pytest.param(5.0, -3.0, None, id="at sea, with land east and west"),
        pytest.param(35.0, 179.9, "DD", id="west of the antimeridian"),
        pytest.param(35.0, 180.0, "DD", id="on the antimeridian"),
        pytest.param(35.0, -180.0, "DD", id="on it, from the other side"),
        pytest.param(35.0, -179.1, "DD", id="east of the antimeridian"),
        pytest.param(35.0, -178.9, None, id="beyond the coast east of it"),
        pytest.param(-70.5, 0.0, "AQ", id="south of the polar coast"),
        pytest.param(-90.0, 12.0, "AQ", id="the pole"),
        pytest.param(-68.0, 0.0, None, id="north of the polar coast"),
        pytest.param(90.0, 0.0, None, id="the other pole"),
    ],
)
def test_a_point_is_in_the_country_to_the_east_of_the_first_border_west_of_it(
    lat: float, lon: float, country: str | None
) -> None:
    borders = Borders(world())
    (number,) = borders.country_at(np.array([lat]), np.array([lon]))
    assert (None if number == SEA else borders.codes[number]) == country
    assert borders.country_at_one(lat, lon) == number


def test_on_both_sides_of_each_edge_is_the_country_that_the_edge_has_there() -> None:
    """So no two rings of the packaged file overlap, and none is left out of the map."""
    of = borders()
    rising = of.edges[:, 3] > of.edges[:, 1]
    x0, y0, x1, y1 = of.edges[rising].T
    # At no corner's latitude, where a look-up goes somewhat to the north.
    x, y = x0 + 0.37 * (x1 - x0), y0 + 0.37 * (y1 - y0)
    for step, countries in ((-1e-4, of.west), (1e-4, of.east)):
        lats, lons = of.to_degrees(x + step, y)
        differ = of.country_at(lats, (lons + 180) % 360 - 180) != countries[rising]
        assert list(zip(lats[differ], lons[differ], strict=True)) == []


def test_of_two_coasts_equally_near_the_first_code_counts() -> None:
    """AA and CC end at the same corner of the coast, due south of the point."""
    borders = Borders(world())
    kms, numbers = Coast(borders).nearest(np.array([10.5]), np.array([10.0]))
    assert kms[0] == pytest.approx(6371.0 * np.radians(0.5), abs=0.01)
    assert borders.codes[numbers[0]] == "AA"
    from_the_south, below = Coast(borders).nearest(np.array([-0.5]), np.array([10.0]))
    assert from_the_south[0] == pytest.approx(kms[0], abs=0.01)
    assert borders.codes[below[0]] == "AA"


def test_a_border_on_land_is_no_coast() -> None:
    """From the east of AA the way to CC is none over the sea: its border is inland."""
    coasts, edges = Coast(Borders(world())), Coast(Borders(world()), coasts_only=False)
    inland = np.array([5.0]), np.array([9.9])
    assert edges.nearest(*inland)[0][0] == pytest.approx(11.1, abs=0.1)
    assert coasts.nearest(*inland)[0][0] == np.inf
