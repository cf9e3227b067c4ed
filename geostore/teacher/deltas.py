"""Adds the pieces of a message that a server streams: texts grow, lists and calls fill up.

Servers say of a piece in different ways where it belongs: by an index, by an id, or by
nothing but its order. What no rule here knows is added as its kind of value suggests.
"""

from __future__ import annotations

import json
from typing import Any

_ONCE = frozenset({"role", "type", "id", "format", "index", "object", "tool_call_id"})
"""Members that each piece may repeat: the first word that is said stands."""

_TEXTS = frozenset(
    {
        *("content", "reasoning", "reasoning_content", "refusal", "text", "thinking", "summary"),
        *("arguments", "data", "partial_json", "input"),
    }
)
"""Members whose texts grow, also where a piece equals what there is."""

_GROWING_KINDS = frozenset(
    {
        *("text", "output_text", "thinking", "reasoning", "refusal", "summary_text"),
        *("reasoning.text", "reasoning.summary"),
    }
)
"""Parts of a content or of reasoning whose texts grow over several pieces."""


def add_delta(message: dict[str, Any], delta: dict[str, Any]) -> None:
    """Add one piece to a message."""
    for name, piece in delta.items():
        whole = message.get(name)
        if piece is None:
            message.setdefault(name, None)
        elif name == "tool_calls":
            message[name] = whole if isinstance(whole, list) else []
            for call in piece if isinstance(piece, list) else [piece]:
                if isinstance(call, dict):
                    _add_call(message[name], call)
        elif name == "function_call" and isinstance(piece, dict):
            message[name] = whole if isinstance(whole, dict) else {}
            _add_function(message[name], piece)
        else:
            message[name] = _grown(name, whole, piece)


def without_indices(message: dict[str, Any]) -> dict[str, Any]:
    """The message as a plain reply has it: there, a call's place in the list is its index."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    plain = [
        {name: value for name, value in call.items() if name != "index"}
        if isinstance(call, dict)
        else call
        for call in calls
    ]
    return {**message, "tool_calls": plain}


def _grown(name: str, whole: Any, piece: Any) -> Any:
    """A member of a message, or of a part of it, with its next piece."""
    if whole is None:
        return _parts(list[Any](), piece) if isinstance(piece, list) else piece
    if isinstance(whole, str) and isinstance(piece, str):
        if name in _ONCE:
            return whole or piece
        # A member that nothing here knows may stand in each piece, always the same.
        return whole if whole == piece and name not in _TEXTS else whole + piece
    if isinstance(piece, list) or isinstance(whole, list):
        return _parts(_as_list(whole), _as_list(piece))
    if isinstance(whole, dict) and isinstance(piece, dict):
        members = dict(whole)
        for member, value in piece.items():
            if value is not None:
                members[member] = _grown(member, whole.get(member), value)
        return members
    return piece


def _as_list(value: Any) -> list[Any]:
    """A content as parts, also where it came as a text before its form changed."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}] if value else []
    return value if isinstance(value, list) else [value]


def _parts(parts: list[Any], pieces: list[Any]) -> list[Any]:
    """The parts with the pieces, each of which is a part of its own or adds to one."""
    parts = list(parts)
    for piece in pieces:
        place = _place(parts, piece) if isinstance(piece, dict) else None
        if place is None:
            parts.append(_grown("", {}, piece) if isinstance(piece, dict) else piece)
        else:
            parts[place] = _grown("", parts[place], piece)
    return parts


def _place(parts: list[Any], piece: dict[str, Any]) -> int | None:
    """The number of the part that a piece adds to; None where it is a new one."""
    for place in range(len(parts) - 1, -1, -1):
        part = parts[place]
        if not isinstance(part, dict):
            return None
        is_same = part.get("type") == piece.get("type") and not _differ(part, piece, "id")
        if "index" in piece:
            if is_same and part.get("index") == piece["index"]:
                return place
            continue
        # Without an index, a piece can only go on with what came last.
        return place if is_same and piece.get("type") in _GROWING_KINDS else None
    return None


def _add_call(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    call = _call_of(calls, piece)
    if call is None:
        call = {}
        calls.append(call)
    elif _is_repeated(call, piece):
        return
    for name, value in piece.items():
        if name == "function" and isinstance(value, dict):
            own = call.setdefault("function", {})
            _add_function(own, value)
        elif value is not None:
            call[name] = _grown(name, call.get(name), value)


def _call_of(calls: list[dict[str, Any]], piece: dict[str, Any]) -> dict[str, Any] | None:
    """The call that a piece adds to; None where it begins one."""
    same_index = [call for call in calls if call.get("index") == piece.get("index")]
    if not same_index:
        return None
    call = same_index[-1]
    if _is_repeated(call, piece):
        return call
    # Several calls may have one index (Gemini) or none: a new id begins a new one, and so does a
    # name after arguments that are whole.
    begins = bool(_function(piece).get("name")) and _is_whole(_function(call).get("arguments"))
    return None if _differ(call, piece, "id") or begins else call


def _is_repeated(call: dict[str, Any], piece: dict[str, Any]) -> bool:
    """Whether a piece is the whole call once more, as some servers send it at the end."""
    own, new = _function(call), _function(piece)
    return (
        bool(piece.get("id"))
        and piece.get("id") == call.get("id")
        and _is_whole(own.get("arguments"))
        and new.get("arguments") == own.get("arguments")
    )


def _add_function(function: dict[str, Any], piece: dict[str, Any]) -> None:
    for name, value in piece.items():
        whole = function.get(name)
        if value is None:
            function.setdefault(name, None)
        elif name == "name" and isinstance(whole, str) and isinstance(value, str):
            # The name comes whole, again in each piece, growing, or in pieces.
            function[name] = value if value.startswith(whole) else whole + value
            if not value or whole == value:
                function[name] = whole
        else:
            function[name] = _grown(name, whole, value)


def _function(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    return function if isinstance(function, dict) else {}


def _is_whole(arguments: Any) -> bool:
    """Whether the arguments of a call are all there."""
    if not isinstance(arguments, str):
        return isinstance(arguments, dict)
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False


def _differ(one: dict[str, Any], other: dict[str, Any], name: str) -> bool:
    """Whether both have a member, and not the same one."""
    values = (one.get(name), other.get(name))
    return all(values) and values[0] != values[1]
