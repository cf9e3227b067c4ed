"""How records look where Python shows them: in one line, however much they hold.

A trace holds whole prompts and responses. A notebook that prints one, or a list of turns, would
drown in them. So long texts are cut, collections are counted, numbers have six digits, and what
is not known is left out. Every member itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

WIDTH = 100
"""Characters of a line at most."""
_LONGEST = 24  # characters of one value


class OneLine:
    """The base of a dataclass with ``repr=False``: its members by name, as far as a line goes."""

    __slots__ = ()

    def __repr__(self) -> str:
        name = type(self).__name__
        parts: list[str] = []
        members = fields(self)  # type: ignore[arg-type] # each class of it is a dataclass
        # What a class inherits stands before its own members, and only by keyword.
        for member in sorted(members, key=lambda one: bool(one.kw_only)):
            value = getattr(self, member.name)
            if value is None or (not value and isinstance(value, tuple | list | Mapping)):
                continue
            part = f"{member.name}={_short(value)}"
            if len(f"{name}({', '.join([*parts, part])}, …)") > WIDTH:
                parts.append("…")
                break
            parts.append(part)
        return f"{name}({', '.join(parts)})"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if is_dataclass(value):
        return f"{type(value).__name__}(…)"
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…")
    if isinstance(value, tuple | list | Mapping):
        # Not written out to be measured: a tuple of turns holds all their texts.
        whole = repr(value) if all(map(_is_short, value)) else ""
        is_list = not isinstance(value, Mapping)
        return whole if is_list and 0 < len(whole) <= _LONGEST else f"<{len(value)}>"
    return repr(value)


def _is_short(value: Any) -> bool:
    return isinstance(value, int | float | None) or (
        isinstance(value, str) and len(value) <= _LONGEST
    )
