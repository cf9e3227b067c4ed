"""What TRL finds in the formats ``trl`` and ``trl-turns``, read by `datasets` as TRL reads it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image

from geostore.conversation.recipe import tool_names, tools_section
from geostore.errors import ExportError
from geostore.export import ExportOptions, Format, export
from geostore.export.trainers.trl_messages import loads
from geostore.records import StoredTrace
from geostore.store import Filter, Store, open_snapshot
from geostore.tools import tool_schemas
from tests.builders import BAD_BOX, ZOOM_IN, StoreBuilder, fill, make_dataset, played_recipe
from tests.minds import answer

LITERAL = "The banner says <image> and <|image_pad|>."


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        fill(builder)
        builder.play(1, [f"{LITERAL}{ZOOM_IN}", BAD_BOX, answer(1.0, 2.0)], rollout=2)
    return folder / "geostore.db"


def traces_of(store: Path) -> dict[str, StoredTrace]:
    with open_snapshot(store) as snapshot:
        return {trace.name: trace for trace in snapshot.traces(Filter(), with_turns=True)}


def rows_of(store: Path, out: Path, format: Format, **options: Any) -> list[dict[str, Any]]:
    """An export's rows, with images as bytes: what `datasets` decodes."""
    with Store.open(store) as opened:
        export(opened, out, options=ExportOptions(format=format, **options))
    rows = datasets.load_dataset(
        "parquet", data_files=str(out / "*.parquet"), split="train", cache_dir=str(out.parent)
    )
    plain = rows.cast_column("images", datasets.List(datasets.Image(decode=False)))
    return list(plain)


def texts(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["content"] if part["type"] == "text")


def places(messages: list[dict[str, Any]]) -> int:
    return sum(part["type"] == "image" for message in messages for part in message["content"])


def sent_hashes(trace: StoredTrace) -> list[str]:
    """The hashes of the images that the teacher saw, in order."""
    assert trace.photo is not None
    return [trace.photo.sha256, *(call.image.sha256 for call in trace.calls if call.image)]


def image_hashes(row: dict[str, Any]) -> list[str]:
    return [hashlib.sha256(image["bytes"]).hexdigest() for image in row["images"]]


def test_images_are_decoded_when_datasets_loads_a_file(filled: Path, tmp_path: Path) -> None:
    """TRL takes what the column holds for images, and a dict of bytes would be none."""
    with Store.open(filled) as store:
        export(store, tmp_path / "out", options=ExportOptions(format="trl"))
    rows = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))["train"]
    assert rows.features["images"] == datasets.List(datasets.Image())
    assert all(isinstance(image, Image.Image) for row in rows for image in row["images"])


def test_a_row_holds_the_whole_trace_in_the_teachers_own_words(
    filled: Path, tmp_path: Path
) -> None:
    traces = traces_of(filled)
    rows = rows_of(filled, tmp_path / "out", "trl")
    assert [row["trace"] for row in rows] == [
        name for name, trace in traces.items() if trace.status != "failed"
    ]
    for row in rows:
        trace = traces[row["trace"]]
        learnt = [message for message in row["messages"] if message["role"] == "assistant"]
        assert len(learnt) == len(trace.turns)
        for message, turn in zip(learnt, trace.turns, strict=True):
            words = turn.response.replace("<image>", "<image\\>")
            assert words.replace("<|image_pad|>", "<|image_pad|\\>") in texts(message)
            for call in json.loads(turn.native_calls or "[]"):
                assert call["function"]["arguments"] in texts(message)
        roles = [message["role"] for message in row["messages"]]
        assert roles == ["system", *["user", "assistant"] * len(trace.turns)]


def test_a_row_has_a_place_for_each_image_and_the_bytes_that_the_teacher_saw(
    filled: Path, tmp_path: Path
) -> None:
    """TRL fills the n-th place with the n-th image, and stops where the numbers differ."""
    traces = traces_of(filled)
    for row in rows_of(filled, tmp_path / "out", "trl"):
        assert image_hashes(row) == sent_hashes(traces[row["trace"]])
        assert places(row["messages"]) == len(row["images"])
        for message in row["messages"]:
            for part in message["content"]:
                assert part.keys() == {"type", "text"}
                assert (part["text"] is None) == (part["type"] == "image")


def test_the_prompt_tells_the_tools_that_the_teacher_had(filled: Path, tmp_path: Path) -> None:
    """SFTTrainer gives a vision model's template no tools, so the student reads them as text."""
    traces = traces_of(filled)
    for row in rows_of(filled, tmp_path / "out", "trl"):
        recipe = played_recipe(traces[row["trace"]])
        tools = tools_section(tool_schemas(recipe.bbox_frame, tool_names(recipe)))
        assert texts(row["messages"][0]).endswith(tools)
        assert texts(row["messages"][0]).count(tools) == 1


def test_each_turn_is_a_row_with_the_conversation_before_it(filled: Path, tmp_path: Path) -> None:
    whole = {row["trace"]: row for row in rows_of(filled, tmp_path / "whole", "trl")}
    rows = rows_of(filled, tmp_path / "turns", "trl-turns")
    turns = [
        (name, turn.turn) for name, row in whole.items() for turn in traces_of(filled)[name].turns
    ]
    assert [(row["trace"], row["turn"]) for row in rows] == turns
    for row in rows:
        messages = row["prompt"] + row["completion"]
        assert messages == whole[row["trace"]]["messages"][: 1 + 2 * row["turn"]]
        assert [message["role"] for message in row["completion"]] == ["assistant"]
        assert places(row["prompt"]) == len(row["images"])
        assert row["images"] == whole[row["trace"]]["images"][: len(row["images"])]


def test_a_turn_that_is_masked_has_no_row_and_stays_in_later_prompts(
    filled: Path, tmp_path: Path
) -> None:
    every = rows_of(filled, tmp_path / "every", "trl-turns")
    rows = rows_of(filled, tmp_path / "masked", "trl-turns", mask_turns="failed_call")
    failed = {
        (name, call.turn)
        for name, trace in traces_of(filled).items()
        for call in trace.calls
        if not call.success
    }
    assert failed
    assert rows == [row for row in every if (row["trace"], row["turn"]) not in failed]
    assert any(BAD_BOX in texts(message) for row in rows for message in row["prompt"])


def test_a_format_of_whole_conversations_cannot_mask_a_turn(filled: Path, tmp_path: Path) -> None:
    with Store.open(filled) as store, pytest.raises(ExportError, match="takes no --mask-turns"):
        options = ExportOptions(format="trl", mask_turns="failed_call")
        export(store, tmp_path / "out", options=options)


def test_a_check_says_where_trl_itself_cannot_load_an_export(tmp_path: Path) -> None:
    """Here because it is not installed; `tests.formats` asks it where it is."""
    with pytest.raises(ExportError, match="TRL cannot load"):
        loads(tmp_path)
