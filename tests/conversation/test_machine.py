"""The state machine of a trace: what comes next, and that a cut changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geostore.conversation.machine import Ask, Conversation, Run
from geostore.conversation.messages import (
    LAST_TURN,
    RequestWriter,
    assistant_message,
    data_url,
    nudge_messages,
    observation_messages,
    opening_messages,
)
from geostore.conversation.toolbench import ToolBench
from geostore.imaging import prepare_photo
from geostore.records import Closing, Recipe, ToolCall, Turn
from tests.builders import recipe_of
from tests.conftest import photo_bytes
from tests.examples import examples
from tests.minds import ROTATE, ZOOM, answer, text_call

PHOTO = photo_bytes(1)
BENCH = ToolBench()


def turn_of(ask: Ask, response: str, **fields: Any) -> Turn:
    turn = Turn(
        turn=ask.turn,
        response=response,
        reasoning=None,
        reasoning_source=None,
        native_calls=None,
        finish_reason="stop",
        turn_limit=ask.turn_limit,
        request_sha256=ask.request_sha256,
    )
    return replace(turn, **fields)


class Player:
    """Plays a conversation with a list of responses, writing down each request and row."""

    def __init__(self, recipe: Recipe, limits: Callable[[int], int]) -> None:
        self.recipe = recipe
        self.limits = limits
        self.sent = prepare_photo(PHOTO, recipe.limits)
        self.rows: list[Turn | ToolCall] = []
        self.requests: dict[int, bytes] = {}
        self.urls = {self.sent.sha256: data_url(self.sent)}
        self.writer = RequestWriter(recipe)

    def conversation(self, rows: list[Turn | ToolCall]) -> Conversation:
        return Conversation.resume(
            self.recipe,
            self.writer,
            self.sent.facts,
            turns=[row for row in rows if isinstance(row, Turn)],
            calls=[row for row in rows if isinstance(row, ToolCall)],
        )

    def play(self, responses: list[Callable[[Ask], Turn]], rows: list[Turn | ToolCall]) -> Closing:
        """Play on from rows; `responses[k]` is said in turn k + 1."""
        conversation = self.conversation(rows)
        self.rows = list(rows)
        self.requests = {}
        while True:
            step = conversation.next(self.limits(len(conversation.turns) + 1))
            if isinstance(step, Closing):
                return step
            if isinstance(step, Ask):
                wire = [message.wire(self.urls) for message in step.messages]
                self.requests[step.turn] = self.writer.body(wire)
                turn = responses[step.turn - 1](step)
                conversation.add_turn(turn)
                self.rows.append(turn)
            else:
                call, image = BENCH.run(step, self.recipe, PHOTO)
                if image is not None:
                    self.urls[image.sha256] = data_url(image)
                conversation.add_call(call)
                self.rows.append(call)


def saying(response: str, **fields: Any) -> Callable[[Ask], Turn]:
    return lambda ask: turn_of(ask, response, **fields)


def native(*calls: tuple[str, object], content: str = "") -> Callable[[Ask], Turn]:
    def say(ask: Ask) -> Turn:
        written = [
            {
                "id": f"c{ask.turn}_{i}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for i, (name, arguments) in enumerate(calls)
        ]
        return turn_of(ask, content, native_calls=json.dumps(written), finish_reason="tool_calls")

    return say


TEXTS = st.sampled_from(
    [
        answer(48.1, 11.5),
        "Let me think about it.",
        text_call(ZOOM, {"bbox_2d": [100, 100, 500, 500]}),
        text_call(ZOOM, {"bbox_2d": [0, 0, 300, 300]}) + text_call(ROTATE, {"angle": 30}),
        text_call(ROTATE, {"angle": 180}) + answer(1, 2),
        text_call(ZOOM, {"bbox_2d": [5, 5, 5, 5]}),
        text_call("no_such_tool", {}),
        "<tool_call>{broken</tool_call>",
        text_call(ROTATE, {"angle": 90, "img_idx": 0}) * 5,
        'He said "url":"sha256:' + "0" * 64 + '" and smiled.',
        text_call(ZOOM, {"bbox_2d": [0, 0, 900, 900]}).removesuffix("</tool_call>"),
        f'{{"name": "{ZOOM}", "arguments": {{"bbox_2d": [0, 0, 500, 500]}}}}',
        f'[TOOL_CALLS]{ZOOM}{{"bbox_2d": [0, 0, 500',
    ]
)
FIELDS = st.sampled_from(
    [
        {},
        {"finish_reason": "length"},
        {"reasoning": "hm", "reasoning_source": "reasoning"},
        {"reasoning": "hm", "reasoning_source": "think"},
        {"finish_reason": "content_filter"},
    ]
)
NATIVE = st.lists(
    st.sampled_from(
        [
            (ZOOM, {"bbox_2d": [100, 100, 500, 500]}),
            (ROTATE, {"angle": 45}),
            (ROTATE, {"angle": "much"}),
            ("", {}),
        ]
    ),
    max_size=4,
)


@st.composite
def played(draw: st.DrawFn) -> tuple[Player, list[Callable[[Ask], Turn]], Closing]:
    protocol = draw(st.sampled_from(["text", "native"]))
    frame = draw(st.sampled_from(["pixel", "norm1000", "norm1000_yx"]))
    recipe = recipe_of(protocol=protocol, bbox_frame=frame, tools=draw(st.booleans()))
    limit = draw(st.integers(1, 5))
    if protocol == "native" and recipe.tools:
        said = [native(*draw(NATIVE)) for _ in range(3)] + [saying(answer(1, 2)), saying("what?")]
        responses = draw(st.permutations(said))
    else:
        responses = [saying(draw(TEXTS), **draw(FIELDS)) for _ in range(5)]
    player = Player(recipe, lambda turn: limit)
    return player, responses, player.play(responses, [])


@settings(max_examples=examples(40), deadline=None)
@given(played())
def test_resuming_from_any_prefix_of_the_rows_reaches_the_same_end_with_the_same_bytes(
    game: tuple[Player, list[Callable[[Ask], Turn]], Closing],
) -> None:
    """Promise 1 and 4: after a kill at any row, exactly the missing requests are sent."""
    player, responses, end = game
    rows, requests = player.rows, player.requests
    for cut in range(len(rows) + 1):
        kept = rows[:cut]
        assert player.play(responses, kept) == end
        assert player.rows == rows
        paid = sum(isinstance(row, Turn) for row in kept)
        assert player.requests == {t: body for t, body in requests.items() if t > paid}


@settings(max_examples=examples(40), deadline=None)
@given(played())
def test_the_request_hash_of_every_turn_follows_from_the_rows_before_it(
    game: tuple[Player, list[Callable[[Ask], Turn]], Closing],
) -> None:
    player, _, _ = game
    for at, row in enumerate(player.rows):
        if isinstance(row, Turn):
            assert row.turn_limit is not None
            step = player.conversation(player.rows[:at]).next(row.turn_limit)
            assert isinstance(step, Ask)
            assert step.request_sha256 == row.request_sha256


@settings(max_examples=examples(40), deadline=None)
@given(played())
def test_a_body_is_json_and_each_image_in_it_is_a_data_url(
    game: tuple[Player, list[Callable[[Ask], Turn]], Closing],
) -> None:
    player, _, _ = game
    for body in player.requests.values():
        for message in json.loads(body)["messages"]:
            parts = message["content"] if isinstance(message["content"], list) else []
            for part in parts:
                if part["type"] == "image_url":
                    assert part["image_url"]["url"].startswith("data:image/")


def last_text(player: Player, turn: int) -> str:
    content = json.loads(player.requests[turn])["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


PROTOCOLS = pytest.mark.parametrize("protocol", ["text", "native"])
BOX = (ZOOM, {"bbox_2d": [0, 0, 500, 500]})


def calling(
    protocol: str, *calls: tuple[str, object], beside: str = "", **fields: Any
) -> Callable[[Ask], Turn]:
    """A turn that makes these calls in a protocol, with text beside them."""
    if protocol == "native":
        return lambda ask: replace(native(*calls, content=beside)(ask), **fields)
    return saying("".join(text_call(*call) for call in calls) + beside, **fields)


@PROTOCOLS
def test_a_call_together_with_an_answer_runs_and_the_answer_is_not_final(protocol: str) -> None:
    player = Player(recipe_of(protocol=protocol), lambda turn: 5)
    both = calling(protocol, BOX, beside=answer(1, 2))
    end = player.play([both, saying(answer(3, 4))], [])
    assert end == Closing("answered", "answer")
    assert len(player.requests) == 2


@PROTOCOLS
def test_an_answer_beside_a_call_is_final_where_the_recipe_says_so(protocol: str) -> None:
    recipe = replace(recipe_of(protocol=protocol), answer_with_calls="final")
    player = Player(recipe, lambda turn: 5)
    both = calling(protocol, BOX, beside=answer(1, 2))
    assert player.play([both], []) == Closing("answered", "answer")
    assert len(player.rows) == 1, "the call is not run: nobody would see what it gave"


@PROTOCOLS
def test_on_the_last_turn_an_answer_beside_a_call_counts(protocol: str) -> None:
    player = Player(recipe_of(protocol=protocol), lambda turn: 1)
    both = calling(protocol, BOX, beside=answer(1, 2))
    assert player.play([both], []) == Closing("answered", "answer")


@PROTOCOLS
@pytest.mark.parametrize("whole", [True, False])
def test_a_turn_that_was_cut_runs_no_call_and_can_be_asked_again(
    protocol: str, whole: bool
) -> None:
    """What is asked then shows no call without a result, which servers refuse."""
    player = Player(recipe_of(protocol=protocol), lambda turn: 5)
    cut = calling(protocol, BOX, finish_reason="length")
    if not whole and protocol == "text":
        half = text_call(*BOX).removesuffix("]}}\n</tool_call>")
        cut = saying(half, finish_reason="length")
    end = player.play([cut], [])
    assert end == Closing("exhausted", "truncated")
    assert len(player.rows) == 1
    again = player.conversation(player.rows).next(5, go_on=True)
    assert isinstance(again, Ask)
    messages = [json.loads(message.canonical) for message in again.messages]
    assert [message["role"] for message in messages[2:]] == ["assistant", "user"]
    assert "tool_calls" not in messages[2]
    assert "cut off" in messages[3]["content"][0]["text"]


@PROTOCOLS
def test_calls_past_the_limit_of_a_turn_are_refused_in_words(protocol: str) -> None:
    player = Player(recipe_of(protocol=protocol), lambda turn: 5)
    many = calling(protocol, *[(ROTATE, {"angle": 90})] * 5)
    player.play([many, saying(answer(1, 2))], [])
    calls = [row for row in player.rows if isinstance(row, ToolCall)]
    assert [call.error_kind for call in calls] == [None, None, None] + ["too_many_calls"] * 2


def test_tags_inside_thought_are_neither_calls_nor_answers() -> None:
    player = Player(recipe_of(), lambda turn: 5)
    thought = f"<think>{text_call(ZOOM, {'bbox_2d': [0, 0, 9, 9]})}{answer(1, 2)}</think>Well."
    end = player.play([saying(thought), saying(answer(3, 4))], [])
    assert end == Closing("answered", "answer")
    assert not [row for row in player.rows if isinstance(row, ToolCall)]
    assert "neither a tool call nor an answer" in last_text(player, 2)


def test_a_response_with_neither_is_asked_again_twice_and_then_ends() -> None:
    player = Player(recipe_of(), lambda turn: 9)
    assert player.play([saying("hm")] * 3, []) == Closing("exhausted", "no_answer")
    assert len(player.requests) == 3


def test_the_last_allowed_turn_says_so_inside_the_observation() -> None:
    player = Player(recipe_of(protocol="text"), lambda turn: 2)
    zoom = saying(text_call(ZOOM, {"bbox_2d": [0, 0, 500, 500]}))
    end = player.play([zoom, zoom], [])
    assert end == Closing("exhausted", "turn_limit")
    assert LAST_TURN in last_text(player, 2)
    assert last_text(player, 2).endswith("</tool_response>")


def test_a_higher_turn_limit_goes_on_with_the_calls_that_were_left() -> None:
    zoom = saying(text_call(ZOOM, {"bbox_2d": [0, 0, 500, 500]}))
    player = Player(recipe_of(), lambda turn: 2)
    player.play([zoom, zoom], [])
    rows = player.rows
    player.limits = lambda turn: 4
    assert player.play([zoom, zoom, saying(answer(1, 2))], rows) == Closing("answered", "answer")
    assert list(player.requests) == [3]


def test_half_a_call_at_the_token_limit_is_not_run() -> None:
    player = Player(recipe_of(), lambda turn: 5)
    half = text_call(ZOOM, {"bbox_2d": [0, 0, 500, 500]}).removesuffix("]}}\n</tool_call>")
    end = player.play([saying(half, finish_reason="length")], [])
    assert end == Closing("exhausted", "truncated")
    assert len(player.rows) == 1


def test_a_whole_answer_before_the_token_limit_counts_and_is_marked() -> None:
    player = Player(recipe_of(), lambda turn: 5)
    end = player.play([saying(answer(1, 2) + " And now", finish_reason="length")], [])
    assert end == Closing("answered", "truncated")


@pytest.mark.parametrize(
    "cut",
    [
        "Maybe Cairo: \\boxed{30.0444, 31.2357}? No, the poles. Let me compare with",
        "Maybe Cairo (30.0444, 31.2357)? No, the poles. Let me compare with",
        "◁think▷Maybe <answer>\\boxed{30.0444, 31.2357}</answer>? Let me compare with",
        "Maybe <answer>\\boxed{30.0444, 31.2357}</answer>? Let me compare with",
        "<answer>\\boxed{30.0444, 31.2357}</answer>\n\nThe poles, however, are American, so the",
    ],
)
def test_a_thought_that_was_cut_is_no_answer(cut: str) -> None:
    """A chat template may have written its first tag, so the text need not show that it thinks."""
    player = Player(recipe_of(), lambda turn: 5)
    end = player.play([saying(cut, finish_reason="length")], [])
    assert end == Closing("exhausted", "truncated")


@pytest.mark.parametrize(
    "before",
    [
        {"reasoning": "Hm.", "reasoning_source": "reasoning"},
        {"reasoning": "Hm.", "reasoning_source": "think"},
    ],
)
def test_an_answer_after_a_thought_counts_though_its_explanation_was_cut(
    before: dict[str, str],
) -> None:
    """What follows a thought that has ended is none."""
    player = Player(recipe_of(), lambda turn: 5)
    text = answer(1, 2) + "\n\nThe church has an onion dome, and"
    cut = saying(text, finish_reason="length", **before)
    assert player.play([cut], []) == Closing("answered", "truncated")


def test_an_answer_in_a_later_turn_counts_though_its_explanation_was_cut() -> None:
    """The first turn showed no thought, so the template opens none."""
    player = Player(recipe_of(), lambda turn: 5)
    first = saying(text_call(ROTATE, {"angle": 90}))
    cut = saying(answer(1, 2) + "\n\nThe church has an onion dome, and", finish_reason="length")
    assert player.play([first, cut], []) == Closing("answered", "truncated")


def test_rows_out_of_order_are_refused() -> None:
    player = Player(recipe_of(), lambda turn: 5)
    player.play([saying(text_call(ROTATE, {"angle": 90})), saying(answer(1, 2))], [])
    turn, call = player.rows[:2]
    assert isinstance(turn, Turn)
    assert isinstance(call, ToolCall)
    conversation = player.conversation([])
    with pytest.raises(ValueError, match="out of order"):
        conversation.add_call(call)
    with pytest.raises(ValueError, match="cannot follow"):
        conversation.add_turn(replace(turn, turn=2))


def test_a_rotation_changes_the_current_image_and_a_zoom_does_not() -> None:
    player = Player(recipe_of(), lambda turn: 9)
    turns = [
        saying(text_call(ZOOM, {"bbox_2d": [0, 0, 500, 500]})),
        saying(text_call(ROTATE, {"angle": 90})),
        saying(text_call(ZOOM, {"bbox_2d": [0, 0, 500, 500]})),
        saying(text_call(ZOOM, {"bbox_2d": [0, 0, 500, 500], "img_idx": 1})),
        saying(answer(1, 2)),
    ]
    player.play(turns, [])
    calls = [row for row in player.rows if isinstance(row, ToolCall)]
    assert [call.source_index for call in calls] == [0, 0, 2, 1]


def test_the_next_step_is_the_same_until_a_row_is_fed() -> None:
    player = Player(recipe_of(), lambda turn: 5)
    conversation = player.conversation([])
    assert conversation.next(5) == conversation.next(5)
    step = conversation.next(5)
    assert isinstance(step, Ask)
    conversation.add_turn(turn_of(step, text_call(ROTATE, {"angle": 90})))
    assert isinstance(conversation.next(5), Run)
    assert conversation.next(5) == conversation.next(5)


BARE_CALL = f'{{"name": "{ZOOM}", "arguments": {{"bbox_2d": [0, 0, 500, 500]}}}}'


def test_a_call_without_its_tags_runs_and_is_no_nudge() -> None:
    player = Player(recipe_of(), lambda turn: 9)
    end = player.play([saying(BARE_CALL)] * 4 + [saying(answer(1, 2))], [])
    assert end == Closing("answered", "answer")
    calls = [row for row in player.rows if isinstance(row, ToolCall)]
    assert [(call.success, "repaired" in call.flags) for call in calls] == [(True, True)] * 4


def test_a_call_that_cannot_be_read_is_answered_in_words_each_time() -> None:
    """It never ends as a response without an answer: each one gets a sentence, up to the limit."""
    player = Player(recipe_of(protocol="text"), lambda turn: 6)
    end = player.play([saying(BARE_CALL[:-4])] * 6, [])
    assert end == Closing("exhausted", "turn_limit")
    for turn in range(2, 7):
        assert "it cannot be read" in last_text(player, turn)
        assert "<tool_call>" in last_text(player, turn)


OTHER_READINGS = {
    "without tags": BARE_CALL,
    "another family's form": f'[TOOL_CALLS]{ZOOM}{{"bbox_2d": [0, 0, 500, 500]}}',
    "cut": BARE_CALL[:-3],
}


@pytest.mark.parametrize("response", OTHER_READINGS.values(), ids=OTHER_READINGS.keys())
def test_a_trace_that_was_nudged_for_what_is_a_call_today_keeps_its_requests(
    response: str,
) -> None:
    """Its rows say that no call was run, so what was sent after that response was a nudge."""
    recipe = recipe_of(protocol="text")
    player = Player(recipe, lambda turn: 9)
    opening = opening_messages(recipe, player.sent.facts, last_turn=False)
    first = Turn(1, response, None, None, None, "stop", 9, player.writer.hash(opening))
    sent = [
        *opening,
        assistant_message(first),
        *nudge_messages(recipe, first, last_turn=False),
    ]
    second = replace(first, turn=2, request_sha256=player.writer.hash(sent))
    step = player.conversation([first, second]).next(9)
    assert isinstance(step, Run), "of the response that nothing followed, today's reading holds"
    end = player.play([saying("")] * 2 + [saying(answer(1, 2))], [first, second])
    assert end == Closing("answered", "answer")
    assert list(player.requests) == [3], "no paid request is sent again"
    body = json.loads(player.requests[3])
    again = [json.loads(message.canonical) for message in sent[2:]]
    assert body["messages"][2 : len(sent)] == again
    # The nudge counts as one: the trace that was nudged as often as its recipe says has ended.
    rows = [first, second, replace(first, turn=3), replace(first, turn=4, response="hm")]
    assert player.conversation(list(rows)).next(9) == Closing("exhausted", "no_answer")


def test_a_trace_whose_call_was_refused_keeps_its_row_where_it_is_read_today() -> None:
    """The refusal was committed, and maybe sent; the call is not run in its place."""
    recipe = recipe_of(protocol="text")
    player = Player(recipe, lambda turn: 9)
    listed = f"<tool_call>[{BARE_CALL}, {BARE_CALL}]</tool_call>"
    opening = opening_messages(recipe, player.sent.facts, last_turn=False)
    first = Turn(1, listed, None, None, None, "stop", 9, player.writer.hash(opening))
    refusal = ToolCall(
        turn=1,
        call_index=0,
        name="",
        raw_arguments=listed,
        arguments=None,
        source_index=None,
        box=None,
        angle=None,
        success=False,
        error_kind="malformed_call",
        flags=(),
        observation="Write the call again.",
        image=None,
        image_index=None,
    )
    observed = observation_messages(first, [refusal], last_turn=False)
    sent = [*opening, assistant_message(first), *observed]
    second = replace(first, turn=2, response="hm", request_sha256=player.writer.hash(sent))
    step = player.conversation([first, refusal, second]).next(9)
    assert isinstance(step, Ask)
    assert list(step.messages[: len(sent)]) == sent
    # Where no request followed yet, the call that was not seen then still gets its result.
    step = player.conversation([first, refusal]).next(9)
    assert isinstance(step, Run)
    assert step.call_index == 1


def test_calls_in_rows_are_answered_even_where_none_is_read_today() -> None:
    """Rows decide: their results are what the teacher gets, not a nudge or an end."""
    recipe = replace(recipe_of(protocol="text"), max_nudges=0)
    player = Player(recipe, lambda turn: 9)
    zoom = text_call(*BOX)
    player.play([saying(zoom), saying(answer(1, 2))], [])
    turn, call = player.rows[:2]
    assert isinstance(turn, Turn)
    step = player.conversation([replace(turn, response="no call"), call]).next(9)
    assert isinstance(step, Ask)
    assert "tool_response" in str(step.messages[-1].canonical)
