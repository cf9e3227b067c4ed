"""The options that choose traces: one set, the same in every command that has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from geostore.cli import app
from geostore.cli.conditions import CONDITION_OPTIONS
from geostore.store import Conditions, Store
from tests.builders import StoreBuilder, fill, make_dataset

OPTIONS = [
    (("--preset", "quality"), 3),
    (("--preset", "quality", "--max-distance", "100"), 2),
    (("--preset", "quality", "--min-score", "0.95"), 2),
    (("--min-score", "0"), 4),
    (("--min-turns", "2", "--require-tools"), 4),
    (("--max-turns", "1"), 1),
    (("--model", "test-n*", "--where", "turns > 1"), 1),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        fill(StoreBuilder(store, make_dataset(folder / "photos")))
    return folder / "geostore.db"


@pytest.mark.parametrize(("options", "count"), OPTIONS)
def test_a_list_shows_what_an_export_would_hold(
    filled: Path, tmp_path: Path, options: tuple[str, ...], count: int
) -> None:
    """So that a user can look before writing; 0 is a condition as every other number is."""
    store = ("--store", str(filled))
    listed = CliRunner().invoke(app, ["traces", *store, "--json", *options])
    names = {line["trace"] for line in json.loads(listed.output) if line["status"] == "answered"}
    written = CliRunner().invoke(
        app, ["export", str(tmp_path / "out"), *store, "--format", "jsonl", *options]
    )
    assert written.exit_code == 0, written.output
    lines = (tmp_path / "out" / "traces.jsonl").read_text().splitlines()
    assert {json.loads(line)["metadata"]["trace"] for line in lines} == names
    assert len(names) == count


def test_every_condition_can_be_asked_for_in_a_list_and_in_an_export() -> None:
    """A condition that one of them lacks would be one that a user cannot look at first."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    for command in ("traces", "export"):
        names = {parameter.name for parameter in commands[command].params}
        assert {*CONDITION_OPTIONS, "status"} <= names
    other = {"max_distance_km": "max_distance", "flags": "flag", "exclude_flags": "exclude_flag"}
    assert {other.get(name, name) for name in Conditions.__annotations__} == (
        {*CONDITION_OPTIONS, "status"} - {"preset"}
    )
