"""Finds in a row, as trainers read it, its images, the places for them, and what is learnt.

The formats agree in the names of their columns. Images stand in a column beside the
messages, which have a placeholder for each: ``<image>`` in a text, or a part of type ``image``. Or
they stand in the messages themselves, as parts of type ``image_url``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

PLACEHOLDER = "<image>"
_SPEAKERS = ("role", "from")
_TEXTS = ("content", "value")
_TEACHER = frozenset({"assistant", "gpt", "function_call", "tool_call"})
_COLUMNS = {
    "images": ("messages", "conversations", "prompt", "completion", "chosen", "rejected"),
    "rejected_images": ("rejected_messages",),
}
"""From a column of images to the columns of messages that show them."""

IMAGE_COLUMNS = tuple(_COLUMNS)
"""The columns in which images stand beside the messages of a row."""

Image = str | bytes
"""The path of its file, from the file of the row; or its bytes."""


@dataclass(frozen=True, slots=True)
class RowImages:
    """The images of a row."""

    images: tuple[Image, ...]
    """All of them, but those that are only named by their hash."""
    places: tuple[tuple[str, int, int], ...]
    """By column of images: its name, how many placeholders the messages have, how many images it
    holds."""


def images_of(row: Mapping[str, Any]) -> RowImages:
    """The images of a row and the places for them."""
    images: list[Image] = []
    places = []
    for column, shown_in in _COLUMNS.items():
        if row.get(column) is None:
            continue
        held = [_image(value) for value in row[column]]
        images += [image for image in held if image is not None]
        messages = [message for name in shown_in for message in _messages(row.get(name))]
        places.append((column, sum(map(_placeholders, messages)), len(held)))
    for message in _all_messages(row):
        images += _in_parts(message)
    return RowImages(tuple(images), tuple(places))


def count_replies(row: Mapping[str, Any]) -> int:
    """How many replies of a teacher a row has; messages of one reply follow one another."""
    count, is_reply = 0, False
    for message in _all_messages(row):
        was_reply = is_reply
        is_reply = next((message[name] for name in _SPEAKERS if name in message), None) in _TEACHER
        count += is_reply and not was_reply
    return count


def learnt_texts(row: Mapping[str, Any]) -> Iterator[str]:
    """What a student learns of a row: the teacher's messages, but those that are masked."""
    for message in _all_messages(row):
        speaker = next((message[name] for name in _SPEAKERS if name in message), None)
        masked = message.get("loss") is False or message.get("weight") == 0
        if speaker in _TEACHER and not masked:
            yield _text(message)


def _image(value: Any) -> Image | None:
    """None for one that is only named by its hash, as JSON."""
    if isinstance(value, str | bytes):
        return None if value[:1] == "{" else value
    if isinstance(value, dict):
        data, path = value.get("bytes"), value.get("path") or value.get("image")
        return data if isinstance(data, bytes) else path if isinstance(path, str) else b""
    return b""


def _messages(value: Any) -> Iterator[dict[str, Any]]:
    """The messages of a column: a list of them or one, each an object or its JSON."""
    for message in value if isinstance(value, list) else [value]:
        if isinstance(message, str):
            try:
                message = orjson.loads(message)
            except orjson.JSONDecodeError:
                continue
        if isinstance(message, dict):
            yield message


def _all_messages(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for columns in _COLUMNS.values():
        for name in columns:
            yield from _messages(row.get(name))
    history = row.get("conversation_history")  # of the formats trace and jsonl
    for turn in history if isinstance(history, list) else []:
        # The teacher's own messages repeat what stands as the response of a turn.
        messages = _messages(turn.get("messages"))
        yield from (message for message in messages if message.get("role") != "assistant")
        yield {"role": "assistant", "content": turn.get("response")}


def _content(message: Mapping[str, Any]) -> Any:
    return next((message[name] for name in _TEXTS if message.get(name) is not None), None)


def _placeholders(message: Mapping[str, Any]) -> int:
    content = _content(message)
    if isinstance(content, str):
        return content.count(PLACEHOLDER)
    parts = content if isinstance(content, list) else []
    return sum(1 for part in parts if isinstance(part, dict) and part.get("type") == "image")


def _in_parts(message: Mapping[str, Any]) -> Iterator[Image]:
    content = _content(message)
    for part in content if isinstance(content, list) else []:
        holder = part.get("image_url") if isinstance(part, dict) else None
        url = holder.get("url") if isinstance(holder, dict) else holder
        if not isinstance(url, str) or url.startswith("sha256:"):
            continue
        if not url.startswith("data:"):
            yield url
            continue
        try:
            yield base64.b64decode(url.partition(",")[2], validate=True)
        except (binascii.Error, ValueError):
            yield b""


def _text(message: Mapping[str, Any]) -> str:
    content = _content(message)
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    calls = message.get("tool_calls")
    text = content if isinstance(content, str) else ""
    return f"{text} {orjson.dumps(calls).decode()}".strip() if calls else text
