"""The images of a trace in the three ways in which an export carries them.

``reference`` names each image, ``embed`` holds its bytes, ``files`` writes it as
a file. Only the last two need the dataset: they derive every image again and
compare it with the hash of what was sent.
"""

from __future__ import annotations

import os
import posixpath
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from geostore.conversation.again import why_not
from geostore.conversation.messages import data_url
from geostore.conversation.sent import shown_calls
from geostore.errors import DatasetError, ExportError, ImageError
from geostore.export.left_out import UnwrittenTraces
from geostore.records import ImageFacts, ImportedRecipe, SentImage, StoredTrace, ToolCall
from geostore.tools import further_effect

if TYPE_CHECKING:
    from geostore.conversation.images import PhotoSource

ImagesMode = Literal["reference", "embed", "files"]

SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
"""File name suffix by media type, for everything that is sent."""


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """One image that a trace's teacher saw."""

    number: int
    """Its number in the conversation, from 0, the photo; messages hold the images in this order.
    A number is missing where an image was not shown at a limit of the server."""
    facts: ImageFacts
    """Hash and sizes in pixels, as it was sent."""
    call: ToolCall | None
    """The call that made it; None for the photo."""
    sent: SentImage | None
    """The bytes that the teacher got; None in the mode ``reference``."""
    path: str | None
    """Its file, with ``/``, from the export's folder; None unless the mode is ``files``."""


def shown_images(trace: StoredTrace) -> list[tuple[int, ImageFacts, ToolCall | None]]:
    """The images that the teacher was shown: number, facts, and the call that made it.

    Empty where the photo as sent is not known, and in an imported trace where an image
    could not be made again.
    """
    if trace.photo is None:
        return []
    imported = isinstance(trace.recipe, ImportedRecipe)
    if imported and why_not(trace) is not None:
        return []
    images: list[tuple[int, ImageFacts, ToolCall | None]] = [(0, trace.photo, None)]
    for call in shown_calls(trace):
        assert call.image is not None
        assert call.image_index is not None
        images.append((call.image_index, call.image, call))
    return images


def image_reference(image: ExportedImage, trace: StoredTrace) -> dict[str, Any]:
    """An ``image_url`` object that names an image by its hash and says how it is derived.

    ``url`` is what the canonical request has in place of the image; ``reference``
    gives the dataset's name and row, the image's number in the conversation, its
    size as sent in pixels, and the operation that made it (null for the photo),
    its box in pixels of the full-resolution source, its angle in degrees
    counter-clockwise, and, where its tool has them, other parameters by name.
    """
    return {
        "url": f"sha256:{image.facts.sha256}",
        "reference": {
            "dataset": trace.dataset.name,
            "sample_index": trace.sample.sample_index,
            "image_index": image.number,
            "width": image.facts.width,
            "height": image.facts.height,
            "operation": None if image.call is None else _operation(image.call),
        },
    }


def image_url(image: ExportedImage, trace: StoredTrace, *, relative_to: str = "") -> dict[str, Any]:
    """The ``image_url`` object for an image, in the mode in which the export carries it.

    A file gives its path, bytes give a data URL, anything else a reference.
    relative_to: a folder of the export, "" or with ``/`` at its end, from which
    the path starts.
    """
    if image.path is not None:
        return {"url": posixpath.relpath(image.path, relative_to or ".")}
    if image.sent is not None:
        return {"url": data_url(image.sent).decode()}
    return image_reference(image, trace)


def image_names(trace: StoredTrace) -> dict[str, int]:
    """From a name that messages of an imported trace may give an image to the image's number.

    Images with the same bytes have one name, which is that of the first of them: a zoom may
    show the whole photo.
    """
    names: dict[str, int] = {}
    for number, facts, _ in shown_images(trace):
        names.setdefault(facts.sha256, number)
    for proof in trace.image_proofs:
        if proof.file_sha256 is not None:
            names.setdefault(proof.file_sha256, proof.image_index)
    return names


def with_images(
    traces: Iterable[StoredTrace], source: PhotoSource, unwritten: UnwrittenTraces
) -> Iterator[tuple[StoredTrace, bytes, list[SentImage]]]:
    """Each trace with its photo's file as the dataset stores it, and all images that its teacher
    saw, in order; derived a few traces ahead.

    Imported traces whose images could not be made again are added to `unwritten` instead.
    Raises ExportError, naming the trace, where an image cannot be had or is not
    the one that was sent.
    """
    # Pillow lets other threads run while it decodes; the dataset is read in this one.
    workers = min(8, os.cpu_count() or 1)
    waiting: deque[tuple[StoredTrace, bytes, Future[list[SentImage]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for trace in traces:
            why = why_not(trace) if isinstance(trace.recipe, ImportedRecipe) else None
            if why is not None:
                unwritten.add(trace.name, "images", why)
                continue
            photo = _photo(trace, source)
            waiting.append((trace, photo, pool.submit(_derive, trace, photo)))
            if len(waiting) > 2 * workers:
                first, file, images = waiting.popleft()
                yield first, file, images.result()
        while waiting:
            first, file, images = waiting.popleft()
            yield first, file, images.result()


def _photo(trace: StoredTrace, source: PhotoSource) -> bytes:
    try:
        return source.photo_bytes(trace)
    except (DatasetError, ImageError) as error:
        raise ExportError(f"{trace.name}: {error}") from error


def _derive(trace: StoredTrace, photo: bytes) -> list[SentImage]:
    from geostore.conversation.images import trace_images

    try:
        return trace_images(photo, trace)
    except ImageError as error:
        raise ExportError(f"{trace.name}: {error}") from error


def _operation(call: ToolCall) -> dict[str, Any]:
    return {
        "name": call.name,
        "source_index": call.source_index,
        "box": None if call.box is None else list(call.box),
        "angle": call.angle,
        **further_effect(call),
    }
