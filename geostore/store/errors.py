"""Turns SQLite's errors into sentences that say what is wrong with a store and what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from geostore.errors import RowRefused, StoreError, StoreLockedError


def store_error(error: sqlite3.Error, path: Path) -> StoreError:
    """The StoreError for an error of SQLite, by its primary result code.

    Source: https://www.sqlite.org/rescode.html
    """
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError):
        return RowRefused(f"{path}: {error}")
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreLockedError(
            f"{path} stays locked by another process; "
            "end the process that writes to it, and run this again"
        )
    if primary == sqlite3.SQLITE_NOTADB:
        return StoreError(f"{path} is not a SQLite file, so it is no store; name another")
    if primary == sqlite3.SQLITE_READONLY:
        return StoreError(f"{path} cannot be written: the file or its folder is read-only")
    if primary == sqlite3.SQLITE_FULL:
        return StoreError(
            f"the disk of {path} is full; what was committed is safe: "
            "make room, and run the same command again"
        )
    if primary == sqlite3.SQLITE_CANTOPEN:
        return StoreError(f"{path} cannot be opened; check its folder and its permissions")
    if primary == sqlite3.SQLITE_CORRUPT:
        return damaged(error, path)
    if primary == sqlite3.SQLITE_IOERR:
        return StoreError(
            f"the disk of {path} failed a read or write ({error}); what was committed is safe: "
            "check the disk, and run the same command again"
        )
    return StoreError(f"{path}: {error}")


def damaged(why: object, path: Path) -> StoreError:
    """The StoreError for a file whose pages do not fit together."""
    return StoreError(f"{path} is damaged ({why}); restore it from a copy")
