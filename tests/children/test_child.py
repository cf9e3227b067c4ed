"""One child process: its replies, its errors, its end, and that it never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geostore.children import Child
from geostore.errors import ChildEnded, ChildError, TeacherError
from geostore.store.processes import is_running
from tests.dying import dies, make_worker, refuses
from tests.teacher_server import wait_until

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def child() -> Iterator[Child[tuple[str, Any], Any]]:
    with Child(make_worker) as started:
        yield started


def gone(*pids: int) -> bool:
    """Whether all processes end within a time that a busy machine may need."""
    until = time.monotonic() + 60
    while any(is_running(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.01)
    return not any(is_running(pid) for pid in pids)


def test_tasks_are_answered_in_their_order(child: Child[Any, Any]) -> None:
    """Also those that were given before the child was ready, and large ones."""
    child.give([("say", number) for number in range(5)])
    assert [child.result() for _ in range(5)] == [0, 1, 2, 3, 4]
    large = b"x" * 5_000_000
    assert child.ask(("back", large)) == large


def test_what_is_printed_reaches_no_reply_and_no_stdout(
    child: Child[Any, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither what Python prints nor what another program does."""
    with Child(make_worker) as printing:
        assert printing.ask(("say", "this")) == "this"
    out, err = capfd.readouterr()
    assert out == ""
    assert err.split("\n")[:2] == ["noise", "more noise"]


def test_an_error_is_raised_in_the_parent_as_it_was_and_the_child_goes_on(
    child: Child[Any, Any],
) -> None:
    """With what its class keeps beside the message."""
    with pytest.raises(TeacherError, match="the teacher is gone") as raised:
        child.ask(("raise", 503))
    assert (raised.value.status, raised.value.error_class) == (503, "server")
    assert child.ask(("back", 1)) == 1


def test_a_bug_in_a_child_is_one_line_here_and_a_traceback_on_stderr(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Child(make_worker) as child:
        with pytest.raises(ChildError, match=r"^ValueError: two lines$"):
            child.ask(("bug", None))
        assert child.ask(("back", 1)) == 1
    assert "Traceback" in capfd.readouterr().err


def test_a_death_is_told_with_its_exit_code(child: Child[Any, Any]) -> None:
    with pytest.raises(ChildEnded, match=r"died.*exit code 7") as raised:
        child.ask(("exit", 7))
    assert (raised.value.exit_code, raised.value.was_late, raised.value.was_ready) == (
        *(7, False, True),
    )
    assert child.has_ended


def test_a_child_that_cannot_make_its_work_says_why() -> None:
    child: Child[int, Any] = Child(refuses)
    with child, pytest.raises(TeacherError, match="no teacher"):
        child.ask(1)
    child = Child(dies)
    with child, pytest.raises(ChildEnded) as raised:
        child.ask(1)
    assert not raised.value.was_ready


def test_a_child_that_is_late_is_killed_with_what_it_started() -> None:
    """The limit is of each task, and importing is no part of it."""
    with Child(make_worker, time_limit=0.3) as child:
        pids = child.ask(("start", None))
        child.give([("sleep", 0.2), ("sleep", 0.2), ("sleep", 60)])
        assert [child.result(), child.result()] == [0.2, 0.2]
        with pytest.raises(ChildEnded, match="too long") as raised:
            child.result()
        assert raised.value.was_late
        assert gone(*pids)


def test_a_child_imports_nothing_of_the_script_that_starts_it(
    child: Child[Any, Any], tmp_path: Path
) -> None:
    """And no module that happens to lie in the working folder instead of Python's own."""
    value, path, script = child.ask(("environment", "HOME"))
    assert (path, script) == (sys.path, None)
    assert value == os.environ.get("HOME")
    with Child(make_worker, environment={"HOME": "elsewhere"}) as other:
        assert other.ask(("environment", "HOME"))[0] == "elsewhere"


def test_an_idle_child_that_was_killed_is_seen_to_have_ended(child: Child[Any, Any]) -> None:
    pid, _ = child.ask(("start", None))
    assert not child.has_ended
    os.kill(pid, signal.SIGKILL)
    # The end is seen on the pipe, which may close a moment after the process is gone.
    wait_until(lambda: child.has_ended)


def test_the_end_of_a_child_ends_what_it_is_at() -> None:
    """And may be asked for twice."""
    child: Child[Any, Any] = Child(make_worker)
    pids = child.ask(("start", None))
    child.give([("sleep", 60)])
    began = time.monotonic()
    child.end()
    child.end()
    child.kill()
    assert time.monotonic() - began < 5
    assert gone(*pids)


PARENT = """
import sys, time
from geostore.children import Child
from tests.dying import make_worker
child = Child(make_worker)
pids = child.ask(("start", None))
if sys.argv[1] == "amid a task":
    child.give([("sleep", 600)])
print(*pids, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("where", ["amid a task", "idle"])
def test_a_child_and_what_it_started_end_with_a_parent_that_is_killed(where: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, where], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert all(is_running(pid) for pid in pids)
        parent.kill()
    assert len(pids) == 2
    assert gone(*pids)


INTERRUPTED = """
import sys
from geostore.children import Child
from tests.dying import make_worker
child = Child(make_worker)
print(child.ask(("start", None))[0], flush=True)
try:
    child.ask(("sleep", 600))
except KeyboardInterrupt:
    print("interrupted", child.has_ended)
"""


def test_ctrl_c_is_the_parents_who_then_ends_the_child() -> None:
    """The whole group of a terminal gets the signal; a traceback of the child's would be noise."""
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.2)
        os.killpg(parent.pid, signal.SIGINT)
        os.kill(pid, signal.SIGINT)
        out, err = parent.communicate(timeout=30)
    assert (out, err, parent.returncode) == ("interrupted True\n", "", 0)
    assert gone(pid)


def test_a_child_holds_no_file_of_its_parent(child: Child[Any, Any], tmp_path: Path) -> None:
    """A descriptor of a store that came along would take the parent's locks with it."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here")
    with (tmp_path / "geostore.db").open("wb"), Child(make_worker) as other:
        pid, _ = other.ask(("start", None))
        links = Path(f"/proc/{pid}/fd").iterdir()
        assert not [link for link in links if "geostore.db" in os.readlink(link)]
