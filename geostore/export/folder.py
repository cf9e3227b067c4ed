"""Writes an export beside its target and puts it into place as a whole.

Until then the target is what it was: an interrupted or failed export leaves
nothing but, at worst, a hidden folder ``.<name>.partial-*`` beside it. Only a
folder that an earlier export wrote, and in which nothing else was put, is ever
replaced.
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

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
MAKER = "geostore export"
"""What a manifest's ``made_by`` says; so an export is told from other folders."""

_SYNCING = 16  # threads; a file system commits files together that are synced together
_SYNCING_AT_ONCE = 1024  # files handed to the threads at a time
_NAMED = 3  # files named in an error


def pretty_json(value: Any) -> bytes:
    """JSON for people to read as well: UTF-8, two spaces of indent, a line break at the end."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


class StreamedFile:
    """A file of an export that is written in pieces, and hashed as it is written."""

    def __init__(self, path: Path) -> None:
        # Never one file over another: two traces under one name would be one trace lost.
        self._stream = path.open("xb")
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append to the file."""
        self._stream.write(data)
        self._digest.update(data)

    def close(self) -> None:
        """Close the file; may be done twice."""
        self._stream.close()

    @property
    def sha256(self) -> str:
        """Of what was written, in hex."""
        return self._digest.hexdigest()


class ExportFolder:
    """The folder in which an export is written; keeps the hash of every file.

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
        """Write the manifest, bring all to disk, and return the hash of the export."""
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
        """Let go of what is open; may be done twice."""
        self._sums.close()


def check_target(out: Path) -> Path:
    """Where `out` is, links followed, if an export may be written there.

    Raises ExportError where something else is there than an earlier export.
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
    """A new hidden folder beside the target; gone afterwards unless it was published."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile's, which only its owner may read.
    path = target.parent / f".{target.name}.partial-{secrets.token_hex(4)}"
    path.mkdir()
    try:
        with closing(ExportFolder(path)) as folder:
            yield folder
    finally:
        shutil.rmtree(path, ignore_errors=True)


def publish(folder: ExportFolder, target: Path) -> Path | None:
    """Put a sealed folder at its target; where the one that was there is now, None without.

    Between two renames there is nothing at the target; a process killed there
    leaves it to the next export's `check_target` to put the earlier one back.
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
    """Put back an export that a killed `publish` has left beside its place."""
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
    """Some files in an export's folder that are not of the export."""
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
