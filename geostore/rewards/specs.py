"""Reward specs: kind and parameters, named by their hash, and the rows they are in a store.

A spec is data. A new one adds rewards and leaves the others; what it is called
decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from geostore.errors import RewardError
from geostore.identity import canonical_text, content_hash
from geostore.places import GAZETTEER_VERSION
from geostore.rewards.formulas import (
    DEFAULT_KIND,
    KINDS,
    WEIGHTED,
    distance_parameters,
)
from geostore.rewards.weighted import weighted_parameters
from geostore.store import Db, utc_now
from geostore.store.rewards import (
    SHORT,
    StoredSpec,
    default_spec,
    find_spec,
    get_spec,
)
from geostore.text.nearest import did_you_mean

CODE_VERSION = 1
"""Of the formulas in SQL: raised when one changes, so that its rewards are new rows."""

CUSTOM = "custom"
IMPORTED = "imported"
NOT_BY_FORMULA = (CUSTOM, IMPORTED)
"""Kinds of rewards that are known and that no formula computes."""


@dataclass(frozen=True, slots=True)
class RewardSpec:
    """A reward's definition; `make_spec` checks its parts."""

    name: str
    """For people; the hash does not cover it."""
    kind: str
    """The formula. With d the distance in km:

    ``geoguessr`` and ``exponential``: exp(-d / scale);
    ``linear``: max(0, 1 - d / max);
    ``threshold``: 1 where d <= km (``border`` ``out``: d < km), else 0;
    ``steps``: the value of the first pair with d <= km (likewise), 0 past the last;
    ``piecewise``: straight lines through the pairs, and outside of them the nearest pair's value;
    ``weighted``: the sum of weight times value over `terms`, each one of the kinds above or one of
    `formulas.EXTRA_TERMS`, that counts where all terms of its ``if`` are above 0 and none of its
    ``unless`` is;
    ``custom``: a function of the user's (`geostore.rewards.custom`).
    """
    parameters: dict[str, Any] = field(hash=False)
    """Those of the kind, in km; `table` is ascending pairs of km and value.

    Every kind has `radius` (of the earth, in km; ``wgs84``: d is the geodesic on that ellipsoid and
    not a great circle) and `rounding` (decimals of the score; None: as computed). ``weighted`` has
    `unparsed`: the value, without coordinates, of a term that needs a distance; None: the score is
    then unknown too. Where a term looks at places it also has `gazetteer`, the version of these."""
    code_version: int = CODE_VERSION
    """Of the formulas in SQL."""

    @property
    def sha256(self) -> str:
        """Hash of all that decides the numbers."""
        return content_hash(
            {
                "kind": self.kind,
                "parameters": self.parameters,
                "code_version": self.code_version,
            }
        )

    @property
    def label(self) -> str:
        """Name and the start of the hash, which tell it from any other of its name."""
        return f"{self.name} ({self.sha256[:SHORT]})"


def make_spec(
    kind: str = DEFAULT_KIND, params: Mapping[str, str] | None = None, *, name: str | None = None
) -> RewardSpec:
    """The spec of a built-in kind; `params` as a command line gives them, such as scale=2000.

    A table is a JSON array of [km, value] pairs. A spec without a `name` of its
    own has that of its kind, and with it the parameters that are not the kind's
    own. Raises RewardError, which names what is allowed.
    """
    if kind not in KINDS:
        raise RewardError(
            f"no reward {kind!r}{did_you_mean(kind, KINDS)}; there are: {', '.join(KINDS)}"
        )
    if kind == WEIGHTED:
        parameters, changed = weighted_parameters(params or {})
    else:
        parameters, changed = distance_parameters(kind, params or {})
    suffix = f"({', '.join(sorted(changed))})" if changed else ""
    return RewardSpec(name=name or f"{kind}{suffix}", kind=kind, parameters=parameters)


def as_written(value: Any) -> str:
    """A parameter's value as a command line would give it."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def stored_spec(stored: StoredSpec) -> RewardSpec:
    """The spec of a store's row, with which its missing rewards can be computed.

    Raises RewardError where no formula of this geostore gives its numbers.
    """
    if stored.kind == CUSTOM:
        function = stored.parameters.get("function", "module:function")
        raise RewardError(
            f"the reward {stored.label} is a function; compute it with: "
            f"geostore rescore --custom {function}"
        )
    if stored.kind == IMPORTED:
        raise RewardError(
            f"the reward {stored.label} was imported and cannot be computed; name another"
        )
    require_known(stored)
    return RewardSpec(stored.name, stored.kind, stored.parameters, stored.code_version)


# --- rows ------------------------------------------------------------------------------------


def ensure_spec(db: Db, spec: RewardSpec, *, rename: bool = False) -> int:
    """Record a spec by its hash; its id. Begins no transaction of its own.

    rename: give a spec that is there the name that this one has.
    """
    stored = find_spec(db, spec.sha256)
    if stored is None:  # asked first, so that a spec that is there needs no write lock
        db.run(
            "put_reward_spec",
            sha256=spec.sha256,
            name=spec.name,
            kind=spec.kind,
            parameters=canonical_text(spec.parameters),
            code_version=spec.code_version,
            now=utc_now(),
        )
        stored = get_spec(db, spec.sha256)
    if rename and stored.name != spec.name:
        db.run("rename_reward_spec", spec_id=stored.id, name=spec.name)
    return stored.id


def ensure_default_spec(db: Db) -> int:
    """The id of the spec under which a trace that closes is scored.

    That is the store's default; a store without one gets geoguessr. Where the
    default is no formula but a custom function or an import, it is geoguessr
    too, and the default's own rewards are left to a rescore. Raises RewardError
    where the default is of a kind that is not known here.
    """
    stored = default_spec(db)
    if stored is None:
        _make_default(db, ensure_spec(db, make_spec()))
        # Read again: another process may have been first.
        stored = default_spec(db)
        assert stored is not None
    if stored.kind in NOT_BY_FORMULA:
        return ensure_spec(db, make_spec())
    require_known(stored)
    return stored.id


def adopt_default_spec(db: Db, spec: RewardSpec) -> bool:
    """Make a spec the default of a store that has none, if it can be computed; whether it is."""
    if spec.kind not in KINDS or spec.code_version != CODE_VERSION:
        return False
    if spec.parameters.get("gazetteer", GAZETTEER_VERSION) != GAZETTEER_VERSION:
        return False
    return _make_default(db, ensure_spec(db, spec))


def _make_default(db: Db, spec_id: int) -> bool:
    """Make a spec the default of a store that has none; whether it is."""
    has_changed = db.run("make_reward_spec_default", spec_id=spec_id).rowcount > 0
    if has_changed:
        db.run("put_rewards_of_default")
    return has_changed


def require_known_default(db: Db) -> None:
    """Raise RewardError where the store's default could not score a trace that closes."""
    stored = default_spec(db)
    if stored is not None and stored.kind not in NOT_BY_FORMULA:
        require_known(stored)


def require_known(stored: StoredSpec) -> None:
    """Raise RewardError for a spec of the store whose kind this geostore does not have."""
    if stored.kind not in KINDS:
        raise RewardError(
            f"the store's reward {stored.label} is of the kind {stored.kind!r}, which this "
            "geostore does not know; upgrade geostore"
        )
    gazetteer = stored.parameters.get("gazetteer", GAZETTEER_VERSION)
    if gazetteer != GAZETTEER_VERSION:
        is_preset = stored.name.startswith("preset:") and "(" not in stored.name
        how = stored.name if is_preset else f"{stored.kind} --param ..."
        name = stored.name if is_preset else "NAME"
        raise RewardError(
            f"the store's reward {stored.label} has its places from version {gazetteer} of the "
            f"gazetteer, and this geostore has version {GAZETTEER_VERSION}; compute it anew with: "
            f"geostore rescore --reward {how}; and make that the default with: "
            f"geostore rewards default {name}"
        )
