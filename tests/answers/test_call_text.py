"""What a tool is asked is no answer, whatever the form of the call; an answer by a call is one."""

import json

import pytest

from geostore.answers import has_answer, parse_answer

PLACE = '{"lat": 48.8566, "lon": 2.3522}'
WRITTEN = json.dumps(PLACE)

CALLS = [
    '<tool_call>{"name": "NAME", "arguments": {"lat": 48.8566, "lon": 2.3522}}</tool_call>',
    '<tool_call>{"name": "NAME", "arguments": {"lat": 48.8566, "lon": 2.3522}}',
    '<tool_call>\n{"name": "NAME", "arguments": {"note": "}", "lat": 48.8566, "lon": 2.3522',
    '{"name": "NAME", "arguments": {"lat": 48.8566, "lon": 2.3522}}',
    '{"arguments": {"lat": 48.8566, "lon": 2.3522}, "name": "NAME"}',
    '```json\n{"tool": "NAME", "parameters": {"lat": 48.8566, "note": "}", "lon": 2.3522}}\n```',
    f'{{"name": "NAME", "arguments": {WRITTEN}}}',
    f'{{"tool_calls": [{{"function": {{"name": "NAME", "arguments": {WRITTEN}}}, "id": "1"}}]}}',
    f"Action: NAME\nAction Input: {PLACE}",
    f"<tool>NAME</tool><args>{PLACE}</args>",
    f"<tool_name>NAME</tool_name>\n<arguments>{PLACE}</arguments>",
    "<function=NAME><parameter=lat>48.8566</parameter><parameter=lon>2.3522</parameter></function>",
    '<function_calls><invoke name="NAME"><parameter name="query">lat: 48.8566, lon: 2.3522'
    "</parameter></invoke></function_calls>",
    "<tool_call>NAME\n<arg_key>at</arg_key><arg_value>(48.8566, 2.3522)</arg_value>"
    "<arg_key>by</arg_key><arg_value>[48.8566, 2.3522]</arg_value></tool_call>",
    f"[TOOL_CALLS]NAME{PLACE}",
    f"[TOOL_CALLS]NAME{PLACE}NAME{PLACE}",
    f'functools[{{"name": "NAME", "arguments": {PLACE}}}]',
    f"<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{PLACE}<|call|>",
    f"<|tool_calls_section_begin|><|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>"
    f"{PLACE}<|tool_call_end|><|tool_calls_section_end|>",
    f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME\n```json\n{PLACE}\n```"
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "<|python_tag|>NAME.call(latitude=48.8566, longitude=2.3522)",
]


@pytest.mark.parametrize("call", CALLS)
def test_the_arguments_of_a_call_are_a_question(call: str) -> None:
    call = call.replace("NAME", "map_search")
    for response in (call, f"Let me look at the map.\n{call}"):
        assert parse_answer(response).failure == "no_coordinates"
        assert not has_answer(response)
    answer = parse_answer(f"Probably Lyon (45.7640, 4.8357). Let me compare the squares.\n{call}")
    assert (answer.lat, answer.lon) == (45.764, 4.8357)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("answer", ["<answer>45.764, 4.8357</answer>", r"\boxed{45.764, 4.8357}"])
def test_an_answer_behind_a_call_counts(call: str, answer: str) -> None:
    read = parse_answer(f"{call.replace('NAME', 'map')}\nIt is here: {answer}")
    assert (read.lat, read.lon) == (45.764, 4.8357)


@pytest.mark.parametrize("call", [call for call in CALLS if call.rstrip("`\n").endswith("}")])
def test_words_behind_a_call_count(call: str) -> None:
    read = parse_answer(f"{call.replace('NAME', 'map')}\nLatitude: 45.764\nLongitude: 4.8357")
    assert (read.lat, read.lon) == (45.764, 4.8357)


@pytest.mark.parametrize("name", ["final_answer", "submit", "answer", "submitAnswer", "finish"])
@pytest.mark.parametrize(
    "call",
    [
        '<tool_call>{"name": "NAME", "arguments": {"lat": 48.8566, "lon": 2.3522}}</tool_call>',
        '{"name": "NAME", "arguments": {"lat": 48.8566, "lon": 2.3522}}',
        '{"action": "NAME", "action_input": {"lat": 48.8566, "lon": 2.3522}}',
        '{"arguments": {"lat": 48.8566, "lon": 2.3522}, "name": "NAME"}',
        f"Action: NAME\nAction Input: {PLACE}",
        f"[TOOL_CALLS]NAME{PLACE}",
        "NAME(lat=48.8566, lon=2.3522)",
    ],
)
def test_a_call_that_takes_the_answer_is_one(name: str, call: str) -> None:
    response = f"It is Paris.\n{call.replace('NAME', name)}"
    answer = parse_answer(response)
    assert (answer.lat, answer.lon) == (48.8566, 2.3522)
    assert has_answer(response)


@pytest.mark.parametrize(
    "response",
    [
        "location(lat=48.8566, lon=2.3522)",
        '{"input": {"lat": 48.8566, "lon": 2.3522}, "country": "France"}',
        '{"parameters": {"lat": 48.8566, "lon": 2.3522}, "name of the place": "Paris"}',
        "The tool call: no sign. Latitude: 48.8566, longitude: 2.3522",
        "<tool_call><answer>48.8566, 2.3522</answer></tool_call>",
        '<tool_call>{"name": "map", "arguments": {}} <Answer>48.8566, 2.3522</Answer>',
    ],
)
def test_what_is_no_call_stays(response: str) -> None:
    answer = parse_answer(response)
    assert (answer.lat, answer.lon) == (48.8566, 2.3522)


def test_words_in_a_call_are_no_place_of_the_answer() -> None:
    call = '<tool_call>{"name": "map", "arguments": {"city": "Geneva", "country": "X"}}</tool_call>'
    answer = parse_answer(f"City: Lyon\nCountry: France\n\\boxed{{45.764, 4.8357}}\n{call}")
    assert (answer.stated.city, answer.stated.country) == ("Lyon", "France")
