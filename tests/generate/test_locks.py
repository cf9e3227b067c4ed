"""Another program holds the store's write lock: its end is waited for, and nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from geostore.dataset import PhotoDataset
from geostore.errors import StoreError, StoreLockedError
from geostore.generate import journal as journals
from geostore.generate.journal import Journal
from geostore.generate.plan import Plan
from geostore.generate.run import play_run
from geostore.store import ClaimedTrace, NotClaimed, Store
from geostore.teacher import Teacher
from tests.minds import zoom_then_answer
from tests.running import Notes, run, start_geostore
from tests.teacher_server import Body, teacher_server, wait_until
from tests.trace_parts import DATASET, RECIPE, SAMPLE, TURN, start_run


@contextmanager
def locked(path: Path) -> Iterator[Callable[[], None]]:
    """Hold the write lock as a program that knows nothing of geostore; gives what lets it go."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("begin immediate")

    def let_go() -> None:
        if connection.in_transaction:
            connection.execute("rollback")

    try:
        yield let_go
    finally:
        let_go()
        connection.close()


def put(number: int) -> Callable[[Store], int]:
    return lambda store: store.samples.put_dataset(
        replace(DATASET, fingerprint=str(number), name=str(number))
    )


def count(path: Path, question: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (number,) = connection.execute(question).fetchone()
    return int(number)


def test_what_waits_for_a_lock_is_written_together_when_it_is_gone(tmp_path: Path) -> None:
    path, notices = tmp_path / "geostore.db", list[str]()

    async def work() -> tuple[list[object], int]:
        with Store.open(path, create=True) as store:
            commits: list[str] = []
            store.db.connection.set_trace_callback(
                lambda statement: commits.append(statement) if statement == "commit" else None
            )
            with locked(path) as let_go:
                with Journal(store, notice=notices.append, notice_seconds=0.4) as journal:
                    changes: list[Callable[[Store], object]] = [*map(put, range(40))]
                    changes.insert(20, lambda s: s.traces.put_turn(99, TURN, run_id=1))
                    tasks = [asyncio.create_task(journal.commit(change)) for change in changes]
                    await asyncio.sleep(1.5)
                    assert not any(task.done() for task in tasks)
                    let_go()
                    results = await asyncio.gather(*tasks, return_exceptions=True)
                    await journal.commit(put(99))
                    await asyncio.sleep(0)
                return list(results), len(commits)

    results, commits = asyncio.run(work())
    assert isinstance(results.pop(20), StoreError)
    assert all(isinstance(result, int) for result in results)
    # The first one alone, the others one by one because of the bad one among them.
    assert commits <= 42
    assert count(path, "select count(*) from datasets") == 41
    waits = [said for said in notices if "locked by another program" in said]
    assert 2 <= len(waits) <= 4
    assert waits[-1].endswith("waiting; 41 commits wait")
    assert notices[-1].startswith("the store is free again after ")


def test_no_change_waits_a_lock_of_its_own(tmp_path: Path) -> None:
    """Forty changes are two transactions, and a lock that is short says nothing."""
    path, notices = tmp_path / "geostore.db", list[str]()

    async def work() -> int:
        with Store.open(path, create=True) as store:
            commits: list[str] = []
            store.db.connection.set_trace_callback(
                lambda statement: commits.append(statement) if statement == "commit" else None
            )
            with locked(path) as let_go, Journal(store, notice=notices.append) as journal:
                tasks = [asyncio.create_task(journal.commit(put(number))) for number in range(40)]
                await asyncio.sleep(1.2)
                let_go()
                began = time.monotonic()
                await asyncio.gather(*tasks)
                assert time.monotonic() - began < 1.0
            return len(commits)

    assert asyncio.run(work()) <= 2
    assert notices == []


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1.5, "claimed"), (-1.0, None)],
    ids=["valid before", "expired before"],
)
def test_whoever_writes_first_after_a_lock_leaves_the_claims_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, expected: NotClaimed | None
) -> None:
    """No claim could be renewed while the lock was held, so none expires in that time."""
    monkeypatch.setattr(journals, "_LOOK_SECONDS", 0.1)
    path = tmp_path / "geostore.db"

    def claim(run_id: int, seconds: float) -> Callable[[Store], ClaimedTrace | NotClaimed]:
        return lambda store: store.claims.claim(
            sample_id=1, recipe_id=1, rollout=1, run_id=run_id, turn_limit=10, seconds=seconds
        )

    async def work() -> ClaimedTrace | NotClaimed:
        with Store.open(path, create=True) as store, Store.open(path) as other:
            dataset_id = store.samples.put_dataset(DATASET)
            store.samples.put_sample(dataset_id, SAMPLE)
            store.recipes.put_recipe(RECIPE)
            mine, theirs = start_run(store), start_run(store)
            with store.db.transaction():
                assert isinstance(claim(mine, seconds)(store), ClaimedTrace)
            with locked(path) as let_go, Journal(other) as journal:
                task = asyncio.create_task(journal.commit(claim(theirs, 120.0)))
                await asyncio.sleep(2.2)
                let_go()
                return await task

    claimed = asyncio.run(work())
    if expected is None:
        assert isinstance(claimed, ClaimedTrace)
    else:
        assert claimed == expected


@pytest.mark.parametrize(("wait", "calls"), [(0.6, 1), (60.0, 2)])
def test_giving_up_says_what_was_not_written(tmp_path: Path, wait: float, calls: int) -> None:
    """The first time it waits as any command waits for a lock, the second time no longer."""
    path = tmp_path / "geostore.db"

    async def work() -> list[object]:
        with (
            Store.open(path, create=True, busy_timeout=wait) as store,
            locked(path) as let_go,
            Journal(store, notice_seconds=0.2) as journal,
        ):
            tasks = [
                asyncio.create_task(journal.commit(put(number), is_paid=number < 3))
                for number in range(5)
            ]
            await asyncio.sleep(0.5)
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0.3)
            assert not any(task.done() for task in tasks), "a cancellation alone drops nothing"
            for _ in range(calls):
                journal.give_up()
            began = time.monotonic()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert (time.monotonic() - began > 0.5) == (calls == 1)
            let_go()
            await journal.commit(put(7))
            return list(results)

    results = asyncio.run(work())
    assert {type(result) for result in results} == {StoreLockedError}
    assert "5 commits were not written, 3 of them responses" in str(results[0])
    assert count(path, "select count(*) from datasets") == 1


def test_a_run_goes_on_when_a_lock_is_gone(
    photo_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell with an open transaction, in the middle of a run: nothing fails, nothing is twice."""
    monkeypatch.setattr("geostore.generate.run.Journal", partial(Journal, notice_seconds=0.5))
    path, notes = tmp_path / "geostore.db", Notes()
    holding = threading.Event()

    def hold() -> None:
        with locked(path):
            holding.set()
            time.sleep(2.0)

    holder = threading.Thread(target=hold)

    def script(number: int, body: Body) -> None:
        if number == 3:
            holder.start()
            assert holding.wait(10.0)

    with teacher_server(zoom_then_answer, script=script) as server:
        result = run(server.url, photo_dataset, path, notes=notes, num_samples=6)
        assert len(server.requests) == 12
    holder.join()
    assert result.closed == {"answered": 6}
    assert count(path, "select count(*) from attempts") == 0
    assert [said for said in notes.notices if said.startswith("the store is locked by another")]


def test_a_run_that_waits_for_a_lock_before_it_begins_can_be_ended(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Nothing is paid for yet, so the first Ctrl-C is enough."""
    path = tmp_path / "geostore.db"

    async def work(store: Store) -> None:
        async with Teacher(base_url="http://127.0.0.1:9/v1", api_key=None) as teacher:
            playing = asyncio.create_task(
                play_run(
                    dataset=PhotoDataset.open(photo_dataset),
                    store=store,
                    recipe=RECIPE,
                    plan=Plan(num_samples=1),
                    teacher=teacher,
                    arguments={},
                )
            )
            await asyncio.sleep(0.5)
            playing.cancel()
            began = time.monotonic()
            with pytest.raises(StoreLockedError, match="1 commit was not written; end"):
                await playing
            assert time.monotonic() - began < 5.0

    with Store.open(path, create=True) as store, locked(path):
        asyncio.run(work(store))


def test_a_run_that_is_told_thrice_to_end_says_what_was_not_written(
    photo_dataset: Path, tmp_path: Path
) -> None:
    path = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer, latency=0.5) as server:
        process = start_geostore(
            *("generate", "--dataset-path", photo_dataset, "--store", path),
            *("--base-url", server.url, "--model", "test", "--num-samples", "4"),
            *("--concurrency", "4"),
        )
        wait_until(lambda: len(server.requests) >= 4, 60.0)
        with locked(path):
            time.sleep(1.0)  # the four responses have come, and wait
            for _ in range(2):
                process.send_signal(signal.SIGINT)
                time.sleep(0.7)
                assert process.poll() is None, "it waits for the lock"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        assert process.returncode == 1, errors
        assert "Traceback" not in errors
        assert "stayed locked by another program" in errors
        assert "commits were not written, 4 of them responses" in errors
