"""Places that are given as a table, such as those of a benchmark, and whether one is near.

A point is looked up in a grid of cubes around the centre of the earth, as wide as the radius,
so that neither the poles nor the 180th meridian are special, and a lookup hardly takes longer
where there are more places. A place takes 32 bytes: its point, and the key of its cube.
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from geostore.earth import EARTH_RADIUS_KM
from geostore.errors import DatasetError, FilterError
from geostore.identity import sha256_hex

USUAL_RADIUS_KM = 1.0
_FARTHEST_KM = math.pi * EARTH_RADIUS_KM
_NEAREST_KM = 1e-6  # a millimetre; far below it, a grid has no numbers for its cubes
_RADIUS = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(km|m)?\s*", re.ASCII | re.IGNORECASE)

_Point = tuple[float, float, float]
_Cube = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class PlaceFile:
    """A file of places."""

    name: str
    """Its name without folders."""
    sha256: str
    """Of its bytes."""
    count: int
    """Places in it."""


@dataclass(frozen=True, slots=True)
class Places:
    """Places and a radius around them. Made by `read_places`."""

    files: tuple[PlaceFile, ...]
    """Where they are from."""
    radius_km: float
    """Of the great circle; what lies at this distance is near."""
    _keys: array[int] = field(repr=False, compare=False)
    """Of the cube of each place, in order. Cubes that have one key by chance do no harm."""
    _points: array[float] = field(repr=False, compare=False)
    """Of the places in that order, on a sphere of radius 1: three numbers each."""

    def has_near(self, lat: float, lon: float) -> bool:
        """Whether one of them lies within the radius of a place, in degrees."""
        width = _chord(self.radius_km)
        x, y, z = _point(lat, lon)
        i, j, k = _cube((x, y, z), width)
        for di, dj, dk in product((0, -1, 1), repeat=3):
            for px, py, pz in self._points_in((i + di, j + dj, k + dk)):
                if (px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2 <= width**2:
                    return True
        return False

    def _points_in(self, cube: _Cube) -> Iterator[_Point]:
        key = _key(cube)
        place = bisect_left(self._keys, key)
        while place < len(self._keys) and self._keys[place] == key:
            x, y, z = self._points[3 * place : 3 * place + 3]
            yield x, y, z
            place += 1

    def to_json(self) -> dict[str, Any]:
        """As in a manifest. Where the files lie is another place on every machine."""
        return {
            "files": [
                {"name": file.name, "sha256": file.sha256, "places": file.count}
                for file in self.files
            ],
            "radius_km": self.radius_km,
        }

    def __str__(self) -> str:
        names = ", ".join(file.name for file in self.files)
        return f"within {self.radius_km:g} km of a place in {names}"


def read_places(paths: Sequence[Path], radius_km: float = USUAL_RADIUS_KM) -> Places:
    """The places of tables: CSV with commas, semicolons or tabs, JSON lines or Parquet.

    Latitude and longitude, in degrees, are found as in a dataset: columns of the usual names.
    Raises DatasetError for a file that is no such table, and for a row without coordinates: it
    would be a place that is overlooked.
    """
    import numpy as np

    width = _chord(radius_km)
    keys, points = array("q"), array("d")
    files = []
    for path in paths:
        before = len(keys)
        for lat, lon in _coordinates(path):
            point = _point(lat, lon)
            keys.append(_key(_cube(point, width)))
            points.extend(point)
        files.append(PlaceFile(path.name, sha256_hex(path.read_bytes()), len(keys) - before))
    order = np.argsort(np.frombuffer(keys, np.int64), kind="stable")
    return Places(
        tuple(files),
        radius_km,
        array("q", np.frombuffer(keys, np.int64)[order].tobytes()),
        array("d", np.frombuffer(points).reshape(-1, 3)[order].tobytes()),
    )


def read_radius(text: str | float) -> float:
    """A radius in km, from a number of them or a text such as ``500m`` and ``1.5 km``.

    Raises FilterError.
    """
    match = _RADIUS.fullmatch(text) if isinstance(text, str) else None
    if match is not None:
        radius = float(match[1]) / (1000 if (match[2] or "").lower() == "m" else 1)
    elif isinstance(text, int | float) and not isinstance(text, bool):
        radius = float(text)
    else:
        raise FilterError(f"{text!r} is no radius; write 1km, 500m, or a number of kilometres")
    if not _NEAREST_KM <= radius <= _FARTHEST_KM:
        raise FilterError(f"a radius is from 1 mm to half the earth, 20015 km, and not {text}")
    return radius


def _coordinates(path: Path) -> Iterator[tuple[float, float]]:
    """The latitude and longitude of every row, one at least."""
    # Imported here: a table is read with pyarrow, and few commands read one.
    from geostore.dataset.addresses import Address
    from geostore.dataset.columns import to_floats
    from geostore.dataset.metadata import SUFFIXES, read_table
    from geostore.dataset.roles import coordinate_columns

    known = sorted({*SUFFIXES, ".parquet"})
    if path.suffix.lower() not in known:
        raise DatasetError(f"{path} is no table of places; its name ends in {' or '.join(known)}")
    if not path.is_file():
        raise DatasetError(f"there is no file {path} with places")
    table = read_table(path)
    kinds = dict(zip(table.column_names, (c.type for c in table.columns), strict=True))
    numbers = []
    for name in coordinate_columns(kinds, path=str(path)):
        address = Address.find(name, kinds)
        assert address is not None
        numbers.append(array("d", to_floats(address.array(table.column(address.column))).tobytes()))
    if not numbers[0]:
        raise DatasetError(f"{path} holds no places")
    for row, (lat, lon) in enumerate(zip(*numbers, strict=True), 1):
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            shown = "no coordinates" if math.isnan(lat) or math.isnan(lon) else f"{lat:g}, {lon:g}"
            raise DatasetError(
                f"{path}: row {row} has {shown}, where degrees of latitude and longitude belong; "
                "correct or remove it"
            )
        yield lat, lon


def _point(lat: float, lon: float) -> _Point:
    """On a sphere of radius 1."""
    north, east = math.radians(lat), math.radians(lon)
    return (
        math.cos(north) * math.cos(east),
        math.cos(north) * math.sin(east),
        math.sin(north),
    )


def _chord(km: float) -> float:
    """The straight distance through a sphere of radius 1 of points so far apart on the earth."""
    return 2 * math.sin(km / EARTH_RADIUS_KM / 2)


def _cube(point: _Point, width: float) -> _Cube:
    x, y, z = point
    return math.floor(x / width), math.floor(y / width), math.floor(z / width)


def _key(cube: _Cube) -> int:
    """A number of 64 bits that two cubes hardly ever share."""
    return hash(cube)
