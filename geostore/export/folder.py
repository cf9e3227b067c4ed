"""Writes an export into a hidden folder beside its target, and renames it into place.

Until the rename the target stays as it was. A killed export leaves at worst a hidden
folder ``.<name>.partial-*`` beside it. An export replaces a folder only if an earlier
export wrote it and nobody put anything else into it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson

from geostore.errors import ExportError
from geostore.text.json_lines import json_bytes

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
MAKER = "geostore export"
"""The value of ``made_by`` in a manifest, by which a folder is known as an export."""

_SYNCING = 16  # threads; a file system commits the files together that are synced at one time
_SYNCING_AT_ONCE = 1024  # files handed to the threads at a time
_NAMED = 3  # files named in an error


def pretty_json(value: Any) -> bytes:
    """JSON for people to read as well: UTF-8, two spaces of indent, a line break at the end."""
    return json_bytes(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


class StreamedFile:
    """A file of an export that is written in pieces, and hashed as it is written."""

    def __init__(self, path: Path) -> None:
        # "x" refuses a file that is there: a second trace of the same name would replace the first.
        self._stream = path.open("xb")
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append to the file."""
        self._stream.write(data)
        self._digest.update(data)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._stream.close()

    @property
    def sha256(self) -> str:
        """The hash of what was written, in hex."""
        return self._digest.hexdigest()


class ExportFolder:
    """The folder in which an export is written; lists the hash of every file.

    ``SHA256SUMS`` lists the files in the order in which they were finished, as
    ``sha256sum --check`` reads it; its own hash, in the manifest, is the hash of
    the export.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sums = StreamedFile(path / SUMS)

    def add(self, name: str, data: bytes) -> None:
        """Write a file; `name` is its path in the export, with ``/``."""
        with self.stream(name) as file:
            file.write(data)

    def add_once(self, name: str, data: bytes) -> None:
        """Write a file whose name says what is in it; one that is there is left as it is."""
        if not (self.path / name).exists():
            self.add(name, data)

    @contextmanager
    def stream(self, name: str) -> Iterator[StreamedFile]:
        """Write a file in pieces; `name` as for `add`."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        file = StreamedFile(path)
        with closing(file):
            yield file
        self._sums.write(f"{file.sha256}  {name}\n".encode())

    def seal(self, manifest: dict[str, Any]) -> str:
        """Write the manifest, sync every file to disk, and return the hash of the export."""
        self._sums.close()
        sha256 = self._sums.sha256
        whole = {"made_by": MAKER, **manifest, "sha256": sha256}
        (self.path / MANIFEST).write_bytes(pretty_json(whole))
        with ThreadPoolExecutor(_SYNCING) as pool:
            for parent, _, names in os.walk(self.path):
                paths = [os.path.join(parent, name) for name in names]
                for start in range(0, len(paths), _SYNCING_AT_ONCE):
                    list(pool.map(_sync, paths[start : start + _SYNCING_AT_ONCE]))
                _sync(parent)
        return sha256

    def close(self) -> None:
        """Close the open file; may be called twice."""
        self._sums.close()


def check_target(out: Path) -> Path:
    """The path of `out`, links followed, if an export may be written there.

    Raises ExportError where there is anything but an earlier export.
    """
    target = Path(os.path.realpath(out))
    _put_back(target)
    if not target.exists():
        return target
    if not target.is_dir():
        raise ExportError(f"{out} is a file; an export is a folder: name another")
    if not any(target.iterdir()):
        return target
    if not _is_export(target):
        raise ExportError(
            f"{out} is there already and is no export of geostore's; name another folder"
        )
    if strangers := _strangers(target):
        raise ExportError(
            f"{out} holds files that no export wrote ({', '.join(strangers)}); "
            "move them away, or name another folder"
        )
    return target


@contextmanager
def partial_folder(target: Path) -> Iterator[ExportFolder]:
    """A new hidden folder beside the target; removed at the end unless it was published."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # tempfile would make a folder that only its owner may read.
    path = target.parent / f".{target.name}.partial-{secrets.token_hex(4)}"
    path.mkdir()
    try:
        with closing(ExportFolder(path)) as folder:
            yield folder
    finally:
        shutil.rmtree(path, ignore_errors=True)


def publish(folder: ExportFolder, target: Path) -> Path | None:
    """Rename a sealed folder to its target.

    Returns where the earlier export is now, None where there was none. Between the
    two renames the target does not exist; if the process is killed there, the next
    export's `check_target` puts the earlier one back.
    """
    replaced = None
    if target.exists():
        replaced = target.parent / f"{_replaced_prefix(target)}{secrets.token_hex(4)}"
        target.rename(replaced)
    try:
        folder.path.rename(target)
    except OSError:
        if replaced is not None:
            replaced.rename(target)
        raise
    _sync(target.parent)
    return replaced


def _put_back(target: Path) -> None:
    """Rename an export back that a killed `publish` left beside its place."""
    if target.exists() or not target.parent.is_dir():
        return
    prefix = _replaced_prefix(target)
    for path in target.parent.iterdir():
        if path.name.startswith(prefix) and _is_export(path):
            path.rename(target)
            return


def _replaced_prefix(target: Path) -> str:
    return f".{target.name}.replaced-"


def _is_export(folder: Path) -> bool:
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return isinstance(manifest, dict) and manifest.get("made_by") == MAKER


def _strangers(folder: Path) -> list[str]:
    """Up to three files in an export's folder that the export did not write."""
    known = {MANIFEST, SUMS}
    if (folder / SUMS).is_file():
        with (folder / SUMS).open(encoding="utf-8") as lines:
            known.update(line.rstrip("\n").partition("  ")[2] for line in lines)
    strangers = []
    for parent, _, names in os.walk(folder):
        for name in names:
            relative = Path(parent, name).relative_to(folder).as_posix()
            if relative not in known:
                strangers.append(relative)
    return sorted(strangers)[:_NAMED]


def _sync(path: str | Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
