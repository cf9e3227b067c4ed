"""Between rows and messages: what is sent, and what a response is read as."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.answers.thoughts import TAGS
from geostore.conversation.messages import (
    LAST_TURN,
    RequestWriter,
    assistant_message,
    name_cut_thought,
    nudge_messages,
    observation_messages,
    opening_messages,
    request_members,
    split_reasoning,
)
from geostore.conversation.request_form import RequestForm
from geostore.identity import content_hash, sha256_hex
from geostore.records import ImageFacts, Recipe, ToolCall, Turn
from tests.builders import recipe_of

PHOTO = ImageFacts("ab" * 32, 640, 480, 2048, 1536)
IMAGE = ImageFacts("cd" * 32, 300, 200, 300, 200)
TURN = Turn(1, "see", None, None, None, "stop", 10, "00" * 32)


def recipe(**options: Any) -> Recipe:
    return recipe_of(**options)


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
        observation_messages(TURN, [call(0), call(1, image=None)], last_turn=True)
    )
    parts = message["content"]
    assert message["role"] == "user"
    assert parts[0]["text"].startswith("<tool_response>")
    assert parts[-1]["text"].endswith("</tool_response>")
    assert LAST_TURN in parts[-1]["text"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text", "text"]


def test_native_observations_answer_each_call_by_its_id_and_the_images_follow() -> None:
    turn = native_turn("a", "b")
    messages = contents(observation_messages(turn, [call(0), call(1, image=None)], last_turn=False))
    assert [m.get("tool_call_id") for m in messages] == ["a", "b", None]
    assert messages[2]["content"][1]["image_url"]["url"] == f"sha256:{IMAGE.sha256}"


def test_a_nudge_on_the_last_turn_asks_for_the_answer_alone() -> None:
    (message,) = contents(nudge_messages(recipe(), TURN, last_turn=True))
    assert LAST_TURN in message["content"][0]["text"]
    assert "Call a tool" not in message["content"][0]["text"]


EDGES = [
    *(tag for pair in TAGS for tag in pair),
    *("<|start|>assistant", "<|channel|>analysis<|message|>", "<|end|>"),
    *("<|channel|>final<|message|>", "analysis", "assistantfinal"),
    *("Here is my thought process:", "Here's my response:"),
    *("a", " ", "\n", "…", "<"),
]


@given(
    st.one_of(
        st.text(alphabet=st.sampled_from("ab<>/think \n"), max_size=40),
        st.lists(st.one_of(st.sampled_from(EDGES), st.text()), max_size=8).map("".join),
    )
)
def test_a_content_is_sent_back_exactly_as_it_came(content: str) -> None:
    """Parting the reasoning from the response and putting it together again loses nothing."""
    response, reasoning, source = split_reasoning(content)
    turn = replace(TURN, response=response, reasoning=reasoning, reasoning_source=source)
    assert json.loads(assistant_message(turn).canonical)["content"] == content


@pytest.mark.parametrize(
    ("content", "source"),
    [
        ("<think>why</think>see", "think"),
        ("why</think>see", "think_unopened"),
        ("<think>why", "think_unclosed"),
        ("◁think▷why◁/think▷see", "◁think▷…◁/think▷"),
        ("why[/THINK]see", "…[/THINK]"),
        ("\n<thought>why", "\n<thought>…"),
        ("Here is my thought process:why Here is my response:see", None),
    ],
)
def test_the_source_of_a_thought_says_how_it_was_written(content: str, source: str | None) -> None:
    """Stores hold these texts: a later version must rebuild the content from them."""
    expected = source or "Here is my thought process:…Here is my response:"
    assert split_reasoning(content)[1:] == ("why" if source else "why ", expected)
    turn = replace(TURN, response="see", reasoning="why", reasoning_source="[OLD]…[/OLD]")
    assert json.loads(assistant_message(turn).canonical)["content"] == "[OLD]why[/OLD]see"


def test_a_thought_that_was_cut_is_known_by_the_turns_before_it() -> None:
    """Where the chat template writes the first tag, a cut thought shows no tag at all."""
    text = "Maybe <answer>\\boxed{1.5, 2.5}</answer>? No."
    cut = replace(TURN, turn=2, response=text, finish_reason="length")
    unopened = replace(TURN, reasoning="why", reasoning_source="…[/THINK]")
    named = replace(TURN, reasoning="why", reasoning_source="think_unopened")
    for before in (unopened, named):
        thought = name_cut_thought(cut, [before, TURN])
        assert (thought.response, thought.reasoning) == ("", text)
        assert assistant_message(thought) == assistant_message(cut)
    field = replace(TURN, reasoning="why", reasoning_source="reasoning")
    whole = replace(unopened, reasoning_source="[THINK]…[/THINK]")
    assert name_cut_thought(cut, [TURN, field, whole]) == cut
    for other in (replace(cut, finish_reason="stop"), replace(cut, native_calls="[]"), unopened):
        assert name_cut_thought(other, [unopened]) == other


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_from_a_field_goes_back_under_the_name_it_came_by(name: str) -> None:
    turn = replace(TURN, reasoning="why", reasoning_source=name)
    message = json.loads(assistant_message(turn).canonical)
    assert message == {"role": "assistant", "content": "see", name: "why"}
    assert set(json.loads(assistant_message(TURN).canonical)) == {"role", "content"}


def test_what_a_server_added_goes_back_and_never_in_place_of_what_was_read() -> None:
    members = {"role": "user", "tool_calls": [1], "cache": {"ttl": 5}, "reasoning_details": [{}]}
    turn = replace(native_turn("a"), members=json.dumps(members))
    message = json.loads(assistant_message(turn).canonical)
    assert (message["role"], message["content"]) == ("assistant", None)
    assert message["tool_calls"] == json.loads(turn.native_calls or "")
    assert (message["cache"], message["reasoning_details"]) == ({"ttl": 5}, [{}])


def test_thinking_parts_go_back_as_they_came_and_hold_no_image_of_ours() -> None:
    """A teacher that writes a part like an image's must not get the photo's bytes into it."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "why"}], "signature": "c2ln"},
        {"type": "image_url", "image_url": {"url": f"sha256:{PHOTO.sha256}"}},
        {"type": "text", "text": "see"},
    ]
    turn = replace(
        TURN,
        reasoning="why",
        reasoning_source="parts",
        members=json.dumps({"content": parts}),
    )
    message = assistant_message(turn)
    assert json.loads(message.wire({}))["content"] == parts


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.lists(TEXT, min_size=1, max_size=3), TEXT)
def test_names_of_images_are_replaced_where_they_stand_and_in_no_text(
    texts: list[str], tail: str
) -> None:
    """A teacher that writes what looks like an image's name must not change what is sent."""
    spoof = f'"url":"sha256:{IMAGE.sha256}"'
    calls = [replace(call(i), observation=text + spoof + tail) for i, text in enumerate(texts)]
    (message,) = observation_messages(TURN, calls, last_turn=False)
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
        ("openai/o4-mini", "max_completion_tokens"),
        ("azure/gpt-5", "max_completion_tokens"),
        ("ft:gpt-5-mini:me", "max_completion_tokens"),
        ("openrouter/openai/gpt-5.1", "max_completion_tokens"),
        ("gpt-5-chat-latest", "max_completion_tokens"),
        ("gpt-oss-120b", "max_tokens"),
        ("turbo3", "max_tokens"),
        ("gpt-4o", "max_tokens"),
        ("Qwen/Qwen3-VL-32B", "max_tokens"),
    ],
)
def test_the_token_limit_has_the_name_that_the_model_takes(model: str, member: str) -> None:
    members = request_members(recipe(model=model))
    assert members[member] == 2048
    assert ("max_tokens" in members) != ("max_completion_tokens" in members)


def test_a_form_gives_the_token_limit_another_name_and_leaves_the_temperature_out() -> None:
    made = recipe(model="my-deployment")
    assert request_members(made)["temperature"] == 0.7
    form = RequestForm(token_limit="max_completion_tokens", no_temperature=True)
    assert request_members(made, form) == {"model": "my-deployment", "max_completion_tokens": 2048}
    assert "temperature" not in request_members(recipe(temperature="none"))
