"""Every end of a run is the gentle one, and an outage ends no trace.

Servers, signals and processes are real.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import GaveUp, StoreError, TeacherUnusable
from geostore.generate.arrival import Arrivals
from geostore.generate.events import RequestFailed
from geostore.generate.retries import RetryPolicy
from geostore.store.traces import Traces
from tests.conftest import photo_bytes, save_dataset
from tests.minds import zoom_then_answer
from tests.running import (
    Notes,
    assert_whole,
    environment,
    geostore,
    run,
    start_geostore,
    turns_of,
)
from tests.teacher_server import (
    Body,
    Fault,
    Reply,
    TeacherServer,
    is_probe,
    teacher_server,
    wait_until,
)

BROKEN = Fault(500, b'{"error": {"message": "Error code: 500"}}')
NO_CREDIT = Fault(402, b'{"error": {"message": "insufficient credit"}}')
QUICK = RetryPolicy(max_attempts=4, first_wait=0.01, longest_wait=0.05, longest_retry_after=0.05)
QUICK_PACE = {"break_after_seconds": 0.2, "probe_seconds": 0.1}


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(store)
    try:
        return [tuple(row) for row in connection.execute(query)]
    finally:
        connection.close()


def ends_of(store: Path) -> Counter[tuple[str, str | None]]:
    """How many traces have each status and reason."""
    return Counter(
        (status, reason) for status, reason in rows(store, "select status, stop_reason from traces")
    )


def photo_of(body: Body) -> str | None:
    """The photo's data URL; None in a request without one."""
    content = body["messages"][min(1, len(body["messages"]) - 1)]["content"]
    return None if isinstance(content, str) else str(content[0]["image_url"]["url"])


def poisoned(dataset: Path, store: Path, count: int) -> set[str | None]:
    """The photos of the first rows, as the server sees them."""
    with teacher_server(zoom_then_answer) as server:
        run(server.url, dataset, store, num_samples=count)
        return {photo_of(body) for body in server.bodies}


# An outage, or a photo that alone makes the server fail.


def test_photos_that_make_a_healthy_server_fail_end_as_refused_and_the_others_are_answered(
    tmp_path: Path,
) -> None:
    dataset = save_dataset(tmp_path / "photos", [photo_bytes(seed) for seed in range(23)])
    bad = poisoned(dataset, tmp_path / "bad.db", 3)
    store, log = tmp_path / "s.db", tmp_path / "log.jsonl"
    script = lambda number, body: BROKEN if photo_of(body) in bad else None  # noqa: E731
    with teacher_server(zoom_then_answer, script=script) as server:
        result = run(
            server.url, dataset, store, num_samples=23, retry_policy=QUICK, pace=QUICK_PACE
        )
        sent = Counter(photo_of(body) for body in server.bodies)
        probes = len(server.probes)
    assert ends_of(store) == {("answered", "answer"): 20, ("failed", "refused"): 3}
    assert {sent[photo] for photo in bad} == {QUICK.max_attempts}
    assert not result.stopped
    assert result.failed_share > 0.1
    # Each probe was paid for, and stands with the trace that was in doubt.
    paid = rows(store, "select usage ->> 'total_tokens' from attempts where error_class = 'probe'")
    assert paid == [(11,)] * probes
    assert probes <= 2 * len(bad), "mostly, others are answered meanwhile"
    assert_whole(store)
    # It is no failure, neither in a query nor in the log.
    failures = geostore("query", "failures", "--store", store, "--format", "json").stdout
    assert '"class": "server"' in failures
    assert "probe" not in failures
    # By the command line the same: done, but more than a tenth failed.
    with teacher_server(zoom_then_answer, script=script) as server:
        ended = geostore(
            *("generate", "--dataset-path", dataset, "--store", tmp_path / "t.db"),
            *("--base-url", server.url, "--model", "test", "--num-samples", "23"),
            *("--max-attempts", "2", "--log-file", log),
        )
    assert ended.returncode == 4, ended.stderr
    assert ends_of(tmp_path / "t.db") == ends_of(store)


def test_a_run_in_which_only_poisoned_photos_are_left_ends(tmp_path: Path) -> None:
    """So many failures in a row look like an outage, and nobody else asks for anything."""
    dataset = save_dataset(tmp_path / "photos", [photo_bytes(seed) for seed in range(4)])
    bad = poisoned(dataset, tmp_path / "bad.db", 4)
    store = tmp_path / "s.db"
    policy = RetryPolicy(max_attempts=20, first_wait=0.001, longest_wait=0.002)
    script = lambda number, body: BROKEN if photo_of(body) in bad else None  # noqa: E731
    with teacher_server(zoom_then_answer, script=script) as server:
        run(server.url, dataset, store, retry_policy=policy, pace=QUICK_PACE)
        assert server.probes, "nothing else shows that it is well"
        assert all("tools" not in body and body["max_tokens"] == 16 for body in server.probes)
    assert ends_of(store) == {("failed", "refused"): 4}


def test_a_probe_has_the_form_that_the_server_takes_and_is_paid_for_by_estimate(
    tmp_path: Path,
) -> None:
    """As of a model that takes no temperature, on a server that counts no tokens."""
    dataset = save_dataset(tmp_path / "photos", [photo_bytes(seed) for seed in range(2)])
    (bad,) = poisoned(dataset, tmp_path / "bad.db", 1)
    store, notes = tmp_path / "s.db", Notes()
    unsupported = (
        b'{"error": {"message": "Unsupported value: \'temperature\' does not support 0.7 with '
        b'this model.", "code": "unsupported_value"}}'
    )

    def script(number: int, body: Body) -> Fault | Reply | None:
        if "temperature" in body:
            return Fault(400, unsupported)
        if is_probe(body):
            return Reply("Yes.", usage=None)
        return BROKEN if photo_of(body) == bad else None

    with teacher_server(zoom_then_answer, script=script) as server:
        result = run(
            server.url,
            dataset,
            store,
            notes=notes,
            num_samples=2,
            concurrency=1,
            retry_policy=QUICK,
        )
        assert server.probes
        assert all("temperature" not in body for body in server.probes)
    assert ends_of(store) == {("answered", "answer"): 1, ("failed", "refused"): 1}
    assert result.dropped == 0, "a request that is sent again in another form was not dropped"
    probes = [
        event.attempt
        for event in notes.all_of(RequestFailed)
        if event.attempt.error_class == "probe"
    ]
    assert probes
    assert all(attempt.is_billed and attempt.response == "Yes." for attempt in probes)
    assert all(0 < (attempt.estimated_prompt_tokens or 0) < 50 for attempt in probes)


def test_one_failure_is_no_refusal_where_one_attempt_is_all_there_is(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s.db"
    policy = replace(QUICK, max_attempts=1)
    script = lambda number, body: BROKEN if number == 3 else None  # noqa: E731
    with teacher_server(zoom_then_answer, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=4, retry_policy=policy)
    assert ends_of(store) == {("answered", "answer"): 3, ("failed", "server"): 1}


def out_of_order(seconds: float, begin: Callable[[int], bool]) -> Callable[[int, Body], Any]:
    """A script of a server that fails everything for a while from a request on."""
    began: list[float] = []

    def script(number: int, body: Body) -> Fault | None:
        if not began and begin(number):
            began.append(time.monotonic())
        return BROKEN if began and time.monotonic() - began[0] < seconds else None

    return script


@pytest.mark.parametrize("max_attempts", [1, 2, 6])
def test_an_outage_does_not_end_the_last_trace(
    max_attempts: int, photo_dataset: Path, tmp_path: Path
) -> None:
    """With one trace left, few requests fail, and its attempts are soon used up."""
    store = tmp_path / "s.db"
    script = out_of_order(1.2, lambda number: number == 5)
    policy = RetryPolicy(max_attempts=max_attempts, first_wait=0.01, longest_wait=0.1)
    with teacher_server(zoom_then_answer, script=script) as server:
        run(
            server.url,
            photo_dataset,
            store,
            num_samples=3,
            concurrency=1,
            retry_policy=policy,
            pace=QUICK_PACE,
        )
    assert ends_of(store) == {("answered", "answer"): 3}
    failed = rows(store, "select count(*) from attempts where error_class <> 'probe'")[0][0]
    assert failed >= max_attempts, "without an end of its own"


def test_a_trace_that_failed_in_an_outage_has_all_its_attempts_again(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Two outages, each shorter than what would end it, do not add up."""
    store = tmp_path / "s.db"
    down = {*range(1, 7), *range(9, 15)}
    script = lambda number, body: BROKEN if number in down else None  # noqa: E731
    policy = RetryPolicy(max_attempts=5, first_wait=0.001, longest_wait=0.002)
    with teacher_server(zoom_then_answer, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=1, retry_policy=policy)
    assert ends_of(store) == {("answered", "answer"): 1}


def test_no_traces_time_is_up_in_an_outage(photo_dataset: Path, tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    script = out_of_order(1.5, lambda number: number == 5)
    policy = replace(QUICK, trace_timeout=0.6)
    pace = {**QUICK_PACE, "break_after_failures": 2}
    with teacher_server(zoom_then_answer, script=script) as server:
        run(server.url, photo_dataset, store, retry_policy=policy, pace=pace)
    assert ends_of(store) == {("answered", "answer"): 6}


def test_an_outage_that_does_not_end_ends_the_run_and_no_trace(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s.db"
    script = lambda number, body: BROKEN if number >= 5 else None  # noqa: E731
    pace = {**QUICK_PACE, "give_up_after": 0.5}
    with (
        teacher_server(zoom_then_answer, script=script) as server,
        pytest.raises(GaveUp, match="run the command again when the teacher answers"),
    ):
        run(
            server.url,
            photo_dataset,
            store,
            num_samples=12,
            concurrency=2,
            retry_policy=QUICK,
            pace=pace,
        )
    assert ends_of(store).keys() <= {("answered", "answer"), ("open", None)}
    assert rows(store, "select outcome from runs") == [("stopped: gave up",)]
    assert rows(store, "select count(*) from traces where claimed_by is not null") == [(0,)]
    paid = turns_of(store)
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store, num_samples=12)
        assert len(server.requests) == 24 - paid, "it goes on, and nothing is asked twice"
    assert ends_of(store) == {("answered", "answer"): 12}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(503), id="503"),
        pytest.param(Fault(429, headers={"Retry-After": "1e308"}), id="429"),
        pytest.param(Fault(silent_seconds=30), id="silence"),
        pytest.param(Fault(hang_up=True), id="hangs up"),
    ],
)
def test_a_run_that_is_never_answered_says_so_and_ends_by_itself(
    fault: Fault, photo_dataset: Path, tmp_path: Path
) -> None:
    store, notes = tmp_path / "s.db", Notes()
    pace = {**QUICK_PACE, "give_up_unanswered": 1.5}
    with teacher_server(zoom_then_answer, script=lambda number, body: fault) as server:
        began = time.monotonic()
        with pytest.raises(GaveUp, match="gave up after 2 s without an answer"):
            run(
                server.url,
                photo_dataset,
                store,
                notes=notes,
                num_samples=2,
                request_timeout=0.3,
                retry_policy=QUICK,
                pace=pace,
            )
    assert 1.0 < time.monotonic() - began < 10
    warnings = [notice for notice in notes.notices if notice.startswith("nothing was answered yet")]
    assert len(warnings) == 1
    assert ends_of(store) == {("open", None): 2}


# The gentle end.


def slow_but_for(fault: Fault, number: int, seconds: float = 0.5) -> Callable[[int, Body], Any]:
    """A script in which one request fails at once and all others take their time."""

    def script(count: int, body: Body) -> Fault | None:
        if count == number:
            return fault
        time.sleep(seconds)
        return None

    return script


def test_an_error_that_ends_the_run_lets_the_others_in_flight_finish(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s.db"
    with teacher_server(zoom_then_answer, script=slow_but_for(NO_CREDIT, 3)) as server:
        with pytest.raises(TeacherUnusable, match="no credit left"):
            run(server.url, photo_dataset, store, num_samples=8, concurrency=4)
        assert len(server.requests) == 4
    assert turns_of(store) == 3, "what was in flight is paid for, and stored"
    assert set(ends_of(store)) == {("open", None)}
    assert rows(store, "select outcome from runs") == [("stopped: teacher unusable",)]
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store, num_samples=8)
        assert len(server.requests) == 16 - 3
    assert_whole(store)


def test_a_failing_store_lets_the_others_in_flight_finish(
    photo_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, put_turn = tmp_path / "s.db", Traces.put_turn
    unlucky: list[int] = []

    def failing(self: Traces, trace_id: int, *arguments: Any, **more: Any) -> Any:
        # One trace's turn, also where the journal tries it again by itself.
        unlucky.append(trace_id)
        if trace_id == unlucky[0]:
            raise StoreError("the disk is full")
        return put_turn(self, trace_id, *arguments, **more)

    monkeypatch.setattr(Traces, "put_turn", failing)
    script = slow_but_for(Fault(), -1, seconds=0.3)
    with teacher_server(zoom_then_answer, script=script) as server:
        with pytest.raises(StoreError, match="the disk is full"):
            run(server.url, photo_dataset, store, num_samples=8, concurrency=4)
        assert len(server.requests) == 4
    assert turns_of(store) == 3
    assert rows(store, "select outcome from runs") == [("stopped: error",)]


def generate_options(server: TeacherServer, dataset: Path, store: Path, *more: str) -> list[Any]:
    options = ["--base-url", server.url, "--model", "test", "--concurrency", "4", *more]
    return ["generate", "--dataset-path", dataset, "--store", store, *options]


def test_the_wait_for_what_is_in_flight_is_said_where_an_error_makes_it_long(
    photo_dataset: Path, tmp_path: Path
) -> None:
    script = slow_but_for(NO_CREDIT, 3, seconds=2.0)
    with teacher_server(zoom_then_answer, script=script) as server:
        options = generate_options(server, photo_dataset, tmp_path / "s.db")
        ended = geostore(*options, "--request-timeout", "90")
    assert ended.returncode == 1
    (wait,) = (line for line in ended.stderr.splitlines() if "  stopping: " in line)
    assert wait.endswith(
        "insufficient credit; no trace is closed for it: mend it and run the command again; "
        "3 requests are in flight, waited for and stored, for at most 1 min 30 s (--grace); "
        "Ctrl-C twice drops them"
    )
    assert ended.stderr.splitlines()[-1].startswith("geostore: the account has no credit left")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_what_is_in_flight_finish(
    number: signal.Signals, photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s.db"
    with teacher_server(zoom_then_answer, latency=0.4) as server:
        process = start_geostore(*generate_options(server, photo_dataset, store))
        wait_until(lambda: len(server.requests) >= 4)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
        assert process.wait() == 3, errors
        assert turns_of(store) == len(server.requests) == 4
    assert (
        "stopping; 4 requests are in flight, waited for and stored, for at most 10 min (--grace); "
        "once more drops them"
    ) in errors
    assert "dropped" not in errors


def test_a_second_signal_drops_what_is_in_flight_and_says_how_much(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s.db"
    script = lambda number, body: Fault(silent_seconds=60) if number else None  # noqa: E731
    with teacher_server(zoom_then_answer, script=script) as server:
        process = start_geostore(*generate_options(server, photo_dataset, store))
        wait_until(lambda: len(server.requests) >= 5)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 3, errors
    assert "dropped 4 requests in flight, which the teacher may bill all the same" in errors
    assert turns_of(store) == 1
    assert rows(store, "select count(*) from traces where claimed_by is not null") == [(0,)]


def test_a_process_that_ignores_sighup_goes_on_ignoring_it(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """As started by nohup."""
    store = tmp_path / "s.db"
    with teacher_server(zoom_then_answer, latency=0.3) as server:
        options = generate_options(server, photo_dataset, store, "--num-samples", "4")
        process = subprocess.Popen(
            ["nohup", sys.executable, "-m", "geostore", *map(str, options)],
            env=environment(),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: len(server.requests) >= 2)
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert ends_of(store) == {("answered", "answer"): 4}


@pytest.mark.skipif(not shutil.which("setsid"), reason="nothing gives a process its terminal")
def test_a_terminal_that_is_closed_ends_the_run_gently(photo_dataset: Path, tmp_path: Path) -> None:
    """The kernel sends SIGHUP, and whatever is written from then on fails."""
    store = tmp_path / "s.db"
    window, terminal = os.openpty()
    with teacher_server(zoom_then_answer, latency=0.5) as server:
        options = generate_options(server, photo_dataset, store)
        process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-m", "geostore", *map(str, options)],
            env=environment(TERM="xterm"),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        shown = b""
        while b"in flight" not in shown:
            shown += os.read(window, 65536)
        wait_until(lambda: len(server.requests) >= 4)
        os.close(window)
        assert process.wait(20) == 3
        assert turns_of(store) == len(server.requests)
    assert_whole(store)


def test_a_used_up_budget_waits_as_long_and_a_signal_more_drops_nothing(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s.db"
    script = lambda number, body: None if number == 0 else slow(body)  # noqa: E731

    def slow(body: Body) -> None:
        time.sleep(1.5)

    with teacher_server(zoom_then_answer, script=script) as server:
        options = generate_options(server, photo_dataset, store, "--max-total-tokens", "100")
        process = start_geostore(*options)
        wait_until(lambda: turns_of(store) == 1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert process.wait() == 3, errors
        assert turns_of(store) == len(server.requests)
    assert "the budget of test is used up" in errors


# A response that comes as its request is cancelled.


@pytest.mark.parametrize("first", ["response", "cancellation"])
def test_a_response_and_a_cancellation_in_one_turn_of_the_loop_lose_nothing(first: str) -> None:
    async def main() -> None:
        arrived: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        arrivals = Arrivals()

        async def request() -> str:
            return await arrived

        task = asyncio.create_task(arrivals.finish(request()))
        await asyncio.sleep(0.01)
        if first == "response":
            arrived.set_result("paid")
            task.cancel()
        else:
            task.cancel()
            arrived.set_result("paid")
        assert await task == "paid"
        with pytest.raises(asyncio.CancelledError):
            arrivals.end_if_cancelled()

    asyncio.run(main())


def test_a_request_without_a_response_is_dropped_when_its_rollout_is_cancelled() -> None:
    async def main() -> None:
        dropped: list[bool] = []

        async def request() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                dropped.append(True)
                raise

        arrivals = Arrivals()
        task = asyncio.create_task(arrivals.finish(request()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert dropped == [True]
        arrivals.end_if_cancelled()

    asyncio.run(main())
