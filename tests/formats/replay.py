"""Which traces a trainer's own loop of tool calls can play again, as their teachers did.

verl and TRL run no call that is no JSON or names no tool, and do not ask again for an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_LAST_TURN = "This is your last turn"
_TOOLS = ("image_zoom_in_tool", "image_rotate_tool")


def is_played_alike(
    replies: Sequence[str], contexts: Iterable[str], *, only_objects: bool = False
) -> bool:
    """Whether every reply but the last makes calls that are run, and the last makes none.

    replies: of the teacher, with the calls as text. contexts: what it read before each.
    only_objects: whether a call is run only where its arguments are an object, as TRL does it.
    """
    if any(_LAST_TURN in context for context in contexts):
        return False  # the limit of turns is one for all prompts
    *before, last = replies
    return "<tool_call>" not in last and all(_is_run(reply, only_objects) for reply in before)


def _is_run(reply: str, only_objects: bool) -> bool:
    calls = CALL.findall(reply)
    in_tags = bool(calls) and reply.count("<tool_call>") == len(calls)
    return in_tags and all(_is_call(call, only_objects) for call in calls)


def _is_call(text: str, only_objects: bool) -> bool:
    try:
        call = json.loads(text)
    except ValueError:
        return False
    if not isinstance(call, dict) or call.get("name") not in _TOOLS or "arguments" not in call:
        return False
    return isinstance(call["arguments"], dict) or not only_objects
