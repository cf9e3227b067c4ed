"""Looks at the file of a store before it is opened, and puts new stores in place whole.

A file that is none of geostore's is refused with the same sentence by every command,
and nothing is written to it. A new store is written beside its place and linked into
it, so that a kill leaves either no file or a whole store.
"""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

from geostore.errors import StoreError
from geostore.store.migrations import applied_migrations

_MAGIC = b"SQLite format 3\x00"
_NEAR_LOOKED_AT = 200
_NEAR_NAMED = 5


def require_store_file(path: Path) -> None:
    """Raise StoreError unless this is a SQLite file, by its first bytes."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise StoreError(f"the name {shown} is not UTF-8; rename the store") from error
    try:
        if path.is_dir():
            raise StoreError(f"{path} is a folder; a store is one file, such as geostore.db")
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} is a device or a pipe, so it is no store; name a file")
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(_nothing_at(path)) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise StoreError(f"{path} cannot be read: {why}") from error
    if not start:
        raise StoreError(
            f"{path} is empty (0 bytes), so it is no store; delete it, or name another"
        )
    if start != _MAGIC:
        raise StoreError(f"{path} is not a SQLite file, so it is no store; name another")


def require_store(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StoreError where a SQLite file holds no store; sqlite3.Error where it is damaged."""
    if not applied_migrations(connection, path):
        raise StoreError(
            f"{path} is a SQLite file without tables, so it is no store; delete it, or name another"
        )


def put_in_place(path: Path, content: bytes) -> None:
    """Make the file of a new store, or leave it alone where another process was quicker.

    Raises StoreError where it cannot be written.
    """
    place = Path(os.path.realpath(path))
    beside = place.with_name(f".geostore-{os.getpid()}-{secrets.token_hex(4)}.new")
    try:
        try:
            with beside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            _link(beside, place)
        finally:
            beside.unlink(missing_ok=True)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            why = f"the disk of {path} is full: make room, and run the same command again"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            why = f"{path} cannot be written: the file or its folder is read-only"
        else:
            why = f"{path} cannot be made: {error.strerror}"
        raise StoreError(why) from error


def _link(beside: Path, place: Path) -> None:
    try:
        os.link(beside, place)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links. The empty file keeps other processes from
        # replacing the store that this one puts in its place.
        place.open("xb").close()
        beside.replace(place)


def _nothing_at(path: Path) -> str:
    near = [str(store) for store in stores_near(path)]
    if not near:
        return f"no store at {path}; geostore generate makes one"
    more = ", and more" if len(near) > _NEAR_NAMED else ""
    return (
        f"no store at {path}, but near it: {', '.join(near[:_NEAR_NAMED])}{more}; name one with "
        "--store or in GEOSTORE_STORE (geostore generate makes a new one)"
    )


def stores_near(path: Path) -> list[Path]:
    """Stores (``*.db``) in the folder of a path and one level below, the newest first."""
    folder = path.parent
    try:
        files = chain(folder.glob("*.db"), folder.glob("[!.]*/*.db"))
        stores = [f for f in islice(files, _NEAR_LOOKED_AT) if f.is_file() and _is_store(f)]
        return sorted(stores, key=lambda file: (-file.stat().st_mtime, file))
    except (OSError, ValueError):
        return []  # the folder cannot be listed, or a store was deleted just now


def _is_store(file: Path) -> bool:
    try:
        # Immutable: no file is made beside one that may be another program's.
        address = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return bool(applied_migrations(connection, file))
    except (StoreError, sqlite3.Error, ValueError):
        return False
