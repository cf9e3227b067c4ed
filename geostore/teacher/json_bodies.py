"""Reads JSON that a server sends, also where it breaks off inside a character."""

from __future__ import annotations

import json
from typing import Any

import orjson


def read_json(content: bytes) -> Any:
    """The JSON value; a lone half of a surrogate pair, which some servers send, is replaced.

    Raises ValueError where it is no JSON, RecursionError where it is nested too deeply.
    """
    try:
        return orjson.loads(content)
    except ValueError:
        # orjson refuses lone surrogates, but the response is paid for and has to be kept.
        return whole_characters(json.loads(content))


def read_chunk(content: bytes) -> Any:
    """As `read_json`, but a half is left as it is: the other half may come in the next chunk.

    Only `whole_characters` makes a text of it that can be written.
    """
    try:
        return orjson.loads(content)
    except ValueError:
        return json.loads(content)


def whole_characters(value: Any) -> Any:
    """The value with its pairs of surrogates joined, and lone ones replaced."""
    if isinstance(value, str):
        if value.isascii():
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {whole_characters(k): whole_characters(v) for k, v in value.items()}
    return value
