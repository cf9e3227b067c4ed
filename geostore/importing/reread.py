"""Reads trace files once more, by the names under which the store knows them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import IO, Any

from geostore.identity import sha256_hex
from geostore.importing.documents import BadFile
from geostore.importing.files import real_path
from geostore.importing.json_text import Document, document_sha256, load_document, load_documents
from geostore.importing.packed_rows import PACKED, PackedRows

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
        self._packed = PackedRows()
        self._list_path: str | None = None
        self._entries: dict[str, Document] = {}

    def __enter__(self) -> Rereader:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def document(self, name: str, sha256: str) -> dict[str, Any]:
        """The JSON object of a file, of a line (``<path>:4``) or of an entry (``<path>[3]``).

        sha256: of what was imported; of a row of training data the name of its trace follows, as
        `training` says. Raises BadFile, OSError where it cannot be read any more, or was changed
        since.
        """
        sha256 = sha256.partition(":")[0]
        path = real_path(name)
        if not os.path.exists(path):
            if match := _LINE.match(name):
                return self._line_of(name, match[1], int(match[2]), sha256)
            if match := _ENTRY.match(name):
                return self._entry_of(name, match[1], match[2], sha256)
        data = Path(path).read_bytes()
        if sha256_hex(data) != sha256:
            raise _changed(name)
        return load_document(data)

    def _line_of(self, name: str, path: str, number: int, sha256: str) -> dict[str, Any]:
        data = self._line_bytes(path, number)
        is_same = sha256_hex(data.strip()) == sha256
        try:
            document = load_document(data)
        except BadFile:
            raise _changed(name) from None
        if not is_same and document_sha256(document) != sha256:
            raise _changed(name)
        return document

    def _line_bytes(self, path: str, number: int) -> bytes:
        if PACKED.search(path):
            return self._packed.row(real_path(path), number)
        if self._stream is None or self._path != path or number <= self._line:
            self._close()
            stream = open(real_path(path), "rb")  # noqa: SIM115
            self._stream, self._path, self._line = stream, path, 0
        for data in self._stream:
            self._line += 1
            if self._line == number:
                return data
        raise BadFile("unreadable", f"{path} has no line {number} any more")

    def _entry_of(self, name: str, path: str, place: str, sha256: str) -> dict[str, Any]:
        if self._list_path != path:
            documents = load_documents(self._list_bytes(path))
            self._list_path, self._entries = path, {entry[0]: entry for entry in documents}
        _, document = self._entries.get(place, (place, BadFile("unreadable", f"no entry {place}")))
        if isinstance(document, BadFile) or document_sha256(document) != sha256:
            raise _changed(name)
        return document

    def _list_bytes(self, path: str) -> bytes:
        real = real_path(path)
        # A line of a file of lines may be a list as well.
        if not os.path.exists(real) and (match := _LINE.match(path)):
            return self._line_bytes(match[1], int(match[2]))
        return Path(real).read_bytes()

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _changed(name: str) -> BadFile:
    return BadFile("unreadable", f"{name} was changed since it was imported")
