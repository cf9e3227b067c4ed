"""Pixels as they are sent: their size, parts of them, the JPEG and the hash.

The same pixels and limits give the same bytes, with one build of Pillow and its codecs.
"""

from __future__ import annotations

import io
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, cast

import xxhash
from PIL import Image

from geostore.errors import ImageError
from geostore.identity import sha256_hex
from geostore.imaging.metadata import clean_profile
from geostore.records import Box, ImageLimits, SentImage

_MAX_SENT_SIDE = 65_500
# Python's warning filters belong to the whole process; two threads must not change them at once.
_filters_lock = threading.Lock()


def fit_size(
    width: int, height: int, limits: ImageLimits, *, enlarge_short_side: int = 0
) -> tuple[int, int]:
    """The size at which an image of this size is sent.

    Each side is rounded to the factor; if the area is then out of bounds, both
    are scaled, rounding down to get under `max_pixels` and up to reach
    `min_pixels`. enlarge_short_side: first enlarge until the short side has this
    many pixels, within `max_pixels` and `max_side`. No side is ever less than the
    factor, whatever the aspect ratio.
    Source: smart_resize of Qwen's image processor (qwen-vl-utils).
    """
    room = math.sqrt(limits.max_pixels / (width * height))
    longest = math.inf if limits.max_side is None else limits.max_side / max(width, height)
    scale = min(max(1.0, min(enlarge_short_side / min(width, height), room)), longest)
    if scale != 1:
        width, height = (max(1, round(side * scale)) for side in (width, height))
    factor = limits.factor
    fitted = [max(factor, round(side / factor) * factor) for side in (width, height)]
    area = fitted[0] * fitted[1]
    # Divide and multiply in the order of the source. Another order rounds otherwise, and the server
    # would resize the image again.
    if area > limits.max_pixels:
        scale = math.sqrt(width * height / limits.max_pixels)
        fitted = [max(factor, math.floor(s / scale / factor) * factor) for s in (width, height)]
    elif area < limits.min_pixels:
        scale = math.sqrt(limits.min_pixels / (width * height))
        fitted = [math.ceil(s * scale / factor) * factor for s in (width, height)]
    if fitted[0] * fitted[1] > limits.max_pixels:
        # The short side of a very thin image cannot go below the factor, or the bounds are so close
        # that rounding up went past them. So shorten the long side.
        most = max(factor, limits.max_pixels // min(fitted) // factor * factor)
        fitted = [min(side, most) for side in fitted]
    # libjpeg cannot write a longer side than _MAX_SENT_SIDE.
    largest = max(factor, min(_MAX_SENT_SIDE, limits.max_side or _MAX_SENT_SIDE) // factor * factor)
    return min(fitted[0], largest), min(fitted[1], largest)


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at this size; the same object where it has this size already."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def crop(image: Image.Image, box: Box) -> Image.Image:
    """The pixels inside `box`. Raises ImageError where it is not inside the image."""
    left, top, right, bottom = box
    if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
        raise ImageError(
            f"box {box} is not inside an image of {image.width} x {image.height} pixels",
            kind="missing",
        )
    with quiet():  # Pillow warns about large crops as it does about large files
        return image.crop(box)


def encode(
    image: Image.Image,
    limits: ImageLimits,
    *,
    full_size: tuple[int, int],
    with_pixels: bool = False,
) -> SentImage:
    """The image as a JPEG without metadata, at the size it has.

    Baseline, 4:2:0, standard Huffman tables: optimised tables save 2 % of the bytes
    and take 2.7 times as long.
    full_size: width and height before it was resized to be sent.
    with_pixels: hash the pixels too.
    """
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    buffer = io.BytesIO()
    rgb.save(
        buffer,
        "JPEG",
        quality=limits.quality,
        subsampling="4:2:0",
        icc_profile=rgb_profile(rgb),
        comment="",  # otherwise Pillow copies the comment of the file it read
    )
    data = buffer.getvalue()
    return SentImage(
        data=data,
        mime="image/jpeg",
        sha256=sha256_hex(data),
        width=image.width,
        height=image.height,
        full_width=full_size[0],
        full_height=full_size[1],
        pixels_xxh128=hash_pixels(rgb) if with_pixels else None,
    )


def hash_pixels(image: Image.Image) -> str:
    """XXH3 of 128 bits, in hex, of an RGB image's pixels before they are encoded.

    The hash covers ``RGB <width>x<height>`` and a line feed in ASCII, then the pixels
    from the top row down, three bytes each; it does not cover the colour profile.
    Where two builds of Pillow give the same hash, they decode, cut and resize alike,
    so if the encoded bytes differ, only the JPEG encoder differs.
    """
    # It tells builds apart and need not withstand a forger, who would have to forge the sha256 of
    # the bytes first. So it is a fast hash, which takes a thirtieth of the time of sha256.
    digest = xxhash.xxh3_128(f"RGB {image.width}x{image.height}\n".encode("ascii"))
    # Pillow writes these very bytes into a PPM file, 64 KB at a time. All of them at once
    # (`tobytes`) take a third more time, for new pages of memory.
    head = len(f"P6\n{image.width} {image.height}\n255\n")
    image.save(cast("IO[bytes]", _Hashed(digest.update, head)), "PPM")
    return digest.hexdigest()


class _Hashed:
    """A file that gives what is written behind a head to a function."""

    def __init__(self, update: Callable[[bytes], None], head: int) -> None:
        self._update = update
        self._head = head
        self.write: Callable[[bytes], object] = self._write_head

    def _write_head(self, data: bytes) -> None:
        begin = min(self._head, len(data))
        self._head -= begin
        self._update(data[begin:])
        if not self._head:
            # Straight to the hash from here on: there is a call for every 64 KB.
            self.write = self._update


def rgb_profile(image: Image.Image) -> bytes | None:
    """The image's colour profile, cleaned, if it is one for RGB pixels."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or profile[16:20] != b"RGB ":
        return None
    return clean_profile(profile)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide Pillow's warnings about large files and corrupt tags."""
    with _filters_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
