"""Read a chat-completions request as a conversation about one photo.

It reads only the request's messages and its `tools` key, and keeps the images as
the bytes that came. It understands both ways of calling tools: the text protocol
(<tool_call> in the assistant's text) and the native one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geostore.errors import DemoError

_LAST_TURN = "This is your last turn"
_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
_PHOTO_SIZE = re.compile(r"image 0, (\d+) x (\d+) pixels")
_IMAGE_SIZE = re.compile(r"Image \d+ \((\d+) x (\d+) pixels\)")


@dataclass(frozen=True)
class Picture:
    """An image as it was sent."""

    data: bytes
    """The encoded file."""
    digest: str
    """Its sha256 in hex."""
    stated: tuple[int, int] | None
    """Width and height in pixels, as the text gives them; None where it does not."""


@dataclass(frozen=True)
class Step:
    """One tool call that the teacher made, and its result."""

    tool: str
    """The tool's name; empty where it cannot be read."""
    picture: Picture | None
    """The image that came back; None where the tool failed."""


@dataclass(frozen=True)
class Conversation:
    """All that the teacher knows."""

    protocol: str
    """``none`` (no tools offered), ``text`` or ``native``."""
    frame: str
    """How boxes are written: ``pixel``, ``norm1000`` or ``norm1000_yx``."""
    photo: Picture | None
    """The photo as sent; None where no message holds an image."""
    steps: tuple[Step, ...]
    """The tool calls so far, in order."""
    last_turn: bool
    """Whether the teacher has to answer now."""


def parse_conversation(body: Mapping[str, Any]) -> Conversation:
    """The conversation of a request body. Raises DemoError if it is not chat-completions."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise DemoError("'messages' must be a list with at least one message")
    system, prompt, latest = "", "", ""
    photo: Picture | None = None
    steps: list[Step] = []
    calls: list[str] = []
    pictures: list[Picture] = []
    for message in messages:
        if not isinstance(message, dict):
            raise DemoError("every message must be an object")
        role = message.get("role")
        text, images = _content(message.get("content"))
        if role == "assistant":
            steps += _answered(calls, pictures)
            calls, pictures, latest = _calls(message, text), [], ""
            continue
        if role in ("system", "developer"):
            system += text
            continue
        if role not in ("user", "tool"):
            raise DemoError(f"a message has the unknown role {role!r}")
        latest += text
        if photo is None and images:
            prompt = text
            photo = _picture(images[0], _PHOTO_SIZE.search(text))
            images = images[1:]
        sizes = list(_IMAGE_SIZE.finditer(latest))
        for image in images:
            number = len(pictures)
            stated = sizes[number] if number < len(sizes) else None
            pictures.append(_picture(image, stated))
    steps += _answered(calls, pictures)
    return Conversation(
        protocol=_protocol(body, system),
        frame=_frame(prompt),
        photo=photo,
        steps=tuple(steps),
        last_turn=_LAST_TURN in latest,
    )


def _protocol(body: Mapping[str, Any], system: str) -> str:
    if body.get("tools") and body.get("tool_choice") != "none":
        return "native"
    return "text" if "<tools>" in system else "none"


def _frame(prompt: str) -> str:
    if "[y1, x1, y2, x2]" in prompt:
        return "norm1000_yx"
    return "norm1000" if "from 0 to 1000" in prompt else "pixel"


def _answered(calls: Sequence[str], pictures: Sequence[Picture]) -> list[Step]:
    """Pair the calls of one turn with the images that came back, in order."""
    return [
        Step(tool, pictures[number] if number < len(pictures) else None)
        for number, tool in enumerate(calls)
    ]


def _calls(message: Mapping[str, Any], text: str) -> list[str]:
    """Names of the tools that an assistant message called."""
    native = message.get("tool_calls")
    if isinstance(native, list) and native:
        return [str(_at(call, "function", "name")) for call in native]
    names = []
    for match in _CALL.finditer(text):
        try:
            names.append(str(_at(json.loads(match[1]), "name")))
        except json.JSONDecodeError:
            names.append("")
    return names


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _content(content: Any) -> tuple[str, list[bytes]]:
    """Text and images of a message's content, a string or a list of parts."""
    if content is None:
        return "", []
    if isinstance(content, str):
        return content, []
    if not isinstance(content, list):
        raise DemoError("'content' must be a string or a list of parts")
    texts, images = [], []
    for part in content:
        kind = _at(part, "type")
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url":
            images.append(_image_bytes(_at(part, "image_url", "url")))
        else:
            raise DemoError(f"a content part of type {kind!r} cannot be read")
    return "".join(texts), images


def _image_bytes(url: Any) -> bytes:
    head, _, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not (head.startswith("data:image/") and head.endswith(";base64")):
        raise DemoError("images must be sent as data URLs in base64; nothing is fetched")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise DemoError(f"an image's base64 cannot be decoded: {error}") from error


def _picture(data: bytes, size: re.Match[str] | None) -> Picture:
    stated = (int(size[1]), int(size[2])) if size is not None else None
    return Picture(data, hashlib.sha256(data).hexdigest(), stated)
