"""The words with which servers say how a reply ended, and what they mean.

The rooms above know the words of OpenAI's API. `finish_reason_of` gives them
where another server says the same in its own word, so that a reply that was cut is
taken as cut whoever cut it.
"""

from __future__ import annotations

import re

_LENGTH = frozenset(
    {
        "length",
        "max_tokens",
        "max_output_tokens",
        "max_length",
        "model_length",
        "model_context_window_exceeded",
        "context_length_exceeded",
        "max_completion_tokens",
        "incomplete",
        "token_limit",
    }
)
_FILTERED = frozenset(
    {
        "content_filter",
        "content_filtered",
        "content_policy",
        "content_policy_violation",
        "moderation",
        "guardrail_intervened",
        "safety",
        "image_safety",
        "prohibited_content",
        "blocklist",
        "recitation",
        "spii",
        "sensitive",
    }
)
_REFUSED = frozenset({"refusal", "refused"})
_BROKEN = re.compile(
    r"(^|_)(error|abort(ed)?|cancell?ed|timeout|timed_out|failed|failure|interrupted"
    r"|preempted|overloaded|unavailable|disconnect(ed)?|exception)($|_)"
    r"|^(insufficient_system_resource|malformed_function_call|load_shed)$",
    re.IGNORECASE,
)
_WHOLE = frozenset(
    {
        "stop",
        "tool_calls",
        "function_call",
        "tool_call",
        "tool_use",
        "end_turn",
        "eos",
        "stop_sequence",
        "complete",
        "completed",
        "repetition",
    }
)


def finish_reason_of(value: object) -> str | None:
    """The API's own word for a server's finish_reason; the server's where there is no such word.

    None where the server gives none.
    """
    if value is None:
        return None
    word = str(value)
    lower = word.lower()
    if lower in _LENGTH:
        return "length"
    if lower in _FILTERED:
        return "content_filter"
    return "refusal" if lower in _REFUSED else word


def is_broken(reason: str | None) -> bool:
    """Whether the server says that it broke the reply off: half an answer is none."""
    return reason is not None and _BROKEN.search(reason) is not None


def is_known_finish(reason: str) -> bool:
    """Whether a finish_reason, as `finish_reason_of` gives it, is one whose meaning is known."""
    lower = reason.lower()
    return not lower or lower in _WHOLE or lower in ("length", "content_filter", "refusal")
