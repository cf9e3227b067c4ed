"""Messages in OpenAI's shape, for the formats that hold a dialogue in it.

A result's text is the message of the role ``tool``, and its image follows in a user message,
as the teacher had it. Calls that are not what the teacher wrote stay in its words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from geostore.errors import ExportError
from geostore.export.images import ExportedImage
from geostore.export.student.dialogue import (
    Call,
    Dialogue,
    Part,
    Question,
    Reply,
    Results,
)
from geostore.export.student.placeholders import (
    escape_placeholders,
    escape_values,
    holds_placeholder,
)
from geostore.export.trainers.dialects import Dialect

Message = dict[str, Any]
ImagePart = Callable[[ExportedImage], dict[str, Any]]
"""From an image to the part of a content that stands for it."""


def chat_messages(dialogue: Dialogue, dialect: Dialect, image_part: ImagePart) -> list[Message]:
    """The messages of a trace in a dialect. Raises ExportError where an image would be lost."""
    placed = 0

    def counted(image: ExportedImage) -> dict[str, Any]:
        nonlocal placed
        placed += 1
        return image_part(image)

    messages = list(_messages(dialogue, dialect, counted))
    if placed != len(dialogue.images):
        raise ExportError(
            f"{dialogue.exported.trace.name}: {placed} places for {len(dialogue.images)} images"
        )
    return messages


def _messages(dialogue: Dialogue, dialect: Dialect, image_part: ImagePart) -> Iterator[Message]:
    native = dialect.calls == "native"
    system = dialogue.system if native else dialogue.system_with_tools
    if system is not None:
        yield _message("system", (system,), dialect, image_part)
    steps = dialogue.steps
    calls_are_native = False
    for number, step in enumerate(steps):
        if isinstance(step, Question):
            yield _message("user", step.parts, dialect, image_part)
        elif isinstance(step, Reply):
            after = steps[number + 1] if number + 1 < len(steps) else None
            # A call without its result beside it would be refused: then it stays in the words.
            answered = after is None or isinstance(after, Results)
            calls_are_native = native and answered and _can_be_native(step)
            yield _assistant(step, dialect, image_part, native=calls_are_native)
        elif calls_are_native:
            yield from _tool_messages(step, dialect, image_part)
        else:
            yield _message("user", step.parts, dialect, image_part)


def _can_be_native(reply: Reply) -> bool:
    """Whether its calls can be `tool_calls`: a name with a placeholder cannot be escaped there."""
    names = [call.name for call in reply.calls]
    return bool(names) and reply.is_exact and all(escape_placeholders(n) == n for n in names)


def _assistant(reply: Reply, dialect: Dialect, image_part: ImagePart, *, native: bool) -> Message:
    words = f"{reply.thought}{reply.prose}" if native else reply.text
    message = _message("assistant", (words,), dialect, image_part)
    if native:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _arguments(call, dialect)},
            }
            for call in reply.calls
        ]
    if dialect.weight == "weight":
        message["weight"] = int(reply.learn)
    elif dialect.weight == "loss":
        message["loss"] = reply.learn
    return message


def _tool_messages(results: Results, dialect: Dialect, image_part: ImagePart) -> Iterator[Message]:
    shown: list[Part] = []
    for result in results.results:
        texts = [part for part in result.content if isinstance(part, str)]
        tool = _message("tool", ("\n".join(texts),), dialect, image_part)
        yield {"role": "tool", "tool_call_id": result.call.id, **tool}
        for part in result.content:
            if not isinstance(part, str):
                shown += (f"Image {part.number}:", part)
    if shown:
        yield _message("user", shown, dialect, image_part)


def _message(role: str, parts: Sequence[Part], dialect: Dialect, image_part: ImagePart) -> Message:
    """A message of texts and images; one text where it holds nothing else, if its reader can."""
    if not dialect.every_content_a_list and all(isinstance(part, str) for part in parts):
        return {"role": role, "content": escape_placeholders("".join(map(str, parts)))}
    content: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, str):
            content.append({"type": "text", "text": escape_placeholders(part)})
        else:
            content.append(image_part(part))
    return {"role": role, "content": content}


def _arguments(call: Call, dialect: Dialect) -> Any:
    """The arguments; as text they are what the teacher wrote, where that has no placeholder."""
    if dialect.arguments_as_values:
        return escape_values(call.values)
    if not holds_placeholder(call.arguments, call.values):
        return call.arguments
    return orjson.dumps(escape_values(call.values)).decode()
