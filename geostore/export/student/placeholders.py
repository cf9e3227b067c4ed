"""Escapes what a teacher wrote and a trainer's loader would take for a place of an image.

A loader counts each ``<image>`` of a row and puts an image there, whoever wrote it, and a
tokenizer reads its own marks out of any text.
"""

from __future__ import annotations

import re
from typing import Any

_PLACEHOLDERS = (
    "image",
    "video",
    "audio",
    "bbox",
    "ref-object",
    "cot-process",
    "|image_pad|",
    "|video_pad|",
    "|vision_start|",
    "|vision_end|",
    "|im_start|",
    "|im_end|",
    "|endoftext|",
)
"""What stands in angle brackets for something else in a trainer's template, or in a tokenizer."""
_LITERAL = re.compile(rf"<({'|'.join(map(re.escape, _PLACEHOLDERS))})(\\*)>")


def escape_placeholders(text: str) -> str:
    """The text with a backslash before the closing bracket of what a loader would replace.

    A literal ``<image>`` becomes ``<image\\>``. `unescape_placeholders` gives the same text back,
    because one that was written with backslashes gets one more.
    """
    return _LITERAL.sub(r"<\1\2\\>", text)


def escape_values(value: Any) -> Any:
    """A value of JSON with every text in it as `escape_placeholders` gives it."""
    if isinstance(value, str):
        return escape_placeholders(value)
    if isinstance(value, list):
        return [escape_values(item) for item in value]
    if isinstance(value, dict):
        return {escape_placeholders(name): escape_values(item) for name, item in value.items()}
    return value


def holds_placeholder(text: str, value: Any) -> bool:
    """Whether JSON holds what a loader would replace: its text, or the value once it was read."""
    return escape_placeholders(text) != text or escape_values(value) != value


def unescape_placeholders(text: str) -> str:
    """The text that `escape_placeholders` was given."""
    return _LITERAL.sub(lambda match: f"<{match[1]}{match[2][1:]}>", text)
