"""What `geostore rewards` shows: the specs of a store, and the kinds there are without one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from geostore.errors import RewardError
from geostore.rewards.formulas import (
    COMMON,
    DISTANCE_KINDS,
    EXTRA_TERMS,
    FORMULAS,
    KINDS,
    OPTIONAL,
    WEIGHTED,
)
from geostore.rewards.presets import PRESETS, Preset, preset_spec
from geostore.rewards.rescoring import count_missing
from geostore.rewards.specs import IMPORTED, RewardSpec, make_spec
from geostore.rewards.weighted import sum_text, terms_text
from geostore.store import Db
from geostore.store.rewards import SHORT, StoredSpec, find_spec, list_specs
from geostore.text.nearest import did_you_mean
from geostore.text.tables import QueryResult, format_table


@dataclass(frozen=True, slots=True)
class ListedSpec:
    """A reward spec of a store, and how many traces have its reward."""

    name: str
    """As it was computed under; two specs may share one."""
    sha256: str
    """Of all but the name."""
    kind: str
    """Which formula it uses."""
    formula: str | None
    """In words, with d for the distance in km; None for a kind that this version does not know."""
    parameters: Mapping[str, Any]
    """By name, as they stand in the store; None: not set."""
    code_version: int
    """Of the code that computes the kind."""
    default: bool
    """Whether export, stats and queries use it unless told otherwise."""
    created_at: str
    """ISO-8601, UTC."""
    rewards: int
    """Traces that have a reward of it."""
    scored: int
    """Those of them with a score."""
    failed: int
    """Those of them whose custom function raised an error."""
    missing: int | None = None
    """Traces that lack it and could be computed; None where they were not counted, as in a list."""

    def to_json(self) -> dict[str, Any]:
        """The fields by name; without `missing` where it was not counted."""
        document = asdict(self)
        if self.missing is None:
            del document["missing"]
        return document


@dataclass(frozen=True, slots=True)
class ListedTerm:
    """One term that a weighted reward may have."""

    formula: str
    """In words, with d for the distance in km."""
    parameters: Mapping[str, Any]
    """By name, each with its default."""


@dataclass(frozen=True, slots=True)
class ListedKind:
    """A kind of reward that can be computed without code."""

    kind: str
    """Its name on the command line."""
    formula: str
    """In words, with d for the distance in km."""
    parameters: Mapping[str, Any]
    """By name, each with its default; None: not set."""
    terms: Mapping[str, ListedTerm] | None = None
    """The terms it may add up, by name; None for every kind but the weighted one."""

    def to_json(self) -> dict[str, Any]:
        """The fields by name; without `terms` where the kind has none."""
        document = asdict(self)
        if self.terms is None:
            del document["terms"]
        return document


@dataclass(frozen=True, slots=True)
class ListedPreset:
    """A published system's reward, and what this store has of it."""

    preset: str
    """Its name, with ``preset:``."""
    formula: str
    """In words, with d for the distance in km."""
    parameters: Mapping[str, float]
    """Those a user may set, by name, each with its default."""
    source: str
    """The paper, or the repository where there is none."""
    code: str
    """The file of its reward."""
    follows: str
    """Which of them it follows where they differ."""
    leaves_out: str
    """What of them it does not compute, or computes otherwise."""
    spec: RewardSpec
    """As a weighted reward, with the defaults."""
    stored: ListedSpec | None
    """The store's, with the defaults; None where it was not computed."""

    def to_json(self) -> dict[str, Any]:
        """The fields by name; of the spec its hash, kind and parameters."""
        return {
            "preset": self.preset,
            "formula": self.formula,
            "own_parameters": dict(self.parameters),
            "source": self.source,
            "code": self.code,
            "follows": self.follows,
            "leaves_out": self.leaves_out,
            "sha256": self.spec.sha256,
            "kind": self.spec.kind,
            "parameters": self.spec.parameters,
            "stored": None if self.stored is None else self.stored.to_json(),
        }


@dataclass(frozen=True, slots=True)
class RewardList:
    """The rewards of a store, and those that can be computed."""

    specs: tuple[ListedSpec, ...]
    """Of the store, the oldest first."""
    kinds: tuple[ListedKind, ...]
    """Built in."""
    presets: tuple[ListedPreset, ...]
    """Of published systems; what the store has of them is among `specs`."""

    def to_json(self) -> dict[str, Any]:
        """``{"specs": [...], "kinds": [...], "presets": [...]}``."""
        return {
            "specs": [spec.to_json() for spec in self.specs],
            "kinds": [kind.to_json() for kind in self.kinds],
            "presets": [preset.to_json() for preset in self.presets],
        }


def list_rewards(db: Db) -> RewardList:
    """What the store has, and what can be computed."""
    counts = {row[0]: (row[1], row[2], row[3]) for row in db.run("count_rewards_by_spec")}
    specs = tuple(_spec(spec, counts.get(spec.id, (0, 0, 0))) for spec in list_specs(db))
    by_hash = {spec.sha256: spec for spec in specs}
    presets = map(_preset, PRESETS.values())
    return RewardList(
        specs=specs,
        kinds=tuple(map(_kind, KINDS)),
        presets=tuple(replace(one, stored=by_hash.get(one.spec.sha256)) for one in presets),
    )


def describe_reward(db: Db, name: str) -> ListedSpec | ListedKind | ListedPreset:
    """One spec of the store with its missing rewards, one kind, or a preset. Raises RewardError."""
    if name in PRESETS:
        preset = _preset(PRESETS[name])
        known = find_spec(db, preset.spec.sha256)
        return preset if known is None else replace(preset, stored=_with_missing(db, known))
    stored = find_spec(db, name)
    if stored is None:
        if name in KINDS:
            return _kind(name)
        names = [*KINDS, *PRESETS, *(spec.name for spec in list_specs(db))]
        raise RewardError(
            f"no reward {name!r} in this store or built in{did_you_mean(name, names)}; "
            "geostore rewards list shows both"
        )
    return _with_missing(db, stored)


def _with_missing(db: Db, stored: StoredSpec) -> ListedSpec:
    listed = next(spec for spec in list_rewards(db).specs if spec.sha256 == stored.sha256)
    if stored.kind == IMPORTED:
        return listed  # nothing could compute what a trace lacks
    missing = count_missing(
        db,
        RewardSpec(stored.name, stored.kind, stored.parameters, stored.code_version),
    )
    return replace(listed, missing=missing.computed)


def _spec(spec: StoredSpec, counts: tuple[int, int, int]) -> ListedSpec:
    rewards, scored, failed = counts
    return ListedSpec(
        name=spec.name,
        sha256=spec.sha256,
        kind=spec.kind,
        formula=FORMULAS.get(spec.kind),
        parameters=spec.parameters,
        code_version=spec.code_version,
        default=spec.is_default,
        created_at=spec.created_at,
        rewards=rewards,
        scored=scored,
        failed=failed,
    )


def _preset(preset: Preset) -> ListedPreset:
    return ListedPreset(
        preset=preset.name,
        formula=preset.formula,
        parameters=preset.parameters,
        source=preset.source,
        code=preset.code,
        follows=preset.follows,
        leaves_out=preset.leaves_out,
        spec=preset_spec(preset.name),
        stored=None,
    )


def _kind(kind: str) -> ListedKind:
    if kind != WEIGHTED:
        parameters = {**make_spec(kind).parameters, **OPTIONAL.get(kind, {})}
        return ListedKind(kind, FORMULAS[kind], parameters)
    return ListedKind(
        kind,
        FORMULAS[kind],
        {**COMMON, "unparsed": None},
        {
            name: ListedTerm(FORMULAS[name], {**values, **OPTIONAL.get(name, {})})
            for name, values in (*DISTANCE_KINDS.items(), *EXTRA_TERMS.items())
        },
    )


# --- as text ---------------------------------------------------------------------------------


def list_text(rewards: RewardList) -> str:
    """A table of the store's specs, one of the kinds, and one of the presets."""
    specs = QueryResult(
        ("name", "hash", "default", "rewards", "scored", "failed", "kind", "parameters"),
        [
            (
                spec.name,
                spec.sha256[:SHORT],
                "default" if spec.default else "",
                spec.rewards,
                spec.scored,
                spec.failed,
                spec.kind,
                _set_parameters(spec.parameters),
            )
            for spec in rewards.specs
        ],
    )
    kinds = QueryResult(
        ("built in", "formula (d: distance in km)", "parameters"),
        [(kind.kind, kind.formula, _set_parameters(kind.parameters)) for kind in rewards.kinds],
    )
    presets = QueryResult(
        ("preset", "formula (d: distance in km)", "parameters", "source"),
        [
            (preset.preset, preset.formula, _set_parameters(preset.parameters), preset.source)
            for preset in rewards.presets
        ],
    )
    tables = (specs, kinds, presets)
    return "\n\n".join(format_table(table, with_count=False) for table in tables)


def describe_text(reward: ListedSpec | ListedKind | ListedPreset) -> str:
    """A line for each thing to know."""
    if isinstance(reward, ListedPreset):
        return _preset_text(reward)
    lines = []
    for name, value in reward.to_json().items():
        if name == "parameters" and "terms" in value:
            lines.append(f"{name}:")
            lines += _terms_lines(value)
        elif isinstance(value, dict):
            lines.append(f"{name}:")
            lines += [f"  {key}: {_shown(part)}" for key, part in value.items()]
        else:
            lines.append(f"{name}: {_shown(value)}")
    return "\n".join(lines)


def _preset_text(preset: ListedPreset) -> str:
    lines = [
        f"preset: {preset.preset}",
        f"formula: {preset.formula}",
        f"own parameters: {_set_parameters(preset.parameters) or 'none'}",
        "parameters:",
        *_terms_lines(preset.spec.parameters),
        f"sha256: {preset.spec.sha256}",
        f"source: {preset.source}",
        f"code: {preset.code}",
        f"follows: {preset.follows}",
        f"leaves out: {preset.leaves_out}",
    ]
    stored = preset.stored
    if stored is None:
        lines.append(f"not computed here; geostore rescore --reward {preset.preset}")
    else:
        lines += [
            f"default: {_shown(stored.default)}",
            f"rewards: {stored.rewards}",
            f"scored: {stored.scored}",
            f"missing: {stored.missing}",
        ]
    return "\n".join(lines)


def _terms_lines(parameters: Mapping[str, Any]) -> list[str]:
    """The parameters of a weighted spec, with a line for each of its terms."""
    plain = {key: value for key, value in parameters.items() if key != "terms"}
    return [
        *(f"  {key}: {_shown(value)}" for key, value in plain.items()),
        "  terms:",
        *(f"    {line}" for line in terms_text(parameters)),
    ]


def _set_parameters(parameters: Mapping[str, Any]) -> str:
    """The parameters that are set, without those that every kind has at their defaults."""
    return ", ".join(
        sum_text(parameters) if key == "terms" else f"{key}={_shown(value)}"
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
        parameters = _set_parameters(value["parameters"])
        return f"{value['formula']}{f' ({parameters})' if parameters else ''}"
    return value if isinstance(value, str) else json.dumps(value)
