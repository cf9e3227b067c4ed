"""Calls in every known form through whole runs: run, flagged, and proven by `verify`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from geostore.verify import verify
from tests.call_forms import CALL, IN_TAGS, WITHOUT_TAGS, in_tags
from tests.minds import answer, turns_so_far
from tests.running import run
from tests.teacher_server import Body, Reply, teacher_server

AS_ASKED = in_tags(CALL)
"""What the protocol asks for, which nothing has to repair."""

FORMS = [AS_ASKED, *map(in_tags, IN_TAGS.values()), *WITHOUT_TAGS.values()]


@pytest.mark.parametrize("protocol", ["text", "native"])
def test_a_run_zooms_for_every_form_and_its_store_is_proven(
    protocol: str, photo_dataset: Path, tmp_path: Path
) -> None:
    """Each trace writes ten of the forms, one a turn, and then answers."""
    traces = -(-len(FORMS) // 10)
    photos: list[str] = []

    def mind(body: Body) -> Reply:
        photo = body["messages"][1]["content"][0]["image_url"]["url"]
        if photo not in photos:
            photos.append(photo)
        forms = FORMS[10 * photos.index(photo) :][:10]
        turn = turns_so_far(body)
        return Reply(forms[turn] if turn < len(forms) else answer(1, 2))

    store = tmp_path / "geostore.db"
    with teacher_server(mind) as server:
        run(
            server.url,
            photo_dataset,
            store,
            recipe={"protocol": protocol, "bbox_frame": "norm1000"},
            num_samples=traces,
            turn_limit=12,
        )
    with closing(sqlite3.connect(store)) as rows, rows:
        calls = rows.execute(
            "select arguments ->> '$.bbox_2d', success, flags, response from tool_calls"
            " join turns using (trace_id, turn)"
        ).fetchall()
        ends = rows.execute("select distinct status, stop_reason from traces").fetchall()
    assert len(calls) == len(FORMS)
    assert {call[:2] for call in calls} == {("[100.0,200.0,600.0,700.0]", 1)}
    for _, _, flags, response in calls:
        assert ("repaired" in (flags or "")) == (response != AS_ASKED), response
    assert ends == [("answered", "answer")]
    assert verify(store, workers=1).holds(strict=True)


def test_a_run_never_ends_in_silence_over_calls_that_cannot_be_read(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Each is answered with how to write a call, and the teacher that learns it goes on."""

    def mind(body: Body) -> Reply:
        last = str(body["messages"][-1]["content"])
        if "it cannot be read: write it as <tool_call>" in last:
            return Reply(in_tags(CALL))
        return Reply(answer(1, 2) if turns_so_far(body) else CALL[:-3])

    store = tmp_path / "geostore.db"
    with teacher_server(mind) as server:
        run(server.url, photo_dataset, store, recipe={"protocol": "text"}, num_samples=2)
    with closing(sqlite3.connect(store)) as rows, rows:
        calls = rows.execute("select error_kind from tool_calls").fetchall()
        ends = rows.execute("select distinct status, stop_reason from traces").fetchall()
    assert sorted(calls, key=str) == [("malformed_call",)] * 2 + [(None,)] * 2
    assert ends == [("answered", "answer")]
    assert verify(store, workers=1).holds(strict=True)
