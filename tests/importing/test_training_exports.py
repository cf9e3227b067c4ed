"""Exports for trainers go round: exported, and imported into another store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest

import geostore
from geostore.export import ExportOptions, Format, export
from geostore.export.files.row_index import INDEX
from geostore.importing import ImportResult, ReadOptions, import_traces
from geostore.importing.training import HOLD_NO_TRACE, RECORDS
from geostore.records import ImportedRecipe, StoredTrace
from geostore.store import Store
from tests.builders import (
    BAD_BOX,
    NATIVE_RECIPE,
    TEXT_RECIPE,
    TURN_LEFT,
    ZOOM_IN,
    StoreBuilder,
    make_dataset,
    native,
)
from tests.minds import ROTATE, ZOOM, answer
from tests.training_store import fill_training_store

FORMS: dict[str, dict[str, Any]] = {
    "sharegpt": {"format": "sharegpt"},
    "sharegpt, parquet": {"format": "sharegpt", "images": "embed"},
    "swift": {"format": "swift"},
    "chat, openai": {"format": "chat", "dialect": "openai"},
    "chat, together": {"format": "chat", "dialect": "together"},
    "chat, swift": {"format": "chat", "dialect": "swift"},
    "hf": {"format": "hf"},
    "hf, references": {"format": "hf", "images": "reference"},
    "verl-sft": {"format": "verl-sft"},
    "verl-sft-text": {"format": "verl-sft-text"},
    "trl": {"format": "trl"},
    "chat, prime-rl": {"format": "chat", "dialect": "prime-rl"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of every kind of trace, `store.db`, and its dataset, `photos`."""
    folder = tmp_path_factory.mktemp("training")
    kinds = fill_training_store(folder / "store.db", folder / "photos")
    (folder / "kinds.json").write_text(json.dumps(kinds))
    return folder


def exported(place: Path, out: Path, **options: Any) -> Path:
    with Store.open(place / "store.db") as store:
        export(store, out, options=ExportOptions(**options))
    return out


def imported(folder: Path, store: Path, dataset: Path | None) -> ImportResult:
    options = ReadOptions(dataset_path=None if dataset is None else str(dataset))
    with Store.open(store, create=True, durability="normal") as opened:
        return import_traces(opened, folder, options=options, processes=1)


def traces(store: Path) -> dict[int, StoredTrace]:
    """By row number: every trace is about a photo of its own."""
    with geostore.open(store) as opened:
        return {trace.sample.sample_index: trace for trace in opened.traces()}


def kinds(place: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((place / "kinds.json").read_text())
    return found


def image_hashes(store: Path, trace: StoredTrace) -> list[str]:
    with geostore.open(store) as opened:
        return [image.sha256 for image in opened.sent_images(trace.name)]


@pytest.mark.parametrize("form", FORMS)
def test_a_row_that_nobody_edited_comes_back_as_the_trace_that_was_paid_for(
    place: Path, tmp_path: Path, form: str
) -> None:
    """Words, thoughts, calls, answers, rewards, images and the hashes of requests: all of it."""
    folder = exported(place, tmp_path / "out", **FORMS[form])
    result = imported(folder, tmp_path / "new.db", place / "photos")
    assert (result.imported, result.problems, result.unproven) == (len(kinds(place)), (), 0)
    before, after = traces(place / "store.db"), traces(tmp_path / "new.db")
    assert before.keys() == after.keys()
    different = {kinds(place)[t.name] for row, t in before.items() if timeless(after[row]) != t}
    assert different == set()
    again = imported(folder, tmp_path / "new.db", place / "photos")
    assert (again.imported, again.known) == (0, len(before))


def timeless(trace: StoredTrace) -> StoredTrace:
    """A trace with the latency that scripts play: exports hold no times."""
    return replace(trace, turns=tuple(replace(turn, latency_ms=1500) for turn in trace.turns))


@pytest.mark.parametrize("form", ["sharegpt", "chat, openai", "hf", "verl-sft-text"])
def test_a_literal_placeholder_in_the_teachers_words_comes_back_whole(
    place: Path, tmp_path: Path, form: str
) -> None:
    folder = exported(place, tmp_path / "out", **FORMS[form])
    imported(folder, tmp_path / "new.db", place / "photos")
    kind_of = {name: kind for name, kind in kinds(place).items() if "placeholders" in kind}
    assert len(kind_of) == 2
    with geostore.open(place / "store.db") as old, geostore.open(tmp_path / "new.db") as new:
        for name in kind_of:
            words = [turn.response for turn in new.trace(name).turns]
            assert words == [turn.response for turn in old.trace(name).turns]
            assert any("<image>" in text for text in words)


def edited(folder: Path, old: str, new: str) -> None:
    """Replace a text in the rows of an export."""
    for path in folder.glob("*.jsonl"):
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


PIECES = (
    *(
        "<image>",
        "<image\\>",
        "<think>",
        "</think>",
        "<think>t</think>",
        "<tool_call>",
        "</tool_call>",
    ),
    *("<tool_response>", "<|im_end|>", "\n", "\n\n", " ", "\t", "\r\n", "\u2028", "\\", "…"),
    *("東京", "a", '{"name": 1}', "Image 1:", ZOOM_IN, TURN_LEFT, BAD_BOX),
)


def anything(random: Random) -> str:
    return "".join(random.choices(PIECES, k=random.randrange(6)))


def a_reply(random: Random, *, native_calls: bool) -> dict[str, Any]:
    line: dict[str, Any] = {"response": anything(random)}
    if native_calls and random.random() < 0.7:
        box = {"bbox_2d": [0, 0, 500, 500], "label": anything(random)}
        calls: list[tuple[str, dict[str, Any]]] = [(ZOOM, box), (ROTATE, {"angle": 90})]
        # A reply that calls in its words as well is left out of exports.
        words = line["response"].replace("<tool_call>", "")
        line = native(words, *random.choices(calls, k=2))
    if random.random() < 0.3:
        line |= {"reasoning": f"{anything(random)}r", "reasoning_source": "reasoning_content"}
    return line


@pytest.mark.parametrize("form", ["sharegpt", "swift", "chat, openai", "hf", "verl-sft"])
def test_whatever_a_teacher_says_comes_back(tmp_path: Path, form: str) -> None:
    """Tags, escapes and white space of every kind, in words, thoughts and calls."""
    random = Random(7)
    with Store.open(tmp_path / "store.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(tmp_path / "photos", rows=30))
        for row in range(30):
            recipe = NATIVE_RECIPE if row % 2 else TEXT_RECIPE
            lines = [a_reply(random, native_calls=bool(row % 2)) for _ in range(3)]
            builder.play(row, [*lines, *[answer(1.0, 2.0)] * 3], recipe=recipe, turn_limit=6)
    folder = exported(tmp_path, tmp_path / "out", **FORMS[form])
    result = imported(folder, tmp_path / "new.db", tmp_path / "photos")
    assert (result.imported, result.unproven) == (30, 0), result.unproven_why
    before, after = traces(tmp_path / "store.db"), traces(tmp_path / "new.db")
    for row, trace in before.items():
        assert timeless(after[row]) == timeless(trace)


@pytest.mark.parametrize("format", ["chat", "hf", "sharegpt"])
def test_rows_in_splits_and_shards_come_back_too(
    place: Path, tmp_path: Path, format: Format
) -> None:
    with geostore.open(place / "store.db") as store:
        splits = {"train": 0.5, "val": 0.5}
        store.export(tmp_path / "out", format=format, split=splits, split_by="cell:5", shard_size=4)
    result = imported(tmp_path / "out", tmp_path / "new.db", place / "photos")
    assert (result.imported, result.problems, result.unproven) == (len(kinds(place)), (), 0)


@pytest.mark.parametrize("form", ["sharegpt", "swift", "chat, openai", "chat, together"])
@pytest.mark.parametrize(
    ("old", "new"),
    [("There is a sign.", "I see a sign <image\\\\>."), ("boxed{13.5, 23.5}", "boxed{13.4, 23.4}")],
)
def test_an_edited_row_comes_in_as_another_scripts_file_with_its_own_words_and_images(
    place: Path, tmp_path: Path, form: str, old: str, new: str
) -> None:
    """Nobody paid for the words that somebody else wrote."""
    folder = exported(place, tmp_path / "out", **FORMS[form])
    edited(folder, old, new)
    result = imported(folder, tmp_path / "new.db", place / "photos")
    assert (result.imported, result.unproven) == (len(kinds(place)), 1)
    before, after = traces(place / "store.db"), traces(tmp_path / "new.db")
    [(row, trace)] = [(r, t) for r, t in after.items() if isinstance(t.recipe, ImportedRecipe)]
    said = [turn.response for turn in trace.turns]
    asked = [turn.response for turn in before[row].turns]
    plain = new.replace("\\\\", "")
    assert any(plain in text for text in said), said
    replaced = [text.replace(old, plain) for text in asked]
    with_calls = not any(call.turn == 1 for call in trace.calls) or form != "chat, openai"
    assert said[-1] == replaced[-1]
    assert not with_calls or len(said) == len(replaced)
    assert [(c.name, c.raw_arguments) for c in trace.calls] == [
        (c.name, c.raw_arguments) for c in before[row].calls
    ]
    assert image_hashes(tmp_path / "new.db", trace) == image_hashes(place / "store.db", before[row])
    assert {proof.proof for proof in trace.image_proofs} == {"exact"}


@pytest.mark.parametrize("form", ["sharegpt", "chat, openai"])
def test_rows_that_were_chosen_and_shuffled_are_known_by_their_trace_or_photo(
    place: Path, tmp_path: Path, form: str
) -> None:
    """The line of a row says nothing once somebody took rows out."""
    folder = exported(place, tmp_path / "out", **FORMS[form])
    for path in folder.glob("*.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join(lines[10:3:-1]) + "\n", encoding="utf-8")
    result = imported(folder, tmp_path / "new.db", place / "photos")
    assert (result.imported, result.unproven) == (7, 0)
    before, after = traces(place / "store.db"), traces(tmp_path / "new.db")
    assert all(timeless(after[row]) == before[row] for row in after)


def rollouts(place: Path) -> Path:
    """A store where rollouts of a photo say the same, or differ in a word and a call."""
    with Store.open(place / "store.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(place / "photos", rows=3, seed=17))
        for rollout in (1, 2, 3):
            builder.play(0, [ZOOM_IN, answer(10, 20)], rollout=rollout)
        builder.play(1, [f"One.{ZOOM_IN}", answer(10, 20)], rollout=1)
        builder.play(1, [f"Two.{TURN_LEFT}", answer(40, 20)], rollout=2)
        thought = {"response": answer(1, 2), "reasoning": "My whole thought.\n"}
        builder.play(2, [{**thought, "reasoning_source": "reasoning_content"}])
    return place


def in_order(folder: Path, *rows: int) -> None:
    """Keep these rows of an export's one file, counted from 0, in this order."""
    path = folder / "traces.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[row] for row in rows), encoding="utf-8")


@pytest.mark.parametrize("form", ["sharegpt", "chat, openai", "chat, together"])
@pytest.mark.parametrize("rows", [(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0), (3, 0, 1, 2), (4, 2, 0)])
def test_rollouts_of_one_photo_stay_apart_in_rows_that_were_chosen_and_shuffled(
    tmp_path: Path, form: str, rows: tuple[int, ...]
) -> None:
    """Rows of equal words are as many traces, and no row takes the calls of another rollout."""
    folder = exported(rollouts(tmp_path), tmp_path / "out", **FORMS[form])
    in_order(folder, *rows)
    result = imported(folder, tmp_path / "new.db", tmp_path / "photos")
    assert (result.imported, result.known, result.unproven) == (len(rows), 0, 0)
    with geostore.open(tmp_path / "store.db") as old, geostore.open(tmp_path / "new.db") as new:
        before = {trace.name: trace for trace in old.traces()}
        after = {trace.name: trace for trace in new.traces()}
    assert all(timeless(trace) == before[name] for name, trace in after.items())
    shutil.copytree(folder, tmp_path / "copy")
    again = imported(tmp_path / "copy", tmp_path / "new.db", tmp_path / "photos")
    assert (again.imported, again.known) == (0, len(rows))


@pytest.mark.parametrize(
    ("form", "old", "new"),
    [
        ("sharegpt", "My whole thought.", "Somebody else's thought."),
        ("swift", "My whole thought.", "Somebody else's thought."),
        ("chat, openai", "My whole thought.", "Somebody else's thought."),
        ("sharegpt", "Where was", "Guess where"),
        ("sharegpt", "My whole thought.", "My whole thought. "),
    ],
)
def test_an_edited_thought_or_question_is_not_taken_for_what_was_paid_for(
    tmp_path: Path, form: str, old: str, new: str
) -> None:
    folder = exported(rollouts(tmp_path), tmp_path / "out", **FORMS[form])
    in_order(folder, 5)
    edited(folder, old, new)
    result = imported(folder, tmp_path / "new.db", tmp_path / "photos")
    assert (result.imported, result.unproven) == (1, 1)
    assert result.unproven_why == "its row was edited"
    trace = traces(tmp_path / "new.db")[2]
    assert isinstance(trace.recipe, ImportedRecipe)
    thought = new if "thought" in new else "My whole thought."
    assert (trace.turns[0].reasoning or "").strip() == thought.strip()
    assert trace.turns[0].response == answer(1, 2)
    if "where" in new:
        assert new in str(trace.turns[0].messages)


@pytest.mark.parametrize(
    ("form", "old", "new"),
    [
        ("sharegpt", "[100, 100, 600, 700]", "[100, 100, 600, 900]"),
        ("swift", "[100, 100, 600, 700]}}", "[100, 100, 600, 900]}}"),
        ("chat, openai", "[100, 100, 600, 700]}", "[100, 100, 600, 900]}"),
    ],
)
def test_an_edited_call_comes_in_as_it_stands_in_the_row(
    tmp_path: Path, form: str, old: str, new: str
) -> None:
    folder = exported(rollouts(tmp_path), tmp_path / "out", **FORMS[form])
    in_order(folder, 3)
    edited(folder, old, new)
    result = imported(folder, tmp_path / "new.db", tmp_path / "photos")
    assert (result.imported, result.unproven) == (1, 1)
    [call] = traces(tmp_path / "new.db")[1].calls
    assert json.loads(call.raw_arguments)["bbox_2d"] == [100, 100, 600, 900]


def test_a_row_whose_export_left_the_thought_out_proves_nothing(tmp_path: Path) -> None:
    """No request holds the thought of the last turn, so no hash of one tells that it is gone."""
    options = {"format": "sharegpt", "reasoning": "drop"}
    folder = exported(rollouts(tmp_path), tmp_path / "out", **options)
    result = imported(folder, tmp_path / "new.db", tmp_path / "photos")
    assert (result.imported, result.unproven) == (6, 1)
    assert result.unproven_why == "its export left the thought of turn 1 out of the row"
    trace = traces(tmp_path / "new.db")[2]
    assert (trace.turns[0].reasoning, trace.turns[0].response) == (None, answer(1, 2))


@pytest.mark.parametrize("reasoning", ["keep", "think"])
@pytest.mark.parametrize("form", FORMS)
def test_white_space_around_thoughts_and_words_comes_back(
    tmp_path: Path, form: str, reasoning: str
) -> None:
    words = answer(1, 2)
    field = {"reasoning_source": "reasoning_content"}
    scripts: list[list[Any]] = [
        [{"response": f"A.{ZOOM_IN}", "reasoning": "  thought \n", **field}, f"\n\n{words} \n"],
        [{"response": f"\n\n{words}", "reasoning": "\n mid </think>\n\n end\t", **field}],
        [f"<think>\n\n pad \n\n</think>\n\n\n\nWell.{ZOOM_IN}", f"  {words}"],
        [{"response": words, "reasoning": " \n", **field}],
    ]
    with Store.open(tmp_path / "store.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(tmp_path / "photos", rows=len(scripts)))
        for row, script in enumerate(scripts):
            builder.play(row, script, recipe=TEXT_RECIPE)
    folder = exported(tmp_path, tmp_path / "out", **FORMS[form], reasoning=reasoning)
    result = imported(folder, tmp_path / "new.db", tmp_path / "photos")
    assert (result.imported, result.unproven) == (len(scripts), 0), result.unproven_why
    before, after = traces(tmp_path / "store.db"), traces(tmp_path / "new.db")
    assert {row: timeless(trace) for row, trace in after.items()} == before


@pytest.mark.parametrize("format", sorted(HOLD_NO_TRACE))
def test_an_export_that_holds_no_whole_trace_is_named_once_a_file(
    place: Path, tmp_path: Path, format: Format
) -> None:
    options = {"pairs_for": "trl"} if format == "pairs" else {}
    store = rollouts(tmp_path) if format == "pairs" else place
    folder = exported(store, tmp_path / "out", format=format, **options)
    result = imported(folder, tmp_path / "new.db", store / "photos")
    files = [*folder.glob("*.parquet"), *folder.glob("*.jsonl")]
    assert (result.imported, result.skipped) == (0, {"no_trace": len(files)})
    assert f"an export as {format} holds no trace as a whole" in result.problems[0].why


def test_every_format_comes_back_or_says_that_it_cannot() -> None:
    formats = {options["format"] for options in FORMS.values()} | HOLD_NO_TRACE | RECORDS
    assert formats == set(get_args(Format))


def test_rows_without_their_index_are_skipped_and_the_reason_is_said(
    place: Path, tmp_path: Path
) -> None:
    folder = exported(place, tmp_path / "out", **FORMS["sharegpt"])
    (folder / INDEX).unlink()
    result = imported(folder, tmp_path / "new.db", place / "photos")
    assert result.imported == 0
    assert result.skipped == {"no_trace": len(kinds(place))}
    assert "no line of rows.index is about" in result.problems[0].why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda row: {**row, "conversations": row["conversations"][:-1]}, "it was edited"),
        (lambda row: {**row, "conversations": []}, "no reply of a teacher"),
        (lambda row: {**row, "conversations": [7]}, "is no object"),
        (lambda row: {**row, "conversations": [{"value": "x"}]}, "has no role"),
        (lambda row: {**row, "images": []}, "fewer images than places"),
        (lambda row: {**row, "trace": "0-unknown-1"}, "no line of rows.index"),
        (lambda row: {"trace": row["trace"]}, "neither messages nor conversations"),
    ],
)
def test_a_row_that_was_damaged_is_skipped_and_named(
    place: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], why: str
) -> None:
    folder = exported(place, tmp_path / "out", **FORMS["sharegpt"])
    lines = (folder / "traces.jsonl").read_text(encoding="utf-8").splitlines()
    lines[0] = json.dumps(change(json.loads(lines[0])))
    (folder / "traces.jsonl").write_text("\n".join(lines), encoding="utf-8")
    result = imported(folder, tmp_path / "new.db", place / "photos")
    assert result.imported == len(lines) - 1
    [problem] = result.problems
    assert problem.path.endswith("traces.jsonl:1")
    assert why in problem.why


def test_a_dataset_that_was_damaged_is_an_error_with_a_name(place: Path, tmp_path: Path) -> None:
    folder = exported(place, tmp_path / "out", **FORMS["hf"])
    (folder / "train" / "data.arrow").write_bytes(b"no arrow")
    result = imported(folder, tmp_path / "new.db", place / "photos")
    assert result.imported == 0
    [problem] = result.problems
    assert problem.path.endswith("data.arrow")
    assert problem.kind == "unreadable"


def test_settings_and_the_index_beside_the_rows_are_not_taken_for_traces(
    place: Path, tmp_path: Path
) -> None:
    folder = exported(place, tmp_path / "out", **FORMS["sharegpt"])
    assert (folder / "dataset_info.json").exists()
    assert imported(folder, tmp_path / "new.db", place / "photos").skipped == {}
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    from_file = imported(moved / "traces.jsonl", tmp_path / "file.db", place / "photos")
    assert (from_file.imported, from_file.unproven) == (len(kinds(place)), 0)
