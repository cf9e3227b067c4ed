"""Makes the photos the benchmarks run on: the same bytes every time, saved with `datasets`.

A photo is smooth colour with texture at several scales; at 2048 x 1536 pixels it comes out at about
280 KB as JPEG, as photos of streets do.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path

import datasets
from PIL import Image

SIZE = (1024, 768)
_QUALITY = 88


def save_photos(path: Path, photos: Sequence[bytes]) -> None:
    """Save a dataset with one row per photo and made-up truth."""
    columns = {
        "image": [{"bytes": data, "path": None} for data in photos],
        "lat": [round(-60 + 120 * (row * 0.618 % 1), 5) for row in range(len(photos))],
        "lon": [round(-170 + 340 * (row * 0.755 % 1), 5) for row in range(len(photos))],
        "locatability_score": [round(row * 0.382 % 1, 4) for row in range(len(photos))],
        "country": [f"country {row % 40}" for row in range(len(photos))],
    }
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "lat": datasets.Value("float64"),
            "lon": datasets.Value("float64"),
            "locatability_score": datasets.Value("float64"),
            "country": datasets.Value("string"),
        }
    )
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(path)


def photo(number: int, size: tuple[int, int] = SIZE) -> bytes:
    """The JPEG with this number; size: width and height in pixels."""
    chance = random.Random(number)
    image = _noise(chance, 6, size)
    # Each finer layer is fainter: few edges are sharp, and none of the photo is flat.
    for cells, strength in ((48, 0.3), (192, 0.15), (768, 0.06)):
        image = Image.blend(image, _noise(chance, cells, size), strength)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _noise(chance: random.Random, cells: int, size: tuple[int, int]) -> Image.Image:
    """Colours of so many cells across, run into each other."""
    coarse = (cells, cells * 3 // 4)
    pixels = chance.randbytes(3 * coarse[0] * coarse[1])
    return Image.frombytes("RGB", coarse, pixels).resize(size, Image.Resampling.BICUBIC)
