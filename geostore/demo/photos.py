"""Make the demo dataset: photos of road scenes at real places, with their true places in columns.

The camera stands between three real towns of one country, 5 to 40 km from each. A
sign names them with their great-circle distances, rounded to whole kilometres (a
real sign gives distances by road, but a scene knows no roads). The same seed gives
the same photos, byte for byte under the same Pillow.
"""

from __future__ import annotations

import hashlib
import io
import math
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image, features
from PIL.TiffImagePlugin import IFDRational

from geostore.demo.gazetteer import (
    City,
    Gazetteer,
    drive_side,
    load_cities,
    name_key,
    sign_name,
)
from geostore.demo.landscape import climate_at
from geostore.demo.scenes import PANEL_COLOURS, Scene, Sign, render
from geostore.earth import EARTH_RADIUS_KM
from geostore.errors import DemoError
from geostore.places import country_name

KINDS = (
    "easy",
    "small",
    "tilted",
    "small_tilted",
    "easy",
    "small",
    "upside_down",
    "no_sign",
)
"""The kinds in the order in which samples take them, again and again."""

LOCATABILITY = {
    "easy": 0.9,
    "upside_down": 0.65,
    "tilted": 0.6,
    "small": 0.45,
    "small_tilted": 0.25,
    "no_sign": 0.04,
}
"""Middle of `locatability_score` by kind; each photo's score lies within 0.04 of it."""

NEAREST_KM, FARTHEST_KM = 5.0, 40.0
_LONGEST_NAME = 14  # letters on a sign that still fits beside the road in large text
_VERSION = 1  # of the photos: a change of pixels or truth raises it


@dataclass(frozen=True)
class Place:
    """Where a photo is taken."""

    lat: float
    """Degrees."""
    lon: float
    """Degrees."""
    towns: tuple[tuple[City, float], ...]
    """Three cities with their exact distances in km, the nearest first."""

    @property
    def country(self) -> str:
        """ISO code of the country that the three towns share."""
        return self.towns[0][0].country

    @property
    def rows(self) -> tuple[tuple[str, int], ...]:
        """What the sign says, the nearest town first."""
        return tuple((sign_name(city.name), round(km)) for city, km in self.towns)


def make_photos(path: str | Path, *, samples: int = 24, seed: int = 0) -> bool:
    """Save `samples` photos with their true places as a Hugging Face dataset at `path`.

    Columns: image (JPEG of 2048 x 1536 with GPS in its EXIF block, as a camera
    writes it), lat, lon (degrees), locatability_score (0..1), country and city
    (names), kind, drive_side, sign (what it says, empty for none).

    Returns False, and writes nothing, if `path` holds these very photos already.
    Raises DemoError if `path` holds anything else, or samples is not positive.
    """
    import datasets

    if samples < 1:
        raise DemoError(f"a demo needs at least one photo, not {samples}")
    target = Path(path)
    edition = f"geostore demo photos {_VERSION}: samples={samples}, seed={seed}"
    if target.exists():
        if _edition_at(target) == edition:
            return False
        raise DemoError(f"{target} exists and holds something else: delete it or choose another")

    columns = {
        "image": datasets.Image(),
        "lat": datasets.Value("float64"),
        "lon": datasets.Value("float64"),
        "locatability_score": datasets.Value("float64"),
        **{
            name: datasets.Value("string")
            for name in ("country", "city", "kind", "drive_side", "sign")
        },
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".photos-") as scratch:
        dataset = datasets.Dataset.from_generator(
            iter_samples,
            features=datasets.Features(columns),
            cache_dir=f"{scratch}/cache",
            fingerprint=_fingerprint(edition),
            gen_kwargs={"samples": samples, "seed": seed},
        )
        dataset.info.description = edition
        dataset.save_to_disk(f"{scratch}/photos")
        shutil.move(f"{scratch}/photos", target)
    return True


def _fingerprint(edition: str) -> str:
    """The dataset's identity, which is the same for photos rendered again in the same way.

    Without it `datasets` would hash this module's code, and a changed comment would
    make a store ask for all photos again.
    """
    encoder = features.version_codec("jpg")
    return hashlib.sha256(f"{edition}; {PIL.__version__}; {encoder}".encode()).hexdigest()[:16]


def _edition_at(path: Path) -> str | None:
    """Which demo photos a folder holds; None if it holds something else."""
    import datasets

    try:
        return str(datasets.DatasetInfo.from_directory(str(path)).description)
    except (OSError, ValueError, TypeError):
        return None


def iter_samples(samples: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the dataset's rows in order; the image as {"bytes": JPEG, "path": None}."""
    gazetteer = load_cities()
    for index in range(samples):
        rng = np.random.default_rng([seed, index])
        kind = KINDS[index % len(KINDS)]
        place = find_place(gazetteer, rng)
        side = drive_side(place.country)
        sign = None if kind == "no_sign" else _sign_for(kind, place, rng)
        tilt = _tilt_for(kind, rng)
        photo = render(Scene(climate_at(place.lat), side, sign, tilt), rng)
        score = LOCATABILITY[kind] + float(rng.uniform(-0.04, 0.04))
        yield {
            "image": {"bytes": _jpeg(photo, place), "path": None},
            "lat": place.lat,
            "lon": place.lon,
            "locatability_score": round(score, 4),
            "country": country_name(place.country),
            "city": place.towns[0][0].name,
            "kind": kind,
            "drive_side": side,
            "sign": "" if sign is None else "; ".join(f"{name} {km}" for name, km in sign.rows),
        }


def find_place(gazetteer: Gazetteer, rng: np.random.Generator) -> Place:
    """Draw a country, a town in it, and a camera that three of its towns surround.

    The camera lies inside the triangle of the towns (so it is on land, unless in a
    bay), and their directions differ by at least 40 degrees.
    """
    countries = _countries_with_many_towns(gazetteer)
    while True:
        country = countries[int(rng.integers(len(countries)))]
        cities = [city for city in gazetteer.cities if city.country == country]
        anchor = cities[int(rng.integers(len(cities)))]
        turn, away = rng.uniform(0, 2 * math.pi), rng.uniform(NEAREST_KM, 30.0)
        lat, lon = _moved(anchor, float(turn), float(away))
        towns = [
            (city, km)
            for city, km in gazetteer.near(lat, lon, radius_km=FARTHEST_KM)
            if km >= NEAREST_KM and city.country == country and _fits_sign(city)
        ]
        for three in combinations(towns[:8], 3):
            if _surround(lat, lon, three):
                return Place(lat, lon, three)


@lru_cache(maxsize=1)
def _countries_with_many_towns(gazetteer: Gazetteer) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for city in gazetteer.cities:
        counts[city.country] = counts.get(city.country, 0) + 1
    return tuple(sorted(country for country, count in counts.items() if count >= 60))


def _fits_sign(city: City) -> bool:
    name = sign_name(city.name)
    plain = all(letter in " -'" or "A" <= letter <= "Z" for letter in name)
    return plain and len(name) <= _LONGEST_NAME and len(name_key(name)) >= 4


def _surround(lat: float, lon: float, towns: tuple[tuple[City, float], ...]) -> bool:
    """Whether the camera is inside the towns' triangle and not close to one of its sides."""
    if len({name_key(city.name) for city, _ in towns}) < len(towns):
        return False
    shrink = math.cos(math.radians(lat))
    turns = sorted(
        math.degrees(math.atan2(city.lat - lat, (city.lon - lon) * shrink)) for city, _ in towns
    )
    gaps = [after - before for before, after in pairwise(turns)]
    gaps.append(360 - (turns[-1] - turns[0]))
    return min(gaps) >= 40 and max(gaps) <= 175


def _moved(city: City, turn: float, km: float) -> tuple[float, float]:
    """The point `km` away in the direction `turn` (radians, 0 is east), to five decimals."""
    degrees = math.degrees(km / EARTH_RADIUS_KM)
    lat = city.lat + degrees * math.sin(turn)
    lon = city.lon + degrees * math.cos(turn) / math.cos(math.radians(city.lat))
    return round(lat, 5), round((lon + 180) % 360 - 180, 5)


def _sign_for(kind: str, place: Place, rng: np.random.Generator) -> Sign:
    small = kind in ("small", "small_tilted")
    em = int(rng.integers(14, 17)) if small else int(rng.integers(60, 69))
    colour = PANEL_COLOURS[int(rng.integers(len(PANEL_COLOURS)))]
    return Sign(place.rows, em, colour)


def _tilt_for(kind: str, rng: np.random.Generator) -> float:
    """Degrees that the finished photo is turned counter-clockwise."""
    if kind in ("tilted", "small_tilted"):
        return float(round(rng.uniform(14, 70) * rng.choice((-1, 1)), 1))
    if kind == "upside_down":
        return float(round(180 + rng.uniform(-9, 9), 1))
    return 0.0


def _jpeg(photo: Image.Image, place: Place) -> bytes:
    """The photo as a camera would save it: JPEG, with the position in its EXIF block."""
    exif = Image.Exif()
    exif[0x010F] = "geostore demo"  # Make
    exif[0x0112] = 1  # Orientation: as stored
    exif.get_ifd(0x8825).update(  # GPS
        {
            1: "N" if place.lat >= 0 else "S",
            2: _degrees_minutes_seconds(abs(place.lat)),
            3: "E" if place.lon >= 0 else "W",
            4: _degrees_minutes_seconds(abs(place.lon)),
        }
    )
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=82, exif=exif)
    return buffer.getvalue()


def _degrees_minutes_seconds(value: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    hundredths = round(value * 360_000)
    minutes, rest = divmod(hundredths, 6000)
    return IFDRational(minutes // 60), IFDRational(minutes % 60), IFDRational(rest, 100)
