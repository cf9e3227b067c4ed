"""Reads photos for a run: what was learned of one as its row was recorded serves its trace."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from geostore.conversation.images import checked_photo
from geostore.imaging import DecodedPhotos, OpenedPhoto
from geostore.records import PhotoFacts, Sample

if TYPE_CHECKING:
    from geostore.dataset import PhotoDataset

_MOST_BYTES = 32 * 2**20
"""Bytes of photos that wait for their traces: rows are read a few at a time, before a seat is
free."""


class RunPhotos:
    """The photos of one run. Several threads may use it at once.

    decoded: where a trace's photo is looked for. skip_missing: as of
    `PhotoDataset.photo_bytes`.
    """

    def __init__(
        self,
        dataset: PhotoDataset,
        decoded: DecodedPhotos,
        *,
        most_bytes: int = _MOST_BYTES,
        skip_missing: bool = False,
    ) -> None:
        self._dataset = dataset
        self._decoded = decoded
        self._most_bytes = most_bytes
        self._skip_missing = skip_missing
        self._waiting: OrderedDict[int, OpenedPhoto] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def read_sample(self, index: int) -> Sample:
        """`PhotoDataset.read_sample`; keeps the photo for `load`."""
        opened: list[OpenedPhoto] = []
        sample = self._dataset.read_sample(
            index, keep=opened.append, skip_missing=self._skip_missing
        )
        with self._lock:
            self._take(index)
            for photo in opened:
                self._waiting[index] = photo
                self._size += len(photo.data)
            while self._size > self._most_bytes:
                self._take(next(iter(self._waiting)))
        return sample

    def load(self, index: int, facts: PhotoFacts) -> bytes:
        """The stored bytes of a row's photo. Raises what `checked_photo` raises."""
        with self._lock:
            photo = self._take(index)
        if photo is None or photo.sha256 != facts.sha256:
            return checked_photo(self._dataset, index, facts, skip_missing=self._skip_missing)
        self._decoded.keep(photo.data, photo)
        return photo.data

    def _take(self, index: int) -> OpenedPhoto | None:
        photo = self._waiting.pop(index, None)
        if photo is not None:
            self._size -= len(photo.data)
        return photo
