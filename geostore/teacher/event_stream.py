"""Joins a reply that comes in pieces, as server-sent events, into the one that a plain reply is.

Each event holds a chunk of a chat completion, whose deltas add to the message. The
result has the form of a plain response's body, so that `replies` reads one form. A
stream that ends without a finish_reason and without ``[DONE]`` was broken off: its
choice then holds an error, and half an answer is taken for none.

Sources: the HTML standard, section 9.2 (event streams); OpenAI's reference of the chunk
object; what vLLM, SGLang, OpenRouter, Mistral, Gemini, Groq, Moonshot and MiniMax send.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from geostore.teacher.deltas import add_delta, without_indices
from geostore.teacher.json_bodies import read_chunk, whole_characters

BROKEN_OFF = "the stream ended before the reply did"

_LINE_END = re.compile(r"\r\n|\n|\r")
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
_DATA_LINE = re.compile(rb"^data:", re.MULTILINE)
_DONE = "[DONE]"
_CHUNK = b'"chat.completion.chunk"'
_HEAD = 1000
"""Bytes in which a chunk names its kind. In the words of a plain reply, the quotes are escaped."""


def is_event_stream(content: bytes, content_type: str) -> bool:
    """Whether a response's body is a stream of events, whatever its headers say."""
    start = content[:100].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(_FIELDS):
        return True
    if start.startswith(b"{") and _CHUNK in content[:_HEAD]:
        return True  # chunks alone, one a line
    # Some gateways name the type that was asked for, and send plain JSON or a web page.
    return "text/event-stream" in content_type.lower() and _DATA_LINE.search(content) is not None


def join_events(content: bytes) -> dict[str, Any]:
    """The body of the plain response that the events of a stream amount to.

    Never raises: what cannot be read makes the reply one that was broken off.
    """
    reply = _JoinedReply()
    for name, data in _events(content.decode("utf-8-sig", "replace")):
        if data.strip() == _DONE:
            reply.is_done = True
            break
        reply.add(name, data)
    body: dict[str, Any] = whole_characters(reply.body())
    return body


class ArrivingReply:
    """What has come of a streamed reply so far. started: when it was asked for, as of `clock`."""

    def __init__(self, started: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._started = started
        self._clock = clock
        self._pieces: list[bytes] = []
        self._line = b""
        self.first_token_ms: int | None = None
        self.is_done = False

    @property
    def content(self) -> bytes:
        """All that has come."""
        return b"".join(self._pieces)

    def take(self, piece: bytes) -> None:
        """Add the next bytes of the body."""
        self._pieces.append(piece)
        *lines, self._line = (self._line + piece).split(b"\n")
        for line in lines:
            if not line.startswith((b"data:", b"{")):
                continue
            data = line.removeprefix(b"data:").strip()
            self.is_done = self.is_done or data == _DONE.encode()
            if self.first_token_ms is None and _says_something(data):
                self.first_token_ms = round((self._clock() - self._started) * 1000)


class _JoinedReply:
    """The chunks so far."""

    def __init__(self) -> None:
        self.is_done = False
        self._is_damaged = False
        self._members: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._usage: Any = None
        self._error: Any = None
        self._other: dict[str, Any] = {}

    def add(self, name: str, data: str) -> None:
        """Add the data of an event. name: of its kind; empty where it has none."""
        chunk = _value(data)
        if isinstance(chunk, dict):
            self._add_chunk(name, chunk)
        elif name == "error":
            self._error = self._error or data
        elif data.lstrip().startswith("{"):
            # Half an object was cut. Other words that are no JSON keep a connection awake.
            self._is_damaged = True

    def _add_chunk(self, name: str, chunk: dict[str, Any]) -> None:
        if chunk.get("error") or "error" in (name, chunk.get("object"), chunk.get("type")):
            self._error = self._error or chunk.get("error") or chunk
        choices = chunk.get("choices")
        self._note_usage(chunk.get("usage"))
        self._note_usage(_member(chunk.get("x_groq"), "usage"))
        if not isinstance(choices, list):
            # Such as a ping, or words of a server that sends no completion at all.
            self._other = self._other or chunk
            return
        for member, value in chunk.items():
            # The id and the model of a completion do not change; what else stands here may.
            is_settled = member in ("id", "model") and self._members.get(member)
            if member not in ("choices", "usage", "error") and value is not None and not is_settled:
                self._members[member] = value
        for choice in choices:
            if isinstance(choice, dict):
                self._add_choice(choice)

    def _add_choice(self, piece: dict[str, Any]) -> None:
        index = piece.get("index")
        choice = self._choices.setdefault(index if isinstance(index, int) else 0, {"message": {}})
        self._note_usage(piece.get("usage"))
        for member, value in piece.items():
            if member == "finish_reason":
                # Before the end it is null, and with some servers an empty or a quoted word.
                if value not in (None, "", "null"):
                    choice[member] = value
            elif member == "message" and isinstance(value, dict) and value:
                # A last chunk may hold the whole message, and so may the only one.
                choice["message"] = value
            elif member == "delta" and isinstance(value, dict):
                if not piece.get("message"):
                    add_delta(choice["message"], value)
            elif member not in ("index", "usage", "logprobs") and value is not None:
                choice[member] = value

    def _note_usage(self, usage: Any) -> None:
        # Where each chunk has one, the last counts all.
        if isinstance(usage, dict) and usage:
            self._usage = usage

    def body(self) -> dict[str, Any]:
        """The plain response's body."""
        if not self._choices and self._error is None and self._other:
            return self._other
        body = {**self._members, "object": "chat.completion"}
        body["choices"] = [
            {"index": index, "finish_reason": None, **choice}
            for index, choice in sorted(self._choices.items())
        ]
        for choice in body["choices"]:
            choice["message"] = without_indices(choice["message"])
        if self._usage is not None:
            body["usage"] = self._usage
        first = self._choices.get(min(self._choices, default=0), {})
        is_whole = self.is_done or "finish_reason" in first
        if self._error is not None:
            body["error"] = self._error
        elif self._is_damaged or not is_whole:
            body["error"] = {"message": BROKEN_OFF}
        return body


def _events(text: str) -> Iterator[tuple[str, str]]:
    """Kind and data of each event, also of one that the end of the stream cuts."""
    if text.lstrip().startswith("{"):
        lines = [text] if _value(text) is not None else _LINE_END.split(text)
        yield from (("", line.removeprefix("data:")) for line in lines if line.strip())
        return
    name, data = "", list[str]()
    for line in [*_LINE_END.split(text), ""]:
        if line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                name = value
            continue
        for text in _data(data):
            yield name, text
        name, data = "", []


def _data(lines: list[str]) -> Iterator[str]:
    """The data of an event, or of several where a server leaves out the empty lines between."""
    text = "\n".join(lines)
    if len(lines) > 1 and _value(text) is None:
        yield from filter(str.strip, lines)
    elif text.strip():
        yield text


def _value(text: str) -> Any:
    """The JSON value that a text holds; None where it holds none."""
    try:
        return read_chunk(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _says_something(data: bytes) -> bool:
    """Whether a chunk holds a part of a message, besides its role."""
    choices = _member(_value(data.decode("utf-8", "replace")), "choices")
    return any(
        value not in (None, "", [], {}) and name != "role"
        for choice in (choices if isinstance(choices, list) else ())
        for part in ("delta", "message")
        for name, value in (_member(choice, part) or {}).items()
    )


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None
