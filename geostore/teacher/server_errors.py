"""Reads what a server says of an error, in whichever form it says it.

Servers, gateways and proxies differ in where they put the sentence that tells what
is wrong: `error.message`, `detail`, `message`, `error` itself, plain text, or the
title of a web page. The user should read that sentence, and the table of statuses
reads the words of it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from geostore.teacher.event_stream import BROKEN_OFF, is_event_stream, join_events

_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1\s*>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_SENTENCES = ("message", "detail", "msg", "error_message", "error_description", "error", "errors")
_LATER_SENTENCES = ("title", "reason", "description", "faultstring", "fault", "status_msg")
_CODES = ("code", "status", "status_code", "error_code", "type", "error_type", "__type")
_WAITS = ("retry_after", "retryAfter", "retry_after_seconds", "retryDelay", "estimated_time")
"""Members that ask for a wait in seconds, the last but one as of Google (``34s``) and the last of
a server that loads its model."""

_SHORT_NUMBER = re.compile(r"-?\d{1,3}")
_DEEPEST = 6
_LONGEST = 4000
"""Characters that are read of a text: enough for any sentence, and a body can be megabytes."""


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error as a server describes it in a body."""

    message: str
    """The server's own sentence, with its code where it gives one; empty where it gives none."""

    codes: tuple[str, ...] = ()
    """What stands as code, type or status, as text."""

    headers: Mapping[str, str] | None = None
    """Headers of a server behind a gateway, which quotes them; None without."""

    @property
    def status(self) -> int | None:
        """The HTTP status that the body names; None where it names none."""
        numbers = (int(code) for code in self.codes if re.fullmatch(r"[45]\d\d", code))
        return next(numbers, None)

    @property
    def words(self) -> str:
        """All of it in one text, to look for words in."""
        return " ".join((self.message, *self.codes))


def error_of_response(content: bytes, content_type: str, status: int) -> ServerError:
    """The error in the body of a response. Without any words, the status's own are given."""
    if is_event_stream(content, content_type):
        error = error_of_value(join_events(content))
        return error if error.message != BROKEN_OFF else ServerError(_phrase(status))
    text = content[: 4 * _LONGEST].decode("utf-8", "replace").strip()
    if "html" in content_type or re.match(r"<(!doctype html|html)\b", text, re.IGNORECASE):
        return ServerError(web_page(text))
    try:
        error = error_of_value(json.loads(content))
    except (ValueError, RecursionError):
        text = text[:_LONGEST]
        error = ServerError(_without_tags(text) if text.startswith("<") else text)
    return error if error.message else ServerError(_phrase(status), error.codes, error.headers)


def error_of_value(value: Any) -> ServerError:
    """The error in a JSON value: a whole body, or what stands in it under `error`."""
    codes = tuple(dict.fromkeys(_codes(value, _CODES)))
    message, code = _sentence(value), next(iter(_codes(value, ("code",))), "")
    # A status stands in front of the message anyway; any other code can be looked up.
    if message and not _SHORT_NUMBER.fullmatch(code) and code.lower() not in message.lower():
        message = f"{message} ({code})"
    return ServerError(message, codes, _headers(value))


def web_page(text: str) -> str:
    """A web page in a few words: its title."""
    titles = (_without_tags(title) for _, title in _TITLE.findall(text[: 4 * _LONGEST]))
    title = next(filter(None, titles), "")
    return f"a web page ({title})" if title else "a web page"


def _sentence(value: Any, depth: int = 0) -> str:
    """The first text that tells what is wrong; empty where there is none."""
    if depth > _DEEPEST:
        return ""
    if isinstance(value, str):
        return _sentence_of_text(value, depth)
    if isinstance(value, list):
        return "; ".join(filter(None, (_sentence(item, depth + 1) for item in value[:3])))
    if not isinstance(value, dict):
        return ""
    members = {str(name).lower(): member for name, member in value.items()}
    inner = members.get("error")
    if isinstance(inner, dict | list) and (message := _sentence(inner, depth + 1)):
        return message
    names = (*_SENTENCES, *_LATER_SENTENCES)
    message = next(filter(None, (_sentence(members.get(name), depth + 1) for name in names)), "")
    location = members.get("loc")
    if message and isinstance(location, list):
        # A list of what is wrong with a request names each place.
        message = f"{'.'.join(map(str, location))}: {message}"
    quoted = _sentence(_member(members.get("metadata"), "raw"), depth + 1)
    # A gateway's own words only say that the server behind it failed.
    return f"{message}: {quoted}" if message and quoted and quoted not in message else message


def _sentence_of_text(text: str, depth: int) -> str:
    text = text.strip()[:_LONGEST]
    if text[:1] in "{[":
        try:
            return _sentence(json.loads(text), depth + 1) or text
        except (ValueError, RecursionError):
            return text
    return web_page(text) if re.match(r"<(!doctype html|html)\b", text, re.IGNORECASE) else text


def _codes(value: Any, names: Sequence[str], depth: int = 0) -> Iterator[str]:
    """What stands under some names, the innermost first: it is closest to the cause."""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict) or depth > _DEEPEST:
        return
    for name in ("error", "detail"):
        yield from _codes(value.get(name), names, depth + 1)
    for name in names:
        code = value.get(name)
        if isinstance(code, str | int) and not isinstance(code, bool) and code != "":
            yield str(code)[:100]


def _headers(value: Any) -> Mapping[str, str] | None:
    """Headers that a gateway quotes, and a wait that the body asks for as one of them."""
    value = value[0] if isinstance(value, list) and value else value
    inner = _member(value, "error")
    error = inner if isinstance(inner, dict) else value
    metadata = _member(error, "metadata")
    quoted = _member(metadata, "headers")
    headers = {}
    if isinstance(quoted, dict):
        headers = {str(name).lower(): str(text) for name, text in quoted.items()}
    details = _member(error, "details")
    places = (error, metadata, value, *(details if isinstance(details, list) else ()))
    waits = (_member(place, name) for place in places for name in _WAITS)
    wait = next((wait for wait in waits if isinstance(wait, str | int | float)), None)
    if wait is not None:
        headers.setdefault("retry-after", str(wait))
    return headers or None


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _without_tags(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase if status >= 400 else "an empty body"
    except ValueError:
        return "an empty body"
