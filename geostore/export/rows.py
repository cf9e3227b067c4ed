"""Files of rows in an export: one for each split, opened when its first row comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import orjson

from geostore.export.folder import ExportFolder, StreamedFile
from geostore.text.json_lines import json_bytes


class JsonLines:
    """JSONL files of an export, one for each split. Made by `json_lines`."""

    def __init__(self, folder: ExportFolder, stem: str, stack: ExitStack) -> None:
        self._folder, self._stem, self._stack = folder, stem, stack
        self._files: dict[str, StreamedFile] = {}
        self.names: list[str] = []
        """The paths of the files in the export, with ``/``, in the order of their first rows."""

    def write(self, row: dict[str, Any], split: str | None = None) -> None:
        """Append a row to the file of its split; None: the export has no splits."""
        stem = split or self._stem
        if stem not in self._files:
            name = f"{stem}.jsonl"
            self._files[stem] = self._stack.enter_context(self._folder.stream(name))
            self.names.append(name)
        self._files[stem].write(json_bytes(row, option=orjson.OPT_APPEND_NEWLINE))


@contextmanager
def json_lines(folder: ExportFolder, stem: str) -> Iterator[JsonLines]:
    """JSONL files in the export: ``<stem>.jsonl``, or one with the name of each split."""
    with ExitStack() as stack:
        yield JsonLines(folder, stem, stack)
