"""The format of LLaMA-Factory; `tests.formats` loads it with the trainer itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from geostore.errors import ExportError
from geostore.export import ExportOptions, export, make_splits
from geostore.export.splits import Splits
from geostore.export.trainers.llamafactory import loads
from geostore.store import Store
from tests.training_store import SCRIPTS, fill_training_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    fill_training_store(folder / "geostore.db", folder / "photos")
    return folder / "geostore.db"


@pytest.fixture(scope="module")
def exported(store: Path) -> Path:
    return write(store, store.parent / "out")


def write(store_path: Path, out: Path, splits: Splits | None = None, **options: Any) -> Path:
    with Store.open(store_path) as store:
        export(store, out, options=ExportOptions(format="sharegpt", **options), splits=splits)
    return out


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "traces.jsonl").read_bytes().splitlines()]


def settings(folder: Path) -> dict[str, str]:
    """The settings of the export's training, by name."""
    lines = (folder / "llamafactory.yaml").read_text().splitlines()
    pairs = (line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    return {name: value.removeprefix('"').removesuffix('"') for name, value in pairs}


def test_the_dataset_is_listed_without_tags_because_a_list_of_tags_must_be_whole(
    exported: Path,
) -> None:
    """LLaMA-Factory forgets every tag that a list of tags does not name."""
    assert json.loads((exported / "dataset_info.json").read_text()) == {
        "traces": {
            "file_name": "traces.jsonl",
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "images": "images"},
        }
    }


def test_a_system_prompt_is_followed_by_human_and_gpt_in_turns(exported: Path) -> None:
    """LLaMA-Factory skips a row with any other order, and says so in a log alone."""
    assert len(rows(exported)) == len(SCRIPTS)
    for row in rows(exported):
        system, *turns = [entry["from"] for entry in row["conversations"]]
        assert system == "system"
        assert turns == ["human", "gpt"] * (len(turns) // 2)


def test_each_placeholder_has_an_image_whose_path_begins_in_the_export(exported: Path) -> None:
    for row in rows(exported):
        placeholders = sum(entry["value"].count("<image>") for entry in row["conversations"])
        assert placeholders == len(row["images"])
        assert all((exported / path).is_file() for path in row["images"])


def test_a_reply_stands_as_the_teacher_wrote_it_with_native_calls_behind_its_words(
    exported: Path,
) -> None:
    by_kind = dict(zip(SCRIPTS, rows(exported), strict=True))
    broken = '<tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2\n'
    assert by_kind["broken JSON"]["conversations"][2] == {
        "from": "gpt",
        "value": f"There.\n{broken}</tool_call>",
    }
    assert by_kind["native"]["conversations"][2]["value"] == (
        'A closer look.\n<tool_call>\n{"name": "image_zoom_in_tool", '
        '"arguments": {"bbox_2d": [0, 0, 500, 500]}}\n</tool_call>'
    )
    assert by_kind["native"]["conversations"][3]["value"].startswith("<tool_response>\n<image>\n")


def test_embedded_images_stand_in_parquet_with_the_same_conversations(
    exported: Path, store: Path, tmp_path: Path
) -> None:
    out = write(store, tmp_path / "out", images="embed")
    table = parquet.read_table(out / "traces.parquet").to_pylist()
    for embedded, row in zip(table, rows(exported), strict=True):
        assert embedded["conversations"] == row["conversations"]
        files = [(exported / path).read_bytes() for path in row["images"]]
        assert [image["bytes"] for image in embedded["images"]] == files
    assert not list(out.rglob("*.jpg")) + list(out.rglob("*.png"))


def test_every_file_of_rows_is_a_dataset_and_the_settings_name_them_all(
    store: Path, tmp_path: Path
) -> None:
    out = write(store, tmp_path / "out", shard_size=12)
    info = json.loads((out / "dataset_info.json").read_text())
    assert [entry["file_name"] for entry in info.values()] == [
        "traces-00000.jsonl",
        "traces-00001.jsonl",
        "traces-00002.jsonl",
    ]
    assert settings(out)["dataset"] == ",".join(info)


def test_a_split_whose_name_yaml_takes_for_a_number_is_a_text_in_the_settings(
    store: Path, tmp_path: Path
) -> None:
    """LLaMA-Factory takes no number for the names of its datasets."""
    out = write(store, tmp_path / "out", splits=make_splits("1=0.5,no=0.5", by="cell:5"))
    text = (out / "llamafactory.yaml").read_text()
    lines = {line for line in text.splitlines() if "dataset:" in line}
    assert lines in ({'dataset: "1"', 'eval_dataset: "no"'}, {'dataset: "no"', 'eval_dataset: "1"'})


def test_the_settings_keep_every_image_and_every_turn(exported: Path) -> None:
    """LLaMA-Factory's own make images smaller and cut a trace behind its first turns."""
    values = settings(exported)
    assert int(values["image_max_pixels"]) >= 597 * 448  # a zoom into a quarter of a photo
    assert int(values["image_min_pixels"]) == 1024
    assert int(values["cutoff_len"]) == 2048
    assert values["mask_history"] == values["train_on_prompt"] == "false"
    assert values["template"] == "qwen2_vl"


def test_the_settings_are_those_of_the_student_that_is_named(store: Path, tmp_path: Path) -> None:
    values = settings(write(store, tmp_path / "out", student="qwen3-vl", tokenizer="factor:1"))
    assert values["template"] == "qwen3_vl_nothink"
    assert int(values["cutoff_len"]) > 4096


def test_turns_cannot_be_left_out_of_the_loss(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="takes no --mask-turns, because its reader learns"):
        write(store, tmp_path / "out", mask_turns="failed_call")


def test_one_split_is_trained_on_and_the_others_evaluate(store: Path, tmp_path: Path) -> None:
    splits = make_splits("val=0.5,train=0.5", by="cell:5")
    out = write(store, tmp_path / "out", splits=splits, shard_size=10)
    info = json.loads((out / "dataset_info.json").read_text())
    names = {split: [name for name in info if name.startswith(split)] for split in ("train", "val")}
    assert sum(map(len, names.values())) == len(info)
    values = settings(out)
    assert values["dataset"] == ",".join(names["train"])
    assert values["eval_dataset"] == ",".join(names["val"])
    assert values["eval_strategy"] == "epoch"  # without one the split is loaded and never used


def test_a_loader_that_cannot_load_is_an_error_of_the_export(exported: Path) -> None:
    """Here because it is not installed; `tests.formats` asks it where it is."""
    with pytest.raises(ExportError, match=r"LLaMA-Factory cannot load .*: .*llamafactory"):
        loads(exported)
