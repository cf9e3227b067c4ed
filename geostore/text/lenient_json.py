"""Reads JSON that a model wrote, and repairs it only where one meaning is possible.

It repairs a Markdown code fence around the text, a comma before a closing
bracket, strings in single quotes, line breaks inside strings, and Python's None,
True and False. It refuses anything else that is not JSON, and an object that
gives one name two values, because parsers silently take the last.
"""

from __future__ import annotations

import json
import re
from typing import Any

_FENCE = re.compile(r"\A```[a-zA-Z]*\s*(.*?)\s*```\Z", re.DOTALL)
# Strings are matched first and whole, so that commas and words inside them are left alone. An
# escape outside a string is never JSON; it is matched as a pair so that its quote begins no string.
_TOKEN = re.compile(
    r"""
    (?P<plain> "(?:[^"\\]|\\.)*+" | \\. )
    | '(?P<single> (?:[^'\\]|\\.)*+ )'
    | (?P<comma> ,(?=\s*+[\]}]) )
    | (?P<word> \b(?:None|True|False)\b )
    """,
    re.DOTALL | re.VERBOSE,
)
_IN_SINGLE = re.compile(r'\\.|"', re.DOTALL)
_WORDS = {"None": "null", "True": "true", "False": "false"}


def load_lenient(text: str) -> tuple[Any, bool]:
    """The value, and whether it had to be repaired; (None, False) where there is none."""
    value, ok = _loads(text, strict=True)
    if ok:
        return value, False
    value, ok = _loads(_repair(text), strict=False)
    return (value, True) if ok else (None, False)


def _loads(text: str, *, strict: bool) -> tuple[Any, bool]:
    """strict: refuse control characters in strings, as JSON does."""
    try:
        return json.loads(text, strict=strict, object_pairs_hook=_unambiguous), True
    # RecursionError: nesting past Python's limit. ValueError: no JSON, or an integer with more
    # digits than Python converts.
    except (ValueError, RecursionError):
        return None, False


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs) and any(members[name] != value for name, value in pairs):
        raise ValueError("one name, two values")
    return members


def _repair(text: str) -> str:
    text = text.strip()
    if fenced := _FENCE.match(text):
        text = fenced.group(1)
    return _TOKEN.sub(_repaired, text)


def _repaired(token: re.Match[str]) -> str:
    if token["single"] is not None:
        return f'"{_IN_SINGLE.sub(_in_double_quotes, token["single"])}"'
    if token["comma"] is not None:
        return ""
    return _WORDS.get(token.group(), token.group())


def _in_double_quotes(part: re.Match[str]) -> str:
    """A quote or an escape of a string in single quotes, rewritten for double quotes."""
    return {'"': '\\"', "\\'": "'"}.get(part.group(), part.group())
