"""Tells without reading a trace that an export is what it would be if it were written again.

An export is a function of the store, the options and the program. So its row in the table
``exports`` keeps one hash of

- the mark of the store: any change of a row that exports read takes the mark away, and
  the next one is another (``export_mark`` in the schema);
- the filter, the choice and the options, with the files that they name;
- what the datasets say of their licence, which the README has;
- the program: its own files, and the versions of the libraries that write bytes;
- the manifest, as it was written.

The target must hold the same manifest, and every file the hash that SHA256SUMS has for
it. Photos are not read again: each image was compared with the store's hash of it when it was
written. But the datasets must be there and have the same fingerprint, or writing would fail.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from geostore.errors import DatasetError
from geostore.export.files.folder import listed_files, printable, read_manifest
from geostore.export.files.leftovers import MANIFEST, SUMS
from geostore.export.files.licence import licence_of
from geostore.export.options import ExportOptions
from geostore.export.student.text_tokens import tokenizer_file
from geostore.identity import content_hash, sha256_hex
from geostore.sqlfiles import store_statements
from geostore.store import Snapshot, Store, open_snapshot
from geostore.version import VERSION

_PACKAGE = Path(__file__).parents[2]
_LIBRARIES = ("orjson", "pyarrow", "pillow", "datasets", "h3", "tokenizers")
_SUFFIXES = (".py", ".py.txt")
_BLOCK = 1024 * 1024
_FILES_AT_ONCE = 1024  # handed to the threads at a time

# What another moment or another call answers otherwise; a condition with one of these is no
# function of the store. One with a select may ask a table whose changes take no mark away.
# A word too many costs one export that was not needed.
_NOT_OF_THE_MARK = re.compile(
    r"\b(select|now|random|randomblob|changes|total_changes|last_insert_rowid|current_\w+|date|time|"
    r"datetime|julianday|unixepoch|strftime|timediff)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Origin:
    """All that decides what is in an export, but its manifest."""

    asked: Mapping[str, Any]
    """Filter, choice and options, as the manifest has them."""
    options: ExportOptions
    """How it is written."""

    def hash(self, snapshot: Snapshot, manifest: bytes) -> str | None:
        """What the table ``exports`` keeps; None where a later export could not rely on it."""
        mark = snapshot.export_mark()
        where = self.asked["filter"].get("where")
        if mark is None or (where and _NOT_OF_THE_MARK.search(where)):
            return None
        tokenizer = self.options.tokenizer
        file = None if tokenizer is None else tokenizer_file(tokenizer)
        licences = [licence_of(facts, self.options.dataset_path) for facts in snapshot.datasets()]
        return content_hash(
            {
                "mark": mark,
                "format": self.options.format,
                "asked": self.asked,
                "tokenizer": None if file is None else _file_hash(file),
                "licences": licences,
                "program": program_hash(),
                "manifest": sha256_hex(manifest),
            }
        )


@dataclass(frozen=True, slots=True)
class Earlier:
    """What stands at the target of an export."""

    manifest: Mapping[str, Any]
    """Its manifest."""
    damaged: tuple[str, ...]
    """Its files that are missing or are not what was written, by name; empty: it can stay."""


def find_unchanged(store: Store, target: Path, origin: Origin) -> Earlier | None:
    """The export at the target, where writing it again would give the same; None where not."""
    manifest = read_manifest(target)
    made_from = store.exports.last_made_from(target)
    if manifest is None or made_from is None:
        return None
    with open_snapshot(store.path) as snapshot:
        if made_from != origin.hash(snapshot, (target / MANIFEST).read_bytes()):
            return None
        if origin.options.images != "reference" and not _has_photos(snapshot, manifest, origin):
            return None
    return Earlier(manifest, tuple(damaged_files(target, manifest)))


def _has_photos(snapshot: Snapshot, manifest: Mapping[str, Any], origin: Origin) -> bool:
    """Whether the datasets of the photos in an export are there, with the same fingerprint."""
    from geostore.conversation.images import PhotoSource

    source = PhotoSource(origin.options.dataset_path)
    used = {entry["fingerprint"] for entry in manifest["datasets"]}
    try:
        for facts in snapshot.datasets():
            if facts.fingerprint is not None and facts.fingerprint in used:
                source.dataset(facts)
    except DatasetError:
        return False  # to write it fails, and says why
    return True


def damaged_files(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Files of an export that are missing, or are not what SHA256SUMS says, by name."""
    sums = _file_hash(folder / SUMS)
    if sums is None or sums != manifest.get("sha256"):
        return [SUMS]
    damaged: list[str] = []
    listed = listed_files(folder)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        # In blocks, because a pool keeps all that it is given.
        while block := list(islice(listed, _FILES_AT_ONCE)):
            hashes = pool.map(_file_hash, [folder / name for _, name in block])
            damaged += [
                printable(name)
                for (sha256, name), there in zip(block, hashes, strict=True)
                if sha256 != there
            ]
    return damaged


@cache
def program_hash() -> str:
    """Of geostore's own files, and of the versions of what writes bytes for it."""
    digest = hashlib.sha256()
    versions = {name: _version_of(name) for name in _LIBRARIES}
    digest.update(f"{VERSION} {versions} {zlib.ZLIB_RUNTIME_VERSION}\n".encode())
    digest.update(content_hash(dict(store_statements())).encode())
    for path in sorted(_own_files()):
        digest.update(f"{path[len(str(_PACKAGE)) :]}\n".encode())
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def _own_files() -> Iterator[str]:
    """The paths of geostore's files, as texts: objects for hundreds of them cost a small export
    more than its traces do.
    """
    for folder, _, names in os.walk(_PACKAGE):
        # Scripts that exports bring along have another suffix.
        yield from (os.path.join(folder, name) for name in names if name.endswith(_SUFFIXES))


def _version_of(library: str) -> str | None:
    """None where it is not installed."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def _file_hash(path: Path) -> str | None:
    """None where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except (OSError, ValueError):  # a name that no file can have
        return None
    return digest.hexdigest()
