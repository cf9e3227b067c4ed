"""Real cities for the demo: names, positions, populations, and the side cars drive on.

They are those of `geostore.places` (GeoNames, CC BY 4.0). Names stay as GeoNames writes
them. Signs show them in capital letters from A to Z (`sign_name`), which Pillow's built-in
font draws well.
"""

from __future__ import annotations

import lzma
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from geostore.earth import EARTH_RADIUS_KM
from geostore.errors import DemoError
from geostore.places.cities import cities
from geostore.places.spelling import SMALL_LETTERS

_LEFT_DRIVING = """
AG AI AU BB BD BM BN BS BT BW CC CK CX CY DM FJ FK GB GD GG GS GY HK ID IE IM IN JE JM JP KE
KI KN KY LC LK LS MO MS MT MU MV MW MY MZ NA NF NP NR NU NZ PG PK PN SB SC SG SH SR SZ TC TH
TK TL TO TT TV TZ UG VC VG VI WS ZA ZM ZW
"""
LEFT_DRIVING = frozenset(_LEFT_DRIVING.split())
"""ISO codes of the countries and territories where traffic keeps left."""

_SPELT_OUT = str.maketrans(
    {
        **SMALL_LETTERS,
        **{letter.upper(): latin.upper() for letter, latin in SMALL_LETTERS.items()},
        "ß": "ss",
        "–": "-",
        "’": "'",
        "‘": "'",
        "ʻ": "'",
        "ʼ": "'",
    }
)


@dataclass(frozen=True, slots=True)
class City:
    """One city."""

    name: str
    """As GeoNames writes it."""
    country: str
    """ISO 3166-1 alpha-2."""
    lat: float
    """Degrees."""
    lon: float
    """Degrees."""
    population: int
    """As GeoNames gives it."""


def fold(name: str) -> str:
    """`name` in ASCII: accents dropped, letters such as ł and ß spelt out."""
    decomposed = unicodedata.normalize("NFKD", name.translate(_SPELT_OUT))
    return decomposed.encode("ascii", "ignore").decode()


def sign_name(name: str) -> str:
    """`name` as a sign shows it: capital ASCII letters, spaces, hyphens, apostrophes."""
    return fold(name).upper()


def name_key(name: str) -> str:
    """The capital letters A to Z of a name, which are the same in all its spellings."""
    return "".join(letter for letter in sign_name(name) if "A" <= letter <= "Z")


def drive_side(country: str) -> str:
    """``left`` or ``right``: the side of the road that traffic keeps in `country` (ISO code)."""
    return "left" if country in LEFT_DRIVING else "right"


def great_circle_km(
    lat: float, lon: float, lats: NDArray[np.float64], lons: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Haversine distances in km from one point to many, all in degrees."""
    phi, phis = np.radians(lat), np.radians(lats)
    half = np.sin((phis - phi) / 2) ** 2
    half += np.cos(phi) * np.cos(phis) * np.sin(np.radians(lons - lon) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(half, 1.0))))


class Gazetteer:
    """Looks up cities by name, by length of name and by place. Immutable."""

    def __init__(self, cities: Iterable[City]) -> None:
        self.cities = tuple(cities)
        self.lats = np.array([city.lat for city in self.cities])
        self.lons = np.array([city.lon for city in self.cities])
        self._by_key: dict[str, list[City]] = {}
        for city in self.cities:
            key = name_key(city.name)
            if key:
                self._by_key.setdefault(key, []).append(city)
        self._by_length: dict[int, list[str]] = {}
        for key in sorted(self._by_key):
            self._by_length.setdefault(len(key), []).append(key)

    def find(self, name: str) -> tuple[City, ...]:
        """All cities of this name in any spelling, the most populous first; () without one."""
        cities = self._by_key.get(name_key(name), [])
        return tuple(sorted(cities, key=lambda city: (-city.population, city.country, city.lat)))

    def keys_of_length(self, length: int) -> tuple[list[str], NDArray[np.intp]]:
        """All name keys of `length` letters, and their letters as numbers (A = 0), one row each."""
        keys = self._by_length.get(length, [])
        letters = np.frombuffer("".join(keys).encode(), dtype=np.uint8).astype(np.intp) - ord("A")
        return keys, letters.reshape(len(keys), length)

    def near(self, lat: float, lon: float, *, radius_km: float) -> list[tuple[City, float]]:
        """Cities within `radius_km` with their great-circle distance in km, nearest first."""
        distances = great_circle_km(lat, lon, self.lats, self.lons)
        inside = np.flatnonzero(distances <= radius_km)
        order = inside[np.argsort(distances[inside], kind="stable")]
        return [(self.cities[int(i)], float(distances[i])) for i in order]


@lru_cache(maxsize=1)
def load_cities() -> Gazetteer:
    """The packaged cities, read once per process.

    Raises DemoError if the data files are missing from the installation.
    """
    try:
        of_places = cities()
    except (OSError, lzma.LZMAError) as error:
        raise DemoError(f"the demo's gazetteer cannot be read: {error}; reinstall it") from error
    return Gazetteer(
        map(
            City,
            of_places.names,
            of_places.countries,
            of_places.lats.tolist(),
            of_places.lons.tolist(),
            of_places.populations.tolist(),
        )
    )
