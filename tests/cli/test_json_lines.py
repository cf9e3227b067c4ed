"""JSON that is written a value a line: no string in it ends a line, for any reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.generate.event_log import EventLog
from geostore.generate.events import Noticed
from geostore.store import Store
from geostore.text.json_lines import json_bytes, json_text
from tests.minds import answer
from tests.running import geostore, run
from tests.teacher_server import Body, Reply, teacher_server

SEPARATORS = "a\x85b\u2028c\u2029d\ne\x0bf\x0cg\x1ch\x1ei"


def mind(body: Body) -> Reply:
    return Reply(f"{SEPARATORS} {answer(1.0, 2.0)}")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, photo_dataset: Path) -> Path:
    path = tmp_path_factory.mktemp("separators") / "geostore.db"
    with teacher_server(mind) as server:
        run(server.url, photo_dataset, path, num_samples=2)
    return path


def test_an_export_is_read_line_by_line_and_comes_back_the_same(
    store: Path, photo_dataset: Path, tmp_path: Path
) -> None:
    for form in ("jsonl", "trace"):
        out = tmp_path / form
        exported = geostore("export", out, "--store", store, "--format", form)
        assert exported.returncode == 0, exported.stderr
        for file in out.rglob("*.json*"):
            text = file.read_text(encoding="utf-8")
            assert text.splitlines() == text.removesuffix("\n").split("\n")
    lines = (tmp_path / "jsonl" / "traces.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    for line in lines:
        assert SEPARATORS in json.loads(line)["final_response"]
    again = tmp_path / "again.db"
    for step in (
        ("import", tmp_path / "trace", "--dataset-path", photo_dataset, "--store", again),
        ("export", tmp_path / "again", "--store", again, "--format", "trace"),
    ):
        done = geostore(*step)
        assert done.returncode == 0, done.stderr
    first, second = tmp_path / "trace", tmp_path / "again"
    for file in first.rglob("*.json"):
        assert (second / file.relative_to(first)).read_bytes() == file.read_bytes()


def test_the_answer_of_a_query_as_json_has_a_row_a_line(store: Path) -> None:
    question = "select final_response as r from trace_results"
    printed = geostore("query", question, "--store", store, "--format", "json").stdout
    opening, *rows, closing = printed.splitlines()
    assert (opening, closing, len(rows)) == ("[", "]", 2)
    assert SEPARATORS in json.loads(printed)[0]["r"]


def test_the_log_of_a_run_has_an_event_a_line(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    with EventLog(log) as watcher:
        watcher.watch(Noticed(SEPARATORS))
    (line,) = log.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["message"] == SEPARATORS


@given(st.recursive(st.text() | st.none(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)))
def test_any_value_is_one_line_and_the_same_value(value: object) -> None:
    for text in (json_text(value), json_bytes(value).decode()):
        assert len(text.splitlines()) == 1
        assert json.loads(text) == value


def test_rows_keep_what_the_teacher_said(store: Path) -> None:
    """Rows keep the characters as they came; only what is written out is escaped."""
    with Store.open(store) as opened:
        response = opened.db.execute("select response from turns limit 1").fetchone()[0]
    assert SEPARATORS in response
