"""Finds trace files in a folder and below it, as a stream, however many there are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from geostore.errors import TraceImportError
from geostore.export.folder import MANIFEST
from geostore.importing.manifest import is_manifest
from geostore.importing.reader import TraceFile


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A JSON file in the folder that is imported."""

    file: TraceFile
    """Its place, as a reader needs it."""
    size: int
    """In bytes."""
    stamp: str
    """Its size and times; another text once the file is changed."""


def path_text(path: str) -> str:
    """A path as text that can be stored and shown, also where its bytes are no UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def count_files(directory: Path) -> int:
    """How many files `find_files` lists, without opening them. Raises TraceImportError."""
    return sum(1 for _ in _walk(directory))


def find_files(directory: Path) -> Iterator[FoundFile]:
    """Every JSON file in a folder and below it, except the manifests of geostore's exports.

    Hidden files and folders are left out, because an interrupted export leaves
    such a folder. Links to folders are not followed. Paths are absolute.
    Raises TraceImportError where the folder itself cannot be read.
    """
    for entry, folder, manifest in _walk(directory):
        try:
            stat = entry.stat()
        except OSError:
            continue  # somebody removed it since the folder was listed
        stamp = f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ctime_ns}"
        yield FoundFile(TraceFile(entry.path, path_text(folder), manifest), stat.st_size, stamp)


def _walk(directory: Path) -> Iterator[tuple[os.DirEntry[str], str, str | None]]:
    """Entries of files, each with its folder relative to the start and the manifest above it."""
    start = os.path.abspath(directory)
    if not os.path.isdir(start):
        raise TraceImportError(f"{directory} is no folder; name the one that holds the trace files")
    waiting: list[tuple[str, str, str | None]] = [(start, "", _manifest_above(Path(start)))]
    while waiting:
        path, folder, manifest = waiting.pop()
        own = os.path.join(path, MANIFEST)
        manifest = own if is_manifest(Path(own)) else manifest
        try:
            entries = os.scandir(path)
        except OSError as error:
            if folder == "":
                raise TraceImportError(f"{directory} cannot be read: {error}") from error
            continue
        below = []
        with entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.name)
                elif entry.name.endswith(".json") and entry.path != manifest:
                    yield entry, folder, manifest
        waiting += [
            (os.path.join(path, name), f"{folder}/{name}" if folder else name, manifest)
            for name in sorted(below, reverse=True)
        ]


def _manifest_above(start: Path) -> str | None:
    """The manifest beside a folder: a user may name one dataset's folder inside an export."""
    above = start.parent / MANIFEST
    return str(above) if is_manifest(above) else None
