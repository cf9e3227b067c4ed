"""Escapes the line separators that JSON lets stand in a string as they are.

U+0085, U+2028 and U+2029 end a line for Python's ``str.splitlines``, for JavaScript and
for many editors, so a reader that takes a file of JSON line by line would cut a value
in two. Escaped they are the same value to every JSON reader.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

_SEPARATORS = ("\x85", "\u2028", "\u2029")
_ESCAPES = {separator: f"\\u{ord(separator):04x}" for separator in _SEPARATORS}
_ESCAPES_OF_BYTES = {raw.encode(): escape.encode() for raw, escape in _ESCAPES.items()}


def json_text(value: Any, *, indent: int | None = None) -> str:
    """The JSON of a value, line separators escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # They stand nowhere but in strings.
    for raw, escape in _ESCAPES.items():
        text = text.replace(raw, escape)
    return text


def json_bytes(value: Any, *, option: int = 0) -> bytes:
    """The JSON of a value in UTF-8, line separators escaped. option: of orjson."""
    data = orjson.dumps(value, option=option)
    if data.isascii():  # looked at eight bytes at a time, which three searches are not
        return data
    for raw, escape in _ESCAPES_OF_BYTES.items():
        data = data.replace(raw, escape)
    return data
