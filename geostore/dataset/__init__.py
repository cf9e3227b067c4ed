"""A dataset on disk: found and opened (`files`), understood (`columns`), read by row."""

from geostore.dataset.photo_dataset import (
    PhotoDataset,
)

__all__ = [
    "PhotoDataset",
]
