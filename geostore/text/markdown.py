"""Markdown that people read as it is: its prose in lines that fit a screen."""

from __future__ import annotations

import re

from geostore.text.terminal import PROSE_WIDTH, wrap_with_indent

_CODE = re.compile(r"`[^`]+`")
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.) ")
_NO_BREAK = "\0"  # where a space is of a code that a reader copies whole


def wrap_markdown(text: str, width: int = PROSE_WIDTH) -> str:
    """A text in Markdown with its long lines broken between words.

    Blocks of code, headings, rows of tables and what stands between backticks stay as they are.
    """
    lines: list[str] = []
    in_code = False
    for line in text.split("\n"):
        is_fence = line.lstrip().startswith("```")
        in_code ^= is_fence
        if in_code or is_fence or len(line) <= width or line.startswith(("|", "#")):
            lines.append(line)
            continue
        item = _ITEM.match(line)
        first = item[0] if item else ""
        whole = _CODE.sub(lambda code: code[0].replace(" ", _NO_BREAK), line[len(first) :])
        wrapped = wrap_with_indent(whole, width, first=first, later=" " * len(first))
        lines += [part.replace(_NO_BREAK, " ") for part in wrapped]
    return "\n".join(lines)
