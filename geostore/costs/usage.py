"""Reads what a usage object says was billed, and adds it up; the only place that knows its names.

Servers name the same counts differently, and some leave a part of what they bill out of them. The
columns of turns and attempts hold what is read here; the object itself is kept beside them. A count
that the server did not send is unknown: it adds nothing to a sum, and `Usage.uncounted` says how
many responses lack one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import orjson

from geostore.identity import canonical_text
from geostore.records import FailedAttempt, TokenCounts, Turn

_MOST_TOKENS = 10**10
"""No response has so many; a count that is not below it is no count."""

_TIER_LENGTH = 40

# The names of each count. A server may send several, one of them empty, so the greatest counts.
_PROMPT = ("prompt_tokens", "promptTokenCount", "prompt_token_count")
_NATIVE_PROMPT = ("input_tokens", "inputTokens")  # Anthropic, Bedrock, and OpenAI's Responses
_COMPLETION = (
    *("completion_tokens", "output_tokens", "outputTokens"),
    *("candidatesTokenCount", "candidates_token_count", "predicted_n"),
)
_TOTAL = ("total_tokens", "totalTokens", "totalTokenCount", "total_token_count")
_PROMPT_DETAILS = ("prompt_tokens_details", "input_tokens_details", "prompt_token_details")
_COMPLETION_DETAILS = ("completion_tokens_details", "output_tokens_details")
_CACHED = (
    *("cached_tokens", "cache_read_tokens", "cache_read_input_tokens", "cacheReadInputTokens"),
    *("prompt_cache_hit_tokens", "cachedContentTokenCount", "cached_content_token_count"),
    *("num_cached_tokens", "cache_n"),
)
_CACHE_WRITES = (
    *("cache_write_tokens", "cache_write_input_tokens", "cacheWriteInputTokens"),
    *("cache_creation_tokens", "cache_creation_input_tokens"),
)
# Anthropic's and Bedrock's counts of what they read from a cache and wrote to it.
_CACHED_APART = ("cache_read_input_tokens", "cacheReadInputTokens")
_WRITES_APART = ("cache_creation_input_tokens", "cacheWriteInputTokens")
_REASONING = ("reasoning_tokens",)
_THOUGHTS = ("thoughtsTokenCount", "thoughts_token_count")  # Gemini's candidates are without them
_IMAGE = ("image_tokens",)
_TIER = ("service_tier", "serviceTier", "trafficType", "traffic_type")


COUNT_NAMES = tuple(field.name for field in fields(TokenCounts))
"""The members of a reply and a turn, and the columns of turns, that are read here."""


def kept_usage(body: Mapping[str, Any], choice: Mapping[str, Any]) -> str | None:
    """The usage object of a response as canonical JSON; None where there is none.

    OpenAI's service_tier stands beside the usage and not in it; it is added under its own name.
    choice: the response's first, where Moonshot's usage stands. Groq's may stand in ``x_groq``,
    Gemini's in ``usageMetadata``, and llama.cpp's server may send only its ``timings``.
    """
    groq = body.get("x_groq")
    places = (
        body.get("usage"),
        choice.get("usage"),
        groq.get("usage") if isinstance(groq, dict) else None,
        body.get("usageMetadata"),
        body.get("timings"),
    )
    usage = next((place for place in places if isinstance(place, dict) and place), None)
    if usage is None:
        return None
    tier = body.get("service_tier")
    if isinstance(tier, str) and usage.get("service_tier") is None:
        usage = {**usage, "service_tier": tier}
    return canonical_text(usage)


def read_usage(usage: Mapping[str, Any]) -> TokenCounts:
    """What a usage object says, whoever sent it.

    A count is a whole number of at least 0, also as a float or in quotes; a fraction of a token is
    rounded up. Anything else is unknown, and so is a prompt or a total of 0: a proxy that does not
    count sends it.
    """
    prompt_details = [usage, *_parts(usage, _PROMPT_DETAILS)]
    completion_details = [usage, *_parts(usage, _COMPLETION_DETAILS)]
    total = _greatest([usage], _TOTAL) or None
    completion = _greatest([usage], _COMPLETION)
    thoughts = _greatest([usage], _THOUGHTS)
    if thoughts is not None:
        completion = (completion or 0) + thoughts
    cached = _greatest(prompt_details, _CACHED)
    writes = _greatest(prompt_details, _CACHE_WRITES)
    prompt = _prompt(usage, completion, total)
    reasoning = _greatest(completion_details, _REASONING)
    reasoning = thoughts if reasoning is None else reasoning
    if prompt is None and total is not None and completion is not None and total > completion:
        prompt = total - completion
    if prompt is not None and total is not None and total > prompt:
        # Gemini's thoughts and xAI's reasoning are billed as output and stand only in the total.
        completion = max(completion or 0, total - prompt)
    if completion is not None:
        completion = max(completion, reasoning or 0)
    if prompt is not None:
        # A part that were greater than the whole would make a cost negative.
        cached = None if cached is None else min(cached, prompt)
        writes = None if writes is None else min(writes, prompt - (cached or 0))
    if prompt is not None and completion is not None:
        total = prompt + completion
    elif prompt is not None or completion is not None:
        # It would be known, or it is not greater than its part.
        total = None
    return TokenCounts(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        cached_tokens=cached,
        cache_write_tokens=writes,
        reasoning_tokens=reasoning,
        image_tokens=_image_tokens(usage, prompt_details),
        service_tier=_tier(usage),
        stated_cost=_cost(usage.get("cost")),
    )


def read_kept_usage(usage: str | None) -> TokenCounts:
    """The same of an object that is kept as JSON; nothing is known where there is none."""
    if usage is None:
        return TokenCounts()
    value = orjson.loads(usage)
    return read_usage(value) if isinstance(value, dict) else TokenCounts()


def _prompt(usage: Mapping[str, Any], completion: int | None, total: int | None) -> int | None:
    """Tokens of the whole prompt; None where they are not known.

    Anthropic and Bedrock count what they read from a cache and wrote to it beside the prompt, and
    some gateways hand that on under OpenAI's names.
    """
    apart = (_greatest([usage], _CACHED_APART) or 0) + (_greatest([usage], _WRITES_APART) or 0)
    if prompt := _greatest([usage], _PROMPT):
        rest = None if total is None or completion is None else total - prompt - completion
        return prompt + apart if apart > prompt or apart == rest else prompt
    if prompt := _greatest([usage], _NATIVE_PROMPT):
        return prompt + apart
    # llama.cpp's server: prompt_n is only what was not cached, and older ones do not count that.
    fresh, cached = _count(usage.get("prompt_n")), _count(usage.get("cache_n"))
    return None if fresh is None or cached is None else fresh + cached or None


def _image_tokens(
    usage: Mapping[str, Any], prompt_details: Iterable[Mapping[str, Any]]
) -> int | None:
    """Tokens of the images. Gemini lists its counts by modality."""
    tokens = _greatest(prompt_details, _IMAGE)
    parts = usage.get("promptTokensDetails")
    if tokens is None and isinstance(parts, list):
        counts = [
            _count(part.get("tokenCount"))
            for part in parts
            if isinstance(part, dict) and part.get("modality") == "IMAGE"
        ]
        tokens = next((count for count in counts if count is not None), None)
    return tokens


def _parts(usage: Mapping[str, Any], names: Iterable[str]) -> list[Mapping[str, Any]]:
    return [part for name in names if isinstance(part := usage.get(name), dict)]


def _greatest(places: Iterable[Mapping[str, Any]], names: Iterable[str]) -> int | None:
    """The greatest count under any of the names; None where none is a count."""
    greatest = None
    for place in places:
        for name in names:
            if name in place:
                count = _count(place[name])
                if count is not None and (greatest is None or count > greatest):
                    greatest = count
    return greatest


def _count(value: Any) -> int | None:
    # JSON's true is an int in Python.
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        # Servers that write JSON from protocol buffers put whole numbers in quotes.
        is_number = value.isascii() and value.isdecimal() and len(value) <= 12
        value = int(value) if is_number else None
    if isinstance(value, float):
        value = math.ceil(value) if math.isfinite(value) else None
    return value if isinstance(value, int) and 0 <= value < _MOST_TOKENS else None


def _tier(usage: Mapping[str, Any]) -> str | None:
    tier = next((usage[name] for name in _TIER if isinstance(usage.get(name), str)), "")
    return tier.replace("\x00", "").strip().lower()[:_TIER_LENGTH] or None


def _cost(value: Any) -> float | None:
    if isinstance(value, dict):  # Perplexity's
        value = value.get("total_cost")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < math.inf else None


# --- sums ---------------------------------------------------------------------------------------


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

    cache_write_tokens: int = 0
    """The part of `prompt_tokens` that was written to the server's cache."""

    estimated_tokens: int = 0
    """Tokens beside `total_tokens` that nobody counted (`conversation.estimates`)."""

    estimated_prompt_tokens: int = 0
    """Tokens beside `prompt_tokens`, of prompts that nobody counted."""

    estimated_completion_tokens: int = 0
    """Tokens beside `completion_tokens`, of responses that nobody counted."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, name) + getattr(other, name) for name in _SUMS))


_SUMS = tuple(field.name for field in fields(Usage))


class Tally:
    """Tokens of any number of responses by service tier, which decides what they cost."""

    def __init__(self, by_tier: Mapping[str | None, Usage] | None = None) -> None:
        self.by_tier = dict(by_tier or {})

    def add(self, tier: str | None, usage: Usage) -> None:
        """Count more tokens. tier: None where the server named none."""
        self.by_tier[tier] = self.by_tier.get(tier, Usage()) + usage

    def add_turn(self, turn: Turn) -> None:
        """Count a response."""
        self.add(turn.service_tier, usage_of_turn(turn))

    def add_failure(self, attempt: FailedAttempt) -> None:
        """Count a failed request, as far as it was billed."""
        self.add(read_kept_usage(attempt.usage).service_tier, usage_of_failure(attempt))

    def add_all(self, other: Tally) -> None:
        """Count what another tally counts."""
        for tier, usage in other.by_tier.items():
            self.add(tier, usage)

    @property
    def total(self) -> Usage:
        """Of all tiers."""
        return sum(self.by_tier.values(), Usage())


def usage_of_turn(turn: Turn) -> Usage:
    """The tokens of one response."""
    return _usage(turn, turn.estimated_prompt_tokens, turn.estimated_completion_tokens)


def usage_of_failure(attempt: FailedAttempt) -> Usage:
    """The tokens of a failed request; none where it was not billed."""
    if not attempt.is_billed:
        return Usage()
    return _usage(
        read_kept_usage(attempt.usage),
        attempt.estimated_prompt_tokens,
        attempt.estimated_completion_tokens,
    )


def _usage(
    counts: TokenCounts, estimated_prompt: int | None, estimated_completion: int | None
) -> Usage:
    prompt, completion = counts.prompt_tokens, counts.completion_tokens
    total = counts.total_tokens
    # The counts of an imported turn may be anything, and a cost must not go below 0.
    cached = min(counts.cached_tokens or 0, prompt or 0)
    estimated = (estimated_prompt or 0) + (estimated_completion or 0)
    return Usage(
        prompt_tokens=prompt or 0,
        completion_tokens=completion or 0,
        cached_tokens=cached,
        total_tokens=(prompt or 0) + (completion or 0) if total is None else total,
        uncounted=int(prompt is None or completion is None),
        cache_write_tokens=min(counts.cache_write_tokens or 0, (prompt or 0) - cached),
        estimated_tokens=estimated if total is None else 0,
        estimated_prompt_tokens=estimated_prompt or 0,
        estimated_completion_tokens=estimated_completion or 0,
    )
