"""The licence of the photos, where their dataset says it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

from geostore.errors import DatasetError
from geostore.records import DatasetFacts

_CARD = re.compile(r"\A---[ \t]*\n(.*?)\n---", re.DOTALL)
_SPLITS = "dataset_dict.json"
_LONGEST = 200
_MOST_BYTES = 1_000_000


def licence_of(facts: DatasetFacts, path: str | None) -> str | None:
    """What the dataset's card (README.md) or dataset_info.json says of its licence, on one line.

    path: where a dataset is now; it counts where that is this one. Else the place counts where
    the store saw it last. None where it says nothing.
    """
    folder = Path(path if path is not None and _is_at(facts, path) else facts.path)
    places = [folder]
    if _is_split_of(folder, folder.parent):
        places.append(folder.parent)
    for place in places:
        text = _of_card(place / "README.md") or _of_info(place / "dataset_info.json")
        if text:
            return " ".join(text.split())[:_LONGEST]
    return None


def _is_at(facts: DatasetFacts, path: str) -> bool:
    from geostore.dataset import PhotoDataset

    try:
        PhotoDataset.open(path, columns=facts.column_map).check_same(facts)
    except DatasetError:
        return False
    return True


def _is_split_of(folder: Path, parent: Path) -> bool:
    """Whether the parent is a saved dataset that has the folder as a split."""
    splits = _object(parent / _SPLITS).get("splits")
    return isinstance(splits, list) and folder.name in splits


def _of_card(path: Path) -> str | None:
    text = _read(path).decode("utf-8-sig", "replace").replace("\r\n", "\n")
    card = _CARD.match(text)
    if card is None:
        return None
    # Imported here: most commands read no card, and most exports find none.
    import yaml

    try:
        # The loader in C is many times as fast, and is not everywhere.
        values = yaml.load(card[1], getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return _licence(values) if isinstance(values, dict) else None


def _licence(values: dict[Any, Any]) -> str | None:
    licence = values.get("license")
    entries = licence if isinstance(licence, list) else [licence]
    names = [entry.strip() for entry in entries if isinstance(entry, str) and entry.strip()]
    if names == ["other"]:
        # Then the card names it in members of its own.
        own = [values.get(name) for name in ("license_name", "license_link")]
        names += [text.strip() for text in own if isinstance(text, str) and text.strip()]
    return ", ".join(names) or None


def _of_info(path: Path) -> str | None:
    licence = _object(path).get("license")
    return licence if isinstance(licence, str) and licence.strip() else None


def _object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where it holds none."""
    try:
        value = orjson.loads(_read(path))
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _read(path: Path) -> bytes:
    """The beginning of a file; empty where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(_MOST_BYTES)
    except OSError:
        return b""
