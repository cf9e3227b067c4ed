"""The hidden folders beside a target: what a killed export left there, and who may remove it.

An export writes into ``.<name>.partial-*``, and puts the one that it replaces aside as
``.<name>.replaced-*``. While its process lives it holds a lock on SHA256SUMS in both; the
kernel gives a lock back when its process ends, however that ends. So a folder whose lock
can be had was left by a dead process, and the next export to that target cleans it away.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"

Kind = Literal["partial", "replaced"]


def hidden_path(target: Path, kind: Kind) -> Path:
    """A new name for a hidden folder beside a target."""
    return target.parent / f".{target.name}.{kind}-{secrets.token_hex(4)}"


def lock(descriptor: int) -> bool:
    """Lock an open SHA256SUMS until it is closed; False where another process holds the lock.

    Where the file system knows no locks the answer is True: there nobody can clean anything away.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file still stands at a path."""
    try:
        there = path.stat()
    except OSError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def clean(target: Path, *, is_export: Callable[[Path], bool]) -> None:
    """Remove what dead processes left beside a target.

    An export that was put aside is put back where the target is missing: its process was killed
    between the two renames of `folder.publishing`.
    """
    name = re.compile(rf"\.{re.escape(target.name)}\.(partial|replaced)-[0-9a-f]{{8}}\Z")
    if not target.parent.is_dir():
        return
    for path in sorted(target.parent.iterdir()):
        match = name.match(path.name)
        if match is None or path.is_symlink() or not path.is_dir():
            continue
        try:
            descriptor = os.open(path / SUMS, os.O_RDWR)
        except FileNotFoundError:
            # A folder is made, and is removed, with SHA256SUMS alone in it. One that is being
            # made is made once more where this removes it.
            with suppress(OSError):
                path.rmdir()
            continue
        except OSError:
            continue
        try:
            if not _is_left(descriptor, path / SUMS):
                continue
            if match[1] == "replaced" and not target.exists() and is_export(path):
                path.rename(target)
            else:
                remove(path)
        finally:
            os.close(descriptor)


def remove(folder: Path) -> None:
    """Remove a hidden folder, as far as that can be done; SHA256SUMS goes last.

    Killed in the middle, it leaves a folder that `clean` still knows by SHA256SUMS, and that is
    no export any more: `clean` would put it back as a whole one.
    """
    with suppress(OSError):
        (folder / MANIFEST).unlink(missing_ok=True)
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != SUMS:
                path.unlink(missing_ok=True)
        (folder / SUMS).unlink(missing_ok=True)
        folder.rmdir()


def _is_left(descriptor: int, path: Path) -> bool:
    """Whether no process holds the lock, which this one then has."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # a living process has it, or nobody can say
    return is_at(descriptor, path)
