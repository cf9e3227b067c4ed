"""Format ``jsonl``: all traces in one file, ``traces.jsonl``, one line each."""

from __future__ import annotations

import orjson

from geostore.export.folder import ExportFolder
from geostore.export.options import FormatRules
from geostore.export.record import trace_record
from geostore.export.stream import ExportStream
from geostore.text.json_lines import json_bytes

FILE_NAME = "traces.jsonl"
RULES = FormatRules(("reference", "embed", "files"), frozenset({"messages"}))


def write_jsonl(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a line per trace and return how many. Paths of image files start at the file's folder.

    Raises ExportError, as `trace_record` does.
    """
    count = 0
    with folder.stream(FILE_NAME) as file:
        for exported in traces:
            record = trace_record(exported, messages=traces.options.messages)
            file.write(json_bytes(record, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count
