"""Estimates of tokens that no server counted: the stated formula, and never beside a real count."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from geostore.conversation.estimates import estimate_failure, estimate_turn, tokens_of
from geostore.conversation.messages import Message
from geostore.records import FailedAttempt, ImageFacts, Reply
from tests.trace_parts import TURN

PHOTO = ImageFacts("ab" * 32, 1120, 840, 2048, 1536)
ZOOM = ImageFacts("cd" * 32, 449, 300, 20, 15)
MESSAGES = (
    Message({"x": "x" * 392}),
    Message({"y": "y" * 92}, (PHOTO.sha256,)),
    Message({}, (ZOOM.sha256, ZOOM.sha256)),
)
# 502 bytes of text; 1120 x 840 / 784 = 1200, and twice 449 x 300 / 784 = 171.8.
PROMPT = 126 + 1200 + 172 + 172
BARE = replace(TURN, response="abcd" * 10, reasoning="é" * 4, native_calls="[]", prompt_tokens=None)
COMPLETION = 13  # 40 letters, 4 of two bytes, and 2 more


def estimated(**counts: Any) -> tuple[int | None, int | None]:
    turn = estimate_turn(replace(BARE, **counts), MESSAGES, [PHOTO, ZOOM])
    return turn.estimated_prompt_tokens, turn.estimated_completion_tokens


@pytest.mark.parametrize(
    ("counts", "estimates"),
    [
        ({}, (PROMPT, COMPLETION)),
        ({"prompt_tokens": 5}, (None, COMPLETION)),
        ({"completion_tokens": 5}, (PROMPT, None)),
        ({"completion_tokens": 0}, (PROMPT, None)),
        ({"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}, (None, None)),
        # The sum is counted, and only how it divides is estimated.
        ({"total_tokens": 1000}, (1000 - COMPLETION, COMPLETION)),
        ({"total_tokens": 8}, (0, 8)),
    ],
)
def test_only_what_is_not_counted_is_estimated(
    counts: dict[str, Any], estimates: tuple[int | None, int | None]
) -> None:
    assert estimated(**counts) == estimates


def test_an_estimate_changes_nothing_else_in_a_turn() -> None:
    turn = estimate_turn(BARE, MESSAGES, [PHOTO, ZOOM])
    unmarked = replace(turn, estimated_prompt_tokens=None, estimated_completion_tokens=None)
    assert unmarked == BARE
    assert (turn.prompt_tokens, turn.completion_tokens, turn.total_tokens) == (None, None, None)


def test_a_failed_request_is_estimated_only_where_something_came() -> None:
    nothing = FailedAttempt(1, "timeout", "no answer")
    assert estimate_failure(nothing, MESSAGES, [PHOTO, ZOOM]) is nothing
    assert not nothing.is_billed
    broken = replace(nothing, error_class="server", response="half an answer")
    found = estimate_failure(broken, MESSAGES, [PHOTO, ZOOM])
    assert (found.estimated_prompt_tokens, found.estimated_completion_tokens) == (PROMPT, 4)
    assert found.is_billed
    counted = json.dumps({"prompt_tokens": 9, "completion_tokens": 3})
    found = estimate_failure(replace(broken, usage=counted), MESSAGES, [PHOTO])
    assert (found.estimated_prompt_tokens, found.estimated_completion_tokens) == (None, None)


def test_the_tokens_of_a_reply_are_the_servers_or_else_about_as_many() -> None:
    reply = Reply("abcd" * 10, None, None, None, "stop", 5, "m", None)
    assert tokens_of(reply, MESSAGES, [PHOTO, ZOOM]) == PROMPT + 10
    assert tokens_of(replace(reply, prompt_tokens=7), MESSAGES, []) == 7 + 10
    assert tokens_of(replace(reply, total_tokens=3), MESSAGES, []) == 3
