"""Rebuilds the messages that a trace's requests held, and writes them in OpenAI's form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Literal

import orjson

from geostore.errors import ExportError
from geostore.protocol import Message, assistant_message, lead_in
from geostore.records import StoredTrace, ToolCall

MessagesMode = Literal["delta", "last", "full"]
ImageUrl = Callable[[int], dict[str, Any]]
"""From an image's number in the conversation to the ``image_url`` object that stands for it."""


def sent_messages(trace: StoredTrace) -> list[list[Message]]:
    """Per turn, the messages that its request held and the one before it did not.

    All lists up to a turn's, joined, are that turn's request. Nothing but rows
    decides: a parser of a later version, which may see an answer where the first
    saw none, changes nothing in what was sent.
    Raises ExportError where the trace has turns and no photo as sent.
    """
    if not trace.turns:
        return []
    if trace.photo is None:
        raise ExportError(f"{trace.name}: the store does not know which photo was sent")
    sent = []
    for number, turn in enumerate(trace.turns):
        before = trace.turns[number - 1] if number else None
        messages = lead_in(
            trace.recipe,
            trace.photo,
            before,
            _calls_of(trace, before.turn) if before else (),
            last_turn=turn.turn >= turn.turn_limit,
        )
        sent.append(messages if before is None else [assistant_message(before), *messages])
    return sent


def turn_messages(
    trace: StoredTrace, *, mode: MessagesMode, image_url: ImageUrl
) -> list[list[dict[str, Any]]]:
    """Per turn, messages as OpenAI's API takes them.

    mode: ``delta``: what the turn before did not have, so that the lists up to a
        turn, joined, are its whole request; ``full``: the whole request of each
        turn; ``last``: that of the last turn, and none for the others.
    """
    numbers = count()
    fresh = [
        [_openai_form(message, numbers, image_url) for message in messages]
        for messages in sent_messages(trace)
    ]
    if mode == "delta":
        return fresh
    history: list[dict[str, Any]] = []
    requests = []
    for messages in fresh:
        history = history + messages
        requests.append(history)
    if mode == "full":
        return requests
    return [[] for _ in requests[:-1]] + requests[-1:]


def _calls_of(trace: StoredTrace, turn: int) -> list[ToolCall]:
    return [call for call in trace.calls if call.turn == turn]


def _openai_form(message: Message, numbers: Iterator[int], image_url: ImageUrl) -> dict[str, Any]:
    """The message as a value, its role first; images are numbered in their order."""
    value: dict[str, Any] = orjson.loads(message.canonical)
    content = value["content"]
    if isinstance(content, list):
        content = [
            {"type": "image_url", "image_url": image_url(next(numbers))}
            if part["type"] == "image_url"
            else {"type": "text", "text": part["text"]}
            for part in content
        ]
    return {"role": value["role"], **value, "content": content}
