"""The format of LLaMA-Factory; `tests.formats` loads it with the trainer itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geostore.export import ExportOptions, export
from geostore.store import Store
from tests.training_store import SCRIPTS, fill_training_store


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sharegpt")
    fill_training_store(folder / "geostore.db", folder / "photos")
    with Store.open(folder / "geostore.db") as store:
        export(store, folder / "out", options=ExportOptions(format="sharegpt"))
    return folder / "out"


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "traces.jsonl").read_bytes().splitlines()]


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
