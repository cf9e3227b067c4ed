"""Reads trace files once more, by the names under which the store knows them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import IO, Any

from geostore.importing.documents import BadFile
from geostore.importing.json_text import Document, load_document, load_documents

_LINE = re.compile(r"(.+):([1-9][0-9]*)\Z", re.DOTALL)
_ENTRY = re.compile(r"(.+)(\[[0-9]+\])\Z", re.DOTALL)


class Rereader:
    """Reads one trace after another; keeps the last file that holds several of them open.

    Use as a context manager. Names that come in the order of the file are read in one pass.
    """

    def __init__(self) -> None:
        self._path: str | None = None
        self._stream: IO[bytes] | None = None
        self._line = 0
        self._list_path: str | None = None
        self._entries: dict[str, Document] = {}

    def __enter__(self) -> Rereader:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def document(self, name: str) -> dict[str, Any]:
        """The JSON object of a file, of a line (``<path>:4``) or of an entry (``<path>[3]``).

        Raises BadFile, OSError where it cannot be read any more.
        """
        if not os.path.exists(name):
            if match := _LINE.match(name):
                return load_document(self._line_of(match[1], int(match[2])))
            if match := _ENTRY.match(name):
                return self._entry_of(match[1], match[2])
        return load_document(Path(name).read_bytes())

    def _line_of(self, path: str, number: int) -> bytes:
        if self._stream is None or self._path != path or number <= self._line:
            self._close()
            self._stream, self._path, self._line = open(path, "rb"), path, 0  # noqa: SIM115
        for data in self._stream:
            self._line += 1
            if self._line == number:
                return data
        raise BadFile("unreadable", f"{path} has no line {number} any more")

    def _entry_of(self, path: str, place: str) -> dict[str, Any]:
        if self._list_path != path:
            documents = load_documents(Path(path).read_bytes())
            self._list_path, self._entries = path, {entry[0]: entry for entry in documents}
        _, document = self._entries.get(place, (place, BadFile("unreadable", f"no entry {place}")))
        if isinstance(document, BadFile):
            raise document
        return document

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
