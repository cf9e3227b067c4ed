"""Reward specs as rows: found by name or hash, recorded once, one of them the default."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from geostore.errors import RewardError
from geostore.store.db import Db

_HASH = re.compile(r"[0-9a-f]{4,64}")
SHORT = 8
"""Hex digits of a hash that are shown."""


@dataclass(frozen=True, slots=True)
class StoredSpec:
    """A reward spec of a store; `sha256` covers all but the name."""

    id: int
    sha256: str
    name: str
    kind: str
    parameters: dict[str, Any] = field(hash=False)
    code_version: int
    is_default: bool
    created_at: str

    @property
    def label(self) -> str:
        """Name and the start of the hash, which tell it from any other of its name."""
        return f"{self.name} ({self.sha256[:SHORT]})"


def list_specs(db: Db) -> list[StoredSpec]:
    """All specs, the oldest first."""
    return _find(db, None)


def default_spec(db: Db) -> StoredSpec | None:
    """The store's default; None where nothing was scored yet."""
    found = _find(db, None, default=True)
    return found[0] if found else None


def find_spec(db: Db, name: str) -> StoredSpec | None:
    """The spec with a name, or whose hash begins so (four digits or more); None without one.

    Raises RewardError where it may be more than one.
    """
    found = [spec for spec in _find(db, name) if spec.name == name or _HASH.fullmatch(name)]
    if len(found) > 1:
        raise RewardError(
            f"{name!r} may be {' or '.join(spec.label for spec in found)}; give the hash"
        )
    return found[0] if found else None


def get_spec(db: Db, name: str) -> StoredSpec:
    """Like `find_spec`. Raises RewardError, which names those there are, without one."""
    found = find_spec(db, name)
    if found is None:
        known = ", ".join(spec.label for spec in list_specs(db)) or "none yet"
        raise RewardError(
            f"the store has no reward {name!r}; it has: {known}. "
            "Compute one with: geostore rescore --reward ..."
        )
    return found


def _find(db: Db, name: str | None, *, default: bool = False) -> list[StoredSpec]:
    rows = db.run("find_reward_specs", name=name, default=int(default)).fetchall()
    return [
        StoredSpec(
            id=row["id"],
            sha256=row["sha256"],
            name=row["name"],
            kind=row["kind"],
            parameters=orjson.loads(row["parameters"]),
            code_version=row["code_version"],
            is_default=bool(row["is_default"]),
            created_at=row["created_at"],
        )
        for row in rows
    ]
