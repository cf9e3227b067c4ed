"""A cache of opened and decoded photos, so that a photo is read and decoded once a trace."""

from __future__ import annotations

import threading
from collections import OrderedDict

from PIL import Image

from geostore.imaging.photos import OpenedPhoto, open_photo
from geostore.records import ImageLimits, SentImage

DECODED_BYTES = 256 * 2**20
"""The most bytes of pixels and files that are kept; a caller may hold more images that it still
uses."""


class DecodedPhotos:
    """Pixels by the bytes they were decoded from. Several threads may use it at once.

    most_bytes: the most that is kept; the last photo is kept whatever its size.
    """

    def __init__(self, most_bytes: int = DECODED_BYTES) -> None:
        self._most_bytes = most_bytes
        # Python computes the hash of a bytes object once, so a second look-up of a photo is cheap.
        self._entries: OrderedDict[bytes, Image.Image | OpenedPhoto] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def prepare(self, data: bytes, limits: ImageLimits, *, with_pixels: bool = False) -> SentImage:
        """`imaging.prepare_photo`; what it learns of the photo is kept for `get`."""
        opened = self._take_opened(data) or open_photo(data)
        image = opened.prepare(limits, with_pixels=with_pixels)
        self.keep(data, opened)
        return image

    def get(self, data: bytes) -> Image.Image:
        """The pixels of a photo, at full resolution. Raises ImageError as `decode` does."""
        with self._lock:
            entry = self._entries.get(data)
            if isinstance(entry, Image.Image):
                self._entries.move_to_end(data)
                return entry
        image = (self._take_opened(data) or open_photo(data)).decode()
        self._keep(data, image)
        return image

    def keep(self, data: bytes, opened: OpenedPhoto) -> None:
        """Keep a photo that the caller has opened; what was used longest ago makes room."""
        self._keep(data, opened if opened.full is None else opened.full)

    def _take_opened(self, data: bytes) -> OpenedPhoto | None:
        """What is known of a photo, for this caller alone: two must not load it at once."""
        with self._lock:
            entry = self._entries.get(data)
            if not isinstance(entry, OpenedPhoto):
                return None
            self._drop(data)
            return entry

    def _keep(self, data: bytes, entry: Image.Image | OpenedPhoto) -> None:
        with self._lock:
            self._drop(data)
            self._entries[data] = entry
            self._size += _bytes_of(entry)
            while len(self._entries) > 1 and self._size > self._most_bytes:
                self._drop(next(iter(self._entries)))

    def forget(self, data: bytes) -> None:
        """Drop a photo that is no longer needed."""
        with self._lock:
            self._drop(data)

    def _drop(self, data: bytes) -> None:
        entry = self._entries.pop(data, None)
        if entry is not None:
            self._size -= _bytes_of(entry)


def _bytes_of(entry: Image.Image | OpenedPhoto) -> int:
    if isinstance(entry, Image.Image):
        return entry.width * entry.height * 4  # Pillow keeps RGB in four bytes a pixel
    return len(entry.data)
