"""The three ways in which an export carries images: named, embedded, or as files.

Only the two that carry pixels need the dataset; then every image is derived
again and compared with the hash of what was sent.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

from geostore.conversation.messages import data_url
from geostore.errors import DatasetError, ExportError, ImageError
from geostore.export.messages import ImageUrl
from geostore.records import ImageFacts, SentImage, StoredTrace, ToolCall
from geostore.tools import further_effect

if TYPE_CHECKING:
    from geostore.conversation.images import PhotoSource

ImagesMode = Literal["reference", "embed", "files"]

SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
"""File name suffix by media type, for everything that is sent."""


def reference_urls(trace: StoredTrace) -> ImageUrl:
    """Names each image by the hash of its bytes, and says how it is derived.

    ``url`` is what the canonical request has in place of the image; ``reference``
    gives the dataset's name and row, the image's number in the conversation, its
    size as sent in pixels, and the operation that made it (null for the photo),
    its box in pixels of the full-resolution source, its angle in degrees
    counter-clockwise, and, where its tool has them, other parameters by name.
    """
    made: list[tuple[ImageFacts | None, dict[str, Any] | None]] = [(trace.photo, None)]
    made += [(call.image, _operation(call)) for call in trace.calls if call.image is not None]

    def url(number: int) -> dict[str, Any]:
        facts, operation = made[number]
        assert facts is not None  # messages are rebuilt only where the photo as sent is known
        return {
            "url": f"sha256:{facts.sha256}",
            "reference": {
                "dataset": trace.dataset.name,
                "sample_index": trace.sample.sample_index,
                "image_index": number,
                "width": facts.width,
                "height": facts.height,
                "operation": operation,
            },
        }

    return url


def embedded_urls(images: Sequence[SentImage]) -> ImageUrl:
    """Data URLs with the bytes that the teacher got."""
    return lambda number: {"url": data_url(images[number]).decode()}


def file_urls(paths: Sequence[str]) -> ImageUrl:
    """Paths of files, one per image of the conversation."""
    return lambda number: {"url": paths[number]}


def with_images(
    traces: Iterable[StoredTrace], source: PhotoSource
) -> Iterator[tuple[StoredTrace, list[SentImage]]]:
    """Each trace with all images its teacher saw, in order; derived a few traces ahead.

    Raises ExportError, naming the trace, where an image cannot be had or is not
    the one that was sent.
    """
    # Pillow lets other threads run while it decodes; the dataset is read in this one.
    workers = min(8, os.cpu_count() or 1)
    waiting: deque[tuple[StoredTrace, Future[list[SentImage]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for trace in traces:
            photo = _photo(trace, source)
            waiting.append((trace, pool.submit(_derive, trace, photo)))
            if len(waiting) > 2 * workers:
                first, images = waiting.popleft()
                yield first, images.result()
        while waiting:
            first, images = waiting.popleft()
            yield first, images.result()


def _photo(trace: StoredTrace, source: PhotoSource) -> bytes:
    try:
        return source.photo_bytes(trace)
    except (DatasetError, ImageError) as error:
        raise ExportError(f"{trace.name}: {error}") from error


def _derive(trace: StoredTrace, photo: bytes) -> list[SentImage]:
    from geostore.conversation.images import conversation_images

    try:
        return conversation_images(photo, trace.recipe, trace.calls, sent=trace.photo)
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
