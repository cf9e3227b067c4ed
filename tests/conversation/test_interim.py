"""Coordinates in the turns before a trace's last: what counts as one, and what is a call's."""

from dataclasses import replace

import pytest

from geostore.answers.call_text import without_calls
from geostore.conversation.interim import interim_answers
from geostore.records import Turn
from tests.minds import text_call
from tests.trace_parts import TURN

PLACE = {"lat": 48.8566, "lon": 2.3522}


def turns(*responses: str, **members: object) -> list[Turn]:
    played = [replace(TURN, turn=n, response=text) for n, text in enumerate(responses, start=1)]
    return [replace(turn, **members) for turn in played]  # type: ignore[arg-type]


def test_each_turn_before_the_last_gives_its_own_coordinates_and_the_last_none() -> None:
    played = turns("Maybe (10.5, 20.5)? Let me look.", "No sign.", "\\boxed{3, 4}", "\\boxed{5, 6}")
    read = interim_answers(played)
    assert [(turn, answer.lat, answer.lon, answer.form) for turn, answer in read] == [
        (1, 10.5, 20.5, "parentheses"),
        (3, 3.0, 4.0, "boxed"),
    ]
    assert interim_answers(played[:1]) == []
    assert interim_answers([]) == []


def test_the_words_behind_a_call_count() -> None:
    call = '<tool_call>{"name": "map", "arguments": {"lat": 48.8566, "lon": 2.3522}}</tool_call>'
    ((turn, answer),) = interim_answers(
        turns(f"I look. {call}\nProbably \\boxed{{-1.5, 3.5}}.", "")
    )
    assert (turn, answer.lat, answer.lon) == (1, -1.5, 3.5)


@pytest.mark.parametrize(
    "call",
    [
        text_call("map_search", PLACE),
        '<tool_call>{"name": "map", "arguments": {"lat": 48.8566, "lon": 2.3522}}',
        '{"name": "map", "arguments": {"lat": 48.8566, "lon": 2.3522}}',
        '```json\n{"tool": "map", "parameters": {"lat": 48.8566, "note": "}", "lon": 2.3522}}\n```',
        "Action: map\nmap_search(lat=48.8566, lon=2.3522)",
        'Action: map\nAction Input: {"lat": 48.8566, "lon": 2.3522}',
        '{"name": "map", "arguments": "{\\"lat\\": 48.8566, \\"lon\\": 2.3522}"}',
        '<tool>map</tool><args>{"lat": 48.8566, "lon": 2.3522}</args>',
        '<map lat="48.8566" lon="2.3522"/>',
        "<function=map><parameter=lat>48.8566</parameter><parameter=lon>2.3522</parameter></function>",
        '[TOOL_CALLS]map{"lat": 48.8566, "lon": 2.3522}',
        "<|python_tag|>map.call(lat=48.8566, lon=2.3522)",
        "<think>It is (48.8566, 2.3522).</think>Let me zoom in.",
        "It is (48.8566, 2.3522).</think>",
    ],
)
def test_neither_a_call_nor_a_thought_is_an_answer(call: str) -> None:
    """A place that a tool is asked about is a question."""
    assert interim_answers(turns(f"Let me look at it.\n{call}", "\\boxed{5, 6}")) == []
    # What the teacher says beside it still counts.
    (read,) = interim_answers(
        turns(
            f"Probably \\boxed{{-1.5, 3.5}}.\n{call}"
            if "think" not in call
            else f"{call}\n\\boxed{{-1.5, 3.5}}",
            "",
        )
    )
    assert (read[1].lat, read[1].lon) == (-1.5, 3.5)


def test_a_turn_that_was_cut_answers_only_where_it_is_whole() -> None:
    cut = {"finish_reason": "length", "reasoning_source": None}
    assert interim_answers(turns("Maybe (10.5, 20.5) or", "", **cut)) == []
    (read,) = interim_answers(turns("", "<answer>10.5, 20.5</answer> And", "", **cut))
    assert read[0] == 2


def test_words_beside_calls_stay_as_they_are() -> None:
    assert without_calls("A street in Paris (48.8566, 2.3522).") == (
        "A street in Paris (48.8566, 2.3522)."
    )
    (read,) = interim_answers(
        turns('{"input": {"lat": 48.8566, "lon": 2.3522}, "country": "France"}', "")
    )
    assert (read[1].lat, read[1].lon) == (48.8566, 2.3522)
    assert without_calls("one " + '{"arguments": {' * 1000).strip() == "one {"
