"""Runs generate in forks of one warm process and sends them signals where it is told.

A fresh interpreter needs a second or more to import what generate needs; a fork
of a process that has it needs some hundredths. The parent has neither threads
nor an event loop, so a fork of it is as good as new. Jobs come in as JSON, one
a line, and what became of each goes out the same way; `Forks` is the other end.

A fork reports each *point* it passes. Points are the names below, put around
the package's own functions in the fork alone; "sql" is every statement that
SQLite is about to run.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.warm_commands import warm_up

ROOT = Path(__file__).parent.parent

REQUEST = "before a request"
RESPONSE = "response read, not yet stored"
BEGIN = "before begin"
BEGUN = "begun"
COMMIT = "before commit"
COMMITTED = "committed, not yet told"
TELL = "before telling"
TOLD = "told"
TOOL = "before a tool"
TOOL_DONE = "tool done, not yet stored"
CLOSE = "between last turn and closing"
SQL = "sql"
CLAIMED = "trace claimed, not yet committed"
POINTS = (
    REQUEST,
    RESPONSE,
    BEGIN,
    BEGUN,
    COMMIT,
    COMMITTED,
    TELL,
    TOLD,
    TOOL,
    TOOL_DONE,
    CLOSE,
)
# At these a response may be in the process's memory alone; at all others nothing is lost.
UNPAID = frozenset({RESPONSE, BEGIN, BEGUN, COMMIT})

# How a fork ends that no signal ended; UNUSABLE: no request can succeed, or none did for too long.
DONE, FAILED, STOPPED, UNUSABLE = 0, 1, 3, 5

Reach = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a fork: by which signal it ended or with which code, and what it passed."""

    signal: int
    code: int
    passed: tuple[str, ...]

    @property
    def killed(self) -> bool:
        return self.signal == signal.SIGKILL


class Forks:
    """The warm process, started once. Use as a context manager.

    errors: a file that takes the standard error of all forks.
    """

    def __init__(self, errors: Path) -> None:
        self.errors = errors
        with errors.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.kill_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                text=True,
                cwd=ROOT,
                # A pool of threads of its own would make the parent unfit for forking.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )

    def __enter__(self) -> Forks:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()

    def generate(
        self,
        url: str,
        dataset: Path,
        store: Path,
        *,
        points: Sequence[str] = POINTS,
        kill_at: int | None = None,
        kill_after: float | None = None,
        signals_at: Mapping[int, int] | None = None,
        signals_after: Sequence[tuple[float, int]] = (),
        once_claimed: bool = False,
        stream: bool = False,
        **options: Any,
    ) -> Outcome:
        """A run of generate; options as of `tests.running.run`, retry_policy as a dict.

        points: which to report and count. kill_at: the fork kills itself at the
        so manieth of them, from 1. kill_after: it is killed so many seconds
        after it was forked. signals_at, signals_after: the same for any signals, by
        the number of the point and in seconds. once_claimed: points before the first
        claim of a trace do not count. stream: ask for replies piece by piece.
        """
        at, after = dict(signals_at or {}), list(signals_after)
        if kill_at is not None:
            at[kill_at] = signal.SIGKILL
        if kill_after is not None:
            after.append((kill_after, signal.SIGKILL))
        return self._do(
            work="generate",
            arguments={"url": url, "dataset": str(dataset), "store": str(store), **options},
            stream=stream,
            points=list(points),
            signals_at=list(at.items()),
            signals_after=sorted(after),
            once_claimed=once_claimed,
        )

    def open(self, store: Path, *, kill_at: int | None = None) -> Outcome:
        """Make or open a store, or be killed before the so manieth SQL statement of it."""
        return self._do(
            work="open",
            arguments={"store": str(store)},
            points=[SQL],
            signals_at=[] if kill_at is None else [(kill_at, signal.SIGKILL)],
            signals_after=[],
            once_claimed=False,
            stream=False,
        )

    def open_at_once(self, store: Path, count: int) -> list[int]:
        """So many processes make or open a store at the same instant; their exit codes."""
        return list(self._ask({"race": str(store), "count": count}))

    def _do(self, **job: Any) -> Outcome:
        found = self._ask(job)
        return Outcome(found["signal"], found["code"], tuple(found["passed"]))

    def _ask(self, job: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the warm process ended: {self.errors.read_text()[-2000:]}")
        return json.loads(line)


# --- the warm process ------------------------------------------------------------------------


def serve() -> None:
    """Do jobs until standard input ends."""
    # Not sys.stdin's own iterator, which reads ahead into a buffer that forks would share.
    while line := sys.stdin.readline():
        job = json.loads(line)
        found = _race(job["race"], job["count"]) if "race" in job else _one(job)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def _one(job: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _end_with(lambda: _play(job, writing))
    os.close(writing)
    passed = _read_to_its_end(reading, pid, job["signals_after"])
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
    return {"signal": killed_by, "code": code, "passed": passed}


def _read_to_its_end(reading: int, pid: int, signals: list[tuple[float, int]]) -> list[str]:
    """What the fork reports; each signal is sent to it when its time is over."""
    started = time.monotonic()
    received = b""
    while True:
        wait = None if not signals else max(0.0, started + signals[0][0] - time.monotonic())
        if not select.select([reading], [], [], wait)[0]:
            os.kill(pid, signals.pop(0)[1])
            continue
        part = os.read(reading, 65536)
        if not part:
            return received.decode().splitlines()
        received += part


def _end_with(work: Callable[[], int | None]) -> None:
    """Do the work of a fork and leave with the code it gives, past the parent's own ways out."""
    code = FAILED
    try:
        try:
            code = work() or DONE
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
    finally:
        # Also where a second Ctrl-C meets the lines above: past them is the parent's own end.
        os._exit(code)


def _play(job: dict[str, Any], writing: int) -> int:
    from geostore.errors import GaveUp, TeacherUnusable
    from geostore.generate.retries import RetryPolicy
    from geostore.store import Store
    from geostore.teacher.travel import Travel
    from tests.running import run

    wanted, count, signals = frozenset(job["points"]), 0, dict(job["signals_at"])
    counting, lock = not job["once_claimed"], threading.Lock()

    def reach(point: str) -> None:
        nonlocal count, counting
        counting = counting or point == CLAIMED
        if point not in wanted or not counting:
            return
        # The loop's thread and the writer's come here: without the lock, both may see one number
        # and send its signal twice.
        with lock:
            count += 1
            number = count
            os.write(writing, point.encode() + b"\n")
        if number in signals:
            os.kill(os.getpid(), signals[number])

    _watch(reach, statements=SQL in wanted)
    arguments = job["arguments"]
    store = Path(arguments.pop("store"))
    if job["work"] == "open":
        Store.open(store, create=True).close()
        return DONE
    if job["stream"]:
        arguments["teacher"] = {"travel": Travel(stream=True)}
    if "retry_policy" in arguments:
        arguments["retry_policy"] = RetryPolicy(**arguments["retry_policy"])
    try:
        result = run(arguments.pop("url"), Path(arguments.pop("dataset")), store, **arguments)
    except (GaveUp, TeacherUnusable):
        traceback.print_exc()
        return UNUSABLE
    return STOPPED if result.stopped else DONE


def _race(store: str, count: int) -> list[int]:
    from geostore.store import Store

    gate, opener = os.pipe()
    pids = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            os.close(opener)

            def open_when_let() -> None:
                os.read(gate, 1)  # returns for all at the moment the parent closes its end
                Store.open(store, create=True).close()

            _end_with(open_when_let)
        pids.append(pid)
    os.close(gate)
    os.close(opener)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def _watch(reach: Reach, *, statements: bool) -> None:
    """Put points around the package's functions; for a fork, which never takes them off."""
    from geostore.conversation.toolbench import ToolBench
    from geostore.generate import journal
    from geostore.store import Db
    from geostore.store.claims import Claims
    from geostore.teacher import Teacher

    transaction, tell = Db.transaction, journal._tell
    ask, run_tool, close = Teacher.ask, ToolBench.run, journal.TraceJournal.close
    claim = Claims.claim

    def watched_claim(self: Claims, **values: Any) -> Any:
        claimed = claim(self, **values)
        if not isinstance(claimed, str):
            reach(CLAIMED)
        return claimed

    @contextmanager
    def watched_transaction(self: Db, **options: Any) -> Iterator[None]:
        reach(BEGIN)
        with transaction(self, **options):
            reach(BEGUN)
            yield
            reach(COMMIT)
        reach(COMMITTED)

    def watched_tell(results: Any) -> None:
        reach(TELL)
        tell(results)
        reach(TOLD)

    async def watched_ask(self: Teacher, body: bytes, **form: Any) -> Any:
        reach(REQUEST)
        reply = await ask(self, body, **form)
        reach(RESPONSE)
        return reply

    def watched_tool(self: ToolBench, step: Any, recipe: Any, photo: bytes) -> Any:
        reach(TOOL)
        result = run_tool(self, step, recipe, photo)
        reach(TOOL_DONE)
        return result

    async def watched_close(self: journal.TraceJournal, *arguments: Any, **more: Any) -> Any:
        reach(CLOSE)
        return await close(self, *arguments, **more)

    for owner, name, watched in (
        (Claims, "claim", watched_claim),
        (Db, "transaction", watched_transaction),
        (journal, "_tell", watched_tell),
        (Teacher, "ask", watched_ask),
        (ToolBench, "run", watched_tool),
        (journal.TraceJournal, "close", watched_close),
    ):
        setattr(owner, name, watched)
    if statements:
        connect = sqlite3.connect

        def watched_connect(*arguments: Any, **more: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **more)
            connection.set_trace_callback(lambda statement: reach(SQL))
            return connection

        sqlite3.connect = watched_connect  # type: ignore[assignment]  # its overloads are not kept


if __name__ == "__main__":
    import tests.running  # noqa: F401  # what a fork calls

    warm_up()
    with suppress(KeyboardInterrupt):
        serve()
