"""One trace for a person: everything is there, it fits a terminal, and cannot steer it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from geostore.answers import parse_answer
from geostore.records import FailedAttempt, StoredTrace
from geostore.show.trace_text import render_trace, sample_block
from geostore.store import Store
from geostore.text.terminal import PROSE_WIDTH
from tests.builders import ZOOM_IN, StoreBuilder, fill, make_dataset, played_recipe
from tests.minds import answer


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "photos", road=["A 1", "B 2", None, ""])


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> dict[str, StoredTrace]:
    """What `fill` puts into a store, and an open trace, under short names."""
    path = tmp_path_factory.mktemp("store") / "geostore.db"
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, dataset)
        names = fill(builder)
        names.append(builder.play(1, [ZOOM_IN], rollout=2))
        found = [store.traces.get_trace(store.traces.find_trace(name)) for name in names]
    words = ("thought", "nudged", "far", "unreadable", "native", "failed", "open")
    return dict(zip(words, found, strict=True))


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "own.db", create=True, durability="normal") as opened:
        yield opened


def test_a_trace_is_shown_from_sample_to_score(
    traces: dict[str, StoredTrace], dataset: Path
) -> None:
    """The whole page for a trace with two calls; a path is as long as it is."""
    trace = replace(
        traces["thought"], dataset=replace(traces["thought"].dataset, path="/data/photos")
    )
    recipe = trace.key.recipe_sha256[:8]
    assert render_trace(trace).split("\n") == [
        f"Trace 0-{recipe}-1: answered (answer)",
        "",
        "Sample",
        "  dataset         photos, row 0",
        "  path            /data/photos",
        "  truth           10.0, 20.0",
        "  country         france",
        "  locatability    0.0500",
        "  photo           480 x 360 JPEG, sent as 480 x 360",
        "",
        f"Recipe {recipe}",
        "  model           test-text",
        "  tools           image_zoom_in_tool, image_rotate_tool (text protocol, boxes norm1000)",
        "  sampling        temperature 0.7, at most 2,048 tokens",
        "",
        "Turn 1: stop, 1,001 tokens in, 101 out, 1.5 s",
        "    <tool_call>",
        '    {"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [100, 100, 600, 700]}}',
        "    </tool_call>",
        "  call 1: image_zoom_in_tool on image 0 box [48, 36, 288, 252] gave image 1",
        '    arguments: {"bbox_2d": [100, 100, 600, 700]}',
        *indented(f"the tool said: {trace.calls[0].observation}"),
        "",
        "Turn 2: stop, 1,002 tokens in, 102 out, 1.5 s",
        "    <tool_call>",
        '    {"name": "image_rotate_tool", "arguments": {"angle": 90}}',
        "    </tool_call>",
        "  call 1: image_rotate_tool on image 0 angle 90 gave image 2",
        '    arguments: {"angle": 90}',
        *indented(f"the tool said: {trace.calls[1].observation}"),
        "",
        "Turn 3: stop, 1,003 tokens in, 103 out, 1.5 s",
        "    I am sure enough. <answer>\\boxed{10.0, 20.001}</answer>",
        "",
        "Outcome",
        "  status          answered (answer), 3 of 10 turns",
        "  final response  that of turn 3",
        "  answer          10.0, 20.001 (boxed)",
        "  distance        0.110 km",
        "  score           0.9999 (geoguessr)",
        "  points          5,000 of 5,000",
    ]


def indented(sentence: str | None) -> list[str]:
    import textwrap

    assert sentence is not None
    margin = " " * 4
    return textwrap.wrap(sentence, PROSE_WIDTH, initial_indent=margin, subsequent_indent=margin)


@pytest.mark.parametrize("width", [60, 80, PROSE_WIDTH])
@pytest.mark.parametrize("verbose", [False, True])
def test_every_trace_fits_its_width(
    traces: dict[str, StoredTrace], verbose: bool, width: int
) -> None:
    """No line is broken by the terminal, whatever became of the trace; no word is."""
    for trace in traces.values():
        text = render_trace(trace, verbose=verbose, width=width)
        lines = text.split("\n")
        # A path of this machine may be longer than its line.
        assert max(len(line) for line in lines if " " in line.strip()) <= width
        if verbose:
            assert text.split() == render_trace(trace, verbose=verbose, width=10_000).split()
        assert not any(line != line.rstrip() for line in lines)


def test_verbose_shows_what_was_sent_and_thought(traces: dict[str, StoredTrace]) -> None:
    """Prompts, observations, images by number and hash, reasoning, and the other columns."""
    trace = traces["thought"]
    short, whole = (render_trace(trace, verbose=verbose) for verbose in (False, True))
    assert trace.photo is not None
    for words in (
        "sent, system\n    You are an expert",
        f"sent, user\n    [image 0, 480 x 360, sha256 {trace.photo.sha256[:12]}]",
        "    Where was this photo taken?",
        "reasoning\n    A sign.",
        "sent, assistant\n    <think>A sign.</think><tool_call>",
        "[image 2, 360 x 480, sha256 ",
        "road            A 1",
    ):
        assert words in whole
        assert words not in short
    assert 'tool call call_1: image_rotate_tool {"angle": 180}' in render_trace(
        traces["native"], verbose=True
    )


@pytest.mark.parametrize(
    ("estimates", "words"),
    [((None, None), "tokens not counted,"), ((1500, 9), "tokens not counted, about 1,509,")],
)
def test_tokens_that_nobody_counted_are_no_count(
    traces: dict[str, StoredTrace], estimates: tuple[int | None, int | None], words: str
) -> None:
    trace = traces["far"]
    turn = replace(
        trace.turns[0],
        prompt_tokens=None,
        completion_tokens=None,
        total_tokens=None,
        estimated_prompt_tokens=estimates[0],
        estimated_completion_tokens=estimates[1],
    )
    assert f"Turn 1: stop, {words} 1.5 s" in render_trace(replace(trace, turns=(turn,)))


def test_a_request_in_another_form_is_shown_whole_with_its_own_images(
    traces: dict[str, StoredTrace],
) -> None:
    trace = traces["thought"]
    form = '{"system_role":"user"}'
    last = replace(trace.turns[-1], request_form=form)
    text = render_trace(replace(trace, turns=(*trace.turns[:-1], last)), verbose=True)
    before, _, after = text.rpartition(f"Turn {last.turn}: ")
    assert before.count("[image 0,") == after.count("[image 0,") == 1
    assert before.count("sent, system") == 1
    assert after.count("sent, system") == 0
    numbers = [after.index(f"[image {number},") for number in range(len(trace.calls) + 1)]
    assert numbers == sorted(numbers)


def test_a_recipe_says_how_it_samples_and_what_goes_back(traces: dict[str, StoredTrace]) -> None:
    recipe = played_recipe(traces["thought"])
    for changed, words in (
        (replace(recipe, temperature=None), "no temperature, at most 2,048 tokens"),
        (replace(recipe, reasoning_field="none", seed=3), "seed 3, no reasoning sent back"),
        (replace(recipe, reasoning_field="reasoning"), "tokens, reasoning sent back"),
    ):
        assert words in render_trace(replace(traces["thought"], recipe=changed))


def test_a_failed_call_says_why_and_what_was_written(traces: dict[str, StoredTrace]) -> None:
    """A bad call is shown with its kind, the arguments, and the sentence the teacher read."""
    shown = render_trace(traces["unreadable"])
    assert "call 2: image_zoom_in_tool on image 0 failed: bbox_empty" in shown
    assert 'arguments: {"bbox_2d": [5, 5, 2, 2]}' in shown
    assert "the tool said: The box [5, 5, 2, 2] is empty" in shown


def test_an_unreadable_answer_is_no_distance(traces: dict[str, StoredTrace]) -> None:
    """There is a reason, and neither 0 km nor 20,000 km."""
    lines = render_trace(traces["unreadable"]).split("\n")
    assert any(line.startswith("  answer          none: placeholder") for line in lines)
    assert "  distance        none" in lines
    assert "  score           none" in lines


def test_what_an_answer_says_in_words_is_shown(traces: dict[str, StoredTrace]) -> None:
    """The place and the confidence, also where there are no coordinates."""
    said = parse_answer("City: Lyon\nCountry: France\nConfidence: 4/5")
    assert said.failure is not None
    lines = render_trace(replace(traces["unreadable"], answer=said)).split("\n")
    assert "  place in words  Lyon, France" in lines
    assert "  confidence      0.75 (stated as 1-5)" in lines


def test_failed_and_open_traces_say_what_happened(traces: dict[str, StoredTrace]) -> None:
    """A trace without an end has no answer, and its failed requests are listed."""
    failed, unfinished = render_trace(traces["failed"]), render_trace(traces["open"])
    assert "turn 1: rate_limit (HTTP 429): too many requests" in failed
    assert "status          failed (rate_limit), 0 of 10 turns" in failed
    assert "status          open\n" in unfinished + "\n"
    assert "gave image 1" in unfinished
    for shown in (failed, unfinished):
        assert "answer  " not in shown
        assert "final response" not in shown


def test_long_responses_are_cut_unless_all_is_asked_for(own_store: Store, dataset: Path) -> None:
    """A page stays a page; the note says how much is missing."""
    words = "\n".join(f"clue {number}" for number in range(20))
    name = StoreBuilder(own_store, dataset).play(0, [f"{words}\n{answer(1.0, 2.0)}"])
    trace = own_store.traces.get_trace(own_store.traces.find_trace(name))
    short, whole = (render_trace(trace, verbose=verbose) for verbose in (False, True))
    assert "clue 5" in short
    assert "clue 6" not in short
    assert "... 15 more lines (--verbose shows all)" in short
    assert "clue 19" in whole


def test_a_teacher_cannot_steer_the_terminal(own_store: Store, dataset: Path) -> None:
    """Escape sequences and reversed text, wherever they come from, are shown and not obeyed."""
    nasty = "\x1b[2J\u202e\x07gone"
    builder = StoreBuilder(own_store, dataset)
    bad_call = f'<tool_call>{{"name": "{nasty}", "arguments": {{}}}}</tool_call>'
    name = builder.play(0, [f"<think>{nasty}</think>{nasty}{bad_call}", answer(1.0, 2.0)])
    trace = own_store.traces.get_trace(own_store.traces.find_trace(name))
    trace = replace(
        trace,
        sample=replace(trace.sample, country=nasty, columns={nasty: nasty}),
        failures=(FailedAttempt(turn=1, error_class="server", message=nasty),),
    )
    shown = render_trace(trace, verbose=True) + sample_block(1, 1, trace, "geostore.db")
    failed = sample_block(1, 1, replace(trace, status="failed"), "geostore.db")
    for text in (shown, failed):
        assert all(c.isprintable() or c == "\n" for c in text)
    assert "\\x1b[2J\\u202e\\x07gone" in shown
    assert "[FAILED] server: \\x1b[2J" in failed


# --- the block of a run's log -------------------------------------------------------------------


def test_the_block_of_a_sample_is_the_one_people_know(traces: dict[str, StoredTrace]) -> None:
    """The older viewer's lines, letter by letter, and the trace's name."""
    trace = traces["nudged"]
    assert sample_block(1, 2, trace, "geostore.db").split("\n") == [
        "[Sample 1/2]",
        "  Locatability score: 0.0500",
        "  Ground truth: lat=10.0000, lon=20.0000",
        "  Country: france",
        "  [SUCCESS] Generated trace",
        "    Turns: 3",
        "    Tool calls: 1",
        "    Parse success: True",
        "    Distance: 111.19 km",
        "    Score: 0.9282",
        f"    Saved to: geostore.db ({trace.name})",
    ]


def test_the_block_of_an_unreadable_answer_has_no_distance(
    traces: dict[str, StoredTrace],
) -> None:
    """The trace was generated; what it is worth is not known to be anything."""
    lines = sample_block(2, 2, traces["unreadable"], "geostore.db").split("\n")
    assert "  [SUCCESS] Generated trace" in lines
    assert "    Parse success: False" in lines
    assert "    Distance: none" in lines
    assert "    Score: none" in lines


def test_the_block_of_a_failed_or_open_trace_says_so(traces: dict[str, StoredTrace]) -> None:
    """The last line is the reason."""
    failed = sample_block(1, 1, traces["failed"], "geostore.db").split("\n")
    assert failed[-1] == "  [FAILED] rate_limit: too many requests"
    unfinished = sample_block(1, 1, traces["open"], "geostore.db").split("\n")
    assert unfinished[-1] == "  [OPEN] Interrupted after 1 turn"


def test_unknown_facts_are_called_so(traces: dict[str, StoredTrace]) -> None:
    """A dataset without scores and countries is shown without inventing any."""
    trace = traces["far"]
    bare = replace(trace, sample=replace(trace.sample, locatability_score=None, country=None))
    block = sample_block(1, 1, bare, "geostore.db")
    assert "Locatability score: unknown" in block
    assert "Country: unknown" in block
    assert "locatability    unknown" in render_trace(bare)
