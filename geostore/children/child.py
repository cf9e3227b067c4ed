"""The parent's side of a child process that answers tasks.

The child is a fresh interpreter that imports geostore; unlike a child of
multiprocessing it does not import the caller's script. It is not forked, because
a fork would inherit the store's open file, and closing it there would drop the
parent's locks. Tasks and replies are pickled and travel over a socket of their
own, so what a library prints cannot get between the replies. The child ignores
Ctrl-C, which is for the parent, and ends when the parent is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Pipe
from typing import Any, Generic, TypeVar

from geostore.errors import ChildEnded

Task = TypeVar("Task")
Result = TypeVar("Result")

START_LIMIT = 120.0
"""Seconds that a child may take to import what it needs."""
_END_LIMIT = 5.0  # seconds that a child may take to clean up, such as DuckDB's temporary files

# Runs with -P, or a pickle.py in the working folder would be imported instead of Python's own.
_SCRIPT = """
import sys
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
sys.path[:] = connection.recv()
from geostore.children.serving import serve
serve(connection, parent=int(sys.argv[2]))
"""


class Child(Generic[Task, Result]):
    """A process that answers tasks one after another; a context manager ends it.

    make_work: called once in the child; the function it returns is called there with
        each task. It is a function of a module, or a partial of one, because it is
        pickled, as are tasks and results.
    time_limit: seconds for each task; None: no limit.
    environment: variables that the child gets in addition to this process's.
    """

    def __init__(
        self,
        make_work: Callable[[], Callable[[Task], Result]],
        *,
        time_limit: float | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.connection, its_end = Pipe()
        self.unanswered: deque[Task] = deque()
        """Tasks without a reply so far, in order; the child works on the first."""
        self.is_ready = False
        """Whether the child has called `make_work`; until then tasks wait here."""
        self._time_limit = float("inf") if time_limit is None else time_limit
        self.deadline = time.monotonic() + START_LIMIT
        """When the child is late with its next reply, by `time.monotonic`."""
        with its_end:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _SCRIPT, str(its_end.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                pass_fds=[its_end.fileno()],
                env={**os.environ, **(environment or {})},
                # In a group of its own, so that the terminal's Ctrl-C does not reach it, and `kill`
                # also ends what it has started.
                start_new_session=True,
            )
        try:
            self._send(sys.path)
            self._send(make_work)
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Child[Task, Result]:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone. Ask only while no task is unanswered."""
        # Without a task a ready child sends nothing, so anything to read is the end of the socket.
        return self.connection.closed or (self.is_ready and self.connection.poll())

    def ask(self, task: Task) -> Result:
        """The result of one task; the child must have no other.

        Raises what `receive` raises.
        """
        try:
            self.give([task])
            return self.result()
        except BaseException:
            # Nobody has read the reply to this task, so the next task would get it.
            if self.unanswered:
                self.end()
            raise

    def give(self, tasks: Sequence[Task]) -> None:
        """Hand over tasks, which the child answers in this order; it must have none left."""
        # A child without tasks is reading. One that is writing while this process writes too could
        # fill both sockets, and both would wait for ever.
        assert not self.unanswered
        self.unanswered.extend(tasks)
        if self.is_ready:
            self._hand_over()

    def result(self) -> Result:
        """Wait for the result of the first unanswered task. Raises what `receive` raises."""
        while True:
            for result in self.receive():
                return result

    def receive(self) -> list[Result]:
        """Wait for the child's next message: the result of the first unanswered task.

        Empty where the child only says that it is ready. Raises the GeostoreError that
        the task, or `make_work`, raised; ChildEnded where the process died, or was late
        and is killed.
        """
        try:
            if self.deadline < float("inf") and not self.connection.poll(self._seconds_left()):
                raise self._ended(0.0, was_late=True)
            error, result = self.connection.recv()
        except (EOFError, OSError) as lost:
            raise self._ended(_END_LIMIT, was_late=False) from lost
        self.deadline = time.monotonic() + self._time_limit
        if self.is_ready:
            self.unanswered.popleft()
            if error is not None:
                raise error
            return [result]
        if error is not None:
            self.kill()
            raise error
        self.is_ready = True
        if self.unanswered:
            self._hand_over()
        return []

    def end(self) -> None:
        """Let the process clean up and end; kill it where that takes longer than 5 seconds."""
        if self._process.returncode is None:
            self._process.terminate()
        self._finish(_END_LIMIT)

    def kill(self) -> None:
        """Kill the process and all processes that it started."""
        self._finish(0.0)

    def _hand_over(self) -> None:
        self.deadline = time.monotonic() + self._time_limit
        self._send(list(self.unanswered))

    def _send(self, value: Any) -> None:
        with suppress(OSError):  # the child died; `receive` raises ChildEnded
            self.connection.send(value)

    def _seconds_left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def _ended(self, patience: float, *, was_late: bool) -> ChildEnded:
        return ChildEnded(self._finish(patience), was_late=was_late, was_ready=self.is_ready)

    def _finish(self, patience: float) -> int:
        """Wait `patience` seconds for the end, then kill the rest of the group; the exit code."""
        self.connection.close()
        # After a wait the system may give the process's number to another group.
        if self._process.returncode is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
            with suppress(ProcessLookupError, PermissionError):  # no group, or one of zombies
                os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()
