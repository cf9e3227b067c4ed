"""Reads JSON that a model wrote, and repairs it only where one meaning is possible.

It repairs a Markdown code fence around the text, a comma before a closing
bracket, strings in single or typographic quotes, line breaks inside strings,
Python's None, True, False and tuples of numbers, full-width punctuation and
digits, doubled braces, and closing brackets too many at the end. It refuses
anything else that is not JSON, and an object that gives one name two values,
because parsers silently take the last. Text that ends early stays refused: nobody
knows what would have followed.
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
    | [“”„＂](?P<curly> (?:[^“”＂"\\]|\\.)*+ )[“”＂]
    | \( (?P<tuple> [-+\d\s.,eE]*+ ) \)
    | (?P<wide> [：，、［］｛｝－．０-９\u3000\u00a0\u200b\ufeff] )
    """,
    re.DOTALL | re.VERBOSE,
)
_IN_SINGLE = re.compile(r'\\.|"', re.DOTALL)
_WORDS = {"None": "null", "True": "true", "False": "false"}
_WIDE = str.maketrans(
    "：，、［］｛｝－．０１２３４５６７８９\u3000\u00a0\u200b\ufeff", ":,,[]{}-.0123456789    "
)
_SPARE_CLOSERS = re.compile(r"[\s}\]]*+\Z")
_DOUBLED = re.compile(r'"(?:[^"\\]|\\.)*+"|\{\s*+\{|\}\s*+\}|\\.', re.DOTALL)


def load_lenient(text: str) -> tuple[Any, bool]:
    """The value, and whether it had to be repaired; (None, False) where there is none."""
    value, ok = _loads(text, strict=True)
    if ok:
        return value, False
    repaired = _repair(text)
    value, ok = _loads(repaired, strict=False)
    if ok:
        return value, True
    values = [
        value for text in _with_fewer_braces(repaired) for value, ok in [_first_value(text)] if ok
    ]
    # Both ways of taking braces away have to agree: else there are two readings.
    return (values[0], True) if values and all(v == values[0] for v in values) else (None, False)


def _loads(text: str, *, strict: bool) -> tuple[Any, bool]:
    """strict: refuse control characters in strings, as JSON does."""
    try:
        return json.loads(text, strict=strict, object_pairs_hook=_unambiguous), True
    # RecursionError: nesting past Python's limit. ValueError: no JSON, or an integer with more
    # digits than Python converts.
    except (ValueError, RecursionError):
        return None, False


def _first_value(text: str) -> tuple[Any, bool]:
    """The value that a text begins with, where only closing brackets follow."""
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return None, False
    spare = isinstance(value, dict | list) and _SPARE_CLOSERS.match(text, end)
    return (value, True) if spare else (None, False)


def _with_fewer_braces(text: str) -> list[str]:
    """The text, or where its first brace is doubled, the text without such braces."""
    if not re.match(r"\{\s*+\{", text):
        return [text]
    # A template's escaped braces, each of them twice; or one brace too many in front.
    return [_DOUBLED.sub(_single, text), text[1:].lstrip()]


def _single(token: re.Match[str]) -> str:
    return token.group()[0] if token.group()[0] in "{}" else token.group()


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs) and any(members[name] != value for name, value in pairs):
        raise ValueError("one name, two values")
    return members


_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_unambiguous)


def _repair(text: str) -> str:
    text = text.strip()
    if fenced := _FENCE.match(text):
        text = fenced.group(1)
    return _TOKEN.sub(_repaired, text)


def _repaired(token: re.Match[str]) -> str:
    if token["single"] is not None:
        return f'"{_IN_SINGLE.sub(_in_double_quotes, token["single"])}"'
    if token["curly"] is not None:
        return f'"{token["curly"]}"'
    if token["tuple"] is not None:
        return f"[{token['tuple'].rstrip().removesuffix(',')}]"
    if token["wide"] is not None:
        return token["wide"].translate(_WIDE)
    if token["comma"] is not None:
        return ""
    return _WORDS.get(token.group(), token.group())


def _in_double_quotes(part: re.Match[str]) -> str:
    """A quote or an escape of a string in single quotes, rewritten for double quotes."""
    return {'"': '\\"', "\\'": "'"}.get(part.group(), part.group())
