"""Compares an image that was made again with the one in a trace file, by pixels.

Two images of one region differ a little where a script resized with another filter or
compressed harder. The bounds were measured on 13 street photos and 312 boxes, with
JPEG qualities of 50 to 95 and three filters: the right region, cut from the same
pixels as the script cut it, differed by at most 4.6 and by 0.19 of its contrast (the
whole photo by 6.5 and 0.11); a box that was read in a wrong frame, or moved by a
twentieth of the photo, differed by at least 5.8 and by 0.31 of its contrast.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import cast

from PIL import Image, ImageChops, ImageStat, JpegImagePlugin

from geostore.errors import ImageError
from geostore.proofs import Resample

NEAR_DIFFERENCE = 8.0
"""Mean difference of a colour value, of 255, up to which two images may show the same."""

NEAR_SHARE = 0.25
"""Part of the image's own contrast up to which they may: any two pieces of sky differ little."""

FILTERS: Mapping[Resample, Image.Resampling] = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}

_SMALL = 48  # pixels
SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far an image is from another of the same size."""

    difference: float
    """Mean absolute difference of a colour value, 0 to 255."""
    contrast: float
    """Standard deviation of a colour value in the image that is compared with, 0 to 128."""

    @property
    def share(self) -> float:
        """The difference as a part of the contrast; an image of one colour has 1 at least."""
        return self.difference / max(self.contrast, 1.0)

    @property
    def is_near(self) -> bool:
        """Whether both show the same."""
        return self.difference <= NEAR_DIFFERENCE and self.share <= NEAR_SHARE


def likeness(image: Image.Image, other: Image.Image) -> Likeness:
    """How far an RGB image is from another of the same size."""
    differences = ImageStat.Stat(ImageChops.difference(image, other)).mean
    contrasts = ImageStat.Stat(other).stddev
    return Likeness(sum(differences) / len(differences), sum(contrasts) / len(contrasts))


def small_copy(
    image: Image.Image, region: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """An image, or a region of it, at one small size: enough to tell one region from another.

    region: left, top, right and bottom in pixels, not empty.
    """
    return image.resize((_SMALL, _SMALL), Image.Resampling.BILINEAR, box=region)


def jpeg_way(data: bytes) -> tuple[int, str] | None:
    """The quality and subsampling with which Pillow would write a JPEG as this one was written.

    None for a file that is no JPEG, or whose tables are not those of libjpeg.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            jpeg = cast("JpegImagePlugin.JpegImageFile", image)
            tables = _as_key(jpeg.quantization)
            subsampling = SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(jpeg))
    except Exception:  # a broken file fails in many ways, and is no JPEG that we could write
        return None
    quality = _qualities().get(tables)
    return None if quality is None or subsampling is None else (quality, subsampling)


def is_lossless(data: bytes) -> bool:
    """Whether a file is a PNG."""
    return data.startswith(b"\x89PNG\r\n\x1a\n")


def write_image(image: Image.Image, *, quality: int | None, subsampling: str) -> bytes:
    """An RGB image as the bytes of a JPEG, or of a PNG where quality is None. Raises ImageError."""
    buffer = io.BytesIO()
    try:
        if quality is None:
            image.save(buffer, "PNG")
        else:
            image.save(buffer, "JPEG", quality=quality, subsampling=subsampling, comment="")
    except (OSError, ValueError) as error:
        raise ImageError(f"the image cannot be encoded: {error}", kind="unknown") from error
    return buffer.getvalue()


@cache
def _qualities() -> Mapping[tuple[tuple[int, ...], ...], int]:
    """From the tables that libjpeg writes to the quality that it writes them for."""
    tables = {}
    for quality in range(1, 101):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
        with Image.open(buffer) as image:
            written = cast("JpegImagePlugin.JpegImageFile", image).quantization
        tables[_as_key(written)] = quality
    return tables


def _as_key(tables: Mapping[int, list[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(tables[number]) for number in sorted(tables))
