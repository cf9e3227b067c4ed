"""Reads JSON that a server sends, also where it breaks off inside a character."""

from __future__ import annotations

import json
from typing import Any

import orjson

_LONGEST_INT = 19
"""Characters; a number that has fewer fits into 64 bits."""


def read_json(content: bytes) -> Any:
    """The JSON value, also where small parts of it are none.

    A lone half of a surrogate pair and bytes that are no character are replaced; line ends
    inside a text, NaN and numbers of any length are taken.
    Raises ValueError where it is no JSON, RecursionError where it is nested too deeply.
    """
    try:
        return orjson.loads(content)
    except ValueError:
        # orjson refuses these, but the response is paid for and has to be kept.
        return whole_characters(_read_loosely(content))


def read_chunk(content: bytes) -> Any:
    """As `read_json`, but a half is left as it is: the other half may come in the next chunk.

    Only `whole_characters` makes a text of it that can be written.
    """
    try:
        return orjson.loads(content)
    except ValueError:
        return _read_loosely(content)


def _read_loosely(content: bytes) -> Any:
    text = content.decode(json.detect_encoding(content), "replace")
    return json.loads(text, strict=False, parse_int=_number)


def _number(digits: str) -> int | float:
    """As orjson reads it: a number that needs more than 64 bits cannot be stored as one."""
    return int(digits) if len(digits) < _LONGEST_INT else float(digits)


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
