"""A cache of decoded photos, so that a photo is decoded once a trace."""

from __future__ import annotations

import threading
from collections import OrderedDict

from PIL import Image

from geostore.imaging.photos import decode

DECODED_BYTES = 256 * 2**20
"""The most bytes of pixels that are kept; a caller may hold more images that it still uses."""


class DecodedPhotos:
    """Pixels by the bytes they were decoded from. Several threads may use it at once.

    most_bytes: the most that is kept; the last photo is kept whatever its size.
    """

    def __init__(self, most_bytes: int = DECODED_BYTES) -> None:
        self._most_bytes = most_bytes
        # Python computes the hash of a bytes object once, so a second look-up of a photo is cheap.
        self._images: OrderedDict[bytes, Image.Image] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, data: bytes) -> Image.Image:
        """The pixels of a photo, at full resolution. Raises ImageError as `decode` does."""
        with self._lock:
            if data in self._images:
                self._images.move_to_end(data)
                return self._images[data]
        image = decode(data)
        self.keep(data, image)
        return image

    def keep(self, data: bytes, image: Image.Image) -> None:
        """Keep pixels that the caller has decoded; the images used longest ago make room."""
        with self._lock:
            self._drop(data)
            self._images[data] = image
            self._size += _bytes_of(image)
            while len(self._images) > 1 and self._size > self._most_bytes:
                self._drop(next(iter(self._images)))

    def forget(self, data: bytes) -> None:
        """Drop a photo that is no longer needed."""
        with self._lock:
            self._drop(data)

    def _drop(self, data: bytes) -> None:
        image = self._images.pop(data, None)
        if image is not None:
            self._size -= _bytes_of(image)


def _bytes_of(image: Image.Image) -> int:
    return image.width * image.height * 4  # Pillow keeps RGB in four bytes a pixel
