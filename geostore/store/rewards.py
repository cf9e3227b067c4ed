"""Reward specs as rows: found by name or hash, recorded once, one of them the default."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from geostore.errors import RewardError
from geostore.store.db import Db
from geostore.text.nearest import did_you_mean

_HASH = re.compile(r"[0-9a-f]{4,64}")
SHORT = 8
"""Hex digits of a hash that are shown."""


@dataclass(frozen=True, slots=True)
class StoredSpec:
    """A reward spec of a store."""

    id: int
    """The id of its row."""
    sha256: str
    """Of kind, parameters and code version, but not of the name."""
    name: str
    """For people; two specs may have the same."""
    kind: str
    """The formula, such as ``geoguessr`` or ``weighted``."""
    parameters: dict[str, Any] = field(hash=False)
    """The formula's parameters, by name."""
    code_version: int
    """Raised when the same parameters give other scores."""
    is_default: bool
    """Whether views and exports take its scores where no spec is named."""
    created_at: str
    """ISO-8601 UTC."""

    @property
    def label(self) -> str:
        """Name and start of the hash, which differ between two specs of one name."""
        return f"{self.name} ({self.sha256[:SHORT]})"


def list_specs(db: Db) -> list[StoredSpec]:
    """All specs, the oldest first."""
    return _find(db, None)


def default_spec(db: Db) -> StoredSpec | None:
    """The store's default; None where nothing was scored yet."""
    defaults = _find(db, None, default=True)
    return defaults[0] if defaults else None


def looks_like_hash(name: str) -> bool:
    """Whether a name is read as the start of a spec's hash, too."""
    return _HASH.fullmatch(name) is not None


def find_spec(db: Db, name: str) -> StoredSpec | None:
    """The spec with this name, or with this start of its hash (four digits or more), or None.

    Raises RewardError where several specs match.
    """
    matches = [spec for spec in _find(db, name) if spec.name == name or looks_like_hash(name)]
    if len(matches) > 1:
        raise RewardError(
            f"{name!r} may be {' or '.join(spec.label for spec in matches)}; give the hash"
        )
    return matches[0] if matches else None


def get_spec(db: Db, name: str) -> StoredSpec:
    """Like `find_spec`, but raises RewardError where no spec matches."""
    spec = find_spec(db, name)
    if spec is None:
        specs = list_specs(db)
        known = ", ".join(other.label for other in specs) or "none yet"
        meant = did_you_mean(name, (other.name for other in specs))
        # A preset is named where nothing of it was computed yet.
        wanted = name if name.startswith("preset:") else "..."
        raise RewardError(
            f"the store has no reward {name!r}{meant}; it has: {known}. "
            f"Compute one with: geostore rescore --reward {wanted}"
        )
    return spec


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
