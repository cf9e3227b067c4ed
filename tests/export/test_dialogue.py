"""A trace as a student learns it: what was asked, said, called and shown, in one dialogue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.conversation.messages import LAST_TURN, NUDGE_WITH_TOOLS
from geostore.conversation.request_form import RequestForm
from geostore.export import Filter
from geostore.export.files.folder import partial_folder
from geostore.export.images import ExportedImage
from geostore.export.options import ExportOptions
from geostore.export.stream import ExportedTrace, ExportStream
from geostore.export.student.dialogue import (
    Dialogue,
    Question,
    Reply,
    Results,
    dialogue_of,
    dialogues,
    with_placeholders,
)
from geostore.export.student.placeholders import escape_placeholders, unescape_placeholders
from geostore.importing import import_traces
from geostore.records import Recipe
from geostore.store import Store, open_snapshot
from geostore.tools import ROTATE, ZOOM
from tests.builders import (
    BAD_BOX,
    NATIVE_RECIPE,
    TEXT_RECIPE,
    TURN_LEFT,
    ZOOM_IN,
    Line,
    StoreBuilder,
    make_dataset,
    native,
    recipe_of,
)
from tests.minds import answer

Exported = Callable[..., ExportedTrace]


@contextmanager
def streamed(store: Store, folder: Path, **options: Any) -> Iterator[ExportStream]:
    chosen = ExportOptions(images="reference", **options)
    with partial_folder(folder / "out") as out, open_snapshot(store.path) as snapshot:
        yield ExportStream(snapshot, Filter(), out, options=chosen)


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Exported]:
    """Plays a script and gives the trace as formats get it."""
    dataset = make_dataset(tmp_path / "photos")
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, dataset)

        def play(script: list[Line], recipe: Recipe = TEXT_RECIPE, **more: Any) -> ExportedTrace:
            builder.play(0, script, recipe=recipe, **more)
            with streamed(store, tmp_path) as traces:
                (exported,) = traces
            return exported

        yield play


def shapes(dialogue: Dialogue) -> list[str]:
    return [type(step).__name__ for step in dialogue.steps]


def texts(results: Results) -> list[str]:
    return [part for result in results.results for part in result.content if isinstance(part, str)]


def numbers(dialogue: Dialogue) -> list[int]:
    return [image.number for image in dialogue.images]


def test_replies_alternate_with_what_followed_them(played: Exported) -> None:
    dialogue = dialogue_of(played([ZOOM_IN, "Hm.", TURN_LEFT, answer(10.0, 20.0)]))
    assert shapes(dialogue) == [
        *("Question", "Reply", "Results", "Reply"),
        *("Question", "Reply", "Results", "Reply"),
    ]
    assert [reply.turn for reply in dialogue.replies] == [1, 2, 3, 4]
    assert dialogue.steps[4] == Question((NUDGE_WITH_TOOLS,))
    assert numbers(dialogue) == [0, 1, 2]
    first = dialogue.steps[0]
    assert isinstance(first, Question)
    assert isinstance(first.parts[0], ExportedImage)
    assert "Where was this photo taken?" in str(first.parts[1])


def test_a_text_dialogue_says_what_was_sent(played: Exported) -> None:
    """System prompt and user messages of the text protocol, letter by letter."""
    exported = played([ZOOM_IN + BAD_BOX, answer(10.0, 20.0)])
    dialogue = dialogue_of(exported)
    sent = [json.loads(m.canonical) for messages in exported.messages for m in messages]
    assert dialogue.system_with_tools == sent[0]["content"]
    assert dialogue.system is not None
    assert "# Tools" not in dialogue.system
    wanted = [
        "".join("<image>" if part["type"] == "image_url" else part["text"] for part in m["content"])
        for m in sent
        if m["role"] == "user"
    ]
    shown = [
        with_placeholders(step.parts) for step in dialogue.steps if not isinstance(step, Reply)
    ]
    assert shown == wanted
    assert [reply.text for reply in dialogue.replies] == [
        *(m["content"] for m in sent if m["role"] == "assistant"),
        answer(10.0, 20.0),
    ]


def test_native_calls_read_as_text_and_as_objects(played: Exported) -> None:
    calls = ((ZOOM, {"bbox_2d": [0, 0, 500, 500]}), (ROTATE, {"angle": 180}))
    dialogue = dialogue_of(played([native("Two.", *calls), answer(1.0, 2.0)], NATIVE_RECIPE))
    reply = dialogue.replies[0]
    assert (reply.words, reply.prose, reply.is_exact) == ("Two.", "Two.", True)
    assert [(call.id, call.name, call.values) for call in reply.calls] == [
        ("call_1_0", *calls[0]),
        ("call_1_1", *calls[1]),
    ]
    lines = reply.text.splitlines()
    assert (lines[0], lines[1::3], lines[3::3]) == (
        "Two.",
        ["<tool_call>"] * 2,
        ["</tool_call>"] * 2,
    )
    assert [json.loads(line) for line in lines[2::3]] == [
        {"name": name, "arguments": arguments} for name, arguments in calls
    ]
    results = dialogue.steps[2]
    assert isinstance(results, Results)
    assert [result.call for result in results.results] == list(reply.calls)
    assert [type(part).__name__ for part in results.results[1].content] == ["ExportedImage", "str"]
    assert [schema["function"]["name"] for schema in dialogue.tools] == [ZOOM, ROTATE]
    written = list(dialogue.tools[0]["function"])
    assert written == ["name", "description", "parameters"], "as it was written, not sorted"


def test_calls_in_the_text_can_be_told_from_the_words(played: Exported) -> None:
    dialogue = dialogue_of(played([f"A sign.\n{ZOOM_IN}", answer(1.0, 2.0)]))
    reply = dialogue.replies[0]
    assert (reply.prose, len(reply.calls), reply.native) == ("A sign.", 1, False)
    assert reply.text == f"A sign.\n{ZOOM_IN}"


@pytest.mark.parametrize(
    "said",
    [
        f"{ZOOM_IN}\nIt is Oslo.",
        f"First.\n{ZOOM_IN}\nThe crop shows a tram.\n{TURN_LEFT}",
    ],
)
def test_words_behind_a_call_keep_their_place(played: Exported, said: str) -> None:
    """Calls as objects stand behind all words, so the student would speak of a crop before it
    asks for it."""
    reply = dialogue_of(played([said, answer(1.0, 2.0)])).replies[0]
    assert (reply.prose, reply.fits_calls, reply.text) == (None, False, said)


@pytest.mark.parametrize("label", ["a \\u003cimage\\u003e", "a <image>"])
def test_a_call_whose_json_holds_a_placeholder_stays_in_the_words(
    played: Exported, label: str
) -> None:
    """A loader that reads the JSON writes the placeholder out, whatever escapes hide it."""
    arguments = f'{{"bbox_2d": [0, 0, 500, 500], "label": "{label}"}}'
    said = f'<tool_call>\n{{"name": "{ZOOM}", "arguments": {arguments}}}\n</tool_call>'
    reply = dialogue_of(played([said, answer(1.0, 2.0)])).replies[0]
    assert (reply.is_exact, reply.fits_calls, reply.text) == (True, False, said)


def test_a_call_with_broken_json_is_no_object(played: Exported) -> None:
    broken = '<tool_call>\n{"name": "image_zoom_in_tool", "arguments": [[[\n</tool_call>'
    reply = dialogue_of(played([broken, answer(1.0, 2.0)])).replies[0]
    assert not reply.is_exact
    assert reply.text == broken


def test_calls_of_a_last_turn_that_were_not_run_are_calls(played: Exported) -> None:
    dialogue = dialogue_of(played([ZOOM_IN, ZOOM_IN], turn_limit=2))
    assert shapes(dialogue) == ["Question", "Reply", "Results", "Reply"]
    (call,) = dialogue.replies[-1].calls
    assert (call.name, call.row) == (ZOOM, None)
    results = dialogue.steps[2]
    assert isinstance(results, Results)
    assert texts(results)[-1].endswith(LAST_TURN)


def test_an_image_that_was_not_shown_at_a_limit_has_no_place(played: Exported) -> None:
    left_out = RequestForm(images_left_out="image_limit").to_json()
    exported = played([ZOOM_IN, {"response": answer(1.0, 2.0), "request_form": left_out}])
    dialogue = dialogue_of(exported)
    assert numbers(dialogue) == [0]
    results = dialogue.steps[2]
    assert isinstance(results, Results)
    assert "cannot be shown" in texts(results)[0]


FIELD = {"reasoning": "Signs.", "reasoning_source": "reasoning_content"}


@pytest.mark.parametrize(
    ("line", "mode", "has_field", "text", "reasoning"),
    [
        ("<think>Signs.</think>Yes.", "keep", False, "<think>Signs.</think>Yes.", None),
        ("<think>Signs.</think>Yes.", "keep", True, "<think>Signs.</think>Yes.", None),
        ("Signs.</think>Yes.", "keep", False, "<think>Signs.</think>Yes.", None),
        ("<think>Signs.</think>Yes.", "drop", True, "Yes.", None),
        ("<think>Signs.</think>Yes.", "think", True, "<think>\nSigns.\n</think>\n\nYes.", None),
        # Behind tags of ours stands one empty line, however many the teacher wrote.
        ("<think>Signs.</think>\n\nYes.", "think", True, "<think>\nSigns.\n</think>\n\nYes.", None),
        ("<think>Signs.</think>\n\nYes.", "keep", True, "<think>Signs.</think>\n\nYes.", None),
        ({"response": "\n\nYes."}, "keep", False, "<think>\nSigns.\n</think>\n\nYes.", None),
        ({"response": "\n\nYes."}, "drop", False, "\n\nYes.", None),
        ({"response": "Yes."}, "keep", False, "<think>\nSigns.\n</think>\n\nYes.", None),
        ({"response": "Yes."}, "keep", True, "Yes.", "Signs."),
        ({"response": "Yes."}, "think", True, "<think>\nSigns.\n</think>\n\nYes.", None),
        ({"response": "Yes."}, "drop", True, "Yes.", None),
    ],
)
def test_reasoning_stands_where_it_is_wanted(
    played: Exported, line: Any, mode: Any, has_field: bool, text: str, reasoning: str | None
) -> None:
    first = line if isinstance(line, str) else {**line, **FIELD}
    exported = played([first, answer(1.0, 2.0)])
    reply = dialogue_of(exported, reasoning=mode, reasoning_field=has_field).replies[0]
    assert (reply.text, reply.reasoning) == (text, reasoning)


def test_turns_can_be_left_out_of_the_loss(played: Exported) -> None:
    exported = replace(played([ZOOM_IN, answer(1.0, 2.0)]), masked=frozenset({1}))
    assert [reply.learn for reply in dialogue_of(exported).replies] == [False, True]


def test_a_recipe_without_tools_has_none(played: Exported) -> None:
    exported = played([answer(1.0, 2.0)], recipe_of("test", tools=False))
    dialogue = dialogue_of(exported)
    assert dialogue.tools == ()
    assert dialogue.system_with_tools == dialogue.system


# --- imported traces ----------------------------------------------------------------------------

TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"properties": {}}}}]
CALLED = {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"x": 1}'}}


def imported(tmp_path: Path, messages: list[list[dict[str, Any]]], said: list[str]) -> Dialogue:
    """The dialogue of one trace file of another program's. messages: per turn, whole requests."""
    trace = {
        "dataset_path": "/photos",
        "sample_index": 3,
        "sample_data": {"lat": 1.0, "lon": 2.0},
        "conversation_history": [
            {"turn": number, "messages": list(sent), "response": words}
            for number, (sent, words) in enumerate(zip(messages, said, strict=True), start=1)
        ],
        "tool_calls": [],
        "final_response": said[-1],
    }
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "trace_00003.json").write_text(json.dumps(trace), encoding="utf-8")
    with Store.open(tmp_path / "imported.db", create=True) as store:
        import_traces(store, tmp_path / "in")
        with streamed(store, tmp_path) as traces:
            (dialogue,) = dialogues(traces)
    return dialogue


def test_an_imported_dialogue_says_what_its_file_said(tmp_path: Path) -> None:
    system = {"role": "system", "content": "You guess."}
    question = {"role": "user", "content": "Where?"}
    reply = {"role": "assistant", "content": "Hm."}
    again = {"role": "user", "content": "Well?"}
    dialogue = imported(
        tmp_path,
        [[system, question], [system, question, reply, again]],
        ["Hm.", answer(1.0, 2.0)],
    )
    assert dialogue.system == "You guess."
    assert [step if isinstance(step, Question) else step.text for step in dialogue.steps] == [  # type: ignore[union-attr]
        Question(("Where?",)),
        "Hm.",
        Question(("Well?",)),
        answer(1.0, 2.0),
    ]


def test_a_trace_whose_request_is_not_known_is_left_out_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not enough values"):
        imported(tmp_path, [[], []], ["Hm.", answer(1.0, 2.0)])
    with Store.open(tmp_path / "imported.db") as store, streamed(store, tmp_path) as traces:
        assert list(dialogues(traces)) == []
        assert traces.unwritten.counts == {"request": 1}
        (left,) = traces.unwritten.named
        assert left.why == "its file does not say what was sent for turn 1"


def test_a_trace_that_calls_in_its_words_beside_native_calls_is_left_out_by_name(
    tmp_path: Path,
) -> None:
    """As text it would be two calls with one result between them."""
    corner = (ZOOM, {"bbox_2d": [0, 0, 500, 500]})
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        builder = StoreBuilder(store, make_dataset(tmp_path / "photos"))
        for row, words in enumerate((f"See.\n{ZOOM_IN}", "See.")):
            builder.play(row, [native(words, corner), answer(1.0, 2.0)], recipe=NATIVE_RECIPE)
        with streamed(store, tmp_path) as traces:
            (dialogue,) = dialogues(traces)
    assert dialogue.replies[0].words == "See."
    assert traces.unwritten.counts == {"calls_twice": 1}
    (left,) = traces.unwritten.named
    assert left.trace.startswith("0-")
    assert "in its words as well" in left.why


# --- literal placeholders -----------------------------------------------------------------------

PIECES = st.sampled_from(
    ["<image>", "<image\\>", "<video>", "<", "image", "\\", ">", "ü", "<|im_end|>"]
)


@given(st.lists(PIECES).map("".join))
@pytest.mark.hypothesis
def test_a_literal_placeholder_is_escaped_and_comes_back(text: str) -> None:
    escaped = escape_placeholders(text)
    assert unescape_placeholders(escaped) == text
    for placeholder in ("<image>", "<video>", "<|im_end|>"):
        assert placeholder not in escaped


def test_a_word_like_a_placeholder_counts_as_none(played: Exported) -> None:
    said = f"I see <image> and <|image_pad|>. {ZOOM_IN}"
    dialogue = dialogue_of(played([said, answer(1.0, 2.0)]))
    text = escape_placeholders(dialogue.replies[0].text)
    assert "<image>" not in text
    assert unescape_placeholders(text) == said


def test_the_same_trace_gives_the_same_dialogue_in_any_form_of_its_server(
    played: Exported,
) -> None:
    """Which form a server wanted is nothing that a student should learn."""
    usual = played([ZOOM_IN, answer(1.0, 2.0)])
    form = RequestForm(system_role="user").to_json()
    turns = tuple(replace(turn, request_form=form) for turn in usual.trace.turns)
    other = replace(usual, trace=replace(usual.trace, turns=turns))
    assert dialogue_of(other).steps == dialogue_of(usual).steps
