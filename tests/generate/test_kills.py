"""Killed at any instant, a run is as if it had not been: same rows, nothing paid for twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kill_worker import (
    BEGIN,
    BEGUN,
    COMMIT,
    COMMITTED,
    POINTS,
    REQUEST,
    RESPONSE,
    SQL,
    TOLD,
    TOOL,
    TOOL_DONE,
    UNPAID,
    Forks,
    Outcome,
)
from tests.minds import wanderer
from tests.running import assert_whole, contents, turns_of
from tests.teacher_server import TeacherServer, teacher_server

PROTOCOLS = pytest.mark.parametrize("protocol", ["text", "native"])


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with Forks(tmp_path_factory.mktemp("forks") / "errors") as warm:
        yield warm


class Job:
    """One plan on one server: what it needs when nothing disturbs it, and runs of it."""

    def __init__(
        self, forks: Forks, server: TeacherServer, dataset: Path, folder: Path, **options: Any
    ) -> None:
        self.forks, self.server, self.dataset = forks, server, dataset
        self.options = options
        before = len(server.requests)
        whole = folder / "whole.db"
        self.undisturbed = self.run(whole)
        assert self.undisturbed.code == 0, self.errors()
        self.needed = len(server.requests) - before
        self.rows = contents(whole)
        assert turns_of(whole) == self.needed

    def run(self, store: Path, **how: Any) -> Outcome:
        return self.forks.generate(self.server.url, self.dataset, store, **self.options, **how)

    def finish(self, store: Path) -> None:
        """The last run, which nothing disturbs; its store is the undisturbed one's like."""
        outcome = self.run(store)
        assert (outcome.signal, outcome.code) == (0, 0), self.errors()
        assert contents(store) == self.rows
        assert_whole(store)

    def errors(self) -> str:
        return self.forks.errors.read_text()[-3000:]


def test_a_kill_at_every_point_of_a_run_costs_at_most_the_response_in_hand(
    forks: Forks, photo_dataset: Path, tmp_path: Path
) -> None:
    """Promise 1, at each place where something could be lost or done twice, one by one."""
    lost_at: Counter[tuple[str, int]] = Counter()
    with teacher_server(wanderer) as server:
        job = Job(forks, server, photo_dataset, tmp_path, num_samples=1, concurrency=1)
        for number, point in enumerate(job.undisturbed.passed, start=1):
            store = tmp_path / f"{number}.db"
            before = len(server.requests)
            outcome = job.run(store, kill_at=number)
            assert outcome.killed
            assert outcome.passed == job.undisturbed.passed[:number], "runs take the same way"
            lost = len(server.requests) - before - turns_of(store)
            assert lost in ((0, 1) if point in UNPAID else (0,)), point
            lost_at[point, lost] += 1
            job.finish(store)
            assert len(server.requests) - before == job.needed + lost, point
    assert {point for point, _ in lost_at} == set(POINTS)
    assert lost_at[RESPONSE, 0] == 0
    # The other kills would prove little if none of them had met a response on its way.
    assert min(lost_at[point, 1] for point in (BEGIN, BEGUN, COMMIT)) == job.needed


@PROTOCOLS
@pytest.mark.parametrize("point", [RESPONSE, COMMIT, COMMITTED, TOLD, TOOL, TOOL_DONE])
def test_killed_again_and_again_a_run_still_comes_to_its_end(
    forks: Forks, photo_dataset: Path, tmp_path: Path, protocol: str, point: str
) -> None:
    """Each run gets one step further and is killed; conversations are cut many times over."""
    store = tmp_path / "geostore.db"
    # The second of a point: the first may be of what was done before, or leave no trace. Of
    # commits the claim's own is the first.
    kill_at = 3 if point == COMMIT else 2
    kills = lost = 0
    with teacher_server(wanderer) as server:
        job = Job(
            forks,
            server,
            photo_dataset,
            tmp_path,
            # Few turns of a conversation run a tool, every turn passes the other points.
            num_samples=5 if point in (TOOL, TOOL_DONE) else 3,
            concurrency=1,
            recipe={"protocol": protocol},
        )
        before = len(server.requests)
        while (
            outcome := job.run(store, points=[point], kill_at=kill_at, once_claimed=True)
        ).killed:
            kills += 1
            now_lost = len(server.requests) - before - turns_of(store) - lost
            assert now_lost in ((0, 1) if point in UNPAID else (0,))
            lost += now_lost
            assert kills < 5 * job.needed
        assert outcome.code == 0, job.errors()
        job.finish(store)
        assert len(server.requests) - before == job.needed + lost
    assert kills > 1


@PROTOCOLS
def test_kills_at_random_instants_lose_no_more_than_what_is_in_flight(
    forks: Forks, photo_dataset: Path, tmp_path: Path, protocol: str
) -> None:
    """Promise 1, between any two instructions of the process, SQLite's own included."""
    chance = random.Random(protocol)
    concurrency, kills, number = 4, 0, 0
    with teacher_server(wanderer, latency=0.002) as server:
        job = Job(
            forks,
            server,
            photo_dataset,
            tmp_path,
            num_samples=12,
            rollouts=2,
            concurrency=concurrency,
            recipe={"protocol": protocol},
        )
        while kills < 10:  # `make soak` does thousands
            number += 1
            store, before, killed = tmp_path / f"{number}.db", len(server.requests), 0
            # The schema is made first: being killed while it is made is a test of its own.
            assert forks.open(store).code == 0
            # Lives grow longer, so that on a busy machine too the end is reached.
            while job.run(store, kill_after=chance.uniform(0.02, 0.3 + 0.1 * killed)).killed:
                killed += 1
            kills += killed
            job.finish(store)
            extra = len(server.requests) - before - job.needed
            assert 0 <= extra <= concurrency * killed


def test_a_kill_before_any_statement_of_a_run_leaves_a_store_that_goes_on(
    forks: Forks, photo_dataset: Path, tmp_path: Path
) -> None:
    """Inside transactions too: half a transaction is none."""
    chance, kills = random.Random(7), 0
    with teacher_server(wanderer) as server:
        job = Job(forks, server, photo_dataset, tmp_path, num_samples=3, concurrency=1)
        count = len(job.run(tmp_path / "counted.db", points=[SQL]).passed)
        for number in range(5):
            store, before, lost = tmp_path / f"{number}.db", len(server.requests), 0
            assert forks.open(store).code == 0
            while job.run(store, points=[SQL], kill_at=chance.randrange(10, count)).killed:
                kills += 1
                now_lost = len(server.requests) - before - turns_of(store) - lost
                assert now_lost in (0, 1)
                lost += now_lost
            job.finish(store)
            assert len(server.requests) - before == job.needed + lost
    assert kills > 3


def test_a_store_whose_making_was_killed_is_made_by_the_next_process(
    forks: Forks, tmp_path: Path
) -> None:
    """A kill before any SQL statement of the first opening; the file must not be refused."""
    made = forks.open(tmp_path / "whole.db")
    assert made.code == 0
    refused = []
    for number in range(1, len(made.passed) + 1):
        store = tmp_path / f"{number}.db"
        assert forks.open(store, kill_at=number).killed
        if forks.open(store).code != 0:
            refused.append(number)
        else:
            assert_whole(store)
    assert refused == [], forks.errors.read_text()[-1500:]


def test_processes_that_make_a_store_at_the_same_instant_all_get_it(
    forks: Forks, tmp_path: Path
) -> None:
    """Promise 6 begins with the file: whoever comes second finds it, or waits for it."""
    codes: Counter[int] = Counter()
    for number in range(12):
        store = tmp_path / f"{number}.db"
        codes.update(forks.open_at_once(store, 4))
        assert_whole(store)
    assert codes == {0: 48}, forks.errors.read_text()[-1500:]


def test_requests_are_sent_only_after_what_they_rest_on_is_on_disk(
    forks: Forks, photo_dataset: Path, tmp_path: Path
) -> None:
    """Killed right before any request, the run has told the store of every response so far."""
    store = tmp_path / "geostore.db"
    with teacher_server(wanderer) as server:
        job = Job(forks, server, photo_dataset, tmp_path, num_samples=4, concurrency=1)
        before = len(server.requests)
        while job.run(store, points=[REQUEST], kill_at=2).killed:
            assert len(server.requests) - before == turns_of(store)
        job.finish(store)
        assert len(server.requests) - before == job.needed
