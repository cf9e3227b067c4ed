"""Pairs and labels for TRL, which takes images in a prompt alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from geostore.export import ExportOptions, export, make_splits
from geostore.store import Store
from tests.builders import TURN_LEFT, ZOOM_IN, Line, StoreBuilder, make_dataset
from tests.minds import answer

CASES: list[tuple[list[Line], list[Line]]] = [
    # They differ in the first reply.
    ([f"A sign.\n{ZOOM_IN}", answer(10.0, 20.0)], [answer(70.0, 20.0)]),
    # They share a zoom and its result.
    ([ZOOM_IN, answer(11.0, 21.0)], [ZOOM_IN, f"Hm.\n{TURN_LEFT}", answer(71.0, 21.0)]),
]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a better and a worse rollout for each of two photos."""
    folder = tmp_path_factory.mktemp("pairs")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        for row, scripts in enumerate(CASES):
            for rollout, script in enumerate(scripts, start=1):
                builder.play(row, script, rollout=rollout)
    return folder / "geostore.db"


def write(
    store_path: Path, out: Path, *, split: str | None = None, **options: Any
) -> list[dict[str, Any]]:
    """Export pairs; the rows as TRL gets them."""
    with Store.open(store_path) as store:
        chosen = ExportOptions(format="pairs", pairs_for="trl", **options)
        splits = None if split is None else make_splits(split)
        export(store, out, options=chosen, splits=splits)
    return list(
        datasets.load_dataset(
            "parquet",
            data_files=str(out / "*.parquet"),
            split="train",
            cache_dir=str(out.parent / "cache"),
        )
    )


def text(messages: list[dict[str, Any]]) -> str:
    (message,) = messages
    assert message["role"] == "assistant"
    (part,) = message["content"]
    return str(part["text"])


def places(row: dict[str, Any]) -> int:
    return sum(part["type"] == "image" for m in row["prompt"] for part in m["content"])


def test_a_pair_is_the_first_replies_that_differ_behind_all_that_is_shared(
    played: Path, tmp_path: Path
) -> None:
    rows = write(played, tmp_path / "out")
    assert [(text(row["chosen"]), text(row["rejected"]), row["turn"]) for row in rows] == [
        (f"A sign.\n{ZOOM_IN}", answer(70.0, 20.0), 1),
        (answer(11.0, 21.0), f"Hm.\n{TURN_LEFT}", 2),
    ]
    assert [len(row["prompt"]) for row in rows] == [2, 4]
    assert [row["prompt"][-1]["role"] for row in rows] == ["user", "user"]
    assert [row["trace"][-2:] + row["worse_trace"][-2:] for row in rows] == ["-1-2"] * 2


def test_a_pair_holds_the_images_of_what_is_shared_alone(played: Path, tmp_path: Path) -> None:
    """An image of a later result would have no place, and TRL stops there."""
    rows = write(played, tmp_path / "out")
    assert [len(row["images"]) for row in rows] == [places(row) for row in rows] == [1, 2]


def test_each_reply_of_a_rollout_has_its_label(played: Path, tmp_path: Path) -> None:
    rows = write(played, tmp_path / "out", pairs_as="kto")
    assert [row["label"] for row in rows] == [row["trace"].endswith("-1") for row in rows]
    assert [row["turn"] for row in rows] == [1, 2, 1, 1, 2, 1, 2, 3]
    assert all(text(row["completion"]) for row in rows)
    assert [len(row["images"]) for row in rows] == [places(row) for row in rows]


def test_the_readme_holds_what_trl_needs(played: Path, tmp_path: Path) -> None:
    write(played, tmp_path / "dpo", split="train=1")
    readme = (tmp_path / "dpo" / "README.md").read_text()
    assert 'data_files={"train": "train*.parquet"}' in readme
    assert "DPOTrainer(" in readme
    assert "max_length=None," in readme
    write(played, tmp_path / "kto", pairs_as="kto")
    readme = (tmp_path / "kto" / "README.md").read_text()
    assert 'data_files="traces*.parquet"' in readme
    # With a single row in a batch TRL refuses to begin.
    assert "per_device_train_batch_size=2," in readme
