"""What is known of a trace file from outside of it, and what may stand in its name instead of it.

The older scripts name a file ``trace_<sample_index>_r<rollout>.json``. A file of
several traces says less by its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from geostore.importing.documents import BadFile, member, number, whole_number
from geostore.records import DatasetFacts

_ROLLOUT = re.compile(r"_r([1-9][0-9]{0,8})\Z")
_MOST_ROLLOUT = 999_999_999
_INDEX = re.compile(r"trace_([0-9]{1,15})(?:_|\Z)")
_SPLITS = frozenset({"train", "test", "validation", "val", "valid", "dev"})


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a file from outside of it."""

    stem: str
    """Its name without suffix, which gives the rollout."""
    label: str | None
    """A part of its recipe that keeps files of different folders apart; None for no label."""
    model: str | None
    """The teacher, where the file does not name it; None where nobody does."""
    tools: bool | None = None
    """Whether tools were offered, where the file does not say which; None where nobody does."""
    dataset_path: str | None = None
    """The dataset, where the file does not name it; None where nobody does."""
    is_one_of_many: bool = False
    """Whether its file holds several traces, so that the file's name says less."""


def stated_rollout(document: Mapping[str, Any], origin: Origin) -> int | None:
    """The rollout in a file's name, such as 2 in ``trace_00017_r2``, or else in the file itself."""
    match = _ROLLOUT.search(origin.stem)
    if match and not origin.is_one_of_many:
        return int(match[1])
    for name in ("geostore", "metadata"):
        holder = document.get(name)
        if isinstance(holder, dict) and (rollout := number(holder.get("rollout"))):
            return int(rollout) if rollout.is_integer() and 1 <= rollout <= _MOST_ROLLOUT else None
    return None


def stated_index(document: Mapping[str, Any], origin: Origin) -> int:
    """The row number in a file, or in its name where the file leaves it out."""
    match = _INDEX.match(origin.stem)
    if document.get("sample_index") is None and match and not origin.is_one_of_many:
        return int(match[1])
    return whole_number(document, "sample_index")


def stated_dataset(document: Mapping[str, Any], origin: Origin) -> str:
    """The path of the dataset in a file, or the one that the user names."""
    if document.get("dataset_path") is not None:
        return member(document, "dataset_path", str)
    if origin.dataset_path is not None:
        return origin.dataset_path
    given = "null" if "dataset_path" in document else "missing"
    raise BadFile("malformed", f"dataset_path is {given}; name the dataset with --dataset-path")


def unseen_dataset(path: str) -> DatasetFacts:
    """A dataset of which only the path is known."""
    if not path:
        raise BadFile("malformed", "dataset_path is empty")
    last = PurePath(path).parts[-2:]
    # "train" alone would name every dataset; an opened dataset is named with its folder, too.
    name = ".".join(last) if last[-1:] and last[-1] in _SPLITS else "".join(last[-1:])
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("._") or "dataset"
    return DatasetFacts(path, name, None, None, None, (), {})
