"""One child process that answers tasks, from the parent's side.

The child is a fresh interpreter that imports geostore and nothing of the caller's
script, as multiprocessing would. Tasks and replies are pickled and travel over a
socket of their own, so what a library prints cannot stand among the replies.
The child ignores Ctrl-C, which is the parent's, and ends when the parent is gone.
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
_END_LIMIT = 5.0  # seconds to clean up in, such as files that DuckDB spilled to disk

# -P below: nothing that lies in the working folder may stand in for pickle here.
_SCRIPT = """
import sys
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
sys.path[:] = connection.recv()
from geostore.children.serving import serve
serve(connection, parent=int(sys.argv[2]))
"""


class Child(Generic[Task, Result]):
    """A process that answers tasks one after another. As a context manager it is ended at the end.

    make_work: called once in the child; what it returns is called there with each
        task. It has to be a function of a module, or a partial of one, and so must
        tasks and results be what can be pickled.
    time_limit: seconds for each task; None: as long as it takes.
    environment: variables that the child gets on top of this process's.
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
        """Tasks that were given and have no reply yet; the child is at the first."""
        self.is_ready = False
        """Whether the child has made its work; until then tasks wait here."""
        self._time_limit = float("inf") if time_limit is None else time_limit
        self.deadline = time.monotonic() + START_LIMIT
        """By `time.monotonic`: when the child is late with its next reply."""
        with its_end:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _SCRIPT, str(its_end.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                pass_fds=[its_end.fileno()],
                env={**os.environ, **(environment or {})},
                # A group of its own: the terminal's Ctrl-C does not reach it, and what it starts
                # can be killed with it.
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
        """Whether the process is gone; only to be asked while no task is unanswered."""
        # A child that is ready only replies: with no task, what there is to read is the end.
        return self.connection.closed or (self.is_ready and self.connection.poll())

    def ask(self, task: Task) -> Result:
        """The result of one task; the child must have no other.

        Raises what `receive` raises. A child that could not answer, or whose answer
        was not waited for, is ended: its next reply would not be that of the next task.
        """
        try:
            self.give([task])
            return self.result()
        except BaseException:
            if self.unanswered:
                self.end()
            raise

    def give(self, tasks: Sequence[Task]) -> None:
        """Hand over tasks, to be answered in this order; the child must have none left.

        Without any it is reading, so that no write can wait for ever on a full socket.
        """
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

        Empty where the child only says that it is ready. Raises the GeostoreError
        that the work raised; ChildEnded where the process died, or was late and
        is killed for it; of a child that is not ready, also the GeostoreError for
        which it cannot make its work.
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
        """Let the process clean up and end; it is killed where that takes long."""
        if self._process.returncode is None:
            self._process.terminate()
        self._finish(_END_LIMIT)

    def kill(self) -> None:
        """Kill the process and all that it started."""
        self._finish(0.0)

    def _hand_over(self) -> None:
        self.deadline = time.monotonic() + self._time_limit
        self._send(list(self.unanswered))

    def _send(self, value: Any) -> None:
        with suppress(OSError):  # it died, which `receive` tells
            self.connection.send(value)

    def _seconds_left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def _ended(self, patience: float, *, was_late: bool) -> ChildEnded:
        return ChildEnded(self._finish(patience), was_late=was_late, was_ready=self.is_ready)

    def _finish(self, patience: float) -> int:
        """Wait so many seconds for the end, then kill what is left of the group; the exit code."""
        self.connection.close()
        # Once it was waited for, its number may be another group's.
        if self._process.returncode is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
            with suppress(ProcessLookupError, PermissionError):  # no group, or one of zombies
                os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()
