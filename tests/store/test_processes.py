"""Whether a process lives: exact where it is counted beside this one, never guessed elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from geostore.store import processes
from geostore.store.processes import is_running, process_life, process_place, start_mark

MINE = os.getpid()
LINUX = pytest.mark.skipif(not os.path.lexists("/proc/self"), reason="needs Linux's /proc")

TELL = """
import os, sys
from geostore.store.processes import process_life, start_mark
print(os.getpid(), start_mark(os.getpid()), process_life(int(sys.argv[1]), sys.argv[2]), flush=True)
sys.stdin.read()
"""


@contextmanager
def told_by(*before: str) -> Iterator[tuple[int, int, str, str]]:
    """Start a process; its number here and as it says, its mark, and what it says of this one."""
    mine = start_mark(MINE)
    assert mine is not None
    with subprocess.Popen(
        [*before, sys.executable, "-c", TELL, str(MINE), mine],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            number, mark, life = child.stdout.readline().split()
            yield child.pid, int(number), mark, life
        finally:
            child.stdin.close()


def can_unshare(*options: str) -> bool:
    """Whether this machine lets this user make a namespace of processes."""
    command = ["unshare", *options, "true"]
    return (
        shutil.which("unshare") is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def test_a_process_lives_until_it_ends() -> None:
    with told_by() as (pid, number, mark, life_of_mine):
        assert number == pid
        assert life_of_mine == "alive"
        assert process_life(pid, mark) == "alive"
        assert is_running(pid)
    assert process_life(pid, mark) == "dead"
    assert not is_running(pid)


def test_another_process_with_the_same_number_is_not_it() -> None:
    place = process_place()
    assert process_life(MINE, start_mark(MINE)) == "alive"
    assert process_life(MINE, f"{place}/1") == "dead"


@LINUX
@pytest.mark.parametrize("pid", [1, MINE, 2**22 + 1], ids=["first", "mine", "nobody's number"])
def test_what_is_counted_elsewhere_is_unknown(pid: int) -> None:
    """In each container the first process has number 1, whether or not the host names differ."""
    mark = start_mark(MINE)
    assert mark is not None
    boot, namespace, start = mark.split("/")
    assert namespace.startswith("pid:[")
    for elsewhere in (
        f"{boot}/pid:[1]/{start}",
        f"636facec-fae7-44c9-b806-f0e02925017e/{namespace}/{start}",
        f"{boot}/{start}",
        "a-host/Fri Nov 27 14:16:53 2026",
        "words",
        "",
        None,
    ):
        assert process_life(pid, elsewhere) == "unknown"


@LINUX
@pytest.mark.skipif(
    not can_unshare("--pid", "--fork", "--mount-proc"), reason="may not make a namespace"
)
def test_a_real_container_and_its_host_do_not_judge_each_other() -> None:
    with told_by("unshare", "--pid", "--fork", "--mount-proc") as (_, number, mark, life_of_mine):
        assert number == 1
        assert life_of_mine == "unknown"
        assert process_life(number, mark) == "unknown"
    assert process_life(number, mark) == "unknown"


@LINUX
@pytest.mark.skipif(not can_unshare("--pid", "--fork"), reason="may not make a namespace")
def test_a_namespace_that_sees_the_numbers_of_another_has_no_marks() -> None:
    """Its process 1 would read the start of the host's process 1."""
    with told_by("unshare", "--pid", "--fork") as (_, number, mark, life_of_mine):
        assert (number, mark, life_of_mine) == (1, "None", "unknown")


@LINUX
def test_a_process_that_the_system_hides_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with hidepid=2: the number is taken, and nothing more is told."""
    mark = start_mark(MINE)
    monkeypatch.setattr(processes, "_stat", lambda pid: [])
    assert process_life(MINE, mark) == "unknown"


@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps")
def test_a_system_without_proc_asks_ps(monkeypatch: pytest.MonkeyPatch) -> None:
    """As macOS: a process is told by the host's name and its start in UTC, to the second."""
    monkeypatch.setattr(processes, "_has_proc", lambda: False)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = start_mark(child.pid)
    assert mark is not None
    assert mark.startswith(f"{processes.host_name()}/")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert process_life(child.pid, mark) == "alive"
    assert process_life(child.pid, mark[:-1] + "x") == "dead"
    assert process_life(child.pid, f"other-{mark}") == "unknown"
    child.communicate()
    assert process_life(child.pid, mark) == "dead"
    monkeypatch.setenv("PATH", "/nowhere")
    assert start_mark(MINE) is None
