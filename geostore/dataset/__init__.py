"""A dataset on disk: its files (`files`), its columns (`columns`) and its rows."""

from geostore.dataset.photo_dataset import (
    PhotoDataset,
)

__all__ = [
    "PhotoDataset",
]
