"""Between rows and messages: what is sent, and what a response is read as."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.answers.thoughts import TAGS
from geostore.conversation.machine import Run
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
    written_calls,
)
from geostore.conversation.toolbench import ToolBench
from geostore.identity import content_hash, sha256_hex
from geostore.records import ImageFacts, Recipe, ToolCall, Turn
from tests.builders import recipe_of
from tests.conftest import photo_bytes
from tests.minds import ZOOM

PHOTO = ImageFacts("ab" * 32, 640, 480, 2048, 1536)
PHOTO_BYTES = photo_bytes(1, size=(2048, 1536))
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
        ("gpt-4o", "max_tokens"),
        ("Qwen/Qwen3-VL-32B", "max_tokens"),
    ],
)
def test_the_token_limit_has_the_name_that_the_model_takes(model: str, member: str) -> None:
    assert request_members(recipe(model=model))[member] == 2048


PROTOCOLS = pytest.mark.parametrize("protocol", ["text", "native"])


def as_called(protocol: str, arguments: str, *, name: str = "z", **fields: Any) -> Turn:
    """A turn that calls in a protocol, with these arguments as they stand."""
    if protocol == "text":
        said = f'<tool_call>{{"name": "{name}", "arguments": {arguments}}}</tool_call>'
        return replace(TURN, response=said, **fields)
    function = {"name": name, "arguments": arguments}
    calls = [{"id": "c", "type": "function", "function": function}]
    return replace(TURN, response="", native_calls=json.dumps(calls), **fields)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ('<tool_call>{"name": "z", "arguments": {"a": 1}}</tool_call>', [("z", '{"a": 1}')]),
        ('<tool_call>{"name": "z", "arguments": "{}"}</tool_call>', [("z", "{}")]),
        ('<tool_call>{"name": "z", "parameters": {}}</tool_call>', [("z", "{}")]),
        ("<tool_call>broken</tool_call>", [("", "broken")]),
        ('<tool_call>["z"]</tool_call>', [("", '["z"]')]),
        ('<tool_call>{"name": 7}</tool_call>', [("", '{"name": 7}')]),
        ('x<tool_call>{"name": "z"}', [("z", "{}")]),
        ('<tool_call>{"name": "y"}<tool_call>{"name": "z"}', [("y", "{}"), ("z", "{}")]),
        (
            '<tool_call>{"name": "y"}</tool_call> and <tool_call>{"name": "z"}</tool_call>',
            [("y", "{}"), ("z", "{}")],
        ),
        ("<think><tool_call>{}</tool_call></think>no", []),
        ("<think>a</think>b<think><tool_call>{}</tool_call></think>no", []),
        ("<tool_call>{}</tool_call></think>no", []),
        ("<think><tool_call>{}</tool_call>", []),
        ("◁think▷<tool_call>{}</tool_call>◁/think▷no", []),
        ("a[THINK]<tool_call>{}</tool_call>[/THINK]no", []),
        ("<thinking><tool_call>{}</tool_call>", []),
        (
            '<think><tool_call>{"name": "y"}</tool_call></think><tool_call>{"name": "z"}'
            "</tool_call>",
            [("z", "{}")],
        ),
        ("no call", []),
    ],
)
@PROTOCOLS
def test_calls_are_read_from_the_text(
    protocol: str, response: str, expected: list[tuple[str, str]]
) -> None:
    """In the native protocol too: some servers leave in the text what they were asked for."""
    found = written_calls(recipe(protocol=protocol), replace(TURN, response=response))
    assert [(c.name, c.raw_arguments) for c in found] == expected


@PROTOCOLS
def test_calls_of_the_api_are_read_whatever_the_recipe_asked_for(protocol: str) -> None:
    """And then the text beside them is text: a server that read calls out of it left the rest."""
    turn = replace(native_turn("a", "b"), response='<tool_call>{"name": "y"}</tool_call>')
    found = written_calls(recipe(protocol=protocol), turn)
    assert [(c.name, c.raw_arguments) for c in found] == [("n", "{}")] * 2
    (first, second) = contents(
        observation_messages(turn, [call(0, image=None)] * 2, last_turn=False)
    )
    assert (first["role"], second["role"]) == ("tool", "tool")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ({"name": "z", "arguments": '{"a": 1}'}, ("z", '{"a": 1}')),
        ({"name": "z", "arguments": {"a": 1}}, ("z", '{"a":1}')),
        ({"name": "z", "arguments": None}, ("z", "{}")),
        ({"name": "z"}, ("z", "{}")),
        ({"name": None, "arguments": "{}"}, ("", "{}")),
        ({"arguments": '{"a": 1}'}, ("", '{"a": 1}')),
        ("z", ("", '{"function":"z","id":"a"}')),
        (None, ("", '{"function":null,"id":"a"}')),
    ],
)
def test_native_calls_are_read_in_whatever_form_they_come(
    function: object, expected: tuple[str, str]
) -> None:
    turn = replace(TURN, response="", native_calls=json.dumps([{"id": "a", "function": function}]))
    (found,) = written_calls(recipe(protocol="native"), turn)
    assert (found.name, found.raw_arguments) == expected


REPAIRS = [
    ('{"bbox_2d": [100, 200, 500, 500,],}', True),
    ("{'bbox_2d': [100, 200, 500, 500]}", True),
    ('{"bbox_2d": [100, 200, 500, 500], "label": None}', True),
    ('{"bbox_2d": [100, 200, 500, 500]}', False),
]


@pytest.mark.parametrize(("arguments", "repaired"), REPAIRS)
@PROTOCOLS
def test_almost_json_runs_and_is_flagged_in_either_protocol(
    protocol: str, arguments: str, repaired: bool
) -> None:
    made = run_call(protocol, as_called(protocol, arguments, name=ZOOM))
    assert made.success
    assert ("repaired" in made.flags) == repaired
    assert made.arguments is not None
    assert json.loads(made.arguments)["bbox_2d"] == [100, 200, 500, 500]


@PROTOCOLS
def test_a_code_fence_around_a_call_or_its_arguments_is_repaired(protocol: str) -> None:
    inner = '{"bbox_2d": [100, 200, 500, 500]}'
    turn = (
        replace(
            TURN,
            response=f'<tool_call>```json\n{{"name": "{ZOOM}", "arguments": {inner}}}\n```'
            "</tool_call>",
        )
        if protocol == "text"
        else as_called(protocol, f"```json\n{inner}\n```", name=ZOOM)
    )
    made = run_call(protocol, turn)
    assert (made.success, "repaired" in made.flags) == (True, True)


@pytest.mark.parametrize(
    "arguments",
    [
        '{"bbox_2d": [1, 2, 3, 4]',
        '{"bbox_2d": [1, 2, 3, 4], "bbox_2d": [5, 6, 7, 8]}',
        "{'label': 'Joe's bar'}",
        "{bbox_2d: [1, 2, 3, 4]}",
    ],
)
@PROTOCOLS
def test_what_has_two_readings_or_none_is_answered_with_a_sentence(
    protocol: str, arguments: str
) -> None:
    made = run_call(protocol, as_called(protocol, arguments, name=ZOOM))
    assert made.error_kind == ("malformed_call" if protocol == "text" else "malformed_json")
    assert made.observation is not None
    assert made.observation.endswith(".")


@PROTOCOLS
def test_a_repair_is_flagged_even_where_the_call_is_bad_besides(protocol: str) -> None:
    made = run_call(protocol, as_called(protocol, "{'bbox_2d': [5, 5, 2, 2]}", name=ZOOM))
    assert (made.error_kind, made.flags) == ("bbox_empty", ("repaired",))


def run_call(protocol: str, turn: Turn) -> ToolCall:
    """What comes of the one call in a turn."""
    made = recipe(protocol=protocol)
    (written,) = written_calls(made, turn)
    step = Run(1, 0, written, False, (PHOTO,), 0, ())
    return ToolBench().run(step, made, PHOTO_BYTES)[0]


@PROTOCOLS
def test_half_a_call_at_the_token_limit_is_no_call_to_be_sent_back(protocol: str) -> None:
    """A server refuses a call that has no result, or whose arguments are cut."""
    turn = as_called(protocol, '{"bbox_2d": [1, 2', finish_reason="length")
    message = json.loads(assistant_message(turn).canonical)
    assert "tool_calls" not in message
    assert message["content"] == turn.response
    if protocol == "text":
        cut = replace(turn, response=turn.response.removesuffix("}</tool_call>"))
        assert written_calls(recipe(), cut) == ()


@pytest.mark.parametrize(
    ("body", "repaired"),
    [
        ("{'name': 'z',}", True),
        ('{"name": "z", "parameters": {}}', True),
        ('{"name": "z", "arguments": "{}"}', True),
        ('{"name": "z"}', False),
    ],
)
def test_a_call_that_had_to_be_repaired_says_so(body: str, repaired: bool) -> None:
    turn = replace(TURN, response=f"<tool_call>{body}</tool_call>")
    (found,) = written_calls(recipe(), turn)
    assert (found.name, found.repaired) == ("z", repaired)


@PROTOCOLS
def test_without_tools_nothing_is_a_call(protocol: str) -> None:
    assert written_calls(recipe(tools=False), as_called(protocol, "{}")) == ()


@given(st.text(), st.sampled_from(["text", "native"]))
def test_no_response_makes_reading_calls_raise(response: str, protocol: str) -> None:
    written_calls(recipe(protocol=protocol), replace(TURN, response=response))
