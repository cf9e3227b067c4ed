"""Counts the tokens that responses used, and adds them up.

A count that the server did not send is unknown. It adds nothing to a sum, and
`Usage.uncounted` says how many responses lack one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from geostore.records import Turn


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of any number of responses; add two with ``+``."""

    prompt_tokens: int = 0
    """Tokens of the prompts, cached ones included."""

    completion_tokens: int = 0
    """Tokens of the responses, reasoning included."""

    cached_tokens: int = 0
    """The part of `prompt_tokens` that the server had cached; never more than those."""

    total_tokens: int = 0
    """As the server counted it; prompt plus completion where it did not."""

    uncounted: int = 0
    """Responses without a prompt or completion count; they cost more than is known."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.total_tokens + other.total_tokens,
            self.uncounted + other.uncounted,
        )


def usage_of_turn(turn: Turn) -> Usage:
    """The tokens of one response."""
    return _usage(turn.prompt_tokens, turn.completion_tokens, turn.cached_tokens, turn.total_tokens)


def usage_of_json(usage_json: str | None) -> Usage:
    """The tokens of a useless response, from its usage object; none where it was not billed.

    usage_json: JSON as the server sent it; None: no usage came, so nothing was billed.
    """
    if usage_json is None:
        return Usage()
    usage = json.loads(usage_json)
    details = usage.get("prompt_tokens_details")
    return _usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _count(details.get("cached_tokens")) if isinstance(details, dict) else None,
        _count(usage.get("total_tokens")),
    )


def _usage(
    prompt: int | None, completion: int | None, cached: int | None, total: int | None
) -> Usage:
    known = (prompt or 0) + (completion or 0)
    return Usage(
        prompt_tokens=prompt or 0,
        completion_tokens=completion or 0,
        # Some servers report more cached tokens than the prompt has; a cost must not go below 0.
        cached_tokens=min(cached or 0, prompt or 0),
        total_tokens=known if total is None else total,
        uncounted=int(prompt is None or completion is None),
    )


def _count(value: Any) -> int | None:
    # JSON's true is an int in Python.
    return value if isinstance(value, int) and not isinstance(value, bool) else None
