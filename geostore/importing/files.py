"""Finds trace files in a folder and below it, one folder's names in memory at a time.

Files come in the order of their names, so that every machine imports alike.

A file of lines counts as one trace a line: such a file may be larger than memory, so
each line is found, read and remembered by itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from geostore.errors import TraceImportError
from geostore.export.files.leftovers import MANIFEST
from geostore.identity import sha256_hex
from geostore.importing.documents import BadFile
from geostore.importing.manifest import is_manifest
from geostore.importing.packed_rows import PACKED, count_rows, packed_rows
from geostore.importing.reader import TraceFile
from geostore.importing.training import training_format, why_no_trace

_NAME = re.compile(r"\.(json|jsonl|ndjson)(\.(gz|bz2|xz|zst))?\Z", re.IGNORECASE)
_BACKSLASHED = re.compile(rb"\\x([89a-f][0-9a-f])")
_LINES = re.compile(r"\.(jsonl|ndjson)\Z", re.IGNORECASE)
_ROWS = re.compile(r"\.(jsonl|arrow|parquet)\Z")
"""The names of the files of rows of an export for a trainer."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A JSON file, or a line of one, that is to be imported."""

    file: TraceFile
    """Its place, as a reader needs it."""
    size: int
    """In bytes."""
    stamp: str
    """Its size and times, or of a line its hash; another text once it is changed."""

    @property
    def path(self) -> str:
        """What it is called in the store and in reports; a line as ``<path>:<number>``."""
        line = self.file.line
        return path_text(self.file.path) + ("" if line is None else f":{line}")


def path_text(path: str) -> str:
    """A path as text that can be stored and shown, also where its bytes are no UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def real_path(text: str) -> str:
    """The path that `path_text` made a text of."""
    if os.path.exists(text):
        return text
    path = os.fsdecode(_BACKSLASHED.sub(lambda byte: bytes([int(byte[1], 16)]), text.encode()))
    return path if os.path.exists(path) else text


def count_files(source: Path, leave_out: Path | None = None) -> tuple[int, int]:
    """How many files there are, and how many entries `find_files` lists.

    Raises TraceImportError.
    """
    files = entries = 0
    for path, _, manifest in _walk(source, leave_out):
        files += 1
        if why_no_trace(manifest) is not None:
            entries += 1
            continue
        count = count_rows(path) if PACKED.search(path) else sum(1 for _ in _lines(path))
        entries += max(1, count)
    return files, entries


def find_files(source: Path, leave_out: Path | None = None) -> Iterator[FoundFile]:
    """One file, or every JSON file in a folder and below it, except manifests of exports.

    Hidden files and folders are left out, because an interrupted export leaves
    such a folder. Links to folders are not followed. Paths are absolute.
    leave_out: a file that is no trace file, whatever its name. Raises TraceImportError
    where the file or folder itself cannot be read.
    """
    for path, folder, manifest in _walk(source, leave_out):
        file = TraceFile(path, path_text(folder), manifest)
        try:
            stat = os.stat(path)
        except OSError:
            if os.path.islink(path):
                yield FoundFile(file, 0, "")  # to be reported: its file may be on another disk
            continue  # somebody removed it since the folder was listed
        line = None
        # A file whose format holds no traces is reported once, and not row by row.
        for line in () if why_no_trace(manifest) is not None else _lines(path):
            place = replace(file, line=line.number, start=line.start, length=len(line.data))
            yield FoundFile(place, len(line.data), f"{len(line.data)}-{sha256_hex(line.data)}")
        if line is None:
            stamp = f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ctime_ns}"
            yield FoundFile(file, stat.st_size, stamp)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    """From 1."""
    start: int
    """Bytes before it."""
    data: bytes


def _lines(path: str) -> Iterator[_Line]:
    """The lines of a file of lines that are not blank; none of any other, or one not to be read."""
    if PACKED.search(path):
        yield from _packed_lines(path)
        return
    if not _LINES.search(path):
        return
    try:
        with open(path, "rb") as stream:
            start = 0
            is_first = True
            for number, data in enumerate(stream, start=1):
                if is_first and data.strip() in (b"{", b"["):
                    return  # one document over many lines, whatever its name says
                if data.strip():
                    is_first = False
                    yield _Line(number, start, data)
                start += len(data)
    except OSError:
        return


def _packed_lines(path: str) -> Iterator[_Line]:
    try:
        for number, data in enumerate(packed_rows(path), start=1):
            yield _Line(number, 0, data)
    except (BadFile, OSError):
        return  # what comes after is reported with the rows that cannot be read


def _walk(source: Path, leave_out: Path | None) -> Iterator[tuple[str, str, str | None]]:
    """Paths of files, each with its folder relative to the start and the manifest above it."""
    start = os.path.abspath(source)
    if os.path.isfile(start):
        beside = Path(start).parent
        own = beside / MANIFEST
        yield start, "", str(own) if is_manifest(own) else _manifest_above(beside)
        return
    if not os.path.isdir(start):
        raise TraceImportError(
            f"{source} is no folder and no file; name the folder that holds the trace files, or one"
        )
    left_out = None if leave_out is None else os.path.abspath(leave_out)
    waiting: list[tuple[str, str, str | None]] = [(start, "", _manifest_above(Path(start)))]
    while waiting:
        path, folder, manifest = waiting.pop()
        own_path = os.path.join(path, MANIFEST)
        manifest = own_path if is_manifest(Path(own_path)) else manifest
        try:
            entries = os.scandir(path)
        except OSError as error:
            if folder == "":
                raise TraceImportError(f"{source} cannot be read: {error}") from error
            continue
        # Beside the rows of a trainer's export stand settings for the trainer.
        wanted = _ROWS if manifest is not None and training_format(manifest) else _NAME
        below, names = [], []
        with entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.name)
                elif wanted.search(entry.name) and entry.path not in (manifest, left_out):
                    names.append(entry.name)
        # A disk has an order of its own, and of two files of one trace the first is imported.
        for name in sorted(names):
            yield os.path.join(path, name), folder, manifest
        waiting += [
            (os.path.join(path, name), f"{folder}/{name}" if folder else name, manifest)
            for name in sorted(below, reverse=True)
        ]


def _manifest_above(start: Path) -> str | None:
    """The manifest beside a folder: a user may name one dataset's folder inside an export."""
    above = start.parent / MANIFEST
    return str(above) if is_manifest(above) else None
