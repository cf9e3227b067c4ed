"""Keeps the pixels of photos that were decoded last, so that one is decoded once a trace."""

from __future__ import annotations

import threading
from collections import OrderedDict

from PIL import Image

from geostore.imaging.photos import decode

DECODED_BYTES = 256 * 2**20
"""How much is kept at most; what is in use beside it is held by who uses it."""


class DecodedPhotos:
    """Pixels by the bytes they were decoded from. May be used by several threads at once.

    most_bytes: kept at most, but for the photo that was kept last.
    """

    def __init__(self, most_bytes: int = DECODED_BYTES) -> None:
        self._most_bytes = most_bytes
        # Python computes the hash of a bytes object once, so looking one up again is cheap.
        self._kept: OrderedDict[bytes, Image.Image] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, data: bytes) -> Image.Image:
        """The pixels of a photo, at full resolution. Raises ImageError as `decode` does."""
        with self._lock:
            if data in self._kept:
                self._kept.move_to_end(data)
                return self._kept[data]
        image = decode(data)
        self.keep(data, image)
        return image

    def keep(self, data: bytes, image: Image.Image) -> None:
        """Keep pixels that somebody has decoded; what was used longest ago makes room."""
        with self._lock:
            self._drop(data)
            self._kept[data] = image
            self._size += _bytes_of(image)
            while len(self._kept) > 1 and self._size > self._most_bytes:
                self._drop(next(iter(self._kept)))

    def forget(self, data: bytes) -> None:
        """Let go of a photo that is no longer needed."""
        with self._lock:
            self._drop(data)

    def _drop(self, data: bytes) -> None:
        image = self._kept.pop(data, None)
        if image is not None:
            self._size -= _bytes_of(image)


def _bytes_of(image: Image.Image) -> int:
    return image.width * image.height * 4  # Pillow keeps RGB in four bytes a pixel
