"""Reads the bytes of a trace file, and checks each member that is taken out of it.

A member that is missing or wrong raises `BadFile` with the member's name, so that a
person finds it in the file. Nothing is guessed, and no other error is raised.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import orjson

from geostore.errors import GeostoreError

T = TypeVar("T")

_MOST_INDEX = 2**53


class BadFile(GeostoreError):
    """A file that cannot be imported; `kind` is a stable word for reports.

    kind: ``unreadable``, ``not_json``, ``no_trace`` (JSON of another kind),
    ``malformed``, ``row_mismatch`` (its coordinates are not those of its row),
    ``other_dataset``, ``has_calls`` (though the user says that no tool was offered),
    ``conflict`` (the store holds another version of this trace).
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


def load_document(data: bytes) -> dict[str, Any]:
    """The JSON object in a file. Raises BadFile for anything else.

    NaN and infinity, which Python's json writes, are read as null.
    """
    if not data.strip():
        raise BadFile("not_json", "the file is empty")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        value = _load_python_json(data, error)
    if not isinstance(value, dict):
        raise BadFile("no_trace", f"it holds {_kind(value)} and not an object")
    return value


def _load_python_json(data: bytes, strict: orjson.JSONDecodeError) -> Any:
    try:
        # Dumped and loaded again to refuse what SQLite cannot hold: half a surrogate pair, or an
        # integer of more than 64 bits.
        return orjson.loads(orjson.dumps(json.loads(data)))
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        raise BadFile("not_json", f"it is no JSON: {strict}") from error


def member(holder: Mapping[str, Any], name: str, kind: type[T], where: str = "") -> T:
    """A member that must be there and have a type: str, dict, list or bool."""
    if name not in holder:
        raise BadFile("malformed", f"{where}{name} is missing")
    value = holder[name]
    if not isinstance(value, kind):
        wanted = {str: "a text", dict: "an object", list: "a list", bool: "true or false"}[kind]
        raise BadFile("malformed", f"{where}{name} is {_kind(value)} and not {wanted}")
    return value


def optional(holder: Mapping[str, Any], name: str, kind: type[T], where: str = "") -> T | None:
    """A member that may be missing or null."""
    return None if holder.get(name) is None else member(holder, name, kind, where)


def whole_number(holder: Mapping[str, Any], name: str, where: str = "") -> int:
    """A member that must be an integer from 0 on."""
    value = optional_whole_number(holder, name, where)
    if value is None:
        raise BadFile("malformed", f"{where}{name} is {'null' if name in holder else 'missing'}")
    return value


def optional_whole_number(holder: Mapping[str, Any], name: str, where: str = "") -> int | None:
    """A member that may be missing or null, and is otherwise an integer from 0 on."""
    value = holder.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_INDEX:
        raise BadFile("malformed", f"{where}{name} is {_shown(value)} and not a whole number")
    return value


def degrees(holder: Mapping[str, Any], name: str, most: float, where: str = "") -> float:
    """A coordinate; a file may hold it as a number or as text, as datasets do."""
    value = number(holder.get(name))
    if value is None or abs(value) > most:
        given = _shown(holder[name]) if name in holder else "missing"
        raise BadFile("malformed", f"{where}{name} is {given} and not degrees up to {most:g}")
    return value


def number(value: Any) -> float | None:
    """A finite number, also one written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        return None
    return parsed if math.isfinite(parsed) else None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "a number")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
