"""What the names of rewards mean, and which names a reward of the store may have.

A name is that of a built-in kind, of a preset, or of a spec of the store, which can also be named
by the start of its hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from geostore.errors import RewardError
from geostore.rewards.formulas import KINDS
from geostore.rewards.presets import PRESETS, find_preset, is_preset_name, preset_spec
from geostore.rewards.specs import (
    NOT_BY_FORMULA,
    RewardSpec,
    as_written,
    ensure_spec,
    make_spec,
    require_known,
    stored_spec,
)
from geostore.store import Db, Filter
from geostore.store.rewards import (
    StoredSpec,
    find_spec,
    get_spec,
    list_specs,
    looks_like_hash,
)
from geostore.text.nearest import did_you_mean


def resolve_spec(db: Db, name: str, params: Mapping[str, str] | None = None) -> RewardSpec:
    """The spec that a name means: a built-in kind, a preset, or one of the store's by name or hash.

    Raises RewardError, which names them, where it is none.
    """
    if name in KINDS:
        return make_spec(name, params)
    if name in PRESETS:
        return preset_spec(name, params)
    stored = find_spec(db, name)
    if stored is None:
        known = ", ".join([*KINDS, *PRESETS])
        names = [*KINDS, *PRESETS, *(spec.name for spec in list_specs(db))]
        raise RewardError(
            f"no reward {name!r}{did_you_mean(name, names)}; there are: {known}; "
            "and those that geostore rewards list shows, by name or hash"
        )
    if params:
        raise RewardError(
            f"{stored.label} has its parameters already; name a built-in reward or a preset to "
            "give others"
        )
    return stored_spec(stored)


def find_named(db: Db, name: str) -> StoredSpec | None:
    """The spec of the store that a name means, or None: by name, by hash, or a preset.

    The name of a preset means what it is now, under whatever name the store has it; only where the
    store lacks that, it means one that the store has by this name, as of an older gazetteer.
    Raises RewardError where several specs match.
    """
    if name in PRESETS:
        stored = find_spec(db, preset_spec(name).sha256)
        if stored is not None:
            return stored
    return find_spec(db, name)


def get_named(db: Db, name: str) -> StoredSpec:
    """Like `find_named`, but raises RewardError where no spec matches."""
    return find_named(db, name) or get_spec(db, name)


def with_named_reward(db: Db, filters: Filter) -> Filter:
    """A filter whose reward, where it is the name of a preset, is given by its hash.

    The rows of a store know a spec by name and hash alone. Raises RewardError as `get_named` does.
    """
    if filters.reward is None or filters.reward not in PRESETS:
        return filters
    return replace(filters, reward=get_named(db, filters.reward).sha256)


def read_spec(path: Path) -> RewardSpec:
    """The spec in a JSON file: ``{"reward": ..., "name": ..., "parameters": {...}}``.

    The reward is a kind or a preset. Parameters are named as on the command line; `name` may be
    left out. Raises RewardError.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RewardError(f"{path} is no JSON file that can be read: {error}") from error
    known = {"reward", "name", "parameters"}
    if not isinstance(document, dict) or document.keys() - known or "reward" not in document:
        raise RewardError(f"{path} must be a JSON object with reward, and parameters and name")
    parameters = document.get("parameters", {})
    name = document.get("name")
    if not isinstance(parameters, dict) or not isinstance(name, str | None):
        raise RewardError(f"{path}: parameters must be a JSON object, and name a string")
    written = {key: as_written(value) for key, value in parameters.items()}
    reward = str(document["reward"])
    if is_preset_name(reward):
        spec = preset_spec(find_preset(reward).name, written)
    else:
        spec = make_spec(reward, written)
    if name is None:
        return spec
    try:
        check_name(name, spec.kind)
    except RewardError as error:
        raise RewardError(f"{path}: {error}") from error
    return replace(spec, name=name)


def set_default(db: Db, name: str) -> StoredSpec:
    """Make a spec the store's default: one it has, by name or hash, a built-in kind or a preset.

    Raises RewardError. To be called inside a transaction.
    """
    stored = None if name in PRESETS else find_spec(db, name)
    if stored is None:
        spec = resolve_spec(db, name)
        ensure_spec(db, spec)
        # By its hash: the store may have it under another name.
        stored = get_spec(db, spec.sha256)
    if stored.kind not in NOT_BY_FORMULA:
        require_known(stored)
    db.run("clear_default_reward_spec")
    db.run("set_default_reward_spec", spec_id=stored.id)
    if not stored.is_default:
        db.run("put_rewards_of_default")
    return stored


def check_name(name: str, kind: str) -> None:
    """Raise RewardError for a name under which a spec could not be found, or not it alone."""
    if name != kind and name in KINDS:
        raise RewardError(
            f"{name!r} is the name of a built-in reward, and this one is of the kind {kind!r}; "
            "choose another name"
        )
    if is_preset_name(name):
        raise RewardError(f"{name!r} would be read as the name of a preset; choose another name")
    if not name.strip():
        raise RewardError("the name of a reward cannot be empty")
    # A user types it again, and tables show it in a line.
    if name != name.strip() or not name.isprintable():
        raise RewardError(
            f"{name!r} starts or ends with a blank, or holds a character that cannot be printed; "
            "choose another name"
        )
    if looks_like_hash(name):
        raise RewardError(f"{name!r} would be read as the start of a hash; choose another name")


def rename_spec(db: Db, name: str, new_name: str) -> StoredSpec:
    """Give a spec of the store another name; the spec as it was. Its rewards stay.

    To be called inside a transaction. Raises RewardError, also where another spec of the store
    has the new name.
    """
    stored = get_named(db, name)
    check_name(new_name, stored.kind)
    for other in list_specs(db):
        if other.name == new_name and other.id != stored.id:
            raise RewardError(f"the store has another reward of that name: {other.label}")
    db.run("rename_reward_spec", spec_id=stored.id, name=new_name)
    return stored


def delete_spec(db: Db, name: str) -> tuple[StoredSpec, int]:
    """Remove a spec and its rewards; the spec, and how many traces had its reward.

    To be called inside a transaction. Raises RewardError, also for the store's default,
    by which traces are scored as they close.
    """
    stored = get_named(db, name)
    if stored.is_default:
        raise RewardError(
            f"{stored.label} is the store's default reward; choose another default first "
            "with: geostore rewards default NAME"
        )
    count = db.run("delete_rewards", spec_id=stored.id).rowcount
    db.run("delete_reward_spec", spec_id=stored.id)
    return stored, count
