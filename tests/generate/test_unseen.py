"""Traces held by a process that cannot be seen from here: in another container, on another host."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from geostore.generate.plan import RunResult
from geostore.store.processes import process_place
from tests.minds import zoom_then_answer
from tests.running import Notes, run, start_geostore
from tests.teacher_server import Body, Fault, TeacherServer, teacher_server, wait_until

HELD = 4
ELSEWHERE = f"{process_place()}".rpartition("/")[0] + "/pid:[7]/5"
"""The mark of a process in another container, which has this host's name."""


def change(store: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(statement, values)


def claims_last(store: Path, seconds: float) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    change(
        store,
        "update traces set claim_expires_at = ? where claimed_by = 1",
        until.replace("+00:00", "Z"),
    )


def silent_at_first(number: int, body: Body) -> Fault | None:
    return Fault(silent_seconds=60.0) if number < HELD else None


def held_by_another_container(server: TeacherServer, photos: Path, store: Path) -> None:
    """Kill a process that holds traces, and make its row that of a process elsewhere."""
    process = start_geostore(
        *("generate", "--dataset-path", photos, "--store", store, "--base-url", server.url),
        *("--model", "test", "--num-samples", "6", "--concurrency", str(HELD)),
    )
    wait_until(lambda: len(server.requests) >= HELD, 60.0)
    process.kill()
    process.communicate()
    change(store, "update runs set process_started = ?, pid = 1", ELSEWHERE)


def next_run(
    server: TeacherServer, photos: Path, store: Path, meanwhile: Callable[[], None]
) -> tuple[RunResult, list[str]]:
    """Run what is left; do something a second after it began."""
    notes = Notes()
    timer = threading.Timer(1.0, meanwhile)
    timer.start()
    try:
        return run(server.url, photos, store, num_samples=6, notes=notes), notes.notices
    finally:
        timer.join()


def test_the_traces_of_a_container_that_was_killed_wait_for_its_claims(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Neither is the run taken for dead at once, nor is what it held left for another start."""
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer, script=silent_at_first) as server:
        held_by_another_container(server, photo_dataset, store)
        claims_last(store, 60.0)
        counts: list[int] = []

        def expire() -> None:
            counts.append(len(server.requests) - HELD)
            claims_last(store, 0.5)

        result, notices = next_run(server, photo_dataset, store, expire)
        assert counts == [4], "two traces of two turns are free, and all others are held"
        assert (result.closed.total(), result.elsewhere, result.remaining) == (6, 0, 0)
    assert [said for said in notices if "waiting for process 1 on" in said]


def test_a_run_elsewhere_that_renews_its_claims_keeps_its_traces(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer, script=silent_at_first) as server:
        held_by_another_container(server, photo_dataset, store)
        claims_last(store, 60.0)
        result, notices = next_run(server, photo_dataset, store, lambda: claims_last(store, 120.0))
        assert (result.closed.total(), result.elsewhere) == (2, HELD)
        assert len(server.requests) == HELD + 4
    assert [said for said in notices if "waiting for process 1 on" in said]


@pytest.mark.parametrize("lived", [True, False], ids=["ended by itself", "had let them expire"])
def test_nothing_is_waited_for_where_nothing_is_held(
    photo_dataset: Path, tmp_path: Path, lived: bool
) -> None:
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer, script=silent_at_first) as server:
        held_by_another_container(server, photo_dataset, store)
        if lived:
            change(store, "update traces set claimed_by = null, claim_expires_at = null")
        else:
            claims_last(store, -1.0)
        result, notices = next_run(server, photo_dataset, store, lambda: None)
        assert (result.closed.total(), result.elsewhere) == (6, 0)
    assert not [said for said in notices if "waiting for" in said]
