"""Reads the manifest of an export: the recipes, datasets and the reward that its traces name.

A recipe counts as the one that was asked only if its members have the hash that the
manifest gives for it: somebody may have edited the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from geostore.conversation.recipe import recipe_hash
from geostore.errors import GeostoreError
from geostore.export.files.folder import MAKER
from geostore.export.files.leftovers import MANIFEST
from geostore.importing.json_text import load_document
from geostore.records import DatasetFacts, ImageLimits, ImportedRecipe, Recipe
from geostore.rewards import RewardSpec

_RECIPE_FIELDS = tuple(item.name for item in fields(Recipe))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the manifest of an export holds, as far as it is sound."""

    recipes: Mapping[str, Recipe | ImportedRecipe] = field(default_factory=dict)
    """Recipes by their hash; only those whose members have it."""
    datasets: Mapping[str, DatasetFacts] = field(default_factory=dict)
    """Datasets by fingerprint; their paths are empty, because each trace gives its own."""
    reward_spec: RewardSpec | None = None
    """The reward of the scores in the export; None where it is missing or has another hash."""


NO_MANIFEST = Manifest(MappingProxyType({}), MappingProxyType({}))


def is_manifest(path: Path) -> bool:
    """Whether a file is the manifest of an export of geostore's."""
    if path.name != MANIFEST:
        return False
    try:
        return load_document(path.read_bytes()).get("made_by") == MAKER
    except (OSError, GeostoreError):
        return False


def read_manifest(path: Path) -> Manifest:
    """The sound entries of a manifest; others are left out, so that they prove nothing."""
    try:
        document = load_document(path.read_bytes())
    except (OSError, GeostoreError):
        return NO_MANIFEST
    recipes = {}
    for entry in _objects(document.get("recipes")):
        recipe = _recipe(entry)
        if recipe is not None and recipe_hash(recipe) == entry.get("sha256"):
            recipes[str(entry["sha256"])] = recipe
    datasets = {}
    for entry in _objects(document.get("datasets")):
        facts = _dataset(entry)
        if facts is not None and facts.fingerprint is not None:
            datasets[facts.fingerprint] = facts
    return Manifest(recipes, datasets, _reward_spec(document.get("reward_spec")))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _recipe(entry: Mapping[str, Any]) -> Recipe | ImportedRecipe | None:
    """From a manifest's entry; None where a member is missing or withheld."""
    try:
        if "imported" in entry:
            members = entry["imported"]
            tools = None if members["tools"] is None else tuple(members["tools"])
            return ImportedRecipe(**{**members, "tools": tools})
        if entry.get("withheld"):
            return None
        values = {name: entry[name] for name in _RECIPE_FIELDS}
        values["tools"] = tuple(values["tools"])
        values["limits"] = ImageLimits(**values["limits"])
        recipe = Recipe(**values)
        # The store holds it as a real number; a whole one would have another hash.
        return recipe if isinstance(recipe.temperature, float | None) else None
    except (KeyError, TypeError):
        return None


def _dataset(entry: Mapping[str, Any]) -> DatasetFacts | None:
    name, fingerprint, split = entry.get("name"), entry.get("fingerprint"), entry.get("split")
    num_rows, columns = entry.get("num_rows"), entry.get("columns")
    column_map = entry.get("column_map")
    if not (
        isinstance(name, str)
        and isinstance(fingerprint, str)
        and isinstance(split, str | None)
        and isinstance(num_rows, int)
        and isinstance(columns, list)
        and isinstance(column_map, dict)
    ):
        return None
    return DatasetFacts("", name, fingerprint, split, num_rows, tuple(columns), column_map)


def _reward_spec(entry: Any) -> RewardSpec | None:
    if not isinstance(entry, dict):
        return None
    try:
        spec = RewardSpec(
            name=str(entry["name"]),
            kind=str(entry["kind"]),
            parameters=dict(entry["parameters"]),
            code_version=int(entry["code_version"]),
        )
        return spec if spec.sha256 == entry.get("sha256") else None
    except (KeyError, TypeError, ValueError):
        return None
