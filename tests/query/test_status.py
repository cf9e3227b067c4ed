"""How runs go, told from outside: known numbers from known rows, and who is alive."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from geostore.costs.prices import Prices
from geostore.errors import StoreError
from geostore.query.status import RunStatus, format_json, format_text, status, watch_status
from geostore.store import Store
from geostore.store.prices import put_prices
from geostore.store.processes import host_name, process_place, start_mark
from tests.hand_made import Batch, insert, insert_failure
from tests.minds import zoom_then_answer
from tests.running import command, environment, geostore, run
from tests.teacher_server import Fault, teacher_server

NOBODY = 2**22 + 1
"""A process number above the greatest that Linux gives."""
DEAD = f"{process_place()}/1"
"""The mark of a process that started here, long before this one."""
PLAN = {"num_samples": 5, "rollouts": 2, "draw": {"min_locatability": None}}


def ago(seconds: float) -> str:
    moment = datetime.now(UTC) - timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Runs(Batch):
    """Puts runs and what they did into a store."""

    def run(
        self,
        *,
        began: float,
        ended: float | None = None,
        outcome: str | None = None,
        plan: dict[str, Any] | None = None,
        host: str | None = None,
        pid: int | None = None,
        mark: str | None = None,
        **arguments: Any,
    ) -> int:
        """began, ended: seconds ago. This process's own run unless said otherwise."""
        mine = pid is None
        return insert(
            self.connection,
            "runs",
            arguments=json.dumps({"plan": plan or PLAN, **arguments}),
            versions="{}",
            host=host or host_name(),
            pid=os.getpid() if mine else pid,
            process_started=start_mark(os.getpid()) if mine else mark,
            started_at=ago(began),
            ended_at=None if ended is None else ago(ended),
            outcome=outcome,
        )

    def of_run(self, trace_id: int, run_id: int, *, when: float, closed: bool = True) -> None:
        """Say that a run made a trace's turns so many seconds ago, and closed it then."""
        self.connection.execute(
            "update turns set run_id = ?, created_at = ? where trace_id = ?",
            (run_id, ago(when), trace_id),
        )
        if closed:
            self.connection.execute(
                "update traces set closed_at = ? where id = ?", (ago(when), trace_id)
            )

    def claim(self, trace_id: int, run_id: int, *, seconds: float = 60) -> None:
        self.connection.execute(
            "update traces set claimed_by = ?, claim_expires_at = ? where id = ?",
            (run_id, ago(-seconds), trace_id),
        )

    def failure(self, trace_id: int, run_id: int, kind: str, usage: Any = None) -> None:
        (count,) = self.connection.execute(
            "select count(*) from attempts where trace_id = ?", (trace_id,)
        ).fetchone()
        insert_failure(
            self.connection,
            usage=usage,
            trace_id=trace_id,
            attempt=count + 1,
            error_class=kind,
            run_id=run_id,
            created_at=ago(5),
        )


@contextmanager
def changing(path: Path) -> Iterator[Runs]:
    with Store.open(path) as store, store.db.transaction():
        yield Runs(store.db)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with a dataset of 100 rows, ten samples, a recipe of model m and one of n."""
    where = tmp_path / "geostore.db"
    Store.open(where, create=True).close()
    with changing(where) as runs:
        runs.dataset("photos")
        runs.recipe("aaaaaaaa", "m", tools="[]")
        runs.recipe("bbbbbbbb", "n", tools="[]")
        for index in range(10):
            runs.sample(index, 0.5)
    return where


def only(path: Path) -> RunStatus:
    (run,) = status(path).runs
    return run


def test_a_store_without_runs_says_how_to_make_one(path: Path) -> None:
    found = status(path)
    assert found.to_json() == {"store": str(path), "runs": []}
    assert "geostore generate" in format_text(found)


def test_a_store_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store"):
        status(tmp_path / "none.db")


def test_a_run_is_told_by_what_it_did_and_holds(path: Path) -> None:
    """Two closed now, one before it, one of another recipe; two in flight; failures by class."""
    with changing(path) as runs:
        before = runs.placed(1, 1, 1, 1.0)
        runs.of_run(before, runs.run(began=900, ended=800, outcome="done"), when=850)
        mine = runs.run(began=600)
        near = runs.placed(2, 1, 100, 0.9, turns=2)
        far = runs.placed(3, 1, 300, 0.1)
        runs.of_run(near, mine, when=300)
        runs.of_run(far, mine, when=10)
        for sample_id in (4, 5):
            going = runs.trace(sample_id, 1, status="open", turns=0)
            runs.claim(going, mine)
        runs.failure(going, mine, "timeout")
        runs.failure(going, mine, "rate_limit")
        runs.failure(going, mine, "rate_limit")
        runs.placed(6, 2, 1, 1.0)
    found = only(path)
    assert (found.state, found.model, found.recipe) == ("running", "m", "aaaaaaaa")
    assert (found.planned, found.done_before, found.closed) == (10, 1, 2)
    assert found.in_flight == 2
    assert (found.turns, found.turns_last_min) == (3, 1)
    assert found.tokens == 110 + 210 + 110
    assert (found.median_km, found.mean_km, found.accept_rate) == (200, 200, 0.5)
    assert list(found.failures.items()) == [("rate_limit", 2), ("timeout", 1)]
    assert found.elapsed_s >= 600
    # Seven of ten are left, at the pace of two in the time so far.
    assert found.left_s == pytest.approx(found.elapsed_s * 7 / 2, rel=1e-3)
    assert found.closed_per_min == pytest.approx(120 / found.elapsed_s, abs=0.01)
    assert found.tokens_per_s == pytest.approx(430 / found.elapsed_s, abs=0.01)
    assert found.tokens_per_s_last_min == pytest.approx(110 / 60, abs=0.01)
    assert (found.cost, found.unpriced_turns, found.budget) == (None, 3, None)


def test_cost_counts_billed_failures_and_a_budget_all_runs(path: Path) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}
    with changing(path) as runs:
        runs.of_run(runs.placed(1, 1, 1, 1.0), runs.run(began=90, ended=80), when=85)
        mine = runs.run(began=60, budget={"max_cost": 5, "max_total_tokens": 2000})
        trace = runs.placed(2, 1, 1, 1.0)
        runs.of_run(trace, mine, when=10)
        runs.failure(trace, mine, "bad_response", usage)
    with Store.open(path) as store:
        put_prices(store.db, "m", Prices(1.0, 10.0))
    found = only(path)
    assert found.cost == pytest.approx((100 + 1000 + 10 * 10) / 1e6)
    assert found.tokens == 1110
    assert found.to_json()["budget"] == {
        "max_total_tokens": 2000,
        "max_cost": 5,
        "spent_tokens": 110 + 1110,
        "spent_cost": pytest.approx((200 + 1000 + 200) / 1e6),
        "estimated_tokens": 0,
        "uncounted": 0,
    }
    text = format_text(status(path))
    assert "budget    0.00140 of 5.00, 1,220 of 2,000 tokens spent on this model" in text


def test_a_trace_that_two_runs_played_was_closed_by_the_last(path: Path) -> None:
    with changing(path) as runs:
        first = runs.run(began=600)
        second = runs.run(began=300)
        trace = runs.placed(1, 1, 1, 1.0, turns=2)
        runs.of_run(trace, second, when=10)
        runs.connection.execute(
            "update turns set run_id = ?, created_at = ? where turn = 1", (first, ago(400))
        )
        failed = runs.trace(2, 1, status="failed", turns=0)
        runs.of_run(failed, second, when=10)
        runs.failure(failed, second, "server")
    newest, older = status(path).runs
    assert (newest.run_id, newest.closed, newest.turns) == (second, 2, 1)
    assert (older.run_id, older.closed, older.turns) == (first, 0, 1)
    assert newest.accept_rate == 0.5  # a failed trace is not accepted


def test_without_a_number_of_samples_the_plan_is_the_dataset(path: Path) -> None:
    """Unless a range narrows it: how many samples are in it is not in the store."""
    with changing(path) as runs:
        whole = runs.run(began=60, plan={"num_samples": None, "rollouts": 2})
        part = runs.run(
            began=60,
            plan={"num_samples": None, "rollouts": 1, "draw": {"min_locatability": 0.5}},
        )
        more = runs.run(began=60, plan={"num_samples": 1000, "rollouts": 1})
        early = runs.run(
            began=60, plan={"num_samples": None, "rollouts": 1}, teacher={"model": "m"}
        )
        for sample_id, run_id in enumerate((whole, part, more), start=1):
            runs.of_run(runs.placed(sample_id, 1, 1, 1.0), run_id, when=10)
    found = {run.run_id: run for run in status(path).runs}
    planned = [found[run_id].planned for run_id in (whole, part, more, early)]
    assert planned == [200, None, 100, None]
    assert found[part].left_s is None
    assert (found[early].model, found[early].recipe) == ("m", None)
    assert format_text(status(path))


def test_a_run_without_an_end_is_running_only_where_its_process_lives(path: Path) -> None:
    with changing(path) as runs:
        runs.run(began=60, pid=NOBODY, mark=DEAD)
    found = only(path)
    assert (found.state, found.elapsed_s, found.left_s) == ("killed", 0.0, None)
    with changing(path) as runs:
        trace = runs.placed(1, 1, 1, 1.0)
        runs.of_run(trace, runs.run(began=600, pid=os.getpid(), mark=DEAD), when=500)
    found = only(path)
    assert found.state == "killed"
    assert found.elapsed_s == pytest.approx(100, abs=1)  # to the last sign of it


@pytest.mark.parametrize(
    "where",
    [
        {"host": "elsewhere", "mark": "636facec-fae7-44c9-b806-f0e02925017e/pid:[4026531836]/5"},
        {"mark": f"{process_place()}".rpartition("/")[0] + "/pid:[7]/5"},
        {"mark": None},
    ],
    ids=["another host", "a container with this host's name", "no mark"],
)
def test_a_run_that_cannot_be_seen_lives_while_its_claims_do(
    path: Path, where: dict[str, Any]
) -> None:
    with changing(path) as runs:
        far = runs.run(began=60, pid=1, **where)
        runs.claim(runs.trace(1, 1, status="open"), far, seconds=60)
    assert only(path).state == "running"
    with changing(path) as runs:
        runs.claim(1, far, seconds=-1)
    assert only(path).state == "unknown"


def test_runs_that_ended_or_were_killed_are_shown_only_as_the_newest(path: Path) -> None:
    with changing(path) as runs:
        runs.run(began=900, ended=800, outcome="done")
        runs.run(began=700, pid=NOBODY, mark=DEAD)
        runs.run(began=650, host="elsewhere", pid=1)
        running = runs.run(began=600)
        newest = runs.run(began=500, ended=400, outcome="interrupted")
    found = status(path).runs
    assert [(run.run_id, run.state) for run in found] == [
        (newest, "interrupted"),
        (running, "running"),
    ]
    assert found[0].elapsed_s == pytest.approx(100, abs=1)
    assert found[0].left_s is None


def test_text_keeps_to_a_hundred_columns_and_json_is_json(path: Path) -> None:
    with changing(path) as runs:
        mine = runs.run(began=100_000, max_total_tokens=10**12)
        trace = runs.placed(1, 1, 1, 1.0)
        runs.of_run(trace, mine, when=10)
        for number in range(12):
            runs.failure(trace, mine, f"a_rather_long_class_{number}")
    found = status(path)
    text = format_text(found)
    assert max(map(len, text.splitlines())) <= 100
    assert "a_rather_long_class_11 1" in text
    assert text.startswith(f"run {mine}: running, 27 h 47 min, process {os.getpid()}")
    document = json.loads(format_json(found))
    assert document == found.to_json()
    assert list(document["runs"][0]) == [
        *("run_id", "host", "pid", "model", "recipe", "started_at", "ended_at", "planned"),
        *("done_before", "closed", "in_flight", "median_km", "mean_km"),
        *("accept_rate", "turns", "tokens"),
        *("cached_tokens", "cache_write_tokens", "estimated_tokens", "uncounted"),
        *("cost", "unpriced_turns", "state", "elapsed_s", "left_s", "closed_per_min"),
        *("tokens_per_s", "turns_last_min", "tokens_per_s_last_min", "failures", "budget"),
    ]
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_real_run_is_told_as_it_was(photo_dataset: Path, tmp_path: Path) -> None:
    """Six traces of two turns each, and a request that had to be sent twice."""
    where = tmp_path / "geostore.db"
    with teacher_server(
        zoom_then_answer, script=lambda number, body: Fault() if number == 3 else None
    ) as server:
        run(server.url, photo_dataset, where)
    found = only(where)
    assert (found.state, found.closed, found.turns) == ("done", 6, 12)
    assert (found.in_flight, found.failures) == (0, {"server": 1})
    assert found.tokens == 12 * 120


LIVE = """
import sys, time
from pathlib import Path
from tests.running import command, environment, geostore, run
from tests.minds import zoom_then_answer
from tests.teacher_server import teacher_server
photos, store, seen = map(Path, sys.argv[1:])
def mind(body):
    while not seen.exists():
        time.sleep(0.02)
    return zoom_then_answer(body)
with teacher_server(mind) as server:
    run(server.url, photos, store, concurrency=2, request_timeout=60.0)
"""


def test_a_run_is_seen_from_another_process_while_it_goes(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Its teacher answers nothing until it was seen with both its traces in flight."""
    where, seen = tmp_path / "geostore.db", tmp_path / "seen"
    live = subprocess.Popen([sys.executable, "-c", LIVE, str(photo_dataset), str(where), str(seen)])
    try:
        found: RunStatus | None = None
        while found is None or found.in_flight != 2:
            assert live.poll() is None
            time.sleep(0.1)
            with suppress(StoreError):  # it is not made yet
                found = next(iter(status(where).runs), None)
        assert (found.state, found.pid, found.turns) == ("running", live.pid, 0)
        assert (found.planned, found.closed, found.left_s) == (12, 0, None)
        seen.touch()
        assert live.wait() == 0
    finally:
        live.kill()
        live.wait()
    found = only(where)
    assert (found.state, found.closed, found.turns) == ("done", 6, 12)


# --- watched -----------------------------------------------------------------------------------


def test_watching_ends_where_no_run_goes_on(path: Path) -> None:
    with changing(path) as runs:
        runs.run(began=600, ended=60, outcome="done")
    (now,) = watch_status(path, interval=0.0)
    assert now == status(path)
    watched = geostore("status", "--watch", "--store", path)
    assert (watched.returncode, watched.stderr) == (0, "")
    assert watched.stdout.count("run 1: done, 9 min") == 1


def watching(path: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("status", "--watch", "--store", path, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def test_watching_shows_what_is_written_meanwhile_until_ctrl_c(path: Path) -> None:
    with changing(path) as runs:
        mine = runs.run(began=600)
    with watching(path, "--json") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["runs"][0]["closed"] == 0
        with changing(path) as runs:
            runs.of_run(runs.placed(1, 1, 100, 0.9), mine, when=1)
        assert any(json.loads(line)["runs"][0]["closed"] == 1 for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


def test_a_log_of_watching_says_when(path: Path) -> None:
    with changing(path) as runs:
        mine = runs.run(began=600)
    with watching(path) as process:
        assert process.stdout is not None
        head, block = process.stdout.readline(), process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  {path}\n", head)
    assert block.startswith(f"run {mine}: running, 10 min")
    assert process.returncode == 0
