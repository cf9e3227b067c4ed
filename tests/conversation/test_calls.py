"""Which calls a response holds, in whatever form a model writes them, and which it mentions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.conversation.call_objects import WrittenCall
from geostore.conversation.calls import written_calls
from geostore.conversation.machine import Run
from geostore.conversation.messages import assistant_message
from geostore.conversation.toolbench import ToolBench
from geostore.records import ImageFacts, Recipe, ToolCall, Turn
from tests.builders import recipe_of
from tests.call_forms import ARGUMENTS, BOX, CALL, CODER, IN_TAGS, WITHOUT_TAGS, in_tags
from tests.conftest import photo_bytes
from tests.minds import ROTATE, ZOOM, answer

PHOTO = ImageFacts("ab" * 32, 640, 480, 2048, 1536)
PHOTO_BYTES = photo_bytes(1, size=(2048, 1536))
TURN = Turn(1, "see", None, None, None, "stop", 10, "00" * 32)


def recipe(**options: Any) -> Recipe:
    return recipe_of(**options)


def native_turn(*ids: str) -> Turn:
    function = {"name": "n", "arguments": "{}"}
    calls = [{"id": i, "type": "function", "function": function} for i in ids]
    return replace(TURN, response="", native_calls=json.dumps(calls))


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


# --- the forms of the model families -------------------------------------------------------------


def ran(response: str, *, protocol: str = "text", **fields: Any) -> list[ToolCall]:
    """The rows of the calls in a response."""
    made = recipe(protocol=protocol, bbox_frame="norm1000")
    calls = written_calls(made, replace(TURN, response=response, **fields))
    return [
        ToolBench().run(Run(1, number, call, False, (PHOTO,), 0, ()), made, PHOTO_BYTES)[0]
        for number, call in enumerate(calls)
    ]


def boxes(calls: list[ToolCall]) -> list[Any]:
    return [json.loads(call.arguments)["bbox_2d"] if call.arguments else None for call in calls]


ZOOMED = [[100, 200, 600, 700]]
FORMS = [pytest.param(in_tags(body), id=name) for name, body in IN_TAGS.items()]
BARE = [pytest.param(response, id=name) for name, response in WITHOUT_TAGS.items()]


@pytest.mark.parametrize("response", FORMS + BARE)
@PROTOCOLS
def test_a_zoom_in_any_known_form_runs_and_is_flagged(protocol: str, response: str) -> None:
    calls = ran(response, protocol=protocol)
    assert boxes(calls) == ZOOMED
    assert [(call.name, call.flags) for call in calls] == [(ZOOM, ("repaired",))]


def test_a_zoom_in_the_protocol_s_own_form_is_not_flagged() -> None:
    (call,) = ran(in_tags(CALL))
    assert (call.success, call.flags) == (True, ())


def test_an_opening_tag_where_the_closing_one_should_be_is_no_second_call() -> None:
    assert boxes(ran(f"<tool_call>\n{CALL}\n<tool_call>")) == ZOOMED
    (alone,) = ran("<tool_call>\n")
    assert alone.error_kind == "malformed_call"


@pytest.mark.parametrize("response", FORMS + BARE)
def test_a_call_of_any_form_inside_thoughts_is_none(response: str) -> None:
    assert ran(f"<think>{response}</think>Let me see.") == []
    assert ran(f"[THINK]{response}[/THINK]Let me see.") == []
    analysis = f"<|channel|>analysis<|message|>{response}<|end|>"
    assert ran(f"{analysis}<|start|>assistant<|channel|>final<|message|>Let me see.") == []


@pytest.mark.parametrize("response", FORMS + BARE)
def test_half_a_call_of_any_form_does_not_run(response: str) -> None:
    """Whatever the server gives as the reason, and wherever before the end of the box it ends."""
    made = recipe(bbox_frame="norm1000")
    for end in range(1, max(response.find("700"), response.find("７００"))):
        half = replace(TURN, response=response[:end])
        assert written_calls(made, replace(half, finish_reason="length")) == ()
        for call in written_calls(made, half):
            row, _ = ToolBench().run(step_of(call), made, PHOTO_BYTES)
            assert not row.success, response[:end]


def step_of(call: WrittenCall) -> Run:
    return Run(1, 0, call, False, (PHOTO,), 0, ())


@pytest.mark.parametrize("response", BARE)
def test_at_the_token_limit_a_call_without_tags_is_none(response: str) -> None:
    assert ran(response, finish_reason="length") == []


SECOND = CALL.replace(BOX, "[0, 0, 300, 400]")
TWO = {
    "a list": in_tags(f"[{CALL}, {SECOND}]"),
    "two objects in one pair of tags": in_tags(f"{CALL}\n{SECOND}"),
    "two blocks in one pair of tags": in_tags(CODER + CODER.replace(BOX, "[0, 0, 300, 400]")),
    "two blocks without tags": CODER + "\n" + CODER.replace(BOX, "[0, 0, 300, 400]"),
    "a bare list": f"[{CALL}, {SECOND}]",
    "two lines": f"{CALL}\n{SECOND}",
    "semicolons": f"<|python_tag|>{CALL}; {SECOND}",
    "a list of Python calls": f"[{ZOOM}(bbox_2d={BOX}), {ZOOM}(bbox_2d=[0, 0, 300, 400])]",
    "sections": f"<|tool_call_begin|>functions.{ZOOM}:0<|tool_call_argument_begin|>{ARGUMENTS}"
    f"<|tool_call_end|><|tool_call_begin|>functions.{ZOOM}:1<|tool_call_argument_begin|>"
    '{"bbox_2d": [0, 0, 300, 400]}<|tool_call_end|>',
    "Gemma 4": f"<|tool_call>call:{ZOOM}{{bbox_2d:{BOX}}}<tool_call|>"
    f"<|tool_call>call:{ZOOM}{{bbox_2d:[0,0,300,400]}}<tool_call|>",
    "Kimi K3": "".join(
        f'<|open|>call tool="{ZOOM}" index="{number}"<|sep|><|open|>argument key="bbox_2d" '
        f'type="array"<|sep|>{box}<|close|>argument<|sep|><|close|>call<|sep|>'
        for number, box in enumerate((BOX, "[0, 0, 300, 400]"), start=1)
    ),
    "a list in a member": in_tags(f'{{"tool_calls": [{CALL}, {SECOND}]}}'),
}


@pytest.mark.parametrize("response", TWO.values(), ids=TWO.keys())
def test_several_calls_in_one_place_are_several_calls_in_order(response: str) -> None:
    assert boxes(ran(response)) == [*ZOOMED, [0, 0, 300, 400]]


UNREADABLE = {
    "cut object": CALL[:-5],
    "cut object after a sentence": f"Let me look.\n{CALL[:-2]}",
    "cut list": f"[{CALL}, {SECOND[:-9]}",
    "cut Python call": f"{ZOOM}(bbox_2d={BOX}",
    "Python call by position": f"{ZOOM}(100, 200, 600, 700)",
    "cut Mistral": f"[TOOL_CALLS]{ZOOM}{ARGUMENTS[:-3]}",
    "cut Kimi": f"<|tool_calls_section_begin|><|tool_call_begin|>functions.{ZOOM}:0",
    "cut block": CODER.partition("</parameter>")[0],
    "cut Gemma 4": f"<|tool_call>call:{ZOOM}{{bbox_2d:[100, 200, 600",
    "cut Gemma 4 without tokens": f"call:{ZOOM}{{bbox_2d:[100, 200, 600",
    "cut Kimi K3": f'<|open|>tools<|sep|><|open|>call tool="{ZOOM}" index="1"<|sep|>'
    '<|open|>argument key="bbox_2d" type="array"<|sep|>[100, 200',
    "Kimi K3 with words in the call": f'<|open|>call tool="{ZOOM}" index="1"<|sep|>the sign'
    "<|close|>call<|sep|>",
    "FunctionGemma": f"<start_function_call>call:{ZOOM}{{bbox_2d:{BOX}}}<end_function_call>",
    "names without quotes": f"{ZOOM}({{bbox_2d: {BOX}}})",
    "empty section": "<tool_calls>\n</tool_calls>",
    "empty tags as entities": "&lt;tool_call&gt;zoom&lt;/tool_call&gt;",
    "words in tags with a hyphen": "<tool-call>zoom into the sign</tool-call>",
    "two values": CODER.replace("</function>", CODER.partition("\n")[2].replace("100", "200")),
}


@pytest.mark.parametrize("response", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_begins_as_a_call_and_cannot_be_read_is_answered_with_how_to_write_it(
    response: str,
) -> None:
    (call,) = ran(response)
    assert (call.success, call.error_kind) == (False, "malformed_call")
    assert "<tool_call>" in (call.observation or "")
    assert "it cannot be read" in (call.observation or "")


def test_a_call_is_run_and_the_broken_one_behind_it_gets_its_sentence() -> None:
    for response in (in_tags(f"{CALL}\n{SECOND[:-4]}"), f"{CALL}\n{SECOND[:-4]}"):
        first, second = ran(response)
        assert (first.success, second.error_kind) == (True, "malformed_call")


def test_a_form_of_another_family_with_an_unknown_tool_is_told_which_tools_there_are() -> None:
    (call,) = ran(CODER.replace(ZOOM, "crop"))
    assert (call.name, call.error_kind) == ("crop", "unknown_tool")


MENTIONS = [
    f"I could write call:{ZOOM}{{bbox_2d:{BOX}}} to see more of it.",
    "Let me call: the sign {left} is in Thai.",
    f"I could write {CALL} to see more of it.",
    f"The tool {ZOOM} would help, as would {ROTATE}.",
    f"I would use {ZOOM}(bbox_2d={BOX}) if it were dark.",
    f"`{ZOOM}` cuts from the full-resolution photo.",
    '{"name": "Paris", "country": "France"}',
    '{"city": "Rome", "confidence": 0.7}',
    '```json\n{"clues": ["palm", "red soil"]}\n```',
    '{"name": <function name>, "arguments": <object with the arguments>}',
    json.dumps(
        {
            "type": "function",
            "function": {
                "name": ZOOM,
                "description": "Zoom in.",
                "parameters": {"type": "object", "properties": {"bbox_2d": {}}},
            },
        }
    ),
    "[note: the sign (left) is in Thai] {unreadable}",
    "The function f(x) = [1, 2] is of no use here.",
]


@pytest.mark.parametrize("response", MENTIONS)
def test_a_call_or_json_that_is_only_mentioned_is_none(response: str) -> None:
    assert ran(response) == []


@pytest.mark.parametrize("response", BARE)
@pytest.mark.parametrize(
    "said", [answer(48.1, 11.5), '{"lat": 48.1, "lon": 11.5}', "48.1234° N, 11.5678° E"]
)
def test_without_tags_an_answer_beside_a_call_stands_as_it_always_did(
    response: str, said: str
) -> None:
    assert ran(f"{response}\n{said}") == []
    assert ran(f"{said}\n{response}") == []


def test_an_answer_as_json_is_no_call() -> None:
    assert ran('{"lat": 48.1, "lon": 11.5}') == []
    assert ran('```json\n{"latitude": 48.1, "longitude": 11.5, "name": "Munich"}\n```') == []


def test_text_parameters_are_text_whatever_they_look_like() -> None:
    label = '<parameter=label>\n12 "a" < b\n</parameter>\n</function>'
    (call,) = ran(in_tags(CODER.replace("</function>", label)))
    assert json.loads(call.arguments or "")["label"] == '12 "a" < b'


def test_in_a_frame_with_y_first_named_sides_are_put_in_its_order() -> None:
    made = recipe(bbox_frame="norm1000_yx")
    turn = replace(TURN, response=in_tags(IN_TAGS["sides by name"]))
    (call,) = written_calls(made, turn)
    row, _ = ToolBench().run(step_of(call), made, PHOTO_BYTES)
    assert boxes([row]) == [[200, 100, 700, 600]]


@pytest.mark.parametrize(
    ("function", "flags"),
    [
        ({"name": ZOOM, "arguments": ARGUMENTS}, ()),
        ({"name": ZOOM, "arguments": json.loads(ARGUMENTS)}, ()),
        ({"name": ZOOM, "arguments": json.dumps(ARGUMENTS)}, ("repaired",)),
        ({"name": ZOOM, "arguments": ARGUMENTS + "}"}, ("repaired",)),
        ({"name": ZOOM, "arguments": ARGUMENTS.replace(BOX, f"[{BOX}]")}, ("repaired",)),
        ({"name": f"functions.{ZOOM}", "arguments": ARGUMENTS}, ("repaired",)),
        ({"name": f"{ZOOM}<|channel|>commentary", "arguments": ARGUMENTS}, ("repaired",)),
        ({"name": f" {ZOOM} ", "arguments": ARGUMENTS}, ("repaired",)),
        ({"name": ZOOM, "arguments": [json.loads(ARGUMENTS)]}, ("repaired",)),
        ({"name": ZOOM, "arguments": f"```json\n{ARGUMENTS}\n```"}, ("repaired",)),
        ({"name": ZOOM, "parameters": json.loads(ARGUMENTS)}, ("repaired",)),
        ({"name": ZOOM, "input": ARGUMENTS}, ("repaired",)),
    ],
)
def test_a_native_zoom_in_any_form_runs(function: dict[str, Any], flags: tuple[str, ...]) -> None:
    calls = [{"id": "a", "type": "function", "function": function}]
    (row,) = ran("", protocol="native", native_calls=json.dumps(calls))
    assert (row.name, row.flags, boxes([row])) == (ZOOM, flags, ZOOMED)


@pytest.mark.parametrize(
    ("arguments", "error_kind"),
    [
        (None, "missing_argument"),
        ("", "missing_argument"),
        ([], "missing_argument"),
        ("null", "arguments_not_object"),
        ([100, 200, 600, 700], "arguments_not_object"),
        (5, "arguments_not_object"),
        (True, "arguments_not_object"),
        ("{", "malformed_json"),
        (ARGUMENTS + ARGUMENTS, "malformed_json"),
        (in_tags(CALL), "malformed_json"),
    ],
)
def test_a_native_call_whose_arguments_are_none_is_answered_with_a_sentence(
    arguments: object, error_kind: str
) -> None:
    calls = [{"id": "a", "type": "function", "function": {"name": ZOOM, "arguments": arguments}}]
    (row,) = ran("", protocol="native", native_calls=json.dumps(calls))
    assert row.error_kind == error_kind
    assert (row.observation or "").endswith(".")


def test_a_native_call_without_its_member_function_runs() -> None:
    calls = [{"id": "a", "type": "tool_use", "name": ZOOM, "input": json.loads(ARGUMENTS)}]
    (row,) = ran("", protocol="native", native_calls=json.dumps(calls))
    assert (row.flags, boxes([row])) == (("repaired",), ZOOMED)


@given(st.lists(st.sampled_from([*WITHOUT_TAGS.values(), *MENTIONS, "{", "[", '"', "<tool_call>"])))
def test_no_mixture_of_forms_makes_reading_calls_raise(parts: list[str]) -> None:
    written_calls(recipe(), replace(TURN, response="".join(parts)))


@pytest.mark.parametrize(
    "unit",
    [
        "{",
        "[",
        '"',
        "'",
        '\\"',
        f"{ZOOM}(",
        f"{ZOOM}<arg_key>",
        "<function=a>",
        "<|",
        "a",
        "{[(",
        f"<{ZOOM}>",
        "<parameter=a>",
        f'\n{{"{ZOOM}"',
        "\n{}",
        f"{ZOOM}:",
        "<｜",
        ":",
        "`",
        "\ncall:a{",
        "<|tool_call>call:a{b:",
        '<|"|>',
        "a:",
        ":a",
        '<|open|>call tool="a"<|sep|>',
        '<|open|>argument key="a"<|sep|>',
        "<|close|>call<|sep|>",
    ],
)
@pytest.mark.parametrize(
    "head",
    ["", ZOOM, f"<tool_call><function={ZOOM}>", f"<{ZOOM}>", "call:a{", "<|tool_call>call:a{b:"],
)
def test_hostile_text_is_read_in_little_time(head: str, unit: str) -> None:
    """As long as a response can be; a reader that went back over it would not return."""
    written_calls(recipe(), replace(TURN, response=head + unit * 5_000))
