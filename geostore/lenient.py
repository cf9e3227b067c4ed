"""Reads JSON that a model wrote, repairing it only where there is one reading.

Repaired: a Markdown code fence around it, a comma before a closing bracket,
single quotes where the text holds no double quote, and Python's None, True and
False. Anything else that is not JSON is not guessed at.
"""

from __future__ import annotations

import json
import re
from typing import Any

_FENCE = re.compile(r"\A```[a-zA-Z]*[ \t]*\n(.*?)\n?```\Z", re.DOTALL)
_STRING = r'"(?:[^"\\]|\\.)*+"'
# Strings are matched first and left alone, so that nothing inside them is repaired.
_TRAILING_COMMA = re.compile(_STRING + r"|,(?=\s*+[\]}])", re.DOTALL)
_PYTHON_WORD = re.compile(_STRING + r"|\b(?:None|True|False)\b", re.DOTALL)
_WORDS = {"None": "null", "True": "true", "False": "false"}


def load_lenient(text: str) -> tuple[Any, bool]:
    """The value, and whether it had to be repaired; (None, False) where there is none."""
    value, ok = _loads(text)
    if ok:
        return value, False
    value, ok = _loads(_repair(text))
    return (value, True) if ok else (None, False)


def _loads(text: str) -> tuple[Any, bool]:
    try:
        return json.loads(text), True
    # RecursionError: nesting past Python's limit. ValueError also covers integers of more
    # digits than Python converts.
    except (ValueError, RecursionError):
        return None, False


def _repair(text: str) -> str:
    text = text.strip()
    if fenced := _FENCE.match(text):
        text = fenced.group(1).strip()
    if '"' not in text and "'" in text:
        text = text.replace("'", '"')
    text = _TRAILING_COMMA.sub(lambda m: m.group() if m.group() != "," else "", text)
    return _PYTHON_WORD.sub(lambda m: _WORDS.get(m.group(), m.group()), text)
