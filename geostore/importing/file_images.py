"""The images inside a trace file, and which of them each turn showed."""

from __future__ import annotations

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from geostore.conversation.sent import continues, sent_messages
from geostore.identity import sha256_hex
from geostore.importing.pixels import DATA_URL, IMAGE_MEMBERS, LONG
from geostore.records import StoredTrace

_NAME = "sha256:"
_PLACES = frozenset({"url", "image", "image_url"})
"""Members whose text names an image, by its hash, its path or its address."""

_IMAGE_FILE = re.compile(r"(?:\.\./)?images/[0-9a-f]{2}/([0-9a-f]{64})\.(?:jpg|png|webp)")
"""The path that an export of ours with files gives an image, with its hash."""


def images_in(document: Any) -> dict[str, bytes]:
    """Every image in a JSON document, as `pixels.message_lists` finds them, by its sha256."""
    images: dict[str, bytes] = {}
    seen: set[str] = set()  # every turn repeats those of the turns before
    for text in _image_texts(document):
        if text in seen:
            continue
        seen.add(text)
        coded = text.partition(",")[2] if text.startswith(DATA_URL) else text
        try:
            data = base64.b64decode(coded, validate=True)
        except (binascii.Error, ValueError):
            continue
        images[sha256_hex(data)] = data
    return images


def images_beside(document: Any, file: str) -> dict[str, bytes]:
    """Every image of an export with files that a JSON document names, by its sha256.

    file: the path of the document, from whose folder the paths of images start. An image
    that is missing, or is another one, is left out.
    """
    images: dict[str, bytes] = {}
    for text in _texts(document):
        match = _IMAGE_FILE.fullmatch(text)
        if match is None or match[1] in images:
            continue
        try:
            data = (Path(file).parent / text).read_bytes()
        except OSError:
            continue
        if sha256_hex(data) == match[1]:
            images[match[1]] = data
    return images


def images_shown(trace: StoredTrace) -> Mapping[int, list[str]]:
    """By turn, the names of the images that its calls gave and the next request showed.

    A name is the image's hash, or the path or address that the file has in its place.
    Under 0 stand the images of the first request. Read in the messages of the file, in
    the request that shows most of them: a script may drop images that it sent before.
    """
    shown: defaultdict[int, list[str]] = defaultdict(list)
    history: list[Any] = []
    for turn, added in zip(trace.turns, sent_messages(trace), strict=True):
        messages = [message.value for message in added]
        history = history + messages if continues(messages) else messages
        of_request: defaultdict[int, list[str]] = defaultdict(list)
        responses = 0
        for message in history:
            if message.get("role") == "assistant":
                responses += 1
            else:
                of_request[responses] += _image_names(message.get("content"), key="")
        if responses != turn.turn - 1:
            continue  # messages were left out, so which turn showed an image is not known
        for number, names in of_request.items():
            if len(names) > len(shown[number]):
                shown[number] = names
    return shown


def named_by_hash(message: dict[str, Any], hashes: Collection[str]) -> dict[str, Any]:
    """A message of an export with files, its images named by hash as the store names them.

    hashes: of the images of the trace; a path with another hash stays as it is.
    """
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [_part_by_hash(part, hashes) for part in content]}


def _part_by_hash(part: Any, hashes: Collection[str]) -> Any:
    holder = part.get("image_url") if isinstance(part, dict) else None
    path = holder.get("url") if isinstance(holder, dict) else None
    match = _IMAGE_FILE.fullmatch(path) if isinstance(path, str) else None
    if match is None or match[1] not in hashes:
        return part
    return {**part, "image_url": {"url": f"{_NAME}{match[1]}"}}


def _image_texts(document: Any) -> Iterator[str]:
    for key, value in _members(document):
        if key in IMAGE_MEMBERS and (value.startswith(DATA_URL) or len(value) > LONG):
            yield value


def _texts(document: Any) -> Iterator[str]:
    return (value for _, value in _members(document))


def _members(document: Any) -> Iterator[tuple[str, str]]:
    """Every text in a document, with the name of the member that holds it."""
    # A stack of its own, because a file may nest deeper than Python calls.
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.items())
        elif isinstance(value, list):
            waiting.extend((key, inner) for inner in value)
        elif isinstance(value, str):
            yield key, value


def _image_names(value: Any, *, key: str) -> list[str]:
    if isinstance(value, dict):
        return [n for name, inner in value.items() for n in _image_names(inner, key=name)]
    if isinstance(value, list):
        return [name for inner in value for name in _image_names(inner, key=key)]
    if not isinstance(value, str) or not value or key not in IMAGE_MEMBERS:
        return []
    if value.startswith(_NAME) or key in _PLACES:
        return [value.removeprefix(_NAME)]
    return []
