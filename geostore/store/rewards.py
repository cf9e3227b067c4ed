"""Reward specs as rows: found by name or hash, recorded once, one of them the default."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from typing import Any

import orjson

from geostore.errors import RewardError
from geostore.sqlfiles import load_sql

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


def list_specs(connection: sqlite3.Connection) -> list[StoredSpec]:
    """All specs, the oldest first."""
    return _find(connection, None)


def default_spec(connection: sqlite3.Connection) -> StoredSpec | None:
    """The store's default; None where nothing was scored yet."""
    found = _find(connection, None, default=True)
    return found[0] if found else None


def find_spec(connection: sqlite3.Connection, name: str) -> StoredSpec | None:
    """The spec with a name, or whose hash begins so (four digits or more); None without one.

    Raises RewardError where it may be more than one.
    """
    found = [spec for spec in _find(connection, name) if spec.name == name or _HASH.fullmatch(name)]
    if len(found) > 1:
        raise RewardError(
            f"{name!r} may be {' or '.join(spec.label for spec in found)}; give the hash"
        )
    return found[0] if found else None


def get_spec(connection: sqlite3.Connection, name: str) -> StoredSpec:
    """Like `find_spec`. Raises RewardError, which names those there are, without one."""
    found = find_spec(connection, name)
    if found is None:
        known = ", ".join(spec.label for spec in list_specs(connection)) or "none yet"
        raise RewardError(
            f"the store has no reward {name!r}; it has: {known}. "
            "Compute one with: geostore rescore --reward ..."
        )
    return found


def _find(
    connection: sqlite3.Connection, name: str | None, *, default: bool = False
) -> list[StoredSpec]:
    found = connection.execute(
        load_sql("store", "find_reward_specs"), {"name": name, "default": int(default)}
    )
    return [
        StoredSpec(
            id=spec_id,
            sha256=sha256,
            name=stored_name,
            kind=kind,
            parameters=orjson.loads(parameters),
            code_version=code_version,
            is_default=bool(is_default),
            created_at=created_at,
        )
        for (
            spec_id,
            sha256,
            stored_name,
            kind,
            parameters,
            code_version,
            is_default,
            created_at,
        ) in found
    ]
