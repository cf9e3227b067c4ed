"""Exports that were written, and the mark by which a later one knows that nothing changed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geostore.identity import canonical_text
from geostore.store.db import Db, utc_now


class Exports:
    """The exports of a store."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def put_export(
        self,
        *,
        format: str,
        options: Mapping[str, Any],
        trace_count: int,
        sha256: str,
        path: Path,
        made_from: str | None,
    ) -> None:
        """Record that an export was written; `sha256` is its manifest's.

        made_from: hash of all that decides what is in it; None where the store changed meanwhile.
        """
        self._db.run(
            "put_export",
            format=format,
            options=canonical_text(dict(options)),
            trace_count=trace_count,
            sha256=sha256,
            path=str(path),
            made_from=made_from,
            now=utc_now(),
        )

    def last_made_from(self, path: Path) -> str | None:
        """What the last export to a path was made from; None where that is not known."""
        row = self._db.run("last_export", path=str(path)).fetchone()
        return None if row is None else row["made_from"]

    def put_mark(self) -> None:
        """Mark what exports read as it is now, unless it has a mark."""
        self._db.run("put_export_mark", mark=secrets.token_hex(16))

    def mark(self) -> str | None:
        """The mark of what exports read; None where it changed since it had one."""
        return export_mark(self._db)


def export_mark(db: Db) -> str | None:
    """The mark that a connection sees."""
    row = db.run("export_mark").fetchone()
    return None if row is None else str(row["mark"])
