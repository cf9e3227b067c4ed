"""Checks each member that is taken out of a trace file.

A member that is missing or wrong raises `BadFile` with the member's name, so that a
person finds it in the file. A number or a switch may be written as text, or a whole
number as 12.0, as tables and other programs write them. Nothing is guessed, and no
other error is raised.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from geostore.errors import GeostoreError

T = TypeVar("T")

_MOST_INDEX = 2**53
_SWITCHES: Mapping[str, bool] = MappingProxyType(
    {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
)


class BadFile(GeostoreError):
    """A file that cannot be imported; `kind` is a stable word for reports.

    kind: ``unreadable``, ``packed``, ``not_json``, ``no_trace`` (JSON of another kind),
    ``malformed``, ``row_mismatch`` (its coordinates are not those of its row),
    ``other_dataset``, ``has_calls`` (though the user says that no tool was offered),
    ``conflict`` (the store holds another version of this trace).
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


def member(holder: Mapping[str, Any], name: str, kind: type[T], where: str = "") -> T:
    """A member that must be there and have a type: str, dict or list."""
    if name not in holder:
        raise BadFile("malformed", f"{where}{name} is missing")
    value = holder[name]
    if not isinstance(value, kind):
        wanted = "a text" if kind is str else "an object" if kind is dict else "a list"
        raise BadFile("malformed", f"{where}{name} is {kind_of(value)} and not {wanted}")
    return value


def optional(holder: Mapping[str, Any], name: str, kind: type[T], where: str = "") -> T | None:
    """A member that may be missing or null."""
    return None if holder.get(name) is None else member(holder, name, kind, where)


def switch(holder: Mapping[str, Any], name: str, where: str = "") -> bool:
    """A member that must be true or false; a file may hold it as a number or as text."""
    value = as_switch(holder.get(name))
    if value is None:
        given = f"{_shown(holder[name])} and not true or false" if name in holder else "missing"
        raise BadFile("malformed", f"{where}{name} is {given}")
    return value


def as_switch(value: Any) -> bool | None:
    """True or false, also where it is written as a number or as text; None for anything else."""
    return None if value is None else _SWITCHES.get(str(value).strip().lower())


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
    parsed = number(value)
    if parsed is None or not parsed.is_integer() or not 0 <= parsed <= _MOST_INDEX:
        raise BadFile(
            "malformed", f"{where}{name} is {_shown(value)} and not a whole number from 0 on"
        )
    return int(parsed)


def degrees(holder: Mapping[str, Any], name: str, most: float, where: str = "") -> float:
    """A coordinate; a file may hold it as a number or as text, as datasets do."""
    value = number(holder.get(name))
    if value is None or abs(value) > most:
        wanted = f"degrees up to {most:g}"
        given = f"{_shown(holder[name])} and not {wanted}" if name in holder else "missing"
        raise BadFile("malformed", f"{where}{name} is {given}")
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


def kind_of(value: Any) -> str:
    """What a value of JSON is, in words."""
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "a number")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
