"""The format ``hf``, and `to_hf_dataset`: traces as a dataset of Hugging Face."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest
from huggingface_hub import DatasetCard

import geostore
from geostore.errors import ExportError, FilterError
from geostore.export import ExportOptions, ExportResult, export
from geostore.records import StoredTrace
from geostore.store import Store
from tests.builders import StoreBuilder, fill, make_dataset
from tests.minds import answer


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos", seasons=list("abcd")))
        fill(builder)
        builder.play(1, ["Is it <image>?", answer(1.0, 2.0)], rollout=2)
    return folder / "geostore.db"


def exported(store: Path, out: Path, **options: Any) -> ExportResult:
    with Store.open(store) as opened:
        return export(opened, out, options=ExportOptions("hf", **options))


def ended(store: Path) -> list[StoredTrace]:
    with geostore.open(store) as opened:
        return list(opened.traces(status=["answered", "exhausted"]))


def check_row(row: dict[str, Any], trace: StoredTrace) -> None:
    assert trace.photo is not None
    facts = [trace.photo, *(call.image for call in trace.calls if call.image is not None)]
    data = [image["bytes"] for image in row["images"]]
    hashes = [hashlib.sha256(image).hexdigest() for image in data]
    assert hashes == row["image_sha256"] == [image.sha256 for image in facts]
    parts = [part for m in row["messages"] for part in m["content"] if part["type"] == "image"]
    assert parts == [{"type": "image"}] * len(data)
    calls = [call["function"] for m in row["messages"] for call in m.get("tool_calls", ())]
    assert {call["name"] for call in calls} <= {call.name for call in trace.calls}
    for message in row["messages"]:
        assert None not in message.values(), "a member that the teacher never wrote"
    for call in calls:
        assert None not in call["arguments"].values()
    assert [m["role"] for m in row["messages"]].count("assistant") == len(trace.turns)
    assert (row["trace"], row["sample_index"]) == (trace.name, trace.sample.sample_index)
    assert (row["lat"], row["lon"]) == (trace.sample.lat, trace.sample.lon)
    assert row["sample"] == trace.sample.columns
    assert row["final_response"] == trace.final_response
    assert trace.answer is not None
    assert (row["answer_lat"], row["answer_failure"]) == (trace.answer.lat, trace.answer.failure)
    assert trace.reward is not None
    assert (row["reward"], row["score"]) == ("geoguessr", trace.reward.score)
    assert (row["model"], row["recipe"]) == (trace.recipe.model, trace.key.recipe_sha256)


def undecoded(dataset: datasets.Dataset) -> datasets.Dataset:
    return dataset.cast_column("images", datasets.List(datasets.Image(decode=False)))


def test_both_loaders_of_the_library_give_every_trace_with_its_words_and_images(
    filled: Path, tmp_path: Path
) -> None:
    assert exported(filled, tmp_path / "out").count == 6
    from_disk = datasets.load_from_disk(str(tmp_path / "out"))
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert list(from_disk) == list(loaded) == ["train"]
    assert from_disk["train"].features == loaded["train"].features
    for dataset in (from_disk["train"], loaded["train"]):
        assert dataset[0]["images"][0].size == (480, 360)
        for row, trace in zip(undecoded(dataset), ended(filled), strict=True):
            check_row(row, trace)
    texts = [
        part.get("text", "") for m in from_disk["train"][3]["messages"] for part in m["content"]
    ]
    assert "Is it <image\\>?" in texts


def test_an_export_has_the_same_bytes_each_time_in_every_file(filled: Path, tmp_path: Path) -> None:
    """The library's own writer makes a new fingerprint each time."""
    first = exported(filled, tmp_path / "first")
    again = exported(filled, tmp_path / "again")
    assert first.sha256 == again.sha256
    names = [p.relative_to(tmp_path / "first") for p in (tmp_path / "first").rglob("*.*")]
    assert len(names) == 7
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    fewer = exported(filled, tmp_path / "fewer", reasoning="drop")
    prints = {datasets.load_from_disk(str(r.path))["train"]._fingerprint for r in (first, fewer)}
    assert len(prints) == 2, "a cache would take one dataset for the other"


def test_shards_hold_so_many_rows_and_load_as_one(filled: Path, tmp_path: Path) -> None:
    exported(filled, tmp_path / "whole")
    exported(filled, tmp_path / "out", shard_size=4)
    files = sorted(path.name for path in (tmp_path / "out" / "train").glob("*.arrow"))
    assert files == ["data-00000.arrow", "data-00001.arrow"]
    whole, shards = (datasets.load_from_disk(str(tmp_path / name)) for name in ("whole", "out"))
    assert undecoded(whole["train"]).to_list() == undecoded(shards["train"]).to_list()


def test_each_split_is_one_of_the_dataset(filled: Path, tmp_path: Path) -> None:
    with geostore.open(filled) as store:
        store.export(
            tmp_path / "out", format="hf", split={"train": 0.5, "val": 0.5}, split_by="cell:5"
        )
    from_disk = datasets.load_from_disk(str(tmp_path / "out"))
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    names = [name for split in from_disk.values() for name in split["trace"]]
    assert sorted(names) == sorted(trace.name for trace in ended(filled))
    assert set(from_disk) == set(loaded) == {"train", "val"}
    assert all(from_disk[name]["trace"][:] == loaded[name]["trace"][:] for name in loaded)
    prints = {split._fingerprint for split in from_disk.values()}
    assert len(prints) == 2


def test_the_card_says_what_the_hub_shows(filled: Path, tmp_path: Path) -> None:
    exported(filled, tmp_path / "out")
    card = DatasetCard.load(tmp_path / "out" / "README.md")
    assert card.data.size_categories == ["n<1K"]
    assert card.data.configs == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "train/*.arrow"}]}
    ]
    info = card.data.dataset_info
    assert [split["num_examples"] for split in info["splits"]] == [6]
    columns = [feature["name"] for feature in info["features"]]
    assert columns == datasets.load_from_disk(str(tmp_path / "out"))["train"].column_names
    assert "load_from_disk" in card.text
    assert "<image\\>" in card.text


def test_a_dataset_in_python_has_the_rows_of_the_export(filled: Path, tmp_path: Path) -> None:
    exported(filled, tmp_path / "out")
    written = undecoded(datasets.load_from_disk(str(tmp_path / "out"))["train"]).to_list()
    with geostore.open(filled) as store:
        exports = store.query("select count(*) as n from exports")
        dataset = store.to_hf_dataset()
        assert undecoded(dataset).to_list() == written
        assert store.query("select count(*) as n from exports") == exports, "it wrote to the store"
        far = store.to_hf_dataset(where="score < 0.1", status="answered")
        assert far["trace"] == [
            t.name for t in store.traces(where="score < 0.1", status="answered")
        ]
        counts = dataset.map(lambda row: {"n": len(row["images"])}, num_proc=2)["n"]
        assert list(counts) == [len(row["images"]) for row in written]


def test_references_name_images_without_a_photo_being_read(filled: Path, tmp_path: Path) -> None:
    with geostore.open(filled) as store:
        embedded = store.to_hf_dataset()
        dataset = store.to_hf_dataset(images="reference", dataset_path=str(tmp_path / "nowhere"))
        assert dataset["messages"][:] == embedded["messages"][:]
        for row in dataset:
            urls = [image["url"] for image in row["images"]]
            assert urls == [f"sha256:{sha256}" for sha256 in row["image_sha256"]]
        crops = [image["reference"]["operation"] for image in dataset[0]["images"]]
        assert [crop and crop["name"] for crop in crops] == [
            None,
            "image_zoom_in_tool",
            "image_rotate_tool",
        ]


def test_conditions_that_keep_nothing_give_a_dataset_without_rows(filled: Path) -> None:
    with geostore.open(filled) as store:
        nothing = store.to_hf_dataset(min_score=2.0)
        assert len(nothing) == 0
        assert nothing.features == store.to_hf_dataset().features


def test_what_cannot_be_chosen_is_said(filled: Path) -> None:
    with geostore.open(filled) as store:
        with pytest.raises(ExportError, match="only traces that ended"):
            store.to_hf_dataset(status="failed")
        with pytest.raises(ExportError, match="the format hf has no --images files"):
            store.to_hf_dataset(images="files")  # type: ignore[arg-type]
        with pytest.raises(FilterError, match="no check 'cut'"):
            store.to_hf_dataset(flags=["cut"])
        with pytest.raises(TypeError, match=r"no condition 'image' .did you mean images"):
            store.to_hf_dataset(image="embed")  # type: ignore[call-arg]


_CHILD = """
import os, sys, geostore
with geostore.open(sys.argv[1]) as store:
    file = store.to_hf_dataset().cache_files[0]["filename"]
if os.fork() == 0:
    raise SystemExit
os.wait()
print(os.path.exists(file), file)
"""


def test_the_files_of_a_dataset_go_when_python_ends_and_not_with_a_child(filled: Path) -> None:
    command = [sys.executable, "-c", _CHILD, str(filled)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    was_there, _, file = done.stdout.strip().partition(" ")
    assert was_there == "True"
    assert not Path(file).parent.parent.exists()
