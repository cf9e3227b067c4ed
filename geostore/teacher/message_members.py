"""Says which members of a teacher's message go back to it although nothing here reads them.

A server may refuse a conversation in which its own message lacks a member: signatures of
thoughts, encrypted reasoning, marks of a cache. So whatever geostore does not know goes
back as it came. Members that servers write but do not take are the exceptions; `DROPPED`
gives the reason for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_READ_ELSEWHERE = frozenset({"role", "content", "tool_calls"})
_REASONING = frozenset({"reasoning", "reasoning_content"})

DROPPED: Mapping[str, str] = MappingProxyType(
    {
        "refusal": "its words are the response, and no other server than OpenAI's takes it",
        "function_call": "the older form of tool_calls, as which it goes back",
        "annotations": "sources that the server adds for people; OpenAI's refuses them",
        "citations": "as annotations (Perplexity, Cohere)",
        "search_results": "as annotations (Perplexity)",
        "context": "what Azure's own search read; a request has it nowhere",
        "audio": "a request names audio by its id alone, and none is asked for",
        "images": "pixels that a model made, which the store does not keep",
        "videos": "as images",
        "parsed": "the content once more, as a client's library reads it",
        "logprobs": "measured at the answer, of no meaning in a question",
        "token_ids": "as logprobs",
        "prompt_token_ids": "as logprobs",
        "finish_reason": "part of the choice, and read there",
        "stop_reason": "as finish_reason",
        "matched_stop": "as finish_reason",
        "usage": "part of the response, and read there",
    }
)
"""Members that do not go back, and why."""

_PIXELS_AND_SOUND = frozenset({"image", "image_url", "output_image", "audio", "output_audio"})
_OF_PLAIN_TEXT = frozenset({"type", "text", "annotations", "logprobs"})


def members_to_keep(
    message: Mapping[str, Any], reasoning: str | None, source: str | None
) -> dict[str, Any]:
    """The members of a message that go back as they came; empty for most messages.

    reasoning, source: what was read of it. A content in parts is among them only where
    its text alone would lose something, such as thoughts and their signatures.
    """
    kept = {
        name: value
        for name, value in message.items()
        if name not in _READ_ELSEWHERE
        and name not in DROPPED
        and not _is_empty(value)
        # Both names with the same text are one reasoning, which goes back under one name.
        and not (name in _REASONING and (name == source or value == reasoning))
    }
    content = message.get("content")
    if isinstance(content, list):
        parts = [part for part in content if _kind(part) not in _PIXELS_AND_SOUND]
        if not all(map(_is_text, parts)):
            kept["content"] = parts
    return kept


def _is_text(part: Any) -> bool:
    """Whether a part says nothing but its text, which is in the response."""
    if not isinstance(part, dict) or _kind(part) == "refusal":
        return True
    own = {name for name, value in part.items() if not _is_empty(value)}
    return _kind(part) in ("text", "output_text") and own <= _OF_PLAIN_TEXT


def _kind(part: Any) -> Any:
    return part.get("type") if isinstance(part, dict) else None


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})
