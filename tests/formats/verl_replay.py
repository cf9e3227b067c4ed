"""Which traces verl's own loop of tool calls can play again, as their teachers did.

verl runs no call that is no JSON or names no tool, and it does not ask again for an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_LAST_TURN = "This is your last turn"
_TOOLS = ("image_zoom_in_tool", "image_rotate_tool")


def is_played_alike(replies: Sequence[str], contexts: Iterable[str]) -> bool:
    """Whether every reply but the last makes calls that verl runs, and the last makes none.

    replies: of the teacher, with the calls as text. contexts: what it read before each.
    """
    if any(_LAST_TURN in context for context in contexts):
        return False  # verl's limit of turns is one for all prompts
    *before, last = replies
    return "<tool_call>" not in last and all(map(_is_run, before))


def _is_run(reply: str) -> bool:
    calls = CALL.findall(reply)
    return bool(calls) and reply.count("<tool_call>") == len(calls) and all(map(_is_call, calls))


def _is_call(text: str) -> bool:
    try:
        call = json.loads(text)
    except ValueError:
        return False
    return isinstance(call, dict) and call.get("name") in _TOOLS and "arguments" in call
