"""Format ``jsonl``: all traces in one file, ``traces.jsonl``, one line each."""

from __future__ import annotations

from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import json_lines
from geostore.export.options import FormatRules
from geostore.export.record import trace_record
from geostore.export.stream import ExportStream

RULES = FormatRules(
    ("reference", "embed", "files"), frozenset({"messages", "shard_size", "compress"})
)


def write_jsonl(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a line per trace and return how many. Paths of image files start at the file's folder.

    Raises ExportError, as `trace_record` does.
    """
    count = 0
    with json_lines(folder, "traces", traces.options) as lines:
        for exported in traces:
            record = trace_record(exported, messages=traces.options.messages)
            lines.write(record, exported.split, images=len(exported.images))
            count += 1
    return count
