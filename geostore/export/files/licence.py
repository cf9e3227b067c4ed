"""The licence of the photos, where their dataset says it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

from geostore.records import DatasetFacts

_CARD = re.compile(r"\A---\n(.*?)\n---", re.DOTALL)
_LINE = re.compile(r"^license:[ \t]*(\S.*)$", re.MULTILINE)
_LIST = re.compile(r"^license:[ \t]*\n((?:[ \t]*-[ \t]*\S.*\n?)+)", re.MULTILINE)
_LONGEST = 200
_MOST_BYTES = 1_000_000


def licence_of(facts: DatasetFacts, path: str | None) -> str | None:
    """What the dataset's card (README.md) or dataset_info.json says of its licence, on one line.

    path: where the dataset is now; None: where the store saw it last. None where it says nothing.
    """
    folder = Path(path or facts.path)
    for places in (folder, folder.parent):
        text = _of_card(places / "README.md") or _of_info(places / "dataset_info.json")
        if text:
            return " ".join(text.split())[:_LONGEST]
    return None


def _of_card(path: Path) -> str | None:
    card = _CARD.match(_read(path).decode("utf-8", "replace").replace("\r\n", "\n"))
    if card is None:
        return None
    if (line := _LINE.search(card[1])) is not None:
        return line[1].strip().strip("'\"[]")
    if (entries := _LIST.search(card[1] + "\n")) is not None:
        return ", ".join(
            entry.strip().lstrip("- ").strip("'\"") for entry in entries[1].splitlines()
        )
    return None


def _of_info(path: Path) -> str | None:
    try:
        info: Any = orjson.loads(_read(path))
    except orjson.JSONDecodeError:
        return None
    licence = info.get("license") if isinstance(info, dict) else None
    return licence if isinstance(licence, str) and licence.strip() else None


def _read(path: Path) -> bytes:
    """The beginning of a file; empty where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(_MOST_BYTES)
    except OSError:
        return b""
