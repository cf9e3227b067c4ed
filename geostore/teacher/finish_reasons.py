"""The words with which servers say how a reply ended, and what they mean.

The rooms above know the words of OpenAI's API. `finish_reason_of` gives them
where another server says the same in its own word, so that a reply that was cut is
taken as cut whoever cut it.
"""

from __future__ import annotations

import re

_LENGTH = re.compile(
    r"length|(max|maximum|token|length|context)_?(new_|input_|output_|completion_|total_|model_)?"
    r"(tokens?|length|limit|window)(_(reached|exceeded|limit))?|model_length|incomplete"
    r"|(model_)?context_(length|window)(_size)?_exceeded"
)
_FILTERED = re.compile(
    r"content_?filter|content_policy|policy_violation|moderat|guardrail|safety|prohibited|toxic"
    r"|block_?list|(^|_)blocked($|_)|^recitation$|^spii$|^sensitive|censor|^language$"
)
_REFUSED = frozenset({"refusal", "refused"})
_BROKEN = re.compile(
    r"(^|_)(error|abort(ed)?|cancell?ed|timeout|timed_out|time_limit|deadline(_exceeded)?|failed"
    r"|failure|interrupt(ed)?|preempted|evict(ed|ion)|overloaded|unavailable|disconnect(ed)?"
    r"|exception|killed|terminated|shut_?down|connection(_\w+)?|network(_?\w+)?|rate_limit(ed)?"
    r"|partial)($|_)"
    r"|^(insufficient_system_resource|load_shed|other|no_image|incomplete_\w+"
    r"|malformed_\w+|unexpected_tool_call|too_many_tool_calls)$"
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
    word, plain = str(value), _plain(str(value))
    if _LENGTH.fullmatch(plain):
        return "length"
    if _FILTERED.search(plain):
        return "content_filter"
    return "refusal" if plain in _REFUSED else word


def is_broken(reason: str | None) -> bool:
    """Whether the server says that it broke the reply off: half an answer is none."""
    return reason is not None and _BROKEN.search(_plain(reason)) is not None


def is_known_finish(reason: str) -> bool:
    """Whether a finish_reason, as `finish_reason_of` gives it, is one whose meaning is known."""
    plain = _plain(reason)
    return not plain or plain in _WHOLE or plain in ("length", "content_filter", "refusal")


def _plain(word: str) -> str:
    """A word without what tells nothing: case, hyphens, and the name of its kind, as in
    ``FinishReason.MAX_TOKENS`` of Gemini's libraries."""
    plain = re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_")
    return plain.removeprefix("finishreason_").removeprefix("finish_reason_")
