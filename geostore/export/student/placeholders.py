"""Escapes what a teacher wrote and a trainer's loader would take for a place of an image.

A loader counts each ``<image>`` of a row and puts an image there, whoever wrote it, and a
tokenizer reads its own marks out of any text.
"""

from __future__ import annotations

import re

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


def unescape_placeholders(text: str) -> str:
    """The text that `escape_placeholders` was given."""
    return _LITERAL.sub(lambda match: f"<{match[1]}{match[2][1:]}>", text)
