"""Format ``trace``: one indented JSON file per trace."""

from __future__ import annotations

from geostore.export.folder import ExportFolder, pretty_json
from geostore.export.stream import RecordStream


def write_trace_files(records: RecordStream, folder: ExportFolder) -> int:
    """Write a file per trace; how many. Paths of image files are relative to the trace's file."""
    count = 0
    for trace, record in records.read(folder, relative_to_trace=True):
        layout = records.layout
        folder.add(f"{layout.folder(trace)}{layout.stem(trace)}.json", pretty_json(record))
        count += 1
    return count
