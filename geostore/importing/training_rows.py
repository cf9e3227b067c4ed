"""Reads what a row of training data says: the teacher's replies, and what came before each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from geostore.export.student.placeholders import unescape_placeholders
from geostore.importing.documents import BadFile

_PLACE = "<image>"


@dataclass(frozen=True, slots=True)
class RowCall:
    """A call that stands apart from the words of a row's reply."""

    name: str
    """The tool's name; empty where the row has none."""
    arguments: Any
    """Its arguments: a value, or what stands there as text."""

    def says(self, name: Any, arguments: Any) -> bool:
        """Whether it is the call of this name, with arguments of this text."""
        return self.name == name and bool(value_of(self.arguments) == value_of(arguments))


@dataclass(slots=True)
class RowReply:
    """What a row has of one response."""

    text: str = ""
    """Its words, with any calls that stand in them; without escapes."""
    calls: list[RowCall] = field(default_factory=list)
    """The calls that stand apart from its words."""
    before: list[dict[str, Any]] = field(default_factory=list)
    """The messages that came before it, since the reply before."""


def value_of(arguments: Any) -> Any:
    """Arguments as a value, where they are the text of one; text without escapes."""
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            return unescape_placeholders(arguments)
    return _unescaped(arguments)


def _unescaped(value: Any) -> Any:
    if isinstance(value, str):
        return unescape_placeholders(value)
    if isinstance(value, list):
        return [_unescaped(item) for item in value]
    if isinstance(value, dict):
        return {unescape_placeholders(name): _unescaped(item) for name, item in value.items()}
    return value


def row_replies(values: Mapping[str, Any]) -> list[RowReply]:
    """The replies of a row, each with the messages before it."""
    replies: list[RowReply] = []
    before: list[dict[str, Any]] = []
    images = iter(values.get("images") or ())
    is_reply = False
    for role, content, calls in _messages(values):
        if role not in ("assistant", "gpt", "tool_call", "function_call"):
            before.append(_message(role, content, images))
            is_reply = False
            continue
        if not is_reply:
            replies.append(RowReply(before=before))
            before = []
        is_reply = True
        if role in ("tool_call", "function_call"):
            # The reader joins words and a call with nothing between, so words end with a break.
            replies[-1].text = replies[-1].text.removesuffix("\n")
            replies[-1].calls.append(_call(value_of(_text(content))))
            continue
        text = unescape_placeholders(_text(content))
        for call in calls if isinstance(calls, list) else ():
            replies[-1].calls.append(
                _call(call.get("function") if isinstance(call, dict) else call)
            )
        replies[-1].text += text
    if not replies:
        raise BadFile("malformed", "the row holds no reply of a teacher")
    return replies


def _messages(values: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The messages of a row: role, content, and the calls that stand apart from it."""
    rows = values.get("messages", values.get("conversations"))
    if not isinstance(rows, list):
        raise BadFile("no_trace", "the row has neither messages nor conversations")
    for position, message in enumerate(rows):
        if not isinstance(message, dict):
            raise BadFile("malformed", f"messages[{position}] is no object")
        role = message.get("role", message.get("from"))
        if not isinstance(role, str):
            raise BadFile("malformed", f"messages[{position}] has no role")
        yield role, message.get("content", message.get("value")), message.get("tool_calls")


_ROLES = {"human": "user", "observation": "tool", "tool_response": "tool"}


def _message(role: str, content: Any, images: Iterator[Any]) -> dict[str, Any]:
    """A message that was sent, in OpenAI's form; images are those of the row, in their order."""
    parts: list[dict[str, Any]] = []
    if isinstance(content, str):
        for number, text in enumerate(content.split(_PLACE)):
            if number:
                parts.append(_image(next(images, None)))
            if text:
                parts.append({"type": "text", "text": unescape_placeholders(text)})
    elif isinstance(content, list):
        for part in content:
            if not isinstance(part, dict):
                raise BadFile("malformed", "a content holds something that is no part")
            if part.get("type") == "text":
                text = unescape_placeholders(str(part.get("text", "")))
                parts.append({"type": "text", "text": text})
            elif part.get("type") == "image":
                parts.append(_image(next(images, None)))
            else:
                parts.append(part)
    only_text = all(part.get("type") == "text" for part in parts)
    plain = "".join(part["text"] for part in parts) if only_text else parts
    return {"role": _ROLES.get(role, role), "content": plain}


def _image(value: Any) -> dict[str, Any]:
    if not isinstance(value, str):
        raise BadFile("malformed", "the row has fewer images than places for them")
    return {"type": "image_url", "image_url": {"url": value}}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    raise BadFile("malformed", "a content is neither text nor a list")


def _call(value: Any) -> RowCall:
    holder = value if isinstance(value, dict) else {"arguments": value}
    name = holder.get("name")
    return RowCall(name if isinstance(name, str) else "", holder.get("arguments"))
