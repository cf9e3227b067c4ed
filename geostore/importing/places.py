"""The coordinates of a dataset's rows, to check the row number in a file.

Some of the older scripts sorted a dataset before they counted its rows, so the
number in their files may be that of another photo.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from geostore.store.copies import SAME_PLACE_DEGREES

if TYPE_CHECKING:
    from geostore.dataset import PhotoDataset


class Places:
    """The coordinates of a dataset's rows; two arrays of its length in memory."""

    def __init__(self, dataset: PhotoDataset) -> None:
        self.dataset = dataset
        self._lat, self._lon = dataset.coordinates()

    @classmethod
    def open(cls, path: str, columns: Mapping[str, str]) -> Places:
        """The coordinates of the dataset at a path. Raises DatasetError."""
        from geostore.dataset import PhotoDataset

        return cls(PhotoDataset.open(path, columns=columns))

    def has(self, row: int, lat: float, lon: float) -> bool:
        """Whether the dataset has this row and it lies at this place (degrees)."""
        if row >= len(self.dataset):
            return False
        apart = max(abs(self._lat[row] - lat), abs(self._lon[row] - lon))
        return bool(apart <= SAME_PLACE_DEGREES)  # False for NaN too

    def rows_at(self, lat: float, lon: float) -> list[int]:
        """All rows at a place, in order."""
        order, sorted_lat = self._by_latitude
        first = np.searchsorted(sorted_lat, lat - SAME_PLACE_DEGREES, "left")
        last = np.searchsorted(sorted_lat, lat + SAME_PLACE_DEGREES, "right")
        near = order[first:last]
        at_place: Any = near[np.abs(self._lon[near] - lon) <= SAME_PLACE_DEGREES]
        return sorted(int(row) for row in at_place)

    @cached_property
    def _by_latitude(self) -> tuple[Any, Any]:
        order = np.argsort(self._lat, kind="stable")
        return order, self._lat[order]
