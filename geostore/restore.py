"""Derives again what the teacher saw: the photo from its dataset, tool images from calls.

Nothing is believed: the photo's stored bytes and every derived image are compared
with the hashes in the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from geostore.errors import ImageError
from geostore.identity import sha256_hex
from geostore.imaging import DecodedPhotos, prepare_photo
from geostore.records import (
    DatasetFacts,
    ImageFacts,
    PhotoFacts,
    Recipe,
    SentImage,
    StoredTrace,
    ToolCall,
)
from geostore.tools import derive, present

if TYPE_CHECKING:
    from geostore.dataset import PhotoDataset


class PhotoSource:
    """Photos of stored traces; opens each dataset once.

    dataset_path: where the dataset is now, for a store whose datasets moved.
    """

    def __init__(self, dataset_path: str | None = None) -> None:
        self._dataset_path = dataset_path
        self._open: dict[str, PhotoDataset] = {}

    def photo_bytes(self, trace: StoredTrace) -> bytes:
        """The photo's bytes as the dataset stores them.

        Raises DatasetError where the dataset is gone or another, ImageError
        where the row's photo is not the one that was drawn.
        """
        dataset = self._dataset(trace.dataset)
        assert trace.sample.photo is not None  # a trace's sample is never excluded
        return checked_photo(dataset, trace.sample.sample_index, trace.sample.photo)

    def _dataset(self, facts: DatasetFacts) -> PhotoDataset:
        from geostore.dataset import PhotoDataset

        if facts.fingerprint not in self._open:
            path = self._dataset_path or facts.path
            dataset = PhotoDataset.open(path, columns=facts.column_map)
            dataset.check_same(facts)
            self._open[facts.fingerprint] = dataset
        return self._open[facts.fingerprint]


def checked_photo(dataset: PhotoDataset, sample_index: int, photo: PhotoFacts) -> bytes:
    """The stored bytes of a row's photo. Raises ImageError where they are others than known."""
    data = dataset.photo_bytes(sample_index)
    if sha256_hex(data) != photo.sha256:
        raise ImageError(
            f"row {sample_index} of {dataset.facts.path} holds another photo than the store "
            "knows; the dataset was changed in place: restore the one that was used",
            kind="changed",
        )
    return data


def conversation_images(
    photo: bytes,
    recipe: Recipe,
    calls: Sequence[ToolCall],
    *,
    sent: ImageFacts | None = None,
    decoded: DecodedPhotos | None = None,
) -> list[SentImage]:
    """All images the teacher saw, in order of their numbers; the photo as sent is the first.

    sent: what the store knows of the photo as sent, None where nothing was sent yet.
    decoded: where the photo's pixels are looked for, and kept if they come up.
    Raises ImageError where an image comes out in other bytes than the rows say,
    as another version of Pillow or its JPEG library may make them.
    """
    decoded = decoded or DecodedPhotos()
    prepared = prepare_photo(photo, recipe.limits, keep=partial(decoded.keep, photo))
    images = [_checked(prepared, sent, "the photo as sent")]
    made = [call for call in calls if call.image is not None]
    if not made:
        return images
    full = decoded.get(photo)
    for call in made:
        assert call.image_index is not None
        derived = derive(full, calls, call.image_index)
        image = present(derived, call.name, recipe.limits)
        images.append(_checked(image, call.image, f"image {call.image_index}"))
    return images


def _checked(image: SentImage, known: ImageFacts | None, what: str) -> SentImage:
    if known is not None and image.sha256 != known.sha256:
        raise ImageError(
            f"{what} comes out in other bytes than were sent; another version of Pillow or its "
            "JPEG library made it (the runs table tells which)",
            kind="changed",
        )
    return image
