"""Format ``trace``: one indented JSON file per trace."""

from __future__ import annotations

from geostore.export.files.folder import ExportFolder, pretty_json
from geostore.export.options import FormatRules
from geostore.export.record import trace_record
from geostore.export.stream import ExportStream

RULES = FormatRules(("reference", "embed", "files"), frozenset({"messages"}))


def write_trace_files(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a file per trace and return how many. Paths of image files start at the trace's file.

    Raises ExportError, as `trace_record` does.
    """
    count = 0
    for exported in traces:
        record = trace_record(
            exported, messages=traces.options.messages, relative_to=exported.folder
        )
        folder.add(f"{exported.folder}{exported.stem}.json", pretty_json(record))
        folder.rows += 1
        folder.images += len(exported.images)
        count += 1
    return count
