from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geostore.demo.gazetteer import drive_side, great_circle_km, load_cities
from geostore.demo.glance import look_around
from geostore.demo.photos import (
    FARTHEST_KM,
    KINDS,
    LOCATABILITY,
    NEAREST_KM,
    find_place,
    iter_samples,
    make_photos,
)
from geostore.errors import DemoError
from geostore.places import country_name
from tests.demo.client import reduced

Photos = list[dict[str, Any]]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(photos: Photos) -> None:
    """Photos are a function of seed and number."""
    first, again = photos[0], next(iter_samples(1, seed=3))
    other = next(iter_samples(1, seed=6))
    assert first == again
    assert first["image"]["bytes"] != other["image"]["bytes"]
    assert (first["lat"], first["lon"]) != (other["lat"], other["lon"])


def test_signs_give_the_great_circle_distances_from_the_camera(photos: Photos) -> None:
    """What a sign says is true: real towns of the country, distances in whole km."""
    gazetteer = load_cities()
    for photo in photos:
        if photo["kind"] == "no_sign":
            assert photo["sign"] == ""
            continue
        rows = [row.rsplit(" ", 1) for row in photo["sign"].split("; ")]
        assert len(rows) == 3
        for name, km in rows:
            cities = gazetteer.find(name)
            lats = np.array([city.lat for city in cities])
            lons = np.array([city.lon for city in cities])
            distances = great_circle_km(photo["lat"], photo["lon"], lats, lons)
            nearest = int(np.argmin(distances))
            assert round(float(distances[nearest])) == int(km)
            assert country_name(cities[nearest].country) == photo["country"]
            assert drive_side(cities[nearest].country) == photo["drive_side"]


@pytest.mark.parametrize("seed", range(12))
def test_three_towns_surround_the_camera_at_5_to_40_km(seed: int) -> None:
    """Their directions leave no half of the horizon empty: three circles have one crossing."""
    place = find_place(load_cities(), np.random.default_rng(seed))
    assert all(NEAREST_KM <= km <= FARTHEST_KM for _, km in place.towns)
    turns = np.sort(
        [
            np.degrees(
                np.arctan2(
                    city.lat - place.lat,
                    (city.lon - place.lon) * np.cos(np.radians(place.lat)),
                )
            )
            for city, _ in place.towns
        ]
    )
    assert max(*np.diff(turns), 360 - (turns[-1] - turns[0])) < 180


def test_photos_are_large_jpegs_with_the_place_in_their_exif(photos: Photos) -> None:
    """A camera's file: full size, and GPS that the pipeline has to keep from the teacher."""
    for photo in photos:
        data = photo["image"]["bytes"]
        assert 100_000 < len(data) < 500_000
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "JPEG"
            assert image.size == (2048, 1536)
            gps = image.getexif().get_ifd(0x8825)
        lat = sum(float(part) / 60**n for n, part in enumerate(gps[2]))
        lon = sum(float(part) / 60**n for n, part in enumerate(gps[4]))
        lat, lon = (-lat if gps[1] == "S" else lat), (-lon if gps[3] == "W" else lon)
        assert (lat, lon) == pytest.approx((photo["lat"], photo["lon"]), abs=1e-4)


def test_every_24_photos_hold_each_kind_and_some_without_a_sign() -> None:
    """Filters and tools have something to do, whatever the number of samples."""
    kinds = [KINDS[index % len(KINDS)] for index in range(24)]
    assert set(kinds) == set(LOCATABILITY)
    assert min(kinds.count(kind) for kind in LOCATABILITY) >= 3


def test_locatability_follows_the_kind(photos: Photos) -> None:
    """An easy photo scores higher than one that needs a tool, and that higher than one without."""
    scores = {photo["kind"]: photo["locatability_score"] for photo in photos}
    assert all(0 <= score <= 1 for score in scores.values())
    assert scores["easy"] > scores["tilted"] > scores["small"] > scores["small_tilted"]
    assert scores["small_tilted"] > scores["no_sign"]


def test_cars_keep_to_the_side_of_the_country(photos: Photos) -> None:
    """The red lights ahead lie in the lane that the country's traffic keeps to."""
    for photo in photos:
        if photo["kind"] in ("easy", "small", "no_sign"):
            image = reduced(Image.open(io.BytesIO(photo["image"]["bytes"])))
            assert look_around(image).side == photo["drive_side"]


def test_the_saved_dataset_holds_what_was_rendered(tmp_path: Path, photos: Photos) -> None:
    """Written to disk and read back: columns, truth, and image bytes unchanged."""
    import datasets

    target = tmp_path / "new" / "photos"
    assert make_photos(target, samples=2, seed=3) is True
    saved = datasets.load_from_disk(str(target))
    assert saved.column_names[:4] == ["image", "lat", "lon", "locatability_score"]
    rows = list(saved.cast_column("image", datasets.Image(decode=False)))
    assert rows == photos[:2]
    assert list(target.parent.iterdir()) == [target]


def test_photos_made_twice_are_one_dataset_and_nothing_else_is_overwritten(
    tmp_path: Path,
) -> None:
    """The same photos are kept, in a new place they have the same identity, others are refused."""
    import datasets

    first, second = tmp_path / "first", tmp_path / "second"
    make_photos(first, samples=1)
    assert make_photos(first, samples=1) is False
    make_photos(second, samples=1)
    prints = {datasets.load_from_disk(str(path))._fingerprint for path in (first, second)}
    assert len(prints) == 1
    with pytest.raises(DemoError, match="something else"):
        make_photos(first, samples=2)
    with pytest.raises(DemoError, match="at least one"):
        make_photos(tmp_path / "none", samples=0)
