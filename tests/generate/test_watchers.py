"""A watcher that fails is dropped with one notice; the run goes on without it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from geostore.errors import GeostoreError
from geostore.generate.event_log import EventLog
from geostore.generate.events import Event, Noticed, RunEnded, RunStarted, Watchers
from geostore.store import Store
from tests.minds import zoom_then_answer
from tests.running import Notes, assert_whole, command, contents, environment, run
from tests.teacher_server import teacher_server

FAILURES = (BrokenPipeError("gone"), OSError(28, "No space left on device"), ValueError("a bug"))

needs_a_full_disk = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="only Linux has a device that is always full"
)


@dataclass
class Failing:
    """A watcher that takes so many events and then fails at each."""

    error: Exception
    takes: int
    given: list[Event] = field(default_factory=list)

    def watch(self, event: Event) -> None:
        self.given.append(event)
        if len(self.given) > self.takes:
            raise self.error


@pytest.fixture(scope="module")
def undisturbed(photo_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> object:
    store = tmp_path_factory.mktemp("undisturbed") / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store, num_samples=4)
    return contents(store)


@pytest.mark.parametrize("error", FAILURES, ids=repr)
@pytest.mark.parametrize("takes", [0, 1, 2, 5, 9])
def test_whenever_a_watcher_fails_the_run_is_as_without_it(
    error: Exception, takes: int, photo_dataset: Path, tmp_path: Path, undisturbed: object
) -> None:
    notes, failing, store = Notes(), Failing(error, takes), tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        run(
            server.url,
            photo_dataset,
            store,
            notes=Watchers([failing, notes]),
            num_samples=4,
            concurrency=1,
        )
    assert contents(store) == undisturbed
    assert len(failing.given) == takes + 1, "it gets nothing after the event it failed at"
    dropped = [notice for notice in notes.notices if "Failing failed" in notice]
    assert dropped == [f"Failing failed and gets no more of this run: {error}"]


def test_watchers_that_fail_together_are_all_named_to_those_that_are_left() -> None:
    notes = Notes()
    first, second = Failing(OSError("one"), 1), Failing(RuntimeError(), 1)
    watchers = Watchers([first, notes, second])
    for event in (RunStarted(1), Noticed("x"), RunEnded()):
        watchers.watch(event)
    assert [type(event) for event in notes.events] == [
        *(RunStarted, Noticed, Noticed, Noticed, RunEnded)
    ]
    assert [notice.split(": ")[1] for notice in notes.notices[1:]] == ["one", "RuntimeError"]


def test_a_watcher_that_fails_at_the_notice_of_another_is_dropped_as_well() -> None:
    failing = [Failing(OSError(str(number)), takes) for number, takes in enumerate((0, 1, 2))]
    watchers = Watchers(failing)
    watchers.watch(RunStarted(1))
    watchers.watch(RunEnded())
    assert [len(watcher.given) for watcher in failing] == [1, 2, 3]


def test_nobody_has_to_watch() -> None:
    Watchers([]).watch(RunStarted(1))


def generate(url: str, dataset: Path, store: Path, *more: str | Path) -> list[str]:
    options = ["--base-url", url, "--model", "gpt-4o", "--num-samples", "4", "--concurrency", "2"]
    return command("generate", "--dataset-path", dataset, "--store", store, *options, *more)


def answered(store: Path) -> int:
    assert_whole(store)
    with Store.open(store) as opened:
        query = "select count(*) from traces where status = 'answered'"
        return int(opened.db.connection.execute(query).fetchone()[0])


@needs_a_full_disk
def test_a_log_on_a_full_disk_is_told_once_and_the_run_is_done(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        arguments = generate(server.url, photo_dataset, store, "--log-file", "/dev/full")
        ended = subprocess.run(arguments, env=environment(), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("the log /dev/full cannot be written: No space left on device") == 1
    assert "4 traces closed" in ended.stderr
    assert answered(store) == 4


def closed_pipe() -> IO[bytes]:
    """The writing end of a pipe that nobody reads."""
    theirs, ours = os.pipe()
    os.close(theirs)
    return os.fdopen(ours, "wb")


def full_disk() -> IO[bytes]:
    return open("/dev/full", "wb", buffering=0)


def closed_terminal() -> IO[bytes]:
    """A terminal whose window was closed, without the signal that mostly comes with it."""
    window, terminal = os.openpty()
    os.close(window)
    return os.fdopen(terminal, "wb", buffering=0)


@pytest.mark.parametrize(
    "place", [closed_pipe, pytest.param(full_disk, marks=needs_a_full_disk), closed_terminal]
)
@pytest.mark.parametrize("more", [("--verbose",), ("--quiet",)])
def test_a_run_whose_output_nobody_takes_is_done_all_the_same(
    place: object, more: tuple[str, ...], photo_dataset: Path, tmp_path: Path
) -> None:
    """The log says so, and the exit code is that of the run."""
    assert callable(place)
    store, log = tmp_path / "geostore.db", tmp_path / "events.jsonl"
    with teacher_server(zoom_then_answer) as server, place() as output:
        arguments = generate(server.url, photo_dataset, store, "--log-file", log, *more)
        process = subprocess.run(
            arguments, env=environment(TERM="xterm"), stdout=output, stderr=output
        )
    assert process.returncode == 0
    assert answered(store) == 4
    assert dropped_views(log) == (1 if more == ("--verbose",) else 0), "else nothing was shown"


def dropped_views(log: Path) -> int:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1] == {"at": lines[-1]["at"], "event": "run_ended"}
    return sum("ProgressWatcher failed" in line.get("message", "") for line in lines)


def test_a_terminal_that_is_closed_while_it_shows_the_view_ends_nothing(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store, log = tmp_path / "geostore.db", tmp_path / "events.jsonl"
    window, terminal = os.openpty()
    with teacher_server(zoom_then_answer, latency=0.4) as server:
        process = subprocess.Popen(
            generate(server.url, photo_dataset, store, "--log-file", log),
            env=environment(TERM="xterm"),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        shown = b""
        while b"traces" not in shown:
            shown += os.read(window, 65536)
        os.close(window)
        assert process.wait(60) == 0
    assert answered(store) == 4
    # Python finds that it is no terminal any more, and mostly nothing is written to it.
    assert dropped_views(log) <= 1


def test_a_log_that_cannot_be_opened_still_ends_the_command(tmp_path: Path) -> None:
    with pytest.raises(GeostoreError, match="cannot be written"):
        EventLog(tmp_path / "no" / "folder.jsonl")
