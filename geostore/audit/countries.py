"""Some towns of each country: enough to tell that a place is far from the country.

The table is an extract of GeoNames (CC BY 4.0; ``data/README.md``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from geostore.rewards.numeric import haversine_km

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
    return float(haversine_km(lat, lon, *_towns()[country]).min())


@cache
def _table() -> Mapping[tuple[str, ...], NDArray[np.float64]]:
    """Names of a country, and its towns: two rows, latitudes and longitudes in degrees."""
    text = (files("geostore.audit") / "data" / "countries.tsv").read_text(encoding="utf-8")
    table = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            names, towns = line.split("\t")
            pairs = [town.split(",") for town in towns.split(" ")]
            table[tuple(names.split("|"))] = np.array(pairs, dtype=np.float64).T
    return table


@cache
def _names() -> Mapping[str, str]:
    """From every name in lower case to the first of its country."""
    by_name = {}
    for names in _table():
        for name in names:
            by_name[" ".join(_AROUND.sub(" ", name).split()).lower().removeprefix("the ")] = names[
                0
            ]
    return by_name


@cache
def _towns() -> Mapping[str, NDArray[np.float64]]:
    return {names[0]: towns for names, towns in _table().items()}
