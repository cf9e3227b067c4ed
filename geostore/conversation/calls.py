"""Finds the tool calls in a response: by the API, inside the protocol's tags, or without them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from geostore.answers.thoughts import visible_text
from geostore.conversation.call_forms import CallReader
from geostore.conversation.call_objects import WrittenCall
from geostore.identity import canonical_json
from geostore.records import Recipe, Turn

TAGGED_CALL = re.compile(r"<tool_call>(.*?)(</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)
"""A call in the tags of the text protocol; the last one may lack its closing tag."""


def written_calls(recipe: Recipe, turn: Turn) -> tuple[WrittenCall, ...]:
    """The calls in a response, in order; none where the recipe has no tools.

    Read from where they are: `tool_calls` where the message has them, else the
    text outside thoughts, in either protocol. Some servers read calls out
    of the text unasked, and some leave to the text what was asked for natively.
    A call that the token limit cut is none: half a call must not run. One whose
    closing tag the server swallowed as a stop string is whole.

    Only says what a response is read as today. Which calls were run in a turn, and
    so which messages followed it, its rows say.
    """
    if not recipe.tools:
        return ()
    reader = CallReader(recipe.tools)
    if turn.native_calls is not None:
        return tuple(_native_call(reader, call) for call in orjson.loads(turn.native_calls))
    text = visible_text(turn.response)
    calls: list[WrittenCall] = []
    doubled = False
    for match in TAGGED_CALL.finditer(text):
        closed = match.group(2) == "</tool_call>"
        if not closed and turn.finish_reason == "length" and match.end() == len(text):
            return tuple(calls)
        if not closed and not match.group(1).strip() and (calls or match.end() < len(text)):
            doubled = not calls
            continue  # an opening tag where the closing one should be, or twice
        # Another opening tag ends a call as well as its own closing tag.
        ended = closed or match.end() < len(text)
        read = reader.inside_tags(match.group(1).strip(), closed=ended)
        calls += (
            [replace(call, repaired=True) for call in read] if doubled and read[0].name else read
        )
        doubled = False
    if calls or turn.finish_reason == "length":
        return tuple(calls)
    return reader.outside_tags(text)


def words_before_calls(text: str, calls: int) -> str | None:
    """The words before so many tagged calls.

    None where the text has not so many of them, or has words behind one.
    """
    tagged = list(TAGGED_CALL.finditer(text))
    if len(tagged) != calls:
        return None
    start = tagged[0].start() if tagged else len(text)
    return None if TAGGED_CALL.sub("", text[start:]).strip() else text[:start].strip()


def _native_call(reader: CallReader, call: Mapping[str, Any]) -> WrittenCall:
    function = call.get("function")
    if not isinstance(function, dict):
        # Some servers leave out the member `function` and write its members beside the id.
        return reader.of_object(call) or WrittenCall("", canonical_json(call).decode())
    if "arguments" not in function and (other := reader.of_object(function)) is not None:
        return other  # its arguments stand under another name
    written, arguments = function.get("name"), function.get("arguments")
    name = reader.tool_name(written) if isinstance(written, str) else ""
    # Some servers send the arguments as an object instead of its JSON text.
    text = arguments if isinstance(arguments, str) else canonical_json(arguments or {}).decode()
    return WrittenCall(name, text, repaired=bool(name) and name != written)
