"""The formats of an export, one module each.

A format is a function that writes a stream of `ExportedTrace` into a folder and
returns how many traces it wrote. To add one, write its module and list it here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from geostore.export.folder import ExportFolder
from geostore.export.formats.jsonl import write_jsonl
from geostore.export.formats.trace import write_trace_files
from geostore.export.stream import ExportStream

Format = Literal["trace", "jsonl"]
"""The names of the formats."""

FORMATS: Mapping[Format, Callable[[ExportStream, ExportFolder], int]] = MappingProxyType(
    {"trace": write_trace_files, "jsonl": write_jsonl}
)
"""From a format's name to the function that writes it."""
