"""A trace that runs out of time or is dropped leaves behind its seat and all that was paid."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from pathlib import Path

from geostore.generate.events import RequestFailed, TurnCommitted
from geostore.generate.retries import RetryPolicy
from tests.minds import zoom_then_answer
from tests.running import Notes, assert_whole, run, start_geostore, turns_of
from tests.teacher_server import Body, Fault, teacher_server, wait_until

CONCURRENCY = 2
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

    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, tmp_path / "unlucky.db", num_samples=4)
        unlucky = [body["messages"][1] for body in server.bodies]

    def busy_for_some(number: int, body: Body) -> Fault | None:
        if any(message in unlucky for message in body["messages"]):
            return Fault(503, silent_seconds=0.05)
        in_play.append(held(store))
        return None

    with teacher_server(zoom_then_answer, script=busy_for_some, latency=0.03) as server:
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


class Lock:
    """Holds the store's write lock from a request on for a while, so that commits wait."""

    def __init__(self, store: Path, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self.thread = threading.Thread(target=self._hold)
        self._held = threading.Event()

    def take(self) -> None:
        """Return when it is held."""
        self.thread.start()
        self._held.wait()

    def _hold(self) -> None:
        connection = sqlite3.connect(self._store, isolation_level=None)
        connection.execute("begin immediate")
        self._held.set()
        time.sleep(self._seconds)
        connection.execute("rollback")
        connection.close()


def test_a_response_that_is_committed_as_the_time_runs_out_is_kept_and_counted(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store, notes = tmp_path / "geostore.db", Notes()
    lock = Lock(store, seconds=1.5)

    def lock_at_the_second(number: int, body: Body) -> None:
        if number == 1:
            lock.take()

    with teacher_server(zoom_then_answer, script=lock_at_the_second) as server:
        result = run(
            server.url,
            photo_dataset,
            store,
            notes=notes,
            num_samples=1,
            concurrency=1,
            retry_policy=RetryPolicy(trace_timeout=1.0),
        )
    lock.thread.join()
    assert turns_of(store) == len(server.requests) == 2
    assert len(notes.all_of(TurnCommitted)) == 2
    assert [event.attempt.error_class for event in notes.all_of(RequestFailed)] == ["trace_timeout"]
    assert result.closed == {"failed": 1}
    assert_whole(store)


def test_a_response_that_is_committed_as_the_run_is_dropped_is_kept(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    lock = Lock(store, seconds=2.0)

    def lock_at_the_second(number: int, body: Body) -> None:
        if number == 1:
            lock.take()

    with teacher_server(zoom_then_answer, script=lock_at_the_second) as server:
        process = start_geostore(
            *("generate", "--dataset-path", photo_dataset, "--store", store, "--num-samples", "1"),
            *("--base-url", server.url, "--model", "gpt-4o"),
        )
        wait_until(lambda: len(server.requests) == 2)
        time.sleep(0.5)  # for the answer to arrive
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    lock.thread.join()
    assert process.returncode == 3, errors
    assert turns_of(store) == len(server.requests) == 2
    assert_whole(store)
