"""Pairs for LLaMA-Factory, which compares one reply with another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from geostore.errors import ExportError
from geostore.export import ExportOptions, export, make_splits
from geostore.store import Store
from tests.builders import TURN_LEFT, ZOOM_IN, Line, StoreBuilder, make_dataset
from tests.minds import answer

LLAMAFACTORY = ExportOptions(format="pairs", pairs_for="llamafactory")
TRL = ExportOptions(format="pairs", pairs_for="trl")
CASES: list[tuple[list[Line], list[Line]]] = [
    # They differ in the first reply.
    ([f"A sign.\n{ZOOM_IN}", answer(10.0, 20.0)], [answer(70.0, 20.0)]),
    # They share a zoom and its result.
    ([ZOOM_IN, answer(11.0, 21.0)], [ZOOM_IN, f"Hm.\n{TURN_LEFT}", answer(71.0, 21.0)]),
    # They share a reply that called nothing, and the sentence behind it.
    (["Hm.", ZOOM_IN, answer(12.0, 22.0)], ["Hm.", answer(72.0, 22.0)]),
]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a better and a worse rollout for each of three photos."""
    folder = tmp_path_factory.mktemp("pairs")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        for row, scripts in enumerate(CASES):
            for rollout, script in enumerate(scripts, start=1):
                builder.play(row, script, rollout=rollout)
    return folder / "geostore.db"


def write(store_path: Path, out: Path, **options: Any) -> list[dict[str, Any]]:
    """Export pairs; the rows."""
    with Store.open(store_path) as store:
        chosen = ExportOptions(format="pairs", pairs_for="llamafactory", **options)
        export(store, out, options=chosen)
    rows: list[dict[str, Any]] = parquet.read_table(out / "traces.parquet").to_pylist()
    return rows


def test_a_pair_is_the_first_replies_that_differ_behind_all_that_is_shared(
    played: Path, tmp_path: Path
) -> None:
    rows = write(played, tmp_path / "out")
    shared = [[entry["from"] for entry in row["conversations"]] for row in rows]
    assert shared == [
        ["system", "human"],
        ["system", "human", "gpt", "human"],
        ["system", "human", "gpt", "human"],
    ]
    replies = [(row["chosen"]["value"], row["rejected"]["value"]) for row in rows]
    assert replies == [
        (f"A sign.\n{ZOOM_IN}", answer(70.0, 20.0)),
        (answer(11.0, 21.0), f"Hm.\n{TURN_LEFT}"),
        (ZOOM_IN, answer(72.0, 22.0)),
    ]
    assert {row[side]["from"] for row in rows for side in ("chosen", "rejected")} == {"gpt"}
    assert [row["trace"][-2:] + row["worse_trace"][-2:] for row in rows] == ["-1-2"] * 3


def test_a_pair_holds_the_images_of_what_is_shared_alone(played: Path, tmp_path: Path) -> None:
    """LLaMA-Factory shows both replies the same images, and counts their placeholders."""
    rows = write(played, tmp_path / "out")
    assert [len(row["images"]) for row in rows] == [1, 2, 1]
    for row in rows:
        placeholders = sum(entry["value"].count("<image>") for entry in row["conversations"])
        assert placeholders == len(row["images"])


def test_labels_stand_beside_whole_rollouts(played: Path, tmp_path: Path) -> None:
    rows = write(played, tmp_path / "out", pairs_as="kto")
    assert [row["label"] for row in rows] == [True, False] * 3
    assert [len(row["conversations"]) for row in rows] == [5, 3, 5, 7, 7, 5]


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        (
            "dpo",
            {
                "ranking": True,
                "columns": {
                    "messages": "conversations",
                    "chosen": "chosen",
                    "rejected": "rejected",
                    "images": "images",
                },
            },
        ),
        (
            "kto",
            {
                "columns": {
                    "messages": "conversations",
                    "images": "images",
                    "kto_tag": "label",
                }
            },
        ),
    ],
)
def test_the_dataset_is_listed_as_what_it_is_and_the_settings_train_it(
    played: Path, tmp_path: Path, kind: str, members: dict[str, Any]
) -> None:
    write(played, tmp_path / "out", pairs_as=kind)
    entry = {"file_name": "traces.parquet", "formatting": "sharegpt", **members}
    assert json.loads((tmp_path / "out" / "dataset_info.json").read_text()) == {"traces": entry}
    assert f"\nstage: {kind}\n" in (tmp_path / "out" / "llamafactory.yaml").read_text()


def test_images_as_files_are_refused_because_some_would_belong_to_no_row(
    played: Path, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="the format pairs has no --images files"):
        write(played, tmp_path / "out", images="files")


def test_a_split_whose_pairs_share_no_reply_has_no_file_and_nothing_names_it(
    tmp_path: Path,
) -> None:
    """A trainer would be told to validate on a file that does not exist."""
    rollouts: list[list[tuple[list[Line], int]]] = [
        [([answer(10.0, 20.0)], 10), ([answer(70.0, 20.0)], 10)],
        # The worse one was told that its turn is the last, so the two were not asked the same.
        [([ZOOM_IN, answer(11.0, 21.0)], 10), ([ZOOM_IN, answer(71.0, 21.0)], 2)],
    ]
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        builder = StoreBuilder(store, make_dataset(tmp_path / "photos", rows=2, file=["a", "b"]))
        for row, scripts in enumerate(rollouts):
            for rollout, (script, limit) in enumerate(scripts, start=1):
                builder.play(row, script, rollout=rollout, turn_limit=limit)
        # This seed puts the first photo into train, and the second into val.
        splits = make_splits("train=0.5,val=0.5", by="column:file", seed=11)
        for options in (LLAMAFACTORY, TRL):
            out = tmp_path / str(options.pairs_for)
            done = export(store, out, options=options, splits=splits)
            assert (done.count, done.left_out) == (2, "2 of 4: 2 in no pair")
    assert [path.name for path in tmp_path.glob("*/*.parquet")] == ["train.parquet"] * 2
    assert "eval_dataset" not in (tmp_path / "llamafactory" / "llamafactory.yaml").read_text()
    assert "val*.parquet" not in (tmp_path / "trl" / "README.md").read_text()
    manifest = json.loads((tmp_path / "trl" / "manifest.json").read_text())
    assert manifest["traces_by_split"] == {"train": 2}
