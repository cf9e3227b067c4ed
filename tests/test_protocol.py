"""Between rows and messages: what is sent, and what a response is read as."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.identity import content_hash, sha256_hex
from geostore.protocol import (
    LAST_TURN,
    RequestWriter,
    assistant_message,
    nudge_messages,
    observation_messages,
    opening_messages,
    request_members,
    split_reasoning,
    written_calls,
)
from geostore.recipe import make_recipe
from geostore.records import ImageFacts, Recipe, ToolCall, Turn

PHOTO = ImageFacts("ab" * 32, 640, 480, 2048, 1536)
IMAGE = ImageFacts("cd" * 32, 300, 200, 300, 200)
TURN = Turn(1, "see", None, None, None, "stop", 10, "00" * 32)


def recipe(**options: Any) -> Recipe:
    return make_recipe(**{"model": "test", **options})


def call(index: int = 0, *, image: ImageFacts | None = IMAGE) -> ToolCall:
    return ToolCall(
        turn=1,
        call_index=index,
        name="image_zoom_in_tool",
        raw_arguments="{}",
        arguments="{}" if image else None,
        source_index=0,
        box=None,
        angle=None,
        success=image is not None,
        error_kind=None if image else "bbox_invalid",
        flags=(),
        observation=f"Sentence {index}.",
        image=image,
        image_index=index + 1 if image else None,
    )


def native_turn(*ids: str) -> Turn:
    function = {"name": "n", "arguments": "{}"}
    calls = [{"id": i, "type": "function", "function": function} for i in ids]
    return replace(TURN, response="", native_calls=json.dumps(calls))


def contents(messages: list[Any]) -> list[Any]:
    return [json.loads(message.canonical) for message in messages]


def test_the_opening_tells_the_size_as_sent_and_shows_the_photo_first() -> None:
    system, user = contents(opening_messages(recipe(), PHOTO, last_turn=False))
    assert "<tools>" in system["content"]
    assert user["content"][0]["image_url"]["url"] == f"sha256:{PHOTO.sha256}"
    assert "640 x 480 pixels" in user["content"][1]["text"]
    assert LAST_TURN not in user["content"][1]["text"]


def test_a_single_turn_is_told_to_be_the_last_where_there_are_tools() -> None:
    with_tools = contents(opening_messages(recipe(), PHOTO, last_turn=True))
    without = contents(opening_messages(recipe(tools=False), PHOTO, last_turn=True))
    assert LAST_TURN in with_tools[1]["content"][1]["text"]
    assert LAST_TURN not in without[1]["content"][1]["text"]
    assert "<tools>" not in without[0]["content"]


def test_native_tools_stand_in_the_request_and_not_in_the_prompt() -> None:
    native = recipe(protocol="native")
    assert [t["function"]["name"] for t in request_members(native)["tools"]]
    assert "<tools>" not in native.system_prompt
    assert "tools" not in request_members(recipe(protocol="text"))


def test_observations_of_the_text_protocol_are_one_user_turn_wrapped_in_its_tags() -> None:
    (message,) = contents(
        observation_messages(recipe(), TURN, [call(0), call(1, image=None)], last_turn=True)
    )
    parts = message["content"]
    assert message["role"] == "user"
    assert parts[0]["text"].startswith("<tool_response>")
    assert parts[-1]["text"].endswith("</tool_response>")
    assert LAST_TURN in parts[-1]["text"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text", "text"]


def test_native_observations_answer_each_call_by_its_id_and_the_images_follow() -> None:
    turn = native_turn("a", "b")
    messages = contents(
        observation_messages(
            recipe(protocol="native"), turn, [call(0), call(1, image=None)], last_turn=False
        )
    )
    assert [m.get("tool_call_id") for m in messages] == ["a", "b", None]
    assert messages[2]["content"][1]["image_url"]["url"] == f"sha256:{IMAGE.sha256}"


def test_a_nudge_on_the_last_turn_asks_for_the_answer_alone() -> None:
    (message,) = contents(nudge_messages(recipe(), TURN, last_turn=True))
    assert LAST_TURN in message["content"][0]["text"]
    assert "Call a tool" not in message["content"][0]["text"]


@given(st.text(alphabet=st.sampled_from("ab<>/think \n"), max_size=40))
def test_a_content_is_sent_back_exactly_as_it_came(content: str) -> None:
    """Parting the reasoning from the response and putting it together again loses nothing."""
    response, reasoning, source = split_reasoning(content)
    turn = replace(TURN, response=response, reasoning=reasoning, reasoning_source=source)
    assert json.loads(assistant_message(turn).canonical)["content"] == content


def test_reasoning_from_a_field_goes_back_under_both_names() -> None:
    turn = replace(TURN, reasoning="why", reasoning_source="reasoning")
    message = json.loads(assistant_message(turn).canonical)
    assert message["reasoning"] == message["reasoning_content"] == "why"
    assert message["content"] == "see"
    assert "reasoning" not in json.loads(assistant_message(TURN).canonical)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.lists(TEXT, min_size=1, max_size=3), TEXT)
def test_names_of_images_are_replaced_where_they_stand_and_in_no_text(
    texts: list[str], tail: str
) -> None:
    """A teacher that writes what looks like an image's name must not change what is sent."""
    spoof = f'"url":"sha256:{IMAGE.sha256}"'
    calls = [replace(call(i), observation=text + spoof + tail) for i, text in enumerate(texts)]
    (message,) = observation_messages(recipe(), TURN, calls, last_turn=False)
    sent = json.loads(message.wire({IMAGE.sha256: b"data:image/jpeg;base64,AAAA"}))
    urls = [part["image_url"]["url"] for part in sent["content"] if part["type"] == "image_url"]
    said = [part["text"] for part in sent["content"] if part["type"] == "text"]
    assert urls == ["data:image/jpeg;base64,AAAA"] * len(texts)
    assert sum(spoof in text for text in said) == len(texts)


@given(st.dictionaries(st.sampled_from(["a_first", "top_p", "zz_last"]), st.integers(0, 9)))
def test_the_hash_is_of_the_canonical_request_whatever_further_members_it_has(
    extra: dict[str, int],
) -> None:
    made = recipe(protocol="native", extra_body=extra, seed=7)
    messages = opening_messages(made, PHOTO, last_turn=False)
    writer = RequestWriter(made)
    body = json.loads(writer.body([m.canonical for m in messages]))
    assert body == {**request_members(made), "messages": contents(messages)}
    assert writer.hash(messages) == content_hash(body)
    assert writer.hash(messages) != sha256_hex(b"")


@pytest.mark.parametrize(
    ("model", "member"),
    [
        ("gpt-5-mini", "max_completion_tokens"),
        ("o3", "max_completion_tokens"),
        ("gpt-4o", "max_tokens"),
        ("Qwen/Qwen3-VL-32B", "max_tokens"),
    ],
)
def test_the_token_limit_has_the_name_that_the_model_takes(model: str, member: str) -> None:
    assert request_members(recipe(model=model))[member] == 2048


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ('<tool_call>{"name": "z", "arguments": {"a": 1}}</tool_call>', [("z", '{"a": 1}')]),
        ('<tool_call>{"name": "z", "arguments": "{}"}</tool_call>', [("z", "{}")]),
        ('<tool_call>{"name": "z", "parameters": {}}</tool_call>', [("z", "{}")]),
        ("<tool_call>broken</tool_call>", [("", "broken")]),
        ('<tool_call>["z"]</tool_call>', [("", '["z"]')]),
        ('x<tool_call>{"name": "z"}', [("z", "{}")]),
        ('<tool_call>{"name": "y"}<tool_call>{"name": "z"}', [("y", "{}"), ("z", "{}")]),
        ("<think><tool_call>{}</tool_call></think>no", []),
        ("no call", []),
    ],
)
def test_calls_are_read_from_the_text(response: str, expected: list[tuple[str, str]]) -> None:
    found = written_calls(recipe(), replace(TURN, response=response))
    assert [(c.name, c.raw_arguments) for c in found] == expected


def test_a_call_that_had_to_be_repaired_says_so() -> None:
    (found,) = written_calls(
        recipe(), replace(TURN, response="<tool_call>{'name': 'z',}</tool_call>")
    )
    assert (found.name, found.repaired) == ("z", True)


def test_without_tools_nothing_is_a_call() -> None:
    turn = replace(TURN, response='<tool_call>{"name": "z"}</tool_call>')
    assert written_calls(recipe(tools=False), turn) == ()


@given(st.text())
def test_no_response_makes_reading_calls_raise(response: str) -> None:
    written_calls(recipe(), replace(TURN, response=response))
