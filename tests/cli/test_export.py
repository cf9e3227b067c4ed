"""``geostore export``: its conditions choose the traces, and a wrong one says what can be asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from geostore.audit import audit
from geostore.cli import app
from geostore.store import Store
from tests.builders import StoreBuilder, fill, make_dataset


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        fill(StoreBuilder(store, make_dataset(folder / "photos")))
        audit(store)
    return folder / "geostore.db"


def export(store: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["export", str(out), "--store", str(store), *options])


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ([], 5),
        (["--where", "turns > 1 and tool_calls > 1"], 3),
        (["--where", "turns > 1 or true", "--model", "test-native"], 1),
        (["--model", "test-*", "--status", "answered"], 5),
        (["--status", "exhausted"], 0),
        (["--since", "1h"], 5),
        (["--since", "2999-01-01"], 0),
        (["--flag", "placeholder"], 1),
        (["--flag", "placeholder", "--exclude-flag", "placeholder"], 0),
    ],
)
def test_an_export_holds_the_traces_that_meet_every_condition(
    filled: Path, tmp_path: Path, options: list[str], count: int
) -> None:
    result = export(filled, tmp_path / "out", *options)
    if count == 0:
        assert result.exit_code == 1
        assert not (tmp_path / "out").exists()
        return
    assert result.exit_code == 0, result.output
    assert f"wrote {count} trace{'s' if count > 1 else ''} to" in result.output
    assert json.loads((tmp_path / "out" / "manifest.json").read_bytes())["count"] == count


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--where", "score > 2) or (true"], 1, "parenthesis"),
        (["--where", "contry = 'japan'"], 1, "did you mean country?"),
        (["--since", "yesterday"], 1, "2026-10-01"),
        (["--flag", "nonsense"], 1, "placeholder"),
        (["--status", "failed"], 2, "exhausted"),
    ],
)
def test_a_condition_that_cannot_be_used_writes_nothing(
    filled: Path, tmp_path: Path, options: list[str], code: int, words: str
) -> None:
    result = export(filled, tmp_path / "out", *options)
    assert result.exit_code == code
    assert words in f"{result.output}{result.exception}"
    assert not (tmp_path / "out").exists()
