"""Reads tool calls from JSON values, whatever a model names the members of a call."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geostore.answers.call_text import ARGUMENT_MEMBERS, NAME_MEMBERS

# OpenAI's shape, its old one, and Gemini's.
_WRAPPERS = ("function", "function_call", "functionCall", "tool_call")
_LISTS = ("tool_calls", "tool_uses", "calls")
# Members beside name and arguments that say nothing about the call.
_BESIDE = frozenset({"id", "type", "index", "call_id"})


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A tool call as the teacher wrote it."""

    name: str
    """The tool's name; empty where none can be read."""
    raw_arguments: str
    """The JSON text of the arguments, or all text of the call where it cannot be read."""
    repaired: bool = False
    """Whether it was not written as it should be, and has one reading all the same."""
    tagged: bool = True
    """Whether it came as the protocol asks: inside its tags, or by the API."""


class CallObjects:
    """Reads JSON values as calls of the tools of one recipe. tools: their schemas.

    types: the JSON type of each argument, by the tool's and the argument's name.
    name_inside: finds the names of tools in a text.
    """

    def __init__(self, tools: Sequence[Mapping[str, Any]]) -> None:
        functions = [tool["function"] for tool in tools]
        self.types: dict[str, dict[str, Any]] = {
            function["name"]: {
                name: schema.get("type")
                for name, schema in function["parameters"]["properties"].items()
            }
            for function in functions
        }
        names = "|".join(map(re.escape, self.types))
        self.name_inside = re.compile(rf"(?:(?<!\w)|(?<=__))(?:{names})(?!\w)", re.IGNORECASE)

    def calls_of(self, value: Any, *, repaired: bool, any_name: bool) -> tuple[WrittenCall, ...]:
        """The calls in a JSON value, which may be a list of them; () where it holds none.

        repaired: whether the value's text had to be repaired. any_name: whether it is sure
        to be meant as a call, so that one of an unknown tool counts.
        """
        if isinstance(value, dict):
            call = self.call_of(value, repaired=repaired, any_name=any_name)
            if call is not None:
                return (call,)
            lists = [value[name] for name in _LISTS if isinstance(value.get(name), list)]
            value = lists[0] if len(lists) == 1 else None
        if not isinstance(value, list):
            return ()
        calls = [
            self.call_of(item, repaired=True, any_name=any_name) if isinstance(item, dict) else None
            for item in value
        ]
        if not any(calls):
            return ()
        # One that is no call gets its sentence as well.
        return tuple(
            call or WrittenCall("", json_text(item))
            for call, item in zip(calls, value, strict=True)
        )

    def call_of(
        self, value: Mapping[str, Any], *, repaired: bool, any_name: bool
    ) -> WrittenCall | None:
        """The call that an object is; None where it is none. See `calls_of`."""
        wrapper = next((name for name in _WRAPPERS if isinstance(value.get(name), dict)), None)
        if wrapper is not None:
            value, repaired = value[wrapper], True
        member = next((name for name in NAME_MEMBERS if isinstance(value.get(name), str)), None)
        if member is None:
            return self._call_by_its_key(value)
        name = self.tool_name(value[member])
        known = name in self.types
        written_as = next((key for key in ARGUMENT_MEMBERS if key in value and key != member), None)
        if not (known or any_name) or (member != "name" and written_as is None):
            return None
        repaired |= name != value[member] or member != "name"
        if written_as is None:
            # The arguments may stand beside the name.
            others = {k: v for k, v in value.items() if k != member and k not in _BESIDE}
            if known and others:
                return WrittenCall(name, json_text(others), repaired=True)
            return WrittenCall(name, "{}", repaired)
        arguments = value[written_as]
        if not any_name and isinstance(arguments, dict) and "properties" in arguments:
            return None  # the tool's schema, quoted
        if isinstance(arguments, str):  # the object's JSON text: encoded once too often
            return WrittenCall(name, arguments, repaired=True)
        return WrittenCall(name, json_text(arguments), repaired or written_as != "arguments")

    def _call_by_its_key(self, value: Mapping[str, Any]) -> WrittenCall | None:
        """A call in the shape ``{"the tool's name": {...}}``."""
        if len(value) != 1:
            return None
        (key,) = value
        name = self.tool_name(key)
        if name not in self.types or not isinstance(value[key], dict):
            return None
        return WrittenCall(name, json_text(value[key]), repaired=True)

    def tool_name(self, written: str) -> str:
        """A tool's name without what models and servers put around it, such as ``functions.``.

        As it is written where it is no single tool's.
        """
        if written in self.types:
            return written
        inside = self.name_inside.findall(written)
        if len(inside) != 1 or re.search(r"\s", written.strip()):
            return written
        return next((name for name in self.types if name == inside[0].lower()), written)


def json_text(value: Any) -> str:
    """The JSON text of arguments."""
    # The standard library writes NaN and large integers, which have to reach the check of
    # arguments as they are instead of becoming null here.
    return json.dumps(value, ensure_ascii=False)
