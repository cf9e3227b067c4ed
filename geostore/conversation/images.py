"""Derives again what the teacher saw: the photo from its dataset, tool images from calls.

Nothing is believed: the photo's stored bytes and every derived image are compared
with the hashes in the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from geostore.conversation.again import images_again
from geostore.errors import DatasetError, ImageError
from geostore.identity import sha256_hex
from geostore.imaging import DecodedPhotos
from geostore.records import (
    DatasetFacts,
    ImageFacts,
    ImportedRecipe,
    PhotoFacts,
    Recipe,
    SentImage,
    StoredTrace,
    ToolCall,
)
from geostore.tools import apply, present

if TYPE_CHECKING:
    from PIL import Image

    from geostore.dataset import PhotoDataset


class PhotoSource:
    """Photos of stored traces; opens each dataset once.

    dataset_path: where the dataset is now, for a store whose datasets moved.
    """

    def __init__(self, dataset_path: str | None = None) -> None:
        self._dataset_path = dataset_path
        self._open: dict[str, PhotoDataset] = {}
        self._why_not: dict[str, str] = {}

    def photo_bytes(self, trace: StoredTrace) -> bytes:
        """The photo's bytes as its dataset stores them, or one that holds a copy of it.

        Raises DatasetError where the dataset is gone, another, or was never seen,
        ImageError where the row's photo is not the one that was drawn.
        """
        if trace.sample.photo is None:
            raise DatasetError(
                f"{trace.name} was imported without its dataset, so which photo is its own cannot "
                "be told; import its file into a new store with --dataset-path"
            )
        try:
            dataset, row = self.dataset(trace.dataset), trace.sample.sample_index
        except DatasetError as error:
            found = self.copy_of(trace)
            if found is None:
                # Whoever named a path knows how.
                todo = "" if self._dataset_path else "; or say where it is now with --dataset-path"
                raise DatasetError(f"{error}{todo}") from error
            dataset, row = found
        return checked_photo(dataset, row, trace.sample.photo)

    def copy_of(self, trace: StoredTrace) -> tuple[PhotoDataset, int] | None:
        """Another dataset that holds the trace's photo, and its row; None where none is there."""
        for facts, row in trace.copies:
            with suppress(DatasetError):
                return self.dataset(facts), row
        return None

    def dataset(self, facts: DatasetFacts) -> PhotoDataset:
        """The dataset that the store knows by these facts. Raises DatasetError where it is not."""
        from geostore.dataset import PhotoDataset

        assert facts.fingerprint is not None  # photos are known of datasets that were opened
        if facts.fingerprint in self._why_not:
            raise DatasetError(self._why_not[facts.fingerprint])
        if facts.fingerprint not in self._open:
            path = self._dataset_path or facts.path
            try:
                dataset = PhotoDataset.open(path, columns=facts.column_map)
                dataset.check_same(facts)
            except DatasetError as error:
                # To open it again for each trace would read all of it for each.
                self._why_not[facts.fingerprint] = str(error)
                raise
            self._open[facts.fingerprint] = dataset
        return self._open[facts.fingerprint]


def checked_photo(
    dataset: PhotoDataset, sample_index: int, photo: PhotoFacts, *, skip_missing: bool = False
) -> bytes:
    """The stored bytes of a row's photo.

    skip_missing: as of `PhotoDataset.photo_bytes`.
    Raises ImageError where they are others than known or lost, MachineError where they
    cannot be read now.
    """
    data = dataset.photo_bytes(sample_index, skip_missing=skip_missing)
    if sha256_hex(data) != photo.sha256:
        raise ImageError(
            f"row {sample_index} of {dataset.facts.path} holds another photo than the store "
            "knows; the dataset was changed in place: restore the one that was used",
            kind="changed",
        )
    return data


def trace_images(photo: bytes, trace: StoredTrace) -> list[SentImage]:
    """All images that the teacher of a trace saw, as `conversation_images` gives them.

    photo: the stored bytes. Raises ImageError as that does, and for an imported trace as
    `again.images_again` does.
    """
    if isinstance(trace.recipe, ImportedRecipe):
        return images_again(photo, trace)
    return conversation_images(photo, trace.recipe, trace.calls, sent=trace.photo)


def conversation_images(
    photo: bytes,
    recipe: Recipe,
    calls: Sequence[ToolCall],
    *,
    sent: ImageFacts | None = None,
    decoded: DecodedPhotos | None = None,
) -> list[SentImage]:
    """All images the teacher saw, in order of their numbers; the photo as sent is the first.

    sent: what the store knows of the photo as sent, None where nothing was sent yet;
    then the hash of its pixels comes with it.
    decoded: where the photo's pixels are looked for, and kept if they come up.
    Raises ImageError where an image comes out in other bytes than the rows say,
    as another version of Pillow or its JPEG library may make them.
    """
    decoded = decoded or DecodedPhotos()
    prepared = decoded.prepare(photo, recipe.limits, with_pixels=sent is None)
    images = [_checked(prepared, sent, "the photo as sent")]
    with_image = [call for call in calls if call.image is not None]
    if not with_image:
        return images
    for call, image in tool_images(decoded.get(photo), recipe, with_image):
        images.append(_checked(image, call.image, f"image {call.image_index}"))
    return images


def tool_images(
    photo: Image.Image, recipe: Recipe, calls: Sequence[ToolCall], *, with_pixels: bool = False
) -> Iterator[tuple[ToolCall, SentImage]]:
    """Each of a trace's calls that gave an image, in order, and that image as it was sent.

    photo: its pixels as `imaging.decode` gives them. with_pixels: with the hash of
    their pixels. What a later call is applied to is kept until the last such call,
    so nothing is derived twice. Nothing is compared with the rows.
    Raises ImageError where the rows do not fit together.
    """
    with_image = [call for call in calls if call.image_index is not None]
    last_use = {call.source_index: number for number, call in enumerate(with_image)}
    full: dict[int | None, Image.Image] = {0: photo}
    for number, call in enumerate(with_image):
        if call.source_index not in full:
            raise ImageError(
                f"image {call.image_index} is made of image {call.source_index}, "
                "which no call before it gave",
                kind="missing",
            )
        image = apply(call, full[call.source_index])
        if last_use.get(call.image_index, -1) > number:
            full[call.image_index] = image
        if last_use[call.source_index] == number:
            del full[call.source_index]
        yield call, present(image, call.name, recipe.limits, with_pixels=with_pixels)


def _checked(image: SentImage, known: ImageFacts | None, what: str) -> SentImage:
    if known is not None and image.sha256 != known.sha256:
        raise ImageError(
            f"{what} comes out in other bytes than were sent; another version of Pillow or its "
            "JPEG library made it (the runs table tells which)",
            kind="changed",
        )
    # The same bytes hold the same pixels, so their hash need not be computed again.
    return image if known is None else replace(image, pixels_xxh128=known.pixels_xxh128)
