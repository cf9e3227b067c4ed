"""The one stream of trace records that all formats write, in the order of the export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from geostore.export.folder import ExportFolder
from geostore.export.images import ImagesMode, embedded_urls, file_urls, reference_urls, with_images
from geostore.export.layout import Layout
from geostore.export.messages import ImageUrl, MessagesMode
from geostore.export.record import trace_record
from geostore.records import ImportedRecipe, StoredTrace
from geostore.store import Filter, Snapshot


class RecordStream:
    """The records of the traces that a filter keeps, read from one snapshot.

    dataset_path: where the dataset is now, for the modes of images that need it.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        filters: Filter,
        *,
        messages: MessagesMode,
        images: ImagesMode,
        dataset_path: str | None,
    ) -> None:
        self.scope = snapshot.scope(filters)
        self.layout = Layout(self.scope)
        self._snapshot = snapshot
        self._filters = filters
        self._messages = messages
        self._images = images
        self._dataset_path = dataset_path

    def read(
        self, folder: ExportFolder, *, relative_to_trace: bool
    ) -> Iterator[tuple[StoredTrace, dict[str, Any]]]:
        """Each trace and its record; image files are written into the folder on the way.

        relative_to_trace: whether the paths of image files start at the trace's
        own folder or at the export's. Raises ExportError.
        """
        for trace, url in self._urls(folder, relative_to_trace=relative_to_trace):
            yield trace, trace_record(trace, messages=self._messages, image_url=url)

    def _urls(
        self, folder: ExportFolder, *, relative_to_trace: bool
    ) -> Iterator[tuple[StoredTrace, ImageUrl | None]]:
        traces = self._snapshot.traces(self._filters, with_turns=True)
        if self._images == "reference":
            for trace in traces:
                imported = isinstance(trace.recipe, ImportedRecipe)
                yield trace, None if imported else reference_urls(trace)
            return
        # Imported here: it brings Pillow and the dataset library with it.
        from geostore.conversation.images import PhotoSource

        for trace, images in with_images(traces, PhotoSource(self._dataset_path)):
            if self._images == "embed":
                yield trace, embedded_urls(images)
                continue
            place = self.layout.folder(trace)
            names = self.layout.image_names(trace, images)
            for name, image in zip(names, images, strict=True):
                folder.add(f"{place}{name}", image.data)
            paths = names if relative_to_trace else [f"{place}{name}" for name in names]
            yield trace, file_urls(paths)
