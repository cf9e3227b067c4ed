"""Several processes on one store, with the real command line: shared work, and a key kept quiet."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from geostore.errors import ExportError
from geostore.export import ExportOptions, export
from geostore.store import Store
from tests.conftest import photo_bytes, save_dataset
from tests.minds import answer, turns_so_far, wanderer, zoom_then_answer
from tests.running import command, contents, environment, run, start_geostore
from tests.teacher_server import (
    Body,
    Fault,
    Reply,
    Script,
    TeacherServer,
    teacher_server,
    wait_until,
)

KEY = "sk-test-0123456789abcdefghijklmnopqrstuvwxyz"
VARIABLE = "GEOSTORE_TEST_KEY"


TRACES = 600


@pytest.fixture(scope="module")
def tiny_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 photos of 16 pixels square."""
    path = tmp_path_factory.mktemp("tiny") / "photos"
    photos = [photo_bytes(seed, size=(16, 16), format="PNG") for seed in range(TRACES)]
    return save_dataset(
        path, photos, lat=[0.02 * i for i in range(1, TRACES + 1)], lon=[8.0] * TRACES
    )


def arguments(server: TeacherServer, dataset: Path, store: Path, *more: str) -> list[str | Path]:
    options = ["--base-url", server.url, "--model", "test", *more]
    return ["generate", "--dataset-path", dataset, "--store", store, *options]


def ask(store: Path, question: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(store)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def answer_at_once(body: Body) -> Reply:
    return Reply(answer(1.0, 2.0))


def once_claimed_by(store: Path, processes: int) -> Script:
    """Answer nothing before so many processes hold claims, so that they do run together.

    However slowly a machine starts them, and however soon one alone would be done.
    """
    together = threading.Event()
    looking = threading.Lock()

    def script(number: int, body: Body) -> None:
        with looking:
            if not together.is_set():
                question = "select count(distinct claimed_by) from traces"
                wait_until(lambda: ask(store, question) == [(processes,)], 60.0)
                together.set()

    return script


def test_four_processes_that_start_at_once_do_each_trace_once(
    tiny_photos: Path, tmp_path: Path
) -> None:
    """Promise 6: no trace twice, none lost, each response paid once; not even the file is there."""
    store = tmp_path / "geostore.db"
    with teacher_server(answer_at_once, script=once_claimed_by(store, 4)) as server:
        options = arguments(
            server, tiny_photos, store, "--num-samples", "0", "--no-tools", "--concurrency", "8"
        )
        processes = [start_geostore(*options) for _ in range(4)]
        errors = [process.communicate(timeout=200)[1] for process in processes]
        assert [process.returncode for process in processes] == [0] * 4, errors
        assert len(server.requests) == TRACES
    for said in errors:
        assert "locked" not in said
        assert "Traceback" not in said
    assert ask(store, "select status, count(*) from traces group by 1") == [("answered", TRACES)]
    assert ask(store, "select count(*), count(distinct trace_id) from turns") == [(TRACES, TRACES)]
    assert ask(store, "select count(distinct trace_id) from rewards") == [(TRACES,)]
    assert ask(store, "select count(*) from traces where claimed_by is not null") == [(0,)]
    assert ask(store, "select count(*) from attempts") == [(0,)]
    assert ask(store, "select outcome, count(*) from runs group by 1") == [("done", 4)]
    assert ask(store, "select count(*) from samples") == [(TRACES,)]
    assert ask(store, "pragma integrity_check") == [("ok",)]
    shares = ask(store, "select count(*) from turns group by run_id")
    assert len(shares) == 4, "sharing is no sharing if one did it all"


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "not reaped by its parent"])
def test_what_a_killed_process_held_is_finished_by_the_next_at_once(
    photo_dataset: Path, tmp_path: Path, reaped: bool
) -> None:
    """A claim holds for minutes, but the dead do not; a zombie, too, is dead.

    Where the first process of a container starts geostore and waits for nobody, whom it
    killed stays in the table of processes for as long as the container runs.
    """
    store = tmp_path / "geostore.db"

    def slow_at_first(number: int, body: Body) -> Fault | None:
        return Fault(silent_seconds=60.0) if number < 4 else None

    with teacher_server(zoom_then_answer, script=slow_at_first) as server:
        options = arguments(
            *(server, photo_dataset, store, "--num-samples", "6", "--concurrency", "4")
        )
        # A child of this process, which alone can leave it unreaped.
        process = subprocess.Popen(command(*options), env=environment(), stdout=subprocess.DEVNULL)
        wait_until(lambda: len(server.requests) >= 4, 60.0)
        assert ask(store, "select count(*) from traces where claimed_by is not null") == [(4,)]
        os.kill(process.pid, signal.SIGKILL)
        if reaped:
            process.communicate()
        else:
            state = Path(f"/proc/{process.pid}/stat")
            wait_until(lambda: not state.exists() or ") Z " in state.read_text())
        result = run(server.url, photo_dataset, store, num_samples=6)
        process.communicate()
        assert (result.closed.total(), result.elsewhere) == (6, 0)
        assert len(server.requests) == 4 + 12
    assert ask(store, "select status, count(*) from traces group by 1") == [("answered", 6)]
    assert ask(store, "select outcome from runs order by id") == [("killed",), ("done",)]


def test_a_process_that_lives_keeps_what_it_holds(photo_dataset: Path, tmp_path: Path) -> None:
    """The other side of it: the next process must not take a living one's traces."""
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer, latency=0.5) as server:
        process = start_geostore(
            *arguments(server, photo_dataset, store, "--num-samples", "4", "--concurrency", "4")
        )
        wait_until(lambda: len(server.requests) >= 4, 60.0)
        result = run(server.url, photo_dataset, store, num_samples=4)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert (result.closed.total(), result.elsewhere) == (0, 4)
        assert len(server.requests) == 8


def test_a_process_that_slept_past_its_claims_leaves_the_traces_to_who_took_them(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """A laptop that was closed, a job that was suspended: what it finds out late it keeps."""
    store, whole = tmp_path / "geostore.db", tmp_path / "whole.db"

    awake = threading.Event()

    def late_at_first(number: int, body: Body) -> None:
        if number < 4:
            awake.wait(30.0)

    with teacher_server(wanderer) as server:
        run(server.url, photo_dataset, whole, num_samples=8)
        needed = len(server.requests)
    with teacher_server(wanderer, script=late_at_first) as server:
        process = start_geostore(
            *arguments(server, photo_dataset, store, "--num-samples", "8", "--concurrency", "4")
        )
        wait_until(lambda: len(server.requests) >= 4, 60.0)
        process.send_signal(signal.SIGSTOP)
        try:
            connection = sqlite3.connect(store)
            connection.execute("update traces set claim_expires_at = '2000-01-01T00:00:00.000Z'")
            connection.commit()
            connection.close()
            result = run(server.url, photo_dataset, store, num_samples=8)
            assert (result.closed.total(), result.elsewhere) == (8, 0)
            process.send_signal(signal.SIGCONT)
            awake.set()
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()  # one that sleeps would outlive a test that failed
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
        assert len(server.requests) == needed + 4, "what was taken is not asked for again"
    assert contents(store) == contents(whole)
    assert ask(store, "select count(*) from attempts") == [(0,)]


@pytest.mark.parametrize("age", [30, 62], ids=["within the minute", "after it"])
def test_a_restart_keeps_to_the_requests_of_the_last_minute(
    photo_dataset: Path, tmp_path: Path, age: int
) -> None:
    """Twelve requests have gone out: with --rpm 12 the next one waits until the first is a minute
    old."""
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store, num_samples=6)
        connection = sqlite3.connect(store)
        connection.execute(
            "update turns set created_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?)",
            [f"-{age} seconds"],
        )
        connection.commit()
        connection.close()
        options = arguments(server, photo_dataset, store, "--num-samples", "7", "--rpm", "12")
        with start_geostore(*options) as process:
            started = "select count(*) from traces where claimed_by is not null"
            wait_until(lambda: ask(store, started) == [(1,)], 60.0)
            if age > 60:
                wait_until(lambda: len(server.requests) == 13, 60.0)
            else:
                time.sleep(1.5)
                assert len(server.requests) == 12
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


# --- the key -----------------------------------------------------------------------------------


def echo(status: int, *, json: bool = True) -> Script:
    """A server, or a proxy before it, that repeats the key in what it says of a failure."""
    if json:
        body = f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}'.encode()
        return lambda number, asked: Fault(status, body)
    # The key stands where a message that is cut to a readable length ends inside of it.
    text = f"<p>{'x' * 55}{KEY}</p>".encode()
    return lambda number, asked: Fault(status, text, headers={"Content-Type": "text/plain"})


def answers_then_fails(number: int, body: Body) -> Reply | Fault | None:
    return None if turns_so_far(body) == 0 else echo(500)(number, body)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (lambda number, body: None, 0),
        (echo(401), 1),
        (echo(400), 1),
        (answers_then_fails, 4),
        (echo(200, json=False), 4),
    ],
    ids=["all well", "401", "400", "500", "no JSON"],
)
def test_a_key_from_the_environment_is_nowhere_but_on_the_wire(
    photo_dataset: Path, tmp_path: Path, script: Script, code: int
) -> None:
    """Not in the store or its log, nor in what is said, with --debug too, nor in an export."""
    store = tmp_path / "geostore.db"
    with teacher_server(wanderer, script=script) as server:
        options = arguments(
            server,
            photo_dataset,
            store,
            "--api-key-env",
            VARIABLE,
            "--num-samples",
            "12",
            "--max-attempts",
            "1",
            "--verbose",
        )
        process = start_geostore("--debug", *options, **{VARIABLE: KEY})
        said, errors = process.communicate(timeout=60)
        assert process.returncode == code, errors
        assert ("Traceback" in errors) == (code == 1)
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    # Where every request failed, there is no trace to export.
    with Store.open(store) as opened, suppress(ExportError):
        export(opened, tmp_path / "out", options=ExportOptions(format="trace", messages="full"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert store in files
    for secret in (KEY, KEY[:20]):
        assert secret not in said + errors
        for path in files:
            assert secret.encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize("status", [200, 401, 404])
def test_a_password_in_the_address_is_not_kept(
    photo_dataset: Path, tmp_path: Path, status: int
) -> None:
    """An address may carry a name and a password before its host; they are secrets too."""
    store = tmp_path / "geostore.db"
    script: Script = lambda number, body: None if status == 200 else Fault(status)  # noqa: E731
    with teacher_server(zoom_then_answer, script=script) as server:
        url = server.url.replace("http://", f"http://user:{KEY}@")
        options = ("--model", "test", "--num-samples", "3", "--store", store)
        process = start_geostore(
            "--debug",
            "generate",
            "--dataset-path",
            photo_dataset,
            *options,
            OPENAI_BASE_URL=url,
        )
        said, errors = process.communicate(timeout=60)
    assert process.returncode == (0 if status == 200 else 1), errors
    assert KEY not in said + errors
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.glob("geostore.db*"))


def test_a_store_of_a_killed_process_holds_no_key_in_its_log(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """The log stays beside the file where a process is killed; nothing has tidied it up."""
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer, latency=0.1) as server:
        process = start_geostore(
            *arguments(
                server, photo_dataset, store, "--api-key-env", VARIABLE, "--concurrency", "2"
            ),
            **{VARIABLE: KEY},
        )
        wait_until(lambda: len(server.requests) >= 6, 60.0)
        process.kill()
        _, errors = process.communicate()
    log = store.with_name("geostore.db-wal")
    assert log.stat().st_size > 0
    for path in (store, log):
        assert KEY.encode() not in path.read_bytes()
    assert KEY not in errors
