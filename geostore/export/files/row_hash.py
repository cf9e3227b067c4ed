"""The hash of what a row of training data says, whatever file it stands in.

A row is written as JSON, Parquet or Arrow, and read back from there: with other members, other
spaces in its JSON, or nulls where a column pads. So the hash is taken of what counts: the
messages, the tools, and the images by the hashes of their bytes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import orjson

from geostore.identity import content_hash, sha256_hex

_IMAGE_PARTS = frozenset({"image", "image_url"})
"""The types of parts of a content that stand for an image."""

_HASH_IN_NAME = re.compile(r"(?:\Asha256:|(?:\A|/))([0-9a-f]{64})(?:\.(?:jpg|png|webp))?\Z")
"""The hash in a reference to an image, or in the name of its file, in whatever folder."""


def row_sha256(values: Mapping[str, Any]) -> str:
    """The hash of a row; two rows that a trainer reads as the same have the same."""
    images: list[str] = []
    rows = values.get("messages", values.get("conversations"))
    messages = [_message(row, images) for row in rows] if isinstance(rows, list) else []
    # Places in the texts are filled from this list, in their order.
    images += (_image(image) for image in values.get("images") or ())
    return content_hash([messages, _parsed(values.get("tools")) or None, images])


def first_image_sha256(values: Mapping[str, Any]) -> str | None:
    """The hash of the first image that stands in a row's messages; None where none does."""
    images: list[str] = []
    rows = values.get("messages", values.get("conversations"))
    for row in rows if isinstance(rows, list) else ():
        _message(row, images)
        if images:
            return images[0]
    return None


def _message(message: Any, images: list[str]) -> Any:
    """Who says what, and the calls beside it. images: those in it are added at the end."""
    message = _parsed(message)
    if not isinstance(message, dict):
        return message
    content = message.get("content", message.get("value"))
    if isinstance(content, list):
        content = [_part(part, images) for part in content]
    role = message.get("role", message.get("from"))
    return [role, content, _parsed(message.get("tool_calls")) or None]


def _part(part: Any, images: list[str]) -> Any:
    if not isinstance(part, dict):
        return part
    if part.get("type") not in _IMAGE_PARTS:
        return _without_nulls(part)
    if (holder := part.get("image_url")) is not None:
        images.append(_image(holder))
    return "image"


def _image(image: Any) -> str:
    """The hash of an image, or whatever text stands for it."""
    image = _parsed(image)
    if isinstance(image, dict):
        data = image.get("bytes")
        if isinstance(data, bytes):
            return sha256_hex(data)
        image = image.get("url") or image.get("path")
    text = str(image)
    start, comma, _ = text[:64].partition(";base64,")
    if comma and start.startswith("data:"):
        try:
            return sha256_hex(base64.b64decode(text[len(start) + len(comma) :], validate=True))
        except ValueError:
            return text
    match = _HASH_IN_NAME.search(text)
    return match[1] if match else text


def _parsed(value: Any) -> Any:
    """A value without nulls; some columns hold it as JSON, or as a list of JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    if isinstance(value, list):
        value = [_parsed(item) if isinstance(item, str) else item for item in value]
    return _without_nulls(value)


def _without_nulls(value: Any) -> Any:
    """A value without the members that are null: columns pad with them."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value
