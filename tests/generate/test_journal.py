"""The writer thread: many changes in few commits, each told when it is on disk."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from geostore.errors import StoreError
from geostore.generate import journal as journals
from geostore.generate.journal import Journal, TraceJournal
from geostore.records import Closing
from geostore.rewards import place_trace
from geostore.store import ClaimedTrace, Db, Store
from tests.gazetteer_tables import forget_tables, tables_read
from tests.trace_parts import DATASET, RECIPE, SAMPLE, TURN, start_run


def names(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection, connection:
        found = {row[0] for row in connection.execute("select name from datasets")}
    connection.close()
    return found


def put(number: int) -> Callable[[Store], int]:
    return lambda store: store.samples.put_dataset(
        replace(DATASET, fingerprint=str(number), name=str(number))
    )


def test_what_was_acknowledged_is_seen_by_another_connection(tmp_path: Path) -> None:
    path = tmp_path / "geostore.db"

    async def run() -> None:
        with Store.open(path, create=True) as store, Journal(store) as journal:
            for number in range(5):
                await journal.commit(put(number))
                assert str(number) in names(path)

    asyncio.run(run())


def test_changes_that_wait_together_share_a_commit(tmp_path: Path) -> None:
    async def run() -> int:
        with Store.open(tmp_path / "geostore.db", create=True) as store, Journal(store) as journal:
            commits: list[str] = []
            store.db.connection.set_trace_callback(
                lambda statement: commits.append(statement) if statement == "commit" else None
            )
            await asyncio.gather(*(journal.commit(put(number)) for number in range(100)))
            return len(commits)

    assert asyncio.run(run()) < 50


def test_a_change_that_fails_fails_alone(tmp_path: Path) -> None:
    path = tmp_path / "geostore.db"

    async def run() -> list[object]:
        with Store.open(path, create=True) as store, Journal(store) as journal:
            changes: list[Callable[[Store], object]] = [
                put(1),
                lambda s: s.traces.put_turn(99, TURN, run_id=1),
                put(2),
            ]
            commits = (journal.commit(change) for change in changes)
            return list(await asyncio.gather(*commits, return_exceptions=True))

    first, second, third = asyncio.run(run())
    assert isinstance(second, StoreError)
    assert isinstance(first, int)
    assert isinstance(third, int)
    assert names(path) == {"1", "2"}


def test_what_was_handed_over_is_kept_though_its_caller_is_cancelled(tmp_path: Path) -> None:
    """A response is paid for whether or not somebody still waits for its commit."""
    path = tmp_path / "geostore.db"

    async def run() -> None:
        with Store.open(path, create=True) as store, Journal(store) as journal:
            with store.db.transaction():
                pass
            task = asyncio.create_task(journal.commit(put(1)))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await journal.commit(put(2))

    asyncio.run(run())
    assert names(path) == {"1", "2"}


@pytest.mark.parametrize("times", [1, 3])
def test_a_caller_hears_of_its_cancellation_only_when_the_change_is_on_disk(
    times: int, tmp_path: Path
) -> None:
    """However often it is asked to end: else the next step would not know what is stored."""
    path = tmp_path / "geostore.db"

    def slowly(store: Store) -> int:
        time.sleep(0.2)
        return put(1)(store)

    async def run() -> None:
        with Store.open(path, create=True) as store, Journal(store) as journal:
            task = asyncio.create_task(journal.commit(slowly))
            for _ in range(times):
                await asyncio.sleep(0.02)
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert names(path) == {"1"}

    asyncio.run(run())


def test_a_caller_that_is_cancelled_hears_of_the_change_that_failed(tmp_path: Path) -> None:
    def fails_slowly(store: Store) -> None:
        time.sleep(0.1)
        store.traces.put_turn(99, TURN, run_id=1)

    async def run() -> None:
        with Store.open(tmp_path / "s.db", create=True) as store, Journal(store) as journal:
            task = asyncio.create_task(journal.commit(fails_slowly))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(StoreError):
                await task

    asyncio.run(run())


def test_leaving_the_block_commits_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "geostore.db"

    async def run() -> None:
        with Store.open(path, create=True) as store, Journal(store) as journal:
            task = asyncio.create_task(journal.commit(put(1)))
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(run())
    assert names(path) == {"1"}


def test_a_close_reads_the_gazetteer_before_its_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all that commit would wait for it, and other programs could not write."""
    turn = replace(TURN, response="<answer>48.2, 11.0, Munich, Bavaria, Germany</answer>")
    read_before: set[str] = set()

    def place_with_tables(db: Db, trace_id: int) -> None:
        read_before.update(table for table, is_read in tables_read().items() if is_read)
        place_trace(db, trace_id)
        read_within.update(table for table, is_read in tables_read().items() if is_read)

    read_within: set[str] = set()
    monkeypatch.setattr(journals, "place_trace", place_with_tables)

    async def run() -> None:
        with Store.open(tmp_path / "geostore.db", create=True) as store, Journal(store) as journal:
            claimed, run_id = await journal.commit(claim)
            trace = TraceJournal(journal, trace_id=claimed.trace_id, run_id=run_id)
            await trace.record_turn(turn, None)
            forget_tables()
            await trace.close(Closing("answered", "answer"), turn_limit=10, played=[turn])

    asyncio.run(run())
    assert len(read_before) > 8
    assert read_within == read_before


def claim(store: Store) -> tuple[ClaimedTrace, int]:
    run_id = start_run(store)
    sample = store.samples.put_sample(store.samples.put_dataset(DATASET), SAMPLE)
    claimed = store.claims.claim(
        sample_id=sample.sample_id,
        recipe_id=store.recipes.put_recipe(RECIPE),
        rollout=1,
        run_id=run_id,
        turn_limit=10,
        seconds=60.0,
    )
    assert isinstance(claimed, ClaimedTrace)
    return claimed, run_id
