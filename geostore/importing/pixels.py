"""Messages of a trace file without their pixels: every embedded image becomes its hash.

One image at a time is decoded from base64 and hashed; none is kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

from geostore.identity import sha256_hex
from geostore.importing.documents import BadFile

DATA_URL = "data:"
LONG = 4096
"""Characters; a longer text in the place of an image is base64 without the head of a data URL."""
IMAGE_MEMBERS = frozenset({"url", "image", "image_url", "data", "bytes", "source"})


def message_lists(turns: Sequence[Any], where: str) -> list[list[dict[str, Any]]]:
    """Each turn's messages, checked to be messages, with images named ``sha256:<hex>``.

    Raises BadFile for anything that is no list of messages, and for an image that
    does not decode: it has no hash to name it, and the store keeps no pixels.
    """
    hashes: dict[str, str] = {}  # the same images are repeated in every turn

    def named(text: str) -> str:
        if text not in hashes:
            hashes[text] = f"sha256:{sha256_hex(_decoded(text))}"
        return hashes[text]

    lists = []
    for number, messages in enumerate(turns):
        place = f"{where}[{number}].messages"
        if not isinstance(messages, list):
            raise BadFile("malformed", f"{place} is no list")
        lists.append([_message(message, named, place) for message in messages])
    return lists


def _message(message: Any, named: Callable[[str], str], place: str) -> dict[str, Any]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise BadFile("malformed", f"{place} holds something that is no message with a role")
    hashed = _without_pixels(message, named, key="")
    assert isinstance(hashed, dict)
    return hashed


def _without_pixels(value: Any, named: Callable[[str], str], *, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _without_pixels(v, named, key=name) for name, v in value.items()}
    if isinstance(value, list):
        return [_without_pixels(v, named, key=key) for v in value]
    # A short text is the name of a file or an address, and stays.
    if isinstance(value, str) and key in IMAGE_MEMBERS:
        return named(value) if value.startswith(DATA_URL) or len(value) > LONG else value
    return value


def _decoded(text: str) -> bytes:
    coded = text.partition(",")[2] if text.startswith(DATA_URL) else text
    try:
        return base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadFile("malformed", f"an embedded image is no base64: {error}") from error


def own_part(
    lists: Sequence[list[dict[str, Any]]],
) -> list[list[dict[str, Any]]]:
    """Per turn, the messages that it adds to those of the turn before.

    The older scripts repeat the whole history in every turn. Where a turn's
    messages begin with that history and go on with the teacher's own message,
    only the rest is returned; any other list stays as it is.
    """
    parts: list[list[dict[str, Any]]] = []
    history: list[dict[str, Any]] = []
    for messages in lists:
        rest = messages[len(history) :]
        repeats = bool(history) and messages[: len(history)] == history
        if repeats and rest and rest[0].get("role") == "assistant":
            parts.append(rest)
            history = messages
            continue
        parts.append(messages)
        goes_on = bool(messages) and messages[0].get("role") == "assistant"
        history = history + messages if goes_on else messages
    return parts
