"""The format of ms-swift: what stands in its rows. Its own loader is tried in tests/formats."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from geostore.errors import ExportError
from geostore.export import ExportOptions, export, make_splits
from geostore.export.student.placeholders import unescape_placeholders
from geostore.export.trainers.swift_training import loads
from geostore.records import Recipe
from geostore.store import Store
from tests.builders import (
    BAD_BOX,
    NATIVE_RECIPE,
    TEXT_RECIPE,
    TOOLLESS_RECIPE,
    TURN_LEFT,
    ZOOM_IN,
    Line,
    StoreBuilder,
    make_dataset,
    native,
    recipe_of,
)
from tests.minds import ROTATE, ZOOM, answer, text_call

PIXEL_RECIPE = recipe_of(model="test-pixel", protocol="text", bbox_frame="pixel")
NEAR = answer(10.0, 20.0)
CORNER = {"bbox_2d": [0, 0, 500, 500]}
BROKEN = '<tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2\n</tool_call>'
SCRIPTS: dict[str, tuple[Recipe, list[Line]]] = {
    "text": (TEXT_RECIPE, [f"<think>Small.</think>There.\n{ZOOM_IN}", TURN_LEFT, NEAR]),
    "native": (
        NATIVE_RECIPE,
        [native("Two. \n", (ZOOM, CORNER), (ROTATE, {"angle": 180})), NEAR],
    ),
    "broken": (TEXT_RECIPE, [f"There.\n{BROKEN}", NEAR]),
    "no tools": (TOOLLESS_RECIPE, [NEAR]),
    "literal": (
        NATIVE_RECIPE,
        [native("An <image>.", (ZOOM, {**CORNER, "label": "the <image>"})), f"<image> {NEAR}"],
    ),
    "failed": (TEXT_RECIPE, [BAD_BOX, ZOOM_IN, f"Again.\n{BAD_BOX}", NEAR]),
    "pixels": (PIXEL_RECIPE, [text_call(ZOOM, {"bbox_2d": [40, 30, 280, 250]}), NEAR]),
    "cut": (TEXT_RECIPE, [ZOOM_IN, "Hm.", {"response": "The sign", "finish_reason": "length"}]),
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("swift")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(
            store, make_dataset(folder / "photos", rows=len(SCRIPTS), file=list(SCRIPTS))
        )
        for row, (recipe, script) in enumerate(SCRIPTS.values()):
            builder.play(row, script, recipe=recipe)
        yield store


@pytest.fixture(scope="module")
def exported(played: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "swift"
    export(played, out, options=ExportOptions(format="swift"))
    return out


def rows(out: Path) -> dict[str, dict[str, Any]]:
    """The rows of an export, by what is special in their trace."""
    lines = (out / "traces.jsonl").read_text().splitlines()
    by_photo = {int(row["trace"].partition("-")[0]): row for row in map(json.loads, lines)}
    return {kind: by_photo[n] for n, kind in enumerate(SCRIPTS) if n in by_photo}


def roles(row: dict[str, Any]) -> list[str]:
    return [message["role"] for message in row["messages"]]


def test_calls_and_results_are_messages_of_their_own(exported: Path) -> None:
    row = rows(exported)["text"]
    assert roles(row) == [
        *("system", "user", "assistant", "tool_call", "tool_response"),
        *("tool_call", "tool_response", "assistant"),
    ]
    _, question, words, call, result, *_ = (message["content"] for message in row["messages"])
    assert question.startswith("<image>")
    assert words == "<think>Small.</think>There.\n"  # joined with the call as it stands
    assert json.loads(call) == {"name": ZOOM, "arguments": {"bbox_2d": [100, 100, 600, 700]}}
    assert result.startswith("<image>\n")


def test_calls_of_one_turn_stand_side_by_side_and_so_do_their_results(exported: Path) -> None:
    row = rows(exported)["native"]
    assert roles(row)[2:] == [
        *("assistant", "tool_call", "tool_call", "tool_response", "tool_response", "assistant")
    ]
    assert row["messages"][2]["content"] == "Two.\n"
    assert [tool["function"]["name"] for tool in json.loads(row["tools"])] == [ZOOM, ROTATE]
    assert "# Tools" not in row["messages"][0]["content"]  # the student's template writes them


def test_a_call_that_is_no_json_stays_as_the_teacher_wrote_it(exported: Path) -> None:
    """As a tool_call it would stop the encoding, and another row would be trained on instead."""
    row = rows(exported)["broken"]
    assert roles(row) == ["system", "user", "assistant", "user", "assistant"]
    assert row["messages"][2]["content"] == f"There.\n{BROKEN}"
    assert row["messages"][3]["content"].startswith("<tool_response>\n")


def test_a_literal_placeholder_is_escaped_where_the_text_around_it_stays_right(
    exported: Path,
) -> None:
    row = rows(exported)["literal"]
    assert roles(row) == ["system", "user", "assistant", "user", "assistant"]
    replies = [m["content"] for m in row["messages"] if m["role"] == "assistant"]
    assert not any("<image>" in reply for reply in replies)
    assert unescape_placeholders(replies[1]) == f"<image> {NEAR}"
    assert '"label": "the <image>"' in unescape_placeholders(replies[0])


def test_every_row_has_the_same_members_and_a_file_for_every_placeholder(exported: Path) -> None:
    """ms-swift reads JSON in blocks, and a block with other columns than the first stops it."""
    for kind, row in rows(exported).items():
        assert list(row) == ["messages", "tools", "images", "chat_template_kwargs", "trace"]
        assert all(list(message) == ["role", "content"] for message in row["messages"])
        contents = "".join(message["content"] for message in row["messages"])
        assert contents.count("<image>") == len(row["images"]) > 0, kind
        assert all((exported / path).is_file() for path in row["images"])
    assert rows(exported)["no tools"]["tools"] == "[]"


def test_no_image_is_resized_within_the_limits_of_its_row(exported: Path) -> None:
    """As Qwen's processors do it: to whole patches first, then into the limits."""
    for row in rows(exported).values():
        limits = row["chat_template_kwargs"]
        for path in row["images"]:
            with Image.open(exported / path) as image:
                for patch in (28, 32):
                    width, height = (max(patch, round(s / patch) * patch) for s in image.size)
                    assert limits["min_pixels"] <= width * height <= limits["max_pixels"]


def test_boxes_in_the_students_pixels_come_with_the_students_own_limits(
    played: Store, tmp_path: Path
) -> None:
    """The boxes are of the image at the size that they make of it."""
    options = ExportOptions(
        format="swift", bbox_frame="pixel", student="qwen3-vl", student_pixels=100_000
    )
    export(played, tmp_path / "out", options=options)
    limits = {"max_pixels": 100_000, "min_pixels": 64 * 32 * 32}
    row = rows(tmp_path / "out")["text"]
    assert row["chat_template_kwargs"] == limits
    # 480 x 360 pixels are made 352 x 256 at most, in whole patches of 32.
    call = next(m for m in row["messages"] if m["role"] == "tool_call")
    assert json.loads(call["content"])["arguments"]["bbox_2d"] == [35, 26, 211, 179]


def test_a_student_that_sees_less_gets_smaller_images_only_where_no_box_is_of_their_pixels(
    played: Store, tmp_path: Path
) -> None:
    options = ExportOptions(format="swift", student="qwen2.5-vl", student_pixels=100_000)
    export(played, tmp_path / "out", options=options)
    by_kind = rows(tmp_path / "out")
    assert by_kind["text"]["chat_template_kwargs"]["max_pixels"] == 100_000
    assert by_kind["pixels"]["chat_template_kwargs"]["max_pixels"] > 480 * 360


def test_masked_replies_have_no_loss_in_any_of_their_messages(
    played: Store, tmp_path: Path
) -> None:
    options = ExportOptions(format="swift", mask_turns="failed_call")
    export(played, tmp_path / "out", options=options)
    messages = rows(tmp_path / "out")["failed"]["messages"]
    loss = [(message["role"], message.get("loss")) for message in messages[2:]]
    assert loss == [
        *(("tool_call", False), ("tool_response", None)),
        *(("tool_call", True), ("tool_response", None)),
        *(("assistant", False), ("tool_call", False), ("tool_response", None)),
        ("assistant", True),
    ]


def test_a_row_ends_with_the_last_reply_that_is_learnt(played: Store, tmp_path: Path) -> None:
    """ms-swift learns the token that ends a row, whatever the last message says."""
    options = ExportOptions(format="swift", mask_turns=("flag:truncated",))
    assert export(played, tmp_path / "out", options=options).count == len(SCRIPTS)
    row = rows(tmp_path / "out")["cut"]
    assert row["messages"][-1] == {"role": "assistant", "content": "Hm.", "loss": True}
    assert len(rows(tmp_path / "out")["failed"]["messages"]) == 10


def test_reasoning_can_be_left_out(played: Store, tmp_path: Path) -> None:
    options = ExportOptions(format="swift", reasoning="drop")
    export(played, tmp_path / "out", options=options)
    assert rows(tmp_path / "out")["text"]["messages"][2]["content"] == "There.\n"


def test_the_readme_names_the_settings(exported: Path) -> None:
    text = (exported / "README.md").read_text()
    for setting in ("ROOT_IMAGE_DIR", "--max_length", "--agent_template hermes", "--loss_scale"):
        assert setting in text
    assert "but for an empty one before the\n  last" in text


def run_script(out: Path, work: Path, *options: str) -> list[str]:
    """What the export's script gives to ms-swift, for which another program stands here."""
    (work / "swift").write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$ROOT_IMAGE_DIR" "$@"\n')
    (work / "swift").chmod(0o755)
    path = f"{work}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", out / "train.sh", *options],
        cwd=work,
        env={**os.environ, "PATH": path},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


def test_the_script_trains_on_the_export_from_any_folder(
    exported: Path, played: Store, tmp_path: Path
) -> None:
    """It stays in the user's folder, so that a path behind its name is of a file there."""
    folder, root, *options = run_script(exported, tmp_path, "--model", "./student")
    assert (Path(folder), Path(root)) == (tmp_path, exported)
    assert options[:2] == ["sft", "--model"]
    assert options[options.index("--dataset") + 1] == str(exported / "traces.jsonl")
    assert options[options.index("--output_dir") + 1] == "student"
    assert options[-2:] == ["--model", "./student"]  # of two, ms-swift takes the last
    out = tmp_path / "an export"
    export(played, out, options=ExportOptions(format="swift"))
    _, root, *options = run_script(out, tmp_path)
    assert (
        options[options.index("--dataset") + 1] == f"{root}/traces.jsonl" == f"{out}/traces.jsonl"
    )


def named_files(words: list[str], option: str) -> list[str]:
    """The names of the files behind an option."""
    behind = words[words.index(option) + 1 :]
    return [Path(word).name for word in itertools.takewhile(lambda w: w[:2] != "--", behind)]


@pytest.mark.parametrize(
    "shares", ["train=0.5,val=0.5", "train=0.4,val=0.3,test=0.3", "first=0.5,second=0.5"]
)
def test_the_script_validates_on_one_split_and_leaves_a_third_alone(
    played: Store, tmp_path: Path, shares: str
) -> None:
    """A validation that is not named would be cut from the training rows, place by place alike;
    and a split to test on must not choose between checkpoints."""
    options = ExportOptions(format="swift", shard_size=2)
    out = tmp_path / "out"
    export(played, out, options=options, splits=make_splits(shares, by="column:file", seed=2))
    by_split = {name: sorted(path.name for path in out.glob(f"{name}-*.jsonl")) for name in SPLITS}
    _, _, *words = run_script(out, tmp_path)
    learnt, validated = named_files(words, "--dataset"), named_files(words, "--val_dataset")
    if "train" in shares:
        assert (learnt, validated) == (by_split["train"], by_split["val"])
        assert bool(by_split["test"]) == ("test" in shares)
    else:
        assert [learnt, validated] in [
            [by_split["first"], by_split["second"]],
            [by_split["second"], by_split["first"]],
        ]
    assert learnt
    assert validated


SPLITS = ("train", "val", "test", "first", "second")


def test_a_loader_that_cannot_load_is_an_error_of_the_export(exported: Path) -> None:
    """Here because it is not installed; `tests.formats` asks it where it is."""
    with pytest.raises(ExportError, match=r"ms-swift cannot load .*: .*ms-swift"):
        loads(exported)
