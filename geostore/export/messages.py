"""Rebuilds the messages that a trace's requests held, and writes them in OpenAI's form.

What was sent in a trace of ours follows from its rows. What was sent in an
imported one stands in them as its file said it, where it did; `stored_messages`
writes that, and `sent_messages` reads it. Of each turn a list says what its
request held and the one before did not: it begins with the teacher's turn
before. A list that begins otherwise is the whole request, and an empty one
stands for a request that nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, Literal

import orjson

from geostore.conversation.messages import Message, assistant_message, lead_in
from geostore.errors import ExportError
from geostore.identity import canonical_json, canonical_text
from geostore.records import ImportedRecipe, Recipe, StoredTrace, ToolCall, Turn

MessagesMode = Literal["delta", "last", "full"]
ImageUrl = Callable[[int], dict[str, Any]]
"""From an image's number in the conversation to the ``image_url`` object that stands for it."""

_SYSTEM = "system"  # in place of the message that holds the recipe's system prompt
_ASSISTANT = "assistant"  # in place of the teacher's turn before, as it is sent back


def sent_messages(trace: StoredTrace) -> list[list[Message]]:
    """Per turn, the messages that its request held and the one before it did not.

    All lists up to a turn's, joined, are that turn's request. Nothing but rows
    decides: a parser of a later version, which may see an answer where the first
    saw none, changes nothing in what was sent. In a trace of an imported recipe
    a list may also be a whole request, or empty where it is not known.
    Raises ExportError where the trace has turns and no photo as sent.
    """
    if isinstance(trace.recipe, ImportedRecipe):
        return [
            _imported(trace.recipe, trace.turns[number - 1] if number else None, turn)
            for number, turn in enumerate(trace.turns)
        ]
    return _rebuilt(trace, trace.recipe)


def continues(messages: Sequence[dict[str, Any]]) -> bool:
    """Whether a turn's messages go on from the request before, instead of being a whole one."""
    return bool(messages) and messages[0].get("role") == "assistant"


def stored_messages(
    messages: Sequence[dict[str, Any]], recipe: ImportedRecipe, before: Turn | None
) -> str | None:
    """A turn's messages for its row, without what other rows hold as well; None for none.

    messages: their images named by hash. before: the turn before.
    """
    if not messages:
        return None
    kept: list[dict[str, Any] | str] = list(messages)
    system = None if recipe.system_prompt is None else _system_message(recipe.system_prompt)
    if kept[0] == system:
        kept[0] = _SYSTEM
    elif before is not None and canonical_json(kept[0]) == assistant_message(before).canonical:
        kept[0] = _ASSISTANT
    return canonical_text(kept)


def turn_messages(
    trace: StoredTrace, *, mode: MessagesMode, image_url: ImageUrl | None
) -> list[list[dict[str, Any]]]:
    """Per turn, messages as OpenAI's API takes them.

    mode: ``delta``: what the turn before did not have, so that the lists up to a
        turn, joined, are its whole request; ``full``: the whole request of each
        turn; ``last``: that of the last turn, and none for the others.
    image_url: None leaves images named as they are in the rows.
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
        history = history + messages if continues(messages) else messages
        requests.append(history)
    if mode == "full":
        return requests
    return [[] for _ in requests[:-1]] + requests[-1:]


def _rebuilt(trace: StoredTrace, recipe: Recipe) -> list[list[Message]]:
    if not trace.turns:
        return []
    if trace.photo is None:
        raise ExportError(f"{trace.name}: the store does not know which photo was sent")
    sent = []
    for number, turn in enumerate(trace.turns):
        assert turn.turn_limit is not None  # unknown of imported turns alone
        before = trace.turns[number - 1] if number else None
        messages = lead_in(
            recipe,
            trace.photo,
            before,
            _calls_of(trace, before.turn) if before else (),
            last_turn=turn.turn >= turn.turn_limit,
        )
        sent.append(messages if before is None else [assistant_message(before), *messages])
    return sent


def _imported(recipe: ImportedRecipe, before: Turn | None, turn: Turn) -> list[Message]:
    messages = []
    for kept in orjson.loads(turn.messages or "[]"):
        if kept == _SYSTEM:
            assert recipe.system_prompt is not None
            messages.append(Message(canonical_json(_system_message(recipe.system_prompt))))
        elif kept == _ASSISTANT:
            assert before is not None
            messages.append(assistant_message(before))
        else:
            messages.append(Message(canonical_json(kept)))
    return messages


def _system_message(prompt: str) -> dict[str, Any]:
    return {"role": "system", "content": prompt}


def _calls_of(trace: StoredTrace, turn: int) -> list[ToolCall]:
    return [call for call in trace.calls if call.turn == turn]


def _openai_form(
    message: Message, numbers: Iterator[int], image_url: ImageUrl | None
) -> dict[str, Any]:
    """The message as a value, its role first; images are numbered in their order."""
    value: dict[str, Any] = orjson.loads(message.canonical)
    content = value.get("content")
    if isinstance(content, list) and image_url is not None:
        content = [
            {"type": "image_url", "image_url": image_url(next(numbers))}
            if part["type"] == "image_url"
            else {"type": "text", "text": part["text"]}
            for part in content
        ]
    return {"role": value["role"], **value, "content": content}
