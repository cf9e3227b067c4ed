"""A reply of the teacher and what it used; import them from `geostore.records`."""

from __future__ import annotations

from dataclasses import dataclass

ReasoningSource = str
"""Where the server put the reasoning, so that the message can be sent back exactly as it came.

``reasoning`` and ``reasoning_content`` are fields of the message, and ``parts`` are thinking parts
of a content that is a list. All else is delimiters in the content. <think> tags have names: both of
them (``think``), without the first, which a chat template may write itself (``think_unopened``), or
without the last, which the token limit cut (``think_unclosed``). Other delimiters stand here as
they were written, with ``…`` for the thought: ``[THINK]…[/THINK]``, ``…[/THINK]``, ``[THINK]…``. A
lone ``…`` is a thought without any.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCounts:
    """What a response used, as it is billed (`costs.usage`). None: the server does not say."""

    prompt_tokens: int | None = None
    """The whole prompt, images and what was cached or written to a cache included."""
    completion_tokens: int | None = None
    """The whole output, reasoning included; never less than the total without the prompt."""
    total_tokens: int | None = None
    """Both; where neither is known, perhaps their sum is."""
    cached_tokens: int | None = None
    """The part of the prompt that was read from the server's cache."""
    cache_write_tokens: int | None = None
    """The part of the prompt that was written to the server's cache."""
    image_tokens: int | None = None
    """The part of the prompt that was images."""
    reasoning_tokens: int | None = None
    """The part of the completion that was reasoning."""
    service_tier: str | None = None
    """The tier that the request was served in, in lower case, such as ``flex``."""
    stated_cost: float | None = None
    """What the server itself says that it charges, in its own currency."""


@dataclass(frozen=True, slots=True)
class Reply(TokenCounts):
    """One response of the teacher, before it is a turn of a trace; see `records.Turn`."""

    response: str
    """The content without its reasoning."""
    reasoning: str | None
    """None where there is none."""
    reasoning_source: ReasoningSource | None
    """None without reasoning."""
    native_calls: str | None
    """The message's `tool_calls` as canonical JSON; None without."""
    finish_reason: str | None
    """As the server says it; None where it does not."""
    latency_ms: int
    """From the request to the last byte of the response."""
    served_model: str | None
    """The model's name in the response."""
    request_id: str | None
    """The server's id of the response."""
    usage: str | None = None
    """The usage object, as JSON; None where the server sent none."""
    members: str | None = None
    """A JSON object of further members that go back with the message; None without."""
    first_token_ms: int | None = None
    """From sending to the first token; None where the reply was not streamed."""
