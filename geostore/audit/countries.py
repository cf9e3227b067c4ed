"""Knows of each country some of its towns: enough to tell that a place is far from it.

The table is an extract of GeoNames (CC BY 4.0; ``data/README.md``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from geostore.rewards import haversine_km

Point = tuple[float, float]
_AROUND = re.compile(r"\([^()]{0,60}\)|[^\w\s.'&-]+")


def known_country(text: str) -> str | None:
    """The country that a text names and nothing else, in the table's words; None for any other.

    Case, marks around it and a remark in parentheses do not matter.
    """
    plain = " ".join(_AROUND.sub(" ", text).split()).lower().removeprefix("the ")
    return _names().get(plain) or _names().get(plain.rstrip("."))


def nearest_km(country: str, lat: float, lon: float) -> float:
    """Distance in km from a place in degrees to the nearest town of a country in the table.

    Raises KeyError for a name that `known_country` does not give.
    """
    return min(haversine_km(lat, lon, *town) for town in _towns()[country])


@cache
def _table() -> Mapping[tuple[str, ...], tuple[Point, ...]]:
    text = (files("geostore.audit") / "data" / "countries.tsv").read_text(encoding="utf-8")
    table = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            names, towns = line.split("\t")
            pairs = (town.split(",") for town in towns.split(" "))
            table[tuple(names.split("|"))] = tuple((float(lat), float(lon)) for lat, lon in pairs)
    return table


@cache
def _names() -> Mapping[str, str]:
    """From every name in lower case to the first of its country."""
    found = {}
    for names in _table():
        for name in names:
            found[" ".join(_AROUND.sub(" ", name).split()).lower().removeprefix("the ")] = names[0]
    return found


@cache
def _towns() -> Mapping[str, tuple[Point, ...]]:
    return {names[0]: towns for names, towns in _table().items()}
