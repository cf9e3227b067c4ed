"""Re-framed exports: every box lies where it lay, and every word says so in the student's frame."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.conversation.calls import written_calls
from geostore.conversation.recipe import FRAME_SENTENCES, tool_names
from geostore.errors import ExportError
from geostore.export import (
    FORMATS,
    ExportOptions,
    ExportStream,
    Filter,
    StudentFrame,
    export,
    open_snapshot,
)
from geostore.export.files.folder import partial_folder
from geostore.export.student.box_text import BoxInText, Numbers, replace_boxes
from geostore.export.student.for_student import for_student
from geostore.export.student.frames import Reframer
from geostore.export.student.students import STUDENTS, Student, student_of
from geostore.importing import ReadOptions, import_traces
from geostore.records import BboxFrame, Box, ImageFacts, Recipe, StoredTrace, ToolCall
from geostore.store import Store
from geostore.tools import BadCall, Operation, current_image_after, understand
from tests.builders import StoreBuilder, make_dataset, native, played_recipe, recipe_of
from tests.call_forms import IN_TAGS, WITHOUT_TAGS, in_tags
from tests.minds import ROTATE, ZOOM, answer, text_call
from tests.running import geostore

FRAMES: tuple[BboxFrame, ...] = get_args(BboxFrame)
TARGETS: tuple[StudentFrame, ...] = get_args(StudentFrame)
SMALL = student_of("qwen2.5-vl", student_pixels=100_000)
"""It sees every photo of these tests reduced, so that no pixel frame is like the sender's."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    make_dataset(folder / "photos")
    return folder


@pytest.fixture
def builder(folder: Path, tmp_path: Path) -> Iterator[StoreBuilder]:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as store:
        yield StoreBuilder(store, folder / "photos")


def in_frame(frame: BboxFrame, *x_first: float) -> list[float]:
    """A box in thousandths, x first, in a frame of photos of 480 x 360 pixels."""
    left, top, right, bottom = x_first
    if frame == "norm1000_yx":
        return [top, left, bottom, right]
    if frame == "pixel":
        return [left * 0.48, top * 0.36, right * 0.48, bottom * 0.36]
    return [left, top, right, bottom]


def script_of(frame: BboxFrame, *, by_api: bool) -> list[Any]:
    """Zooms, a zoom of a zoom, a rotation and a zoom of it, several calls a turn, bad calls."""

    def zoom(*x_first: float, **more: Any) -> tuple[str, dict[str, Any]]:
        return ZOOM, {"bbox_2d": in_frame(frame, *x_first), **more}

    turns: list[list[tuple[str, dict[str, Any]]]] = [
        [zoom(100, 100, 600, 700, label="a sign")],
        [zoom(250, 250, 750, 750, img_idx=1), zoom(900, 800, 1200, 1000)],
        [zoom(600, 100, 200, 700), zoom(1100, 100, 1300, 500), zoom(500, 500, 500.1, 500.1)],
        [(ROTATE, {"angle": 90})],
        [zoom(100, 200, 500, 900), zoom(0, 0, 1000, 1000), zoom(100, 100, 600, 700, img_idx=0)],
        [zoom(1, 2, 3, 4), zoom(1, 2, 3, 4), zoom(1, 2, 3, 4), zoom(10, 20, 300, 400)],
        [(ZOOM, {"bbox_2d": [1, 2, 3]}), ("zoom", {"bbox_2d": in_frame(frame, 20, 30, 400, 500)})],
        [(ZOOM, {"bbox_2d": in_frame(frame, 20, 30, 400, 500), "img_idx": 77})],
    ]
    lines: list[Any] = []
    for calls in turns:
        prose = f"I look at {calls[0][1].get('bbox_2d', 'it')} again."
        if by_api:
            lines.append(native(prose, *calls))
        else:
            lines.append(prose + "\n" + "".join(text_call(*call) for call in calls))
    return [*lines, answer(10.0, 20.0)]


def played(
    builder: StoreBuilder, recipe: Recipe, script: Sequence[Any], row: int = 0
) -> StoredTrace:
    name = builder.play(row, script, recipe=recipe, turn_limit=20)
    return builder.store.traces.get_trace(builder.store.traces.find_trace(name))


def photo_of(trace: StoredTrace) -> ImageFacts:
    assert trace.photo is not None
    return trace.photo


def run_again(trace: StoredTrace, images: list[ImageFacts], seen: Any) -> list[Operation | BadCall]:
    """What the tools understand of a re-framed trace's calls, read from its words alone.

    images: facts of all images as they were sent, by number.
    """
    recipe = played_recipe(trace)
    results: list[Operation | BadCall] = []
    earlier: list[ToolCall] = []
    for turn in trace.turns:
        rows = [call for call in trace.calls if call.turn == turn.turn]
        for row, written in zip(rows, written_calls(recipe, turn), strict=True):
            assert (row.name, row.raw_arguments) == (written.name, written.raw_arguments)
            count = 1 + sum(call.image is not None for call in earlier)
            result = understand(
                written.name,
                written.raw_arguments,
                enabled=tool_names(recipe),
                images=[seen(image) for image in images[:count]],
                current_image=current_image_after(earlier),
                frame=recipe.bbox_frame,
                earlier=earlier,
            )
            results.append(result)
            earlier.append(replace(row, box=result.box) if isinstance(result, Operation) else row)
    return results


def near(before: Box, after: Box, image: ImageFacts, seen: ImageFacts, frame: StudentFrame) -> bool:
    width, height = (seen.width, seen.height) if frame == "pixel" else (1000, 1000)
    units = (image.full_width / width, image.full_height / height) * 2
    return all(abs(a - b) <= max(1, u) for a, b, u in zip(before, after, units, strict=True))


@pytest.mark.parametrize("by_api", [False, True], ids=["text", "native"])
@pytest.mark.parametrize("student", [STUDENTS["qwen2.5-vl"], STUDENTS["qwen3-vl"], SMALL])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("frame", FRAMES)
def test_every_call_gives_the_region_it_gave_and_every_fault_stays_the_same_fault(
    builder: StoreBuilder, frame: BboxFrame, target: StudentFrame, student: Student, by_api: bool
) -> None:
    """The re-framed words are read and understood by the real tools, in the new frame."""
    recipe = recipe_of("test", bbox_frame=frame, protocol="native" if by_api else "text")
    trace = played(builder, recipe, script_of(frame, by_api=by_api))
    reframer = Reframer(target, student)
    again = reframer.reframed(trace)
    images = [photo_of(trace), *(call.image for call in trace.calls if call.image is not None)]
    results = run_again(again, images, reframer.seen)
    assert len(results) == len(trace.calls) == len(again.calls) == 17
    for before, after, result in zip(trace.calls, again.calls, results, strict=True):
        assert (before.name, before.success, before.error_kind) == (
            after.name,
            after.success,
            after.error_kind,
        )
        if isinstance(result, BadCall):
            if before.error_kind != "too_many_calls":
                assert (before.error_kind, after.observation) == (
                    result.error_kind,
                    result.sentence,
                )
            continue
        if not before.success:
            continue
        assert before.source_index == result.source_index
        assert before.flags == after.flags
        assert [f for f in before.flags if not f.startswith("looks_like")] == list(result.flags)
        if before.box is not None:
            source = images[result.source_index]
            assert result.box is not None
            assert near(before.box, result.box, source, reframer.seen(source), target)
        assert after.arguments == result.arguments
        assert before.box == after.box
        assert before.image == after.image
    kinds = {call.error_kind for call in trace.calls}
    assert kinds >= {
        None,
        "bbox_empty",
        "bbox_outside",
        "bbox_too_small",
        "bbox_invalid",
        "unknown_tool",
        "img_idx_unknown",
        "too_many_calls",
    }


@pytest.mark.parametrize("by_api", [False, True], ids=["text", "native"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("frame", FRAMES)
def test_prompts_and_sentences_are_those_of_a_teacher_that_was_asked_in_the_new_frame(
    builder: StoreBuilder, frame: BboxFrame, target: StudentFrame, by_api: bool
) -> None:
    """Played anew with the re-framed words and sizes, the tools say the re-framed sentences."""
    protocol = "native" if by_api else "text"
    recipe = recipe_of("test", bbox_frame=frame, protocol=protocol)
    trace = played(builder, recipe, script_of(frame, by_api=by_api))
    reframer = Reframer(target, SMALL)
    again = reframer.reframed(trace)
    expected = recipe_of("test", bbox_frame=target, protocol=protocol)
    own = played_recipe(again)
    assert (own.system_prompt, own.user_prompt, own.tools, own.bbox_frame) == (
        expected.system_prompt,
        expected.user_prompt,
        expected.tools,
        target,
    )
    limits = re.compile(r"x from 0 to (\d+), y from 0 to (\d+)")
    sizes = {
        (str(image.width), str(image.height))
        for image in map(
            reframer.seen, [photo_of(trace), *(c.image for c in trace.calls if c.image is not None)]
        )
    }
    for call in again.calls:
        sentence = call.observation or ""
        if target == "pixel":
            assert "scale from 0 to 1000" not in sentence
            assert set(limits.findall(sentence)) <= sizes
        else:
            assert not limits.search(sentence)
            assert "in pixels of image" not in sentence
        if call.image is not None:
            seen = reframer.seen(call.image)
            assert sentence.startswith(f"Image {call.image_index} ({seen.width} x {seen.height} ")


def test_no_number_of_the_old_frame_is_left_in_what_a_student_reads(
    builder: StoreBuilder, folder: Path, tmp_path: Path
) -> None:
    """Numbers that no size and no box of the new frame has, so each that is left is an old one."""
    box = [137, 211, 671, 857]
    script = [
        f"<think>The sign at {box} and (137, 211), (671, 857).</think>I zoom into {box}:"
        + text_call(ZOOM, {"bbox_2d": box}),
        text_call(ZOOM, {"bbox_2d": [671, 857, 137, 211]}),
        f"It was at <|box_start|>(137,211),(671,857)<|box_end|>. {answer(10.0, 20.0)}",
    ]
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    builder.play(0, script, recipe=recipe)
    options = ExportOptions(format="sharegpt", bbox_frame="pixel", student_pixels=100_000)
    export(builder.store, tmp_path / "out", options=options)
    row = (tmp_path / "out" / "traces.jsonl").read_text()
    assert not re.search(r"\b(137|211|671|857)\b", row)
    assert "scale from 0 to 1000" not in row
    assert FRAME_SENTENCES["pixel"] in row
    assert "The photo is image 0, 364 x 252 pixels as you see it." in row
    # 0.137 * 364 = 49.9, 0.211 * 252 = 53.2, 0.671 * 364 = 244.2, 0.857 * 252 = 216.0
    assert row.count("[50, 53, 244, 216]") == 4
    assert row.count("(50, 53), (244, 216)") == 1
    assert row.count("(50,53),(244,216)") == 1
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "2 boxes of calls were re-framed." in readme
    assert "set `size.longest_edge` to 100000 in" in readme


def test_a_call_keeps_the_form_in_which_its_teacher_wrote_it(builder: StoreBuilder) -> None:
    """Every form that a call is read in, with the protocol's tags and without."""
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    bodies = {**{name: in_tags(body) for name, body in IN_TAGS.items()}, **WITHOUT_TAGS}
    assert len(bodies) > 100
    digits = re.compile(r"\d+")
    for number, (name, body) in enumerate(bodies.items()):
        key = builder.play(0, [body, answer(10.0, 20.0)], recipe=recipe, rollout=number + 1)
        trace = builder.store.traces.get_trace(builder.store.traces.find_trace(key))
        again = Reframer("pixel", SMALL).reframed(trace)
        before, after = trace.turns[0].response, again.turns[0].response
        assert digits.sub("", before) == digits.sub("", after), name
        assert json.loads(again.calls[0].arguments or "")["bbox_2d"] == [36, 50, 218, 176], name
        assert again.calls[0].flags == trace.calls[0].flags


def test_from_thousandths_to_pixels_and_back_each_box_is_the_same_to_one_unit(
    builder: StoreBuilder,
) -> None:
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    trace = played(builder, recipe, script_of("norm1000", by_api=False))
    pixels = Reframer("pixel", STUDENTS["qwen2.5-vl"]).reframed(trace)
    sent = iter([call.image for call in trace.calls])
    seen = Reframer("pixel", STUDENTS["qwen2.5-vl"]).seen
    as_seen = tuple(
        replace(call, image=None if (image := next(sent)) is None else seen(image))
        for call in pixels.calls
    )
    # What was re-framed is not what was run, so its boxes are those of its own words.
    facts = [photo_of(trace), *(call.image for call in trace.calls if call.image is not None)]
    results = run_again(pixels, facts, seen)
    own = tuple(
        replace(call, box=result.box) if isinstance(result, Operation) and call.success else call
        for call, result in zip(as_seen, results, strict=True)
    )
    back = Reframer("norm1000", STUDENTS["qwen3-vl"]).reframed(replace(pixels, calls=own))
    assert played_recipe(back) == recipe
    unit = 1000 / 364  # of the coarser side of the pixel frame
    for before, after in zip(trace.calls, back.calls, strict=True):
        if before.arguments is None or before.name != ZOOM:
            continue
        a, b = (json.loads(call.arguments or "")["bbox_2d"] for call in (before, after))
        assert all(abs(x - y) <= unit for x, y in zip(a, b, strict=True))


def test_a_trace_in_the_students_frame_already_stays_as_it_is(builder: StoreBuilder) -> None:
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    trace = played(builder, recipe, script_of("norm1000", by_api=False))
    assert Reframer("norm1000", STUDENTS["qwen3-vl"]).reframed(trace) == trace


def test_a_very_small_box_gets_decimals_where_whole_numbers_would_miss_it(
    builder: StoreBuilder,
) -> None:
    """4 of 480 pixels are a box; in the smallest image that a student sees they are under 1."""
    student = student_of("qwen2.5-vl", student_pixels=3136)
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    call = text_call(ZOOM, {"bbox_2d": [500, 500, 510, 515]})
    trace = played(builder, recipe, [call, answer(10.0, 20.0)])
    again = Reframer("pixel", student).reframed(trace)
    assert trace.calls[0].success
    assert re.search(r"bbox_2d\": \[.*\d+\.\d", again.turns[0].response)
    assert again.calls[0].success


def test_a_call_of_the_last_turn_that_was_not_run_is_re_framed_too(builder: StoreBuilder) -> None:
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    call = text_call(ZOOM, {"bbox_2d": [100, 200, 600, 700]})
    name = builder.play(0, [call, call], recipe=recipe, turn_limit=2)
    trace = builder.store.traces.get_trace(builder.store.traces.find_trace(name))
    again = Reframer("pixel", SMALL).reframed(trace)
    assert len(trace.calls) == len(again.calls) == 1
    assert "[36, 50, 218, 176]" in again.turns[1].response


def test_four_numbers_in_prose_are_a_box_only_where_they_surely_are(builder: StoreBuilder) -> None:
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    script = [
        "A car at [100, 200, 600, 700], years [2019, 2020, 2021, 2022], [1, 2, 3, 4], "
        "(100, 200, 600, 700) and 100, 200, 600, 700."
        + text_call(ZOOM, {"bbox_2d": [0, 0, 500, 900]}),
        # Now there are two images, so nothing says which one is meant, but for a mark.
        "Another at [100, 200, 600, 700], <box>[[100, 200, 600, 700]]</box>, and [0, 0, 500, 900]. "
        + answer(10.0, 20.0),
    ]
    reframer = Reframer("pixel", SMALL)
    first, second = (
        turn.response for turn in reframer.reframed(played(builder, recipe, script)).turns
    )
    assert first.startswith(
        "A car at [36, 50, 218, 176], years [2019, 2020, 2021, 2022], [1, 2, 3, 4], "
        "(100, 200, 600, 700) and 100, 200, 600, 700."
    )
    assert second.startswith(
        "Another at [100, 200, 600, 700], <box>[[36, 50, 218, 176]]</box>, and [0, 0, 182, 227]. "
    )
    assert (reframer.counts.in_words, reframer.counts.left) == (3, 1)


def test_the_same_numbers_of_two_images_become_two_boxes(builder: StoreBuilder) -> None:
    """A zoom of the photo and one of the square that it gave: their sizes differ to the student."""
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    box = {"bbox_2d": [100, 100, 400, 500]}
    script = [
        text_call(ZOOM, box),
        text_call(ZOOM, {**box, "img_idx": 0}) + text_call(ZOOM, {**box, "img_idx": 1}),
        answer(10.0, 20.0),
    ]
    again = Reframer("pixel", SMALL).reframed(played(builder, recipe, script))
    boxes = [json.loads(call.arguments or "")["bbox_2d"] for call in again.calls]
    assert boxes[0] == boxes[1] != boxes[2]


@pytest.mark.parametrize("by_api", [False, True], ids=["text", "native"])
def test_what_is_said_of_a_box_before_its_calls_and_in_a_label_is_re_framed_with_them(
    builder: StoreBuilder, by_api: bool
) -> None:
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="native" if by_api else "text")
    box = [100, 100, 400, 500]
    first = (ZOOM, {"bbox_2d": box})
    calls = [
        (ZOOM, {"bbox_2d": box, "label": f"what I saw at {box}", "img_idx": 0}),
        (ZOOM, {"bbox_2d": box, "img_idx": 1}),
    ]
    prose = f"Now {box} of both. "
    script: list[Any] = (
        [native("", first), native(prose, calls[1])]
        if by_api
        else [text_call(*first), prose + "".join(text_call(*call) for call in calls)]
    )
    again = Reframer("pixel", SMALL).reframed(
        played(builder, recipe, [*script, answer(10.0, 20.0)])
    )
    boxes = [json.loads(call.arguments or "")["bbox_2d"] for call in again.calls]
    assert boxes[0] != boxes[-1]
    assert str(box) not in again.turns[1].response
    if not by_api:
        assert again.turns[1].response.startswith("Now [36, 25, 146, 126] of both. ")
        assert boxes[1] == [36, 25, 146, 126]


def test_a_call_that_is_read_otherwise_than_when_it_was_run_is_an_error_that_names_the_trace(
    builder: StoreBuilder,
) -> None:
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    call = text_call(ZOOM, {"bbox_2d": [100, 200, 600, 700]})
    trace = played(builder, recipe, [call, answer(10.0, 20.0)])
    for damaged in (
        replace(trace.calls[0], box=(0, 0, 50, 50)),
        replace(trace.calls[0], observation="Image 1: something else."),
        replace(trace.calls[0], success=False, error_kind="bbox_empty", image=None),
    ):
        with pytest.raises(ExportError, match=f"{trace.name}: call 1 of turn 1 .* read otherwise"):
            Reframer("pixel", SMALL).reframed(replace(trace, calls=(damaged,)))


def test_prompts_of_other_words_cannot_be_re_framed(builder: StoreBuilder) -> None:
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    trace = played(builder, recipe, [answer(10.0, 20.0)])
    other = replace(recipe, user_prompt="Where? Boxes are as you like.")
    with pytest.raises(ExportError, match="other words than this version's"):
        Reframer("pixel", SMALL).reframed(replace(trace, recipe=other))


def test_traces_without_tools_stay_as_they_are(builder: StoreBuilder) -> None:
    trace = played(builder, recipe_of("test", tools=False), [f"[1, 2, 30, 40] {answer(1.0, 2.0)}"])
    assert Reframer("pixel", SMALL).reframed(trace) is trace


@pytest.mark.parametrize("tools", [True, False])
def test_imported_traces_with_tools_are_left_out_by_name(tmp_path: Path, tools: bool) -> None:
    """Nobody can write a foreign prompt anew; without tools there are no boxes in it."""
    trace = {
        "dataset_path": "/photos",
        "sample_index": 3,
        "sample_data": {"lat": 1.0, "lon": 2.0},
        "conversation_history": [
            {
                "turn": 1,
                "messages": [{"role": "user", "content": "Where? Boxes are in pixels."}],
                "response": answer(1.0, 2.0),
            }
        ],
        "tool_calls": [],
        "final_response": answer(1.0, 2.0),
    }
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "trace_00003.json").write_text(json.dumps(trace))
    options = ExportOptions(format="sharegpt", images="reference", bbox_frame="pixel")
    with Store.open(tmp_path / "imported.db", create=True) as store:
        import_traces(store, tmp_path / "in", options=ReadOptions(tools=tools))
        with open_snapshot(store.path) as snapshot, partial_folder(tmp_path / "out") as target:
            stream = ExportStream(snapshot, Filter(), target, options=options)
            recipes = stream.scope.recipes.values()
            stream.for_student = for_student(options, FORMATS["sharegpt"].rules, recipes)
            exported = [each.trace for each in stream]
        if tools:
            assert exported == []
            assert stream.unwritten.counts == {"frame": 1}
            assert "tells of boxes in its own words" in stream.unwritten.named[0].why
        else:
            assert exported == [store.traces.get_trace(1)]


# --- text ---------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1e4, 1e4).map(lambda x: round(x, 2)), min_size=4, max_size=4), st.text())
def test_only_the_digits_of_a_box_change(numbers: list[float], around: str) -> None:
    text = f"{around}[{', '.join(map(str, numbers))}]"
    found: list[BoxInText] = []

    def write(box: BoxInText) -> Numbers | None:
        found.append(box)
        return (1, 2, 3, 4) if box.numbers == tuple(numbers) else None

    after = replace_boxes(text, write, y_first=False, write_y_first=False)
    if found and found[-1].numbers == tuple(numbers):
        assert after.endswith("[1, 2, 3, 4]")
    assert replace_boxes(text, lambda _: None, y_first=False, write_y_first=False) == text


def test_sides_with_names_keep_their_names_whatever_the_order_of_the_frame() -> None:
    text = '{"ymin": 10, "xmin": 20, "ymax": 30, "xmax": 40}'
    seen = []

    def write(box: BoxInText) -> Numbers:
        seen.append(box.numbers)
        return (2, 1, 4, 3)

    after = replace_boxes(text, write, y_first=True, write_y_first=False)
    assert seen == [(10, 20, 30, 40)]
    assert after == '{"ymin": 1, "xmin": 2, "ymax": 3, "xmax": 4}'


# --- exports ------------------------------------------------------------------------------------


def test_an_export_without_the_option_is_the_same_as_ever(
    builder: StoreBuilder, tmp_path: Path
) -> None:
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    builder.play(0, script_of("norm1000", by_api=False), recipe=recipe, turn_limit=20)
    export(builder.store, tmp_path / "out", options=ExportOptions(format="sharegpt"))
    assert "bbox_frame" not in json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    row = json.loads((tmp_path / "out" / "traces.jsonl").read_text())
    trace = builder.store.traces.get_trace(1)
    said = [entry["value"] for entry in row["conversations"] if entry["from"] == "gpt"]
    assert said == [turn.response for turn in trace.turns]


def test_rows_of_ms_swift_bound_images_as_the_boxes_are_named_for(
    builder: StoreBuilder, tmp_path: Path
) -> None:
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="text")
    builder.play(0, script_of("norm1000", by_api=False), recipe=recipe, turn_limit=20)
    bounds = {}
    for name, options in {
        "kept": ExportOptions(format="swift"),
        "own": ExportOptions(format="swift", bbox_frame="pixel", student="qwen3-vl"),
        "reduced": ExportOptions(format="swift", student_pixels=100_000),
    }.items():
        export(builder.store, tmp_path / name, options=options)
        row = json.loads((tmp_path / name / "traces.jsonl").read_text())
        bounds[name] = row["chat_template_kwargs"]
    assert bounds["own"] == {"max_pixels": 16_777_216, "min_pixels": 65_536}
    assert bounds["reduced"] == {"max_pixels": 100_000, "min_pixels": 3136}
    assert bounds["kept"]["max_pixels"] >= 480 * 360


@pytest.mark.parametrize("frame", ["pixel", "norm1000"])
def test_boxes_in_pixels_of_images_that_a_student_sees_reduced_are_told_of(
    builder: StoreBuilder, tmp_path: Path, frame: BboxFrame
) -> None:
    recipe = recipe_of("test", bbox_frame=frame, protocol="text")
    builder.play(0, script_of(frame, by_api=False), recipe=recipe, turn_limit=20)
    targets: tuple[StudentFrame | None, ...] = (None, "pixel")
    for target in targets:
        options = ExportOptions(format="sharegpt", student_pixels=100_000, bbox_frame=target)
        export(builder.store, tmp_path / "out", options=options)
        readme = (tmp_path / "out" / "README.md").read_text()
        assert ("those boxes lie elsewhere" in readme) == (frame == "pixel" and target is None)


def test_the_command_re_frames_and_says_so_in_the_manifest(
    builder: StoreBuilder, tmp_path: Path
) -> None:
    recipe = recipe_of("test", bbox_frame="norm1000", protocol="native")
    builder.play(0, script_of("norm1000", by_api=True), recipe=recipe, turn_limit=20)
    out, store = tmp_path / "out", builder.store.path
    geostore(
        *("export", out, "--store", store, "--format", "sharegpt", "--bbox-frame", "pixel"),
        *("--student", "qwen3-vl"),
    )
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert (manifest["bbox_frame"], manifest["student"]) == ("pixel", "qwen3-vl")
    readme = (out / "README.md").read_text()
    assert "pixels of the image as Qwen3-VL sees it: its sides are multiples of 32" in " ".join(
        readme.split()
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExportOptions(bbox_frame="pixel"), "the format trace takes no --bbox-frame"),
        (ExportOptions(format="jsonl", bbox_frame="norm1000"), "takes no --bbox-frame"),
        (ExportOptions(format="verl-rl", bbox_frame="norm1000"), "takes no --bbox-frame"),
        (ExportOptions(format="trl-rl", bbox_frame="pixel"), "takes no --bbox-frame"),
        (
            ExportOptions(format="sharegpt", bbox_frame="pixel", student="llava-style"),
            "give norm1000",
        ),
        (
            ExportOptions(format="sharegpt", bbox_frame="norm1000_yx"),  # type: ignore[arg-type]
            "there is no bbox_frame 'norm1000_yx'",
        ),
    ],
)
def test_a_frame_that_cannot_be_is_refused(
    builder: StoreBuilder, tmp_path: Path, options: ExportOptions, message: str
) -> None:
    builder.play(0, [answer(1.0, 2.0)], recipe=recipe_of("test"))
    with pytest.raises(ExportError, match=message):
        export(builder.store, tmp_path / "out", options=options)
