"""Which requests of the last minute a new process counts, from known rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from geostore.records import FailedAttempt
from geostore.store import ClaimedTrace, RecentRequest, Store, recent_requests
from geostore.store.processes import process_place, start_mark
from tests.trace_parts import DATASET, RECIPE, SAMPLE, SENT, TURN


def ago(seconds: float) -> str:
    moment = datetime.now(UTC) - timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as store:
        store.samples.put_sample(store.samples.put_dataset(DATASET), SAMPLE)
        store.recipes.put_recipe(RECIPE)
        yield store


def start(store: Store, *, pid: int = 1, mark: str | None = None) -> int:
    return store.runs.start_run(arguments={}, versions={}, host="h", pid=pid, process_started=mark)


def claim(store: Store, run_id: int, rollout: int, *, seconds: float = 120.0) -> int:
    claimed = store.claims.claim(
        sample_id=1, recipe_id=1, rollout=rollout, run_id=run_id, turn_limit=10, seconds=seconds
    )
    assert isinstance(claimed, ClaimedTrace)
    return claimed.trace_id


def recent(store: Store, model: str = "test") -> list[tuple[int, int | None]]:
    """Whole seconds ago, and tokens."""
    requests = recent_requests(
        store.db, model, seconds=61.0, claim_seconds=120.0, renewal_seconds=30.0
    )
    assert all(isinstance(request, RecentRequest) for request in requests)
    return [(round(request.seconds_ago), request.tokens) for request in requests]


def test_turns_and_failures_of_the_last_minute_are_counted_from_when_they_were_sent(
    store: Store,
) -> None:
    run_id = start(store)
    trace_id = claim(store, run_id, 1)
    store.claims.release_claims(run_id)
    for number, (written, latency, tokens) in enumerate(
        [
            (90, 0, 1),  # long over
            (62, 0, 2),
            (40, 30_000, 3),  # written lately, but sent before
            (40, 20_000, 4),
            (50, None, None),
            (5, 1000, 6),
        ],
        start=1,
    ):
        turn = replace(
            TURN, turn=number, latency_ms=latency, total_tokens=tokens, prompt_tokens=None
        )
        store.traces.put_turn(trace_id, turn, run_id=run_id, photo=SENT)
        store.db.execute(
            "update turns set created_at = :at where turn = :turn",
            {"at": ago(written), "turn": number},
        )
    failures = [FailedAttempt(7, "server", "gone", 503, None, None)] * 2
    failures.append(replace(failures[0], usage='{"total_tokens":9}'))
    for number, failure in enumerate(failures, start=1):
        store.traces.put_attempt(trace_id, failure, run_id=run_id)
        store.db.execute(
            "update attempts set created_at = :at where attempt = :number",
            {"at": ago(70 if number == 1 else 10 * number), "number": number},
        )
    assert recent(store) == [(60, 4), (50, None), (30, 9), (20, 0), (6, 6)]
    assert recent(store, "another") == []


def test_a_clock_that_was_set_back_puts_no_request_into_the_future(store: Store) -> None:
    run_id = start(store)
    trace_id = claim(store, run_id, 1)
    store.claims.release_claims(run_id)
    store.traces.put_turn(trace_id, TURN, run_id=run_id, photo=SENT)
    store.db.execute("update turns set created_at = :at", {"at": ago(-3600)})
    assert recent(store) == [(0, None)]


def test_an_imported_turn_was_no_request(store: Store) -> None:
    run_id = start(store)
    trace_id = claim(store, run_id, 1)
    store.claims.release_claims(run_id)
    store.traces.put_turn(trace_id, TURN, run_id=run_id, photo=SENT)
    store.db.execute("update turns set run_id = null")
    assert recent(store) == []


def test_what_a_killed_process_had_in_flight_may_have_left(store: Store) -> None:
    """One request for each trace that it held; a living one's are its own."""
    killed = start(store, mark=f"{process_place()}/1")
    unseen = start(store)
    living = start(store, pid=os.getpid(), mark=start_mark(os.getpid()))
    long_dead = start(store, mark=f"{process_place()}/1")
    for rollout in (1, 2):
        claim(store, killed, rollout, seconds=100.0)
    claim(store, unseen, 3)
    claim(store, living, 4)
    # Renewed at most 30 s before the process died, so it died more than 61 s ago.
    claim(store, long_dead, 5, seconds=28.0)
    assert recent(store) == [(0, None)] * 3
    assert recent(store, "another") == []
