"""Estimates the tokens of requests and responses that a server does not count.

A budget would not hold otherwise. An estimate is kept apart from what servers count,
in columns of its own, and everything that shows one says that it is about that much.

The estimate: a token for each `BYTES_PER_TOKEN` bytes of text in UTF-8 (the messages' JSON,
and the response with its reasoning and calls), and one for each `PIXELS_PER_TOKEN` pixels of
an image as it is sent. English has about four letters a token, and Qwen-VL sees a square
of 28 pixels as one token; most other models count fewer for an image. What a server
hides, such as reasoning that it does not send, is in no estimate, and neither are the schemas
of native tools, which are a few hundred tokens a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from geostore.conversation.messages import Message
from geostore.costs.usage import read_kept_usage
from geostore.records import FailedAttempt, ImageFacts, Reply, TokenCounts, Turn

BYTES_PER_TOKEN = 4
"""Bytes of text that count as one token."""

PIXELS_PER_TOKEN = 28 * 28
"""Pixels of an image as sent that count as one token."""


def estimate_turn(turn: Turn, messages: Sequence[Message], images: Iterable[ImageFacts]) -> Turn:
    """The turn with estimates in place of the counts that the server did not send.

    messages: of its request. images: all that the messages show, and maybe others.
    """
    prompt, completion = _estimates(turn, messages, images, _words(turn))
    if prompt is None and completion is None:
        return turn
    return replace(turn, estimated_prompt_tokens=prompt, estimated_completion_tokens=completion)


def estimate_failure(
    attempt: FailedAttempt, messages: Sequence[Message], images: Iterable[ImageFacts]
) -> FailedAttempt:
    """The same for a failed request that was billed: one with a usage object, or with words."""
    if attempt.usage is None and attempt.response is None:
        return attempt
    counts = read_kept_usage(attempt.usage)
    prompt, completion = _estimates(counts, messages, images, attempt.response or "")
    return replace(attempt, estimated_prompt_tokens=prompt, estimated_completion_tokens=completion)


def tokens_of(reply: Reply, messages: Sequence[Message], images: Iterable[ImageFacts]) -> int:
    """Tokens of a request and its reply, estimated where the server did not count them."""
    if reply.total_tokens is not None:
        return reply.total_tokens
    estimates = _estimates(reply, messages, images, _words(reply))
    counts = (reply.prompt_tokens, reply.completion_tokens)
    return sum(number or 0 for number in (*counts, *estimates))


def _estimates(
    counts: TokenCounts, messages: Sequence[Message], images: Iterable[ImageFacts], words: str
) -> tuple[int | None, int | None]:
    """Prompt and completion tokens, each None where it was counted."""
    prompt = completion = None
    if counts.completion_tokens is None:
        completion = _tokens(len(words.encode()), BYTES_PER_TOKEN)
    if counts.prompt_tokens is None:
        prompt = _prompt(messages, images)
    if counts.total_tokens is not None and prompt is not None and completion is not None:
        # The server counted the sum, so only its parts are estimated.
        completion = min(completion, counts.total_tokens)
        prompt = counts.total_tokens - completion
    return prompt, completion


def _prompt(messages: Sequence[Message], images: Iterable[ImageFacts]) -> int:
    pixels = {image.sha256: image.width * image.height for image in images}
    shown = [pixels.get(sha256, 0) for message in messages for sha256 in message.images]
    text = sum(len(message.canonical) for message in messages)
    return _tokens(text, BYTES_PER_TOKEN) + sum(_tokens(area, PIXELS_PER_TOKEN) for area in shown)


def _words(reply: Reply | Turn) -> str:
    return "".join((reply.reasoning or "", reply.response, reply.native_calls or ""))


def _tokens(size: int, size_of_one: int) -> int:
    return -(-size // size_of_one)
