"""Format ``jsonl``: all traces in one file, ``traces.jsonl``, one line each."""

from __future__ import annotations

import orjson

from geostore.export.folder import ExportFolder
from geostore.export.stream import RecordStream

FILE_NAME = "traces.jsonl"


def write_jsonl(records: RecordStream, folder: ExportFolder) -> int:
    """Write a line per trace; how many. Paths of image files are relative to the file's folder."""
    count = 0
    with folder.stream(FILE_NAME) as file:
        for _, record in records.read(folder, relative_to_trace=False):
            file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count
