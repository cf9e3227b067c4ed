"""What `geostore rewards` shows: the specs of a store, and the kinds there are without one."""

from __future__ import annotations

import json
from typing import Any

from geostore.errors import RewardError
from geostore.rewards.formulas import (
    COMMON,
    DISTANCE_KINDS,
    EXTRA_TERMS,
    FORMULAS,
    KINDS,
    WEIGHTED,
)
from geostore.rewards.rescoring import count_missing
from geostore.rewards.specs import RewardSpec, make_spec
from geostore.store import Db
from geostore.store.rewards import SHORT, StoredSpec, find_spec, list_specs
from geostore.text.tables import QueryResult, format_table


def listed(db: Db) -> dict[str, Any]:
    """``{"specs": [...], "kinds": [...]}``: what the store has, and what can be computed."""
    counts = {row[0]: (row[1], row[2], row[3]) for row in db.run("count_rewards_by_spec")}
    return {
        "specs": [_spec(spec, counts.get(spec.id, (0, 0, 0))) for spec in list_specs(db)],
        "kinds": [_kind(kind) for kind in KINDS],
    }


def shown(db: Db, name: str) -> dict[str, Any]:
    """One spec of the store with its missing rewards, or one kind. Raises RewardError."""
    stored = find_spec(db, name)
    if stored is None:
        if name in KINDS:
            return _kind(name)
        raise RewardError(
            f"no reward {name!r} in this store or built in; geostore rewards list shows both"
        )
    spec = next(s for s in listed(db)["specs"] if s["sha256"] == stored.sha256)
    missing = count_missing(
        db,
        RewardSpec(stored.name, stored.kind, stored.parameters, stored.code_version),
    )
    return {**spec, "missing": missing.computed}


def _spec(spec: StoredSpec, counts: tuple[int, int, int]) -> dict[str, Any]:
    rewards, scored, failed = counts
    return {
        "name": spec.name,
        "sha256": spec.sha256,
        "kind": spec.kind,
        "formula": FORMULAS.get(spec.kind),
        "parameters": spec.parameters,
        "code_version": spec.code_version,
        "default": spec.is_default,
        "created_at": spec.created_at,
        "rewards": rewards,
        "scored": scored,
        "failed": failed,
    }


def _kind(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": kind, "formula": FORMULAS[kind]}
    if kind != WEIGHTED:
        return {**found, "parameters": make_spec(kind).parameters}
    terms = {**DISTANCE_KINDS, **EXTRA_TERMS}
    return {
        **found,
        "parameters": {**COMMON, "unparsed": None},
        "terms": {
            name: {"formula": FORMULAS[name], "parameters": dict(values)}
            for name, values in terms.items()
        },
    }


def list_text(found: dict[str, Any]) -> str:
    """A table of the store's specs, and one of the kinds."""
    specs = QueryResult(
        ("name", "hash", "default", "rewards", "scored", "failed", "kind", "parameters"),
        [
            (
                s["name"],
                s["sha256"][:SHORT],
                "default" if s["default"] else "",
                *(s[k] for k in ("rewards", "scored", "failed", "kind")),
                _short(s["parameters"]),
            )
            for s in found["specs"]
        ],
    )
    kinds = QueryResult(
        ("built in", "formula (d: distance in km)", "parameters"),
        [(k["kind"], k["formula"], _short(k["parameters"])) for k in found["kinds"]],
    )
    return f"{format_table(specs)}\n\n{format_table(kinds)}"


def show_text(found: dict[str, Any]) -> str:
    """A line for each thing to know."""
    lines = []
    for name, value in found.items():
        if isinstance(value, dict):
            lines.append(f"{name}:")
            lines += [f"  {key}: {_shown(part)}" for key, part in value.items()]
        else:
            lines.append(f"{name}: {_shown(value)}")
    return "\n".join(lines)


def _short(parameters: dict[str, Any]) -> str:
    """The parameters that say something: without what every kind has and is not set."""
    return ", ".join(
        f"{key}={_shown(value)}"
        for key, value in parameters.items()
        if COMMON.get(key, "") != value and value is not None
    )


def _shown(value: Any) -> str:
    """A value of a spec, on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict) and "formula" in value:
        inner = _short(value["parameters"])
        return f"{value['formula']}{f' ({inner})' if inner else ''}"
    return value if isinstance(value, str) else json.dumps(value)
