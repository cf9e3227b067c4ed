"""Replies as streams of server-sent events, as servers send them piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

DONE = "data: [DONE]\n\n"
EVENTS = {"Content-Type": "text/event-stream; charset=utf-8"}


def chunk(
    delta: dict[str, Any] | None = None, finish_reason: str | None = None, **more: Any
) -> dict[str, Any]:
    """A chunk with one choice. more: further members of the chunk."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish_reason}
    return {
        "id": "r1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **more,
    }


def event(value: Any) -> str:
    return f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n"


def stream(*values: Any, done: bool = True) -> bytes:
    """The body of a stream of these chunks; a text goes out as the data of its event."""
    return ("".join(map(event, values)) + (DONE if done else "")).encode()


def pieces_of(text: str, count: int = 3) -> list[str]:
    """A text in so many pieces, none of them empty where it is long enough."""
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)]


def streamed(completion: dict[str, Any], *, with_usage: bool = True) -> Iterator[dict[str, Any]]:
    """The chunks in which a server would send a plain completion."""
    top = {name: completion[name] for name in completion if name not in ("choices", "usage")}
    top["object"] = "chat.completion.chunk"
    for choice in completion["choices"]:

        def of(delta: dict[str, Any], finish: str | None = None, at: Any = choice) -> Any:
            return {
                **top,
                "choices": [{"index": at["index"], "delta": delta, "finish_reason": finish}],
            }

        yield of({"role": choice["message"].get("role", "assistant"), "content": ""})
        for delta in _deltas(choice["message"]):
            yield of(delta)
        yield of({}, choice["finish_reason"])
    if with_usage and completion.get("usage") is not None:
        yield {**top, "choices": [], "usage": completion["usage"]}


def _deltas(message: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for name, value in message.items():
        if name == "role" or value is None:
            continue
        if name == "tool_calls":
            for index, call in enumerate(value):
                yield from _call_deltas(index, call)
        elif isinstance(value, str):
            yield from ({name: piece} for piece in pieces_of(value))
        else:
            yield {name: value}


def _call_deltas(index: int, call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    function = {**call["function"], "arguments": ""}
    yield {"tool_calls": [{"index": index, **call, "function": function}]}
    for piece in pieces_of(call["function"]["arguments"]):
        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
