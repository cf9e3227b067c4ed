"""Writes an export into a hidden folder beside its target, and renames it into place.

Until the rename the target stays as it was. What a killed export leaves beside it the
next one cleans away (`leftovers`). An export replaces a folder only if an earlier
export wrote it and nobody put anything else into it.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from geostore.errors import ExportError
from geostore.export.files.leftovers import (
    MANIFEST,
    SUMS,
    clean,
    hidden_path,
    is_at,
    lock,
    remove,
)
from geostore.text.json_lines import json_bytes

MAKER = "geostore export"
"""The value of ``made_by`` in a manifest, by which a folder is known as an export."""

_SYNCING = 16  # threads; a file system commits the files together that are synced at one time
_SYNCING_AT_ONCE = 1024  # files handed to the threads at a time
_BUFFER = 1024 * 1024  # bytes; with the usual 8 kB every row of a few more is a write of its own
_NAMED = 3  # files named in an error
_TIMES = 5  # that an export is replaced which another process puts in the same place


def pretty_json(value: Any) -> bytes:
    """JSON for people to read as well: UTF-8, two spaces of indent, a line break at the end."""
    return json_bytes(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


class StreamedFile:
    """A file of an export that is written in pieces, and hashed as it is written."""

    def __init__(self, path: Path) -> None:
        # "x" refuses a file that is there: a second trace of the same name would replace the first.
        self._stream = path.open("xb", buffering=_BUFFER)
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append to the file."""
        self._stream.write(data)
        self._digest.update(data)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._stream.close()

    def fileno(self) -> int:
        """The descriptor of the open file."""
        return self._stream.fileno()

    def flush(self) -> None:
        """Give everything that was written to the system; the file stays open."""
        self._stream.flush()

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
        self.rows = 0
        """Rows that formats wrote so far."""
        self.images = 0
        """Images of these rows; one that two rows show counts twice."""
        self.indexed = 0
        """Rows that the index has a line about."""
        self._sums = StreamedFile(path / SUMS)

    def is_locked(self) -> bool:
        """Lock the folder while it is open, so that no other export takes it for one that was left.

        False where another had the lock first, and removes the folder.
        """
        return lock(self._sums.fileno()) and is_at(self._sums.fileno(), self.path / SUMS)

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

    def seal(self, manifest: dict[str, Any]) -> bytes:
        """Write the manifest, and sync every file to disk; the manifest's bytes.

        Its ``sha256`` is the hash of SHA256SUMS, and so of the export.
        """
        self._sums.flush()  # closed, it would be without its lock
        whole = pretty_json({"made_by": MAKER, **manifest, "sha256": self.sha256})
        (self.path / MANIFEST).write_bytes(whole)
        with ThreadPoolExecutor(_SYNCING) as pool:
            for parent, _, names in os.walk(self.path):
                paths = [os.path.join(parent, name) for name in names]
                for start in range(0, len(paths), _SYNCING_AT_ONCE):
                    list(pool.map(_sync, paths[start : start + _SYNCING_AT_ONCE]))
                _sync(parent)
        return whole

    @property
    def sha256(self) -> str:
        """The hash of the files that were written so far."""
        return self._sums.sha256

    def close(self) -> None:
        """Close the open file; may be called twice."""
        self._sums.close()


def check_target(out: Path) -> Path:
    """The path of `out`, links followed, if an export may be written there.

    Cleans away what exports to it left whose processes were killed. Raises ExportError where
    there is anything but an earlier export.
    """
    target = Path(os.path.realpath(out))
    clean(target, is_export=is_export)
    _check_replaceable(target, out)
    return target


def _check_replaceable(target: Path, out: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise ExportError(f"{out} is a file; an export is a folder: name another")
    if not any(target.iterdir()):
        return
    if not is_export(target):
        raise ExportError(
            f"{out} is there already and is no export of geostore's; name another folder"
        )
    if names := strangers(target)[:_NAMED]:
        raise ExportError(
            f"{out} holds files that no export wrote ({', '.join(names)}); "
            "move them away, or name another folder"
        )


@contextmanager
def partial_folder(target: Path) -> Iterator[ExportFolder]:
    """A new hidden folder beside the target; removed at the end unless it was published."""
    missing = [parent for parent in target.parents if not parent.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = _new_folder(target)
        try:
            yield folder
        finally:
            # Removed before it is closed: without its lock another export would clean it away.
            remove(folder.path)
            folder.close()
    finally:
        for parent in missing:
            with suppress(OSError):  # it holds the export now
                parent.rmdir()


def _new_folder(target: Path) -> ExportFolder:
    while True:
        path = hidden_path(target, "partial")
        # tempfile would make a folder that only its owner may read.
        path.mkdir()
        try:
            folder = ExportFolder(path)
        except FileNotFoundError:
            continue  # another export took it for one that was left, before it had its lock
        except OSError:
            remove(path)
            raise
        if folder.is_locked():
            return folder
        folder.close()


@contextmanager
def publishing(folder: ExportFolder, target: Path) -> Iterator[Callable[[], None]]:
    """Gives the function that puts a sealed folder in the place of its target.

    Where the block fails after that, the earlier export is put back; at its end the earlier
    one is removed. Between the two renames the target does not exist; if the process is killed
    there, the next export's `check_target` puts the earlier one back.
    """
    aside: list[Path] = []
    with ExitStack() as locks:

        def publish() -> None:
            for _ in range(_TIMES):
                # Looked at again: somebody may have put a file there in the meantime.
                _check_replaceable(target, target)
                if target.exists() and any(target.iterdir()):
                    locks.enter_context(_locked(target))
                    aside.append(hidden_path(target, "replaced"))
                    target.rename(aside[-1])
                try:
                    folder.path.rename(target)
                    break
                except OSError as error:
                    # Another export was put there between the two renames, and is replaced too.
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise
            else:
                raise ExportError(f"other exports are written to {target} all the time")
            _sync(target.parent)

        try:
            yield publish
        except BaseException:
            if target.exists() and not folder.path.exists():
                target.rename(folder.path)
            if aside and aside[-1].exists() and not target.exists():
                aside[-1].rename(target)
            raise
        for path in aside:
            remove(path)


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Hold the lock of an export that is put aside."""
    try:
        descriptor = os.open(target / SUMS, os.O_RDWR)
    except OSError:  # somebody removed it, or made it read-only
        yield
        return
    try:
        lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def is_export(folder: Path) -> bool:
    """Whether a folder has the manifest of an export."""
    return read_manifest(folder) is not None


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of an export; None where a folder has none that an export wrote."""
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if isinstance(manifest, dict) and manifest.get("made_by") == MAKER:
        return manifest
    return None


def listed_files(folder: Path) -> Iterator[tuple[str, str]]:
    """The hash and the name of each file that SHA256SUMS lists, in its order.

    Bytes that are no UTF-8 are in the name as `os.fsdecode` has them. Raises OSError.
    """
    with (folder / SUMS).open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for line in lines:
            sha256, _, name = line.removesuffix("\n").partition("  ")
            yield sha256, name


def printable(name: str) -> str:
    """A file's name for messages: bytes that are no UTF-8 as ``\\udcff``."""
    return name.encode(errors="backslashreplace").decode()


def strangers(folder: Path) -> list[str]:
    """What an export's folder holds that the export did not write.

    Files, links to folders, and empty folders, which have a ``/`` behind their names.
    """
    known, parents = {MANIFEST, SUMS}, {""}
    if (folder / SUMS).is_file():
        for _, name in listed_files(folder):
            known.add(name)
            while (name := name.rpartition("/")[0]) not in parents:
                parents.add(name)
    names = []
    for parent, folders, files in os.walk(folder):
        own = Path(parent).relative_to(folder).as_posix()
        start = "" if own == "." else f"{own}/"
        names += [f"{start}{file}" for file in files if f"{start}{file}" not in known]
        # A walk does not go into links.
        names += [f"{start}{name}/" for name in folders if Path(parent, name).is_symlink()]
        if not folders and not files and own not in (".", *parents):
            names.append(start)
    return sorted(map(printable, names))


def _sync(path: str | Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
