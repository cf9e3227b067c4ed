"""A trace's photo, small, with the outlines of what its calls cut out: for pages."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from geostore.conversation.again import check_photo
from geostore.conversation.images import trace_images
from geostore.imaging import decode
from geostore.records import ImageFacts, ImportedRecipe, StoredTrace
from geostore.show.overlay import labelled_boxes
from geostore.tools import outline_on_photo

if TYPE_CHECKING:
    from geostore.conversation.images import PhotoSource

_QUALITY = 72  # of JPEG; text in a photo can still be read


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small photo and the boxes on it."""

    data: bytes
    """JPEG."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    outlines: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]
    """Label and corners, in pixels of the picture, of each box that a call cut."""

    @property
    def address(self) -> str:
        """The picture as an address of its own, which a page shows without a file."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.data).decode()}"


def thumbnail(trace: StoredTrace, source: PhotoSource, *, side: int) -> Thumbnail:
    """The photo of a trace, derived now and proven to be what the teacher was sent.

    side: pixels of its longer side. An imported trace's photo is compared by its file's hash alone.
    Raises DatasetError, MachineError, and ImageError where it is not the photo that was sent.
    """
    data = source.photo_bytes(trace)
    check_photo(trace)
    if trace.photo is not None and not isinstance(trace.recipe, ImportedRecipe):
        trace_images(data, trace)
    photo = decode(data)
    facts = ImageFacts("", photo.width, photo.height, photo.width, photo.height)
    small = photo.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    scale = small.width / photo.width
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return Thumbnail(
        out.getvalue(),
        small.width,
        small.height,
        tuple(
            (
                label,
                tuple(
                    (round(x * scale, 1), round(y * scale, 1))
                    for x, y in outline_on_photo(call, facts, trace.calls)
                ),
            )
            for label, call in labelled_boxes(trace.calls).items()
        ),
    )
