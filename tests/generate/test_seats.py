"""Seats: how many traces are played at a time, and what a trace gives up and takes back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from geostore.generate.rollout import RetryPolicy
from tests.minds import zoom_then_answer
from tests.running import run
from tests.teacher_server import Body, Fault, teacher_server

CONCURRENCY = 2
FAULTS = 30
BRIEF = RetryPolicy(max_attempts=1000, first_wait=0.01, longest_wait=0.05, trace_timeout=0.5)


def held(store: Path) -> int:
    """Traces that a run has begun and not ended."""
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        query = "select count(*) from traces where claimed_by is not null"
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


def test_traces_whose_time_is_up_while_they_wait_for_a_seat_make_no_seats(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Each gave its seat to another trace for the wait, so it has none to give back."""
    store = tmp_path / "geostore.db"
    in_play: list[int] = []

    def busy_at_first(number: int, body: Body) -> Fault | None:
        if number < FAULTS:
            return Fault(503, silent_seconds=0.05)
        in_play.append(held(store))
        return None

    with teacher_server(zoom_then_answer, script=busy_at_first, latency=0.05) as server:
        result = run(
            server.url,
            photo_dataset,
            store,
            num_samples=12,
            rollouts=5,
            concurrency=CONCURRENCY,
            retry_policy=BRIEF,
        )
    assert result.closed["failed"] >= 4, "nobody's time was up"
    assert result.closed.total() == 60
    # Traces that still wait to retry are not in play; the last of them has long ended by then.
    assert max(in_play[-40:]) <= CONCURRENCY
