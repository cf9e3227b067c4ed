"""What verl finds in the formats ``verl-sft`` and ``verl-sft-text``."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from geostore.conversation.recipe import tools_section
from geostore.errors import ExportError
from geostore.export import ExportOptions, Format, export
from geostore.export.student.placeholders import unescape_placeholders
from geostore.records import StoredTrace
from geostore.store import Filter, Store, open_snapshot
from geostore.tools import tool_schemas
from tests.builders import BAD_BOX, ZOOM_IN, StoreBuilder, fill, make_dataset
from tests.minds import ZOOM, answer, text_call

LITERAL = "招牌上写着 <image> 和 <|image_pad|>。"
BROKEN = "<tool_call>{broken</tool_call>"
LABELLED = text_call(ZOOM, {"bbox_2d": [0, 0, 9, 9], "label": "<image>"})
FORMATS: tuple[Format, ...] = ("verl-sft", "verl-sft-text")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        fill(builder)
        script = [f"{LITERAL}{ZOOM_IN}", BROKEN, LABELLED, ZOOM_IN + BAD_BOX, answer(1.0, 2.0)]
        builder.play(1, script, rollout=2)
    return folder / "geostore.db"


def traces_of(store: Path) -> dict[str, StoredTrace]:
    with open_snapshot(store) as snapshot:
        return {trace.name: trace for trace in snapshot.traces(Filter(), with_turns=True)}


def rows_of(store: Path, out: Path, format: Format, **options: Any) -> list[dict[str, Any]]:
    with Store.open(store) as opened:
        export(opened, out, options=ExportOptions(format=format, **options))
    rows: list[dict[str, Any]] = parquet.read_table(out / "traces.parquet").to_pylist()
    return rows


def images_sent(trace: StoredTrace) -> list[str]:
    assert trace.photo is not None
    return [trace.photo.sha256, *(c.image.sha256 for c in trace.calls if c.image is not None)]


@pytest.mark.parametrize("format", FORMATS)
def test_a_row_holds_each_image_once_in_the_order_of_its_places(
    filled: Path, tmp_path: Path, format: Format
) -> None:
    traces, rows = traces_of(filled), rows_of(filled, tmp_path / "out", format)
    assert [row["trace"] for row in rows] == list(traces)
    for row in rows:
        assert all(list(image) == ["bytes"] for image in row["images"])
        hashes = [hashlib.sha256(image["bytes"]).hexdigest() for image in row["images"]]
        assert hashes == images_sent(traces[row["trace"]])
        placed = [message["content"].count("<image>") for message in row["messages"]]
        assert sum(placed) == len(hashes)
        for message, count in zip(row["messages"], placed, strict=True):
            assert count == 0 or message["role"] in ("user", "tool")


@pytest.mark.parametrize("format", FORMATS)
def test_roles_follow_one_another_and_no_content_is_missing(
    filled: Path, tmp_path: Path, format: Format
) -> None:
    """verl reads each message by itself: two results in a row would not read as one turn does."""
    for row in rows_of(filled, tmp_path / "out", format):
        first, *rest = row["messages"]
        assert first["role"] == "system"
        assert rest[0]["role"] == "user"
        assert all(isinstance(message["content"], str) for message in row["messages"])
        assert [message["role"] == "assistant" for message in rest] == [
            bool(place % 2) for place in range(len(rest))
        ]


def test_the_text_format_has_the_teachers_own_words_in_the_assistants_messages(
    filled: Path, tmp_path: Path
) -> None:
    traces = traces_of(filled)
    for row in rows_of(filled, tmp_path / "out", "verl-sft-text"):
        trace = traces[row["trace"]]
        written = [m["content"] for m in row["messages"] if m["role"] == "assistant"]
        assert len(written) == len(trace.turns)
        for turn, content in zip(trace.turns, written, strict=True):
            text = unescape_placeholders(content)
            if turn.reasoning is not None:
                assert text == f"<think>{turn.reasoning}</think>{turn.response}"
            elif turn.native_calls is None:
                assert text == turn.response
            else:
                assert text.startswith(f"{turn.response}\n<tool_call>")
        read = "".join(m["content"] for m in row["messages"] if m["role"] == "user")
        assert all((call.observation or "") in read for call in trace.calls)


def test_calls_are_objects_with_the_arguments_as_the_teacher_wrote_them(
    filled: Path, tmp_path: Path
) -> None:
    traces = traces_of(filled)
    count = as_text = 0
    for row in rows_of(filled, tmp_path / "out", "verl-sft"):
        trace = traces[row["trace"]]
        said = [m for m in row["messages"] if m["role"] == "assistant"]
        for turn, message in zip(trace.turns, said, strict=True):
            calls = [call for call in trace.calls if call.turn == turn.turn]
            if message["tool_calls"] is None:
                as_text += len(calls)
                continue
            assert "<tool_call>" not in message["content"]
            functions = [call["function"] for call in message["tool_calls"]]
            assert [f["name"] for f in functions] == [call.name for call in calls]
            assert [json.loads(f["arguments"]) for f in functions] == [
                json.loads(call.raw_arguments) for call in calls
            ]
            count += len(calls)
    # A call that is no JSON, and one whose label a loader would fill with an image.
    assert as_text == 2
    assert count == 10


def test_results_of_one_reply_are_one_message_as_a_template_joins_several(
    filled: Path, tmp_path: Path
) -> None:
    traces = traces_of(filled)
    joined = 0
    for row in rows_of(filled, tmp_path / "out", "verl-sft"):
        rest = iter(call for call in traces[row["trace"]].calls)
        for message in row["messages"]:
            if message["role"] != "tool":
                continue
            for part in message["content"].split("\n</tool_response>\n<tool_response>\n"):
                call = next(call for call in rest if (call.observation or "") in part)
                assert part.removeprefix("<image>\n").startswith(call.observation or "?")
                assert part.startswith("<image>") == (call.image is not None)
            joined += "</tool_response>" in message["content"]
    assert joined == 3


@pytest.mark.parametrize("format", FORMATS)
def test_tools_stand_in_the_system_message_and_in_no_column(
    filled: Path, tmp_path: Path, format: Format
) -> None:
    """Parquet's one struct type would pad their schemas with nulls, which reach the prompt."""
    rows = rows_of(filled, tmp_path / "out", format)
    assert all(list(row) == ["messages", "images", "trace"] for row in rows)
    section = tools_section(tool_schemas("norm1000"))
    assert all(row["messages"][0]["content"].count(section) == 1 for row in rows)


@pytest.mark.parametrize("format", FORMATS)
def test_reasoning_is_wrapped_or_left_out(filled: Path, tmp_path: Path, format: Format) -> None:
    for mode, opening in (("keep", "<think>A sign."), ("think", "<think>\nA sign."), ("drop", "")):
        rows = rows_of(filled, tmp_path / mode, format, reasoning=mode)
        said = next(m for m in rows[0]["messages"] if m["role"] == "assistant")["content"]
        assert said.startswith(opening)
        assert ("A sign." in said) == (mode != "drop")


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_store_gives_the_same_bytes(filled: Path, tmp_path: Path, format: Format) -> None:
    for name in ("one", "two"):
        rows_of(filled, tmp_path / name, format)
    for file in ("traces.parquet", "SHA256SUMS", "README.md"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("format", FORMATS)
def test_the_script_starts_verl_with_a_length_in_which_every_row_fits(
    filled: Path, tmp_path: Path, format: Format
) -> None:
    rows_of(filled, tmp_path / "out", format, tokenizer="factor:3", student="qwen3-vl")
    program = tmp_path / "torchrun"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["sh", tmp_path / "out" / "train.sh", "optim.lr=1e-5"],
        env={"PATH": os.pathsep.join([str(tmp_path), os.environ["PATH"]])},
        check=True,
        capture_output=True,
        text=True,
    )
    words = done.stdout.splitlines()
    assert words[words.index("-m") + 1] == "verl.trainer.sft_trainer"
    values = dict(word.split("=", 1) for word in words if "=" in word)
    assert values["data.train_files"] == f"'{tmp_path / 'out' / 'traces.parquet'}'"
    assert values["data.val_files"] == "null"
    # verl's own 256 would drop all of them.
    rows = parquet.read_metadata(tmp_path / "out" / "traces.parquet").num_rows
    assert rows / 2 < int(values["data.train_batch_size"]) <= rows
    assert values["optim.lr"] == "1e-5"
    length = int(values["data.max_length"])
    assert values["data.max_token_len_per_gpu"] == str(length)
    readme = (tmp_path / "out" / "README.md").read_text()
    assert f"Set `data.max_length` to at least **{length:,}**" in readme


@pytest.mark.parametrize("format", FORMATS)
def test_images_say_their_area_where_boxes_are_in_pixels_of_the_student(
    filled: Path, tmp_path: Path, format: Format
) -> None:
    """verl hands each image's members to the function that reduces it."""
    rows = rows_of(
        filled,
        tmp_path / "out",
        format,
        student="qwen2.5-vl",
        bbox_frame="pixel",
        student_pixels=50176,
    )
    assert {image["max_pixels"] for row in rows for image in row["images"]} == {50176}


@pytest.mark.parametrize("format", FORMATS)
def test_turns_cannot_be_left_out_of_the_loss_and_the_error_says_what_can_be_done(
    filled: Path, tmp_path: Path, format: Format
) -> None:
    options = ExportOptions(format=format, mask_turns=("failed_call",))
    with Store.open(filled) as store, pytest.raises(ExportError, match="failed_tool_calls = 0"):
        export(store, tmp_path / "out", options=options)
