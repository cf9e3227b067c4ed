"""What of a teacher's message goes back with it, although nothing here reads it."""

from __future__ import annotations

from typing import Any

import pytest

from geostore.teacher.message_members import DROPPED, members_to_keep

DETAILS = [{"type": "reasoning.encrypted", "data": "c2lnbmF0dXJl", "id": "x", "index": 0}]
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "signature": "c2ln"}
TEXT = {"type": "text", "text": "see"}

KEPT: dict[str, dict[str, Any]] = {
    "OpenRouter's reasoning": {"reasoning_details": DETAILS},
    "LiteLLM's fields": {"provider_specific_fields": {"thought_signatures": ["c2ln"]}},
    "LiteLLM's thoughts": {"thinking_blocks": [{**THINKING, "thinking": "hm"}]},
    "Google's signature": {"extra_content": {"google": {"thought_signature": "c2ln"}}},
    "a mark of a cache": {"cache_control": {"type": "ephemeral"}},
    "a prefix that is none": {"prefix": False},
    "a count of nothing": {"order": 0},
    "thinking parts": {"content": [THINKING, TEXT]},
    "redacted thoughts": {"content": [{"type": "redacted_thinking", "data": "c2ln"}, TEXT]},
    "a signed text": {"content": [{**TEXT, "thought_signature": "c2ln"}]},
    "references": {"content": [TEXT, {"type": "reference", "reference_ids": [1]}]},
    "a plan": {"tool_plan": "look closer"},
}


@pytest.mark.parametrize("name", KEPT)
def test_what_a_server_added_is_kept_as_it_came(name: str) -> None:
    message = {"role": "assistant", "content": "see", "tool_calls": [{"id": "a"}], **KEPT[name]}
    assert members_to_keep(message, None, None) == KEPT[name]


NOT_KEPT: dict[str, dict[str, Any]] = {
    **{name: {name: ["anything"]} for name in DROPPED},
    "nothing more": {},
    "nulls": {"reasoning_details": None, "refusal": None, "audio": None},
    "empty ones": {
        "reasoning_details": [],
        "provider_specific_fields": {},
        "reasoning_content": "",
    },
    "plain parts": {"content": [TEXT, "so"]},
    "another server's parts": {"content": [{**TEXT, "type": "output_text", "annotations": []}]},
    "parts with sources": {"content": [{**TEXT, "annotations": [{"url": "u"}]}]},
    "a refusal in parts": {"content": [{"type": "refusal", "refusal": "no"}]},
    "a picture": {"content": [TEXT, {"type": "image_url", "image_url": {"url": "data:..."}}]},
}


@pytest.mark.parametrize("name", NOT_KEPT)
def test_what_servers_do_not_take_is_not_kept(name: str) -> None:
    message = {"role": "assistant", "content": "see", **NOT_KEPT[name]}
    assert members_to_keep(message, None, None) == {}


def test_reasoning_under_both_names_is_kept_once_unless_the_texts_differ() -> None:
    both = {"role": "assistant", "content": "see", "reasoning": "hm", "reasoning_content": "hm"}
    assert members_to_keep(both, "hm", "reasoning") == {}
    other = {**both, "reasoning_content": "another"}
    assert members_to_keep(other, "hm", "reasoning") == {"reasoning_content": "another"}
    nested = {"role": "assistant", "content": "see", "reasoning": {"steps": ["hm"]}}
    assert members_to_keep(nested, None, None) == {"reasoning": {"steps": ["hm"]}}


def test_a_picture_beside_thoughts_is_left_out() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    message = {"role": "assistant", "content": [THINKING, picture, TEXT]}
    assert members_to_keep(message, "hm", "parts") == {"content": [THINKING, TEXT]}
