"""Worker processes for a custom reward function, each row with a time limit.

A worker that hangs is killed and replaced, and so is one that dies; the row it
was at gets the reason, and the rows behind it are given to the new one.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson

from geostore.errors import RewardError
from geostore.rewards.worker import BAD_TARGET

TIMEOUT = "timeout"
CRASHED = "crashed"
START_LIMIT = 120.0
"""Seconds a worker may take to import what the function needs."""
_CHUNK = 32

_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.stdin.buffer.readline())
from geostore.rewards.worker import serve
serve()
"""

Row = dict[str, Any]
Result = dict[str, Any]


class Pool:
    """Runs one function over rows in several processes. Use as a context manager.

    target: as `worker.load_function` takes it. time_limit: seconds per row.
    """

    def __init__(self, target: str, *, workers: int, time_limit: float) -> None:
        self._target = target
        self._time_limit = time_limit
        self._workers: list[_Worker | None] = [None] * workers

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Kill what still runs."""
        for worker in self._workers:
            if worker is not None:
                worker.kill()

    def run(self, rows: Sequence[Row]) -> list[Result]:
        """A result for each row, in their order.

        ``{"score", "extra"}``, or ``{"error", "message"}`` with one of the reasons
        of `worker`, ``timeout`` or ``crashed``. Raises RewardError where the
        function cannot be loaded.
        """
        results: list[Result | None] = [None] * len(rows)
        waiting = [list(range(i, min(i + _CHUNK, len(rows)))) for i in range(0, len(rows), _CHUNK)]
        waiting.reverse()
        with selectors.DefaultSelector() as selector:
            while True:
                for place, worker in enumerate(self._workers):
                    if waiting and (worker is None or not worker.todo):
                        self._hand_over(place, waiting.pop(), rows, selector)
                busy = [worker for worker in self._workers if worker is not None and worker.todo]
                if not busy:
                    break
                nearest = min(worker.deadline for worker in busy)
                ready = selector.select(max(0.0, nearest - time.monotonic()))
                for worker in {key.data for key, _ in ready}:
                    for result in worker.read():
                        results[worker.done()] = result
                self._replace_the_stuck(results, waiting, selector)
        return [result for result in results if result is not None]

    def _hand_over(
        self, place: int, chunk: list[int], rows: Sequence[Row], selector: selectors.BaseSelector
    ) -> None:
        worker = self._workers[place]
        if worker is None:
            worker = _Worker(self._target, self._time_limit)
            self._workers[place] = worker
        if worker.output not in selector.get_map():
            selector.register(worker.output, selectors.EVENT_READ, worker)
        worker.give(chunk, [rows[index] for index in chunk])

    def _replace_the_stuck(
        self,
        results: list[Result | None],
        waiting: list[list[int]],
        selector: selectors.BaseSelector,
    ) -> None:
        now = time.monotonic()
        for place, worker in enumerate(self._workers):
            if worker is None or not worker.todo:
                continue
            if worker.refused is not None:
                raise RewardError(f"{self._target} cannot be used: {worker.refused}")
            late = now >= worker.deadline
            if not (late or worker.ended):
                continue
            selector.unregister(worker.output)
            code = worker.kill()
            self._workers[place] = None
            if not worker.ready:
                took = f"it was not loaded after {START_LIMIT:g} s" if late else "it ended"
                raise RewardError(f"{self._target} cannot be used: {took} (exit code {code})")
            limit = f"longer than {self._time_limit:g} s"
            results[worker.done()] = (
                {"error": TIMEOUT, "message": limit}
                if late
                else {"error": CRASHED, "message": f"the process ended with exit code {code}"}
            )
            if worker.todo:
                waiting.append(worker.todo)


class _Worker:
    """One process, and the rows that it was given and has not answered yet."""

    def __init__(self, target: str, time_limit: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # so that what it started can be killed with it
        )
        assert self._process.stdout is not None
        self.output = self._process.stdout
        self._time_limit = time_limit
        self._partial = b""
        self._unsent: list[Row] = []
        self.todo: list[int] = []
        self.ready = False
        self.refused: str | None = None
        self.ended = False
        self.deadline = time.monotonic() + START_LIMIT
        # The folder in which the command was given, as for `python -m`.
        self._send([*sys.path, os.getcwd()])
        self._send({"target": target})

    def give(self, chunk: list[int], rows: list[Row]) -> None:
        """Hand over rows; the worker has none left, so it is reading or will be."""
        self.todo = chunk
        if self.ready:
            self.deadline = time.monotonic() + self._time_limit
            self._send(rows)
        else:
            # A pipe holds little: writing to one that still imports could wait without a limit.
            self._unsent = rows

    def read(self) -> list[Result]:
        """The results that have come; fewer than `todo`, or as many."""
        data = os.read(self.output.fileno(), 1 << 16)
        self.ended = not data
        *lines, self._partial = (self._partial + data).split(b"\n")
        results = []
        for line in lines:
            answer = orjson.loads(line)
            if answer.get("ready"):
                self.ready = True
                self._send(self._unsent)
                self._unsent = []
            elif answer.get("error") == BAD_TARGET and not self.ready:
                self.refused = answer["message"]
            else:
                results.append(answer)
        if lines:
            self.deadline = time.monotonic() + self._time_limit
        return results

    def done(self) -> int:
        """The row at which it was; from now on it is at the next one."""
        first, *self.todo = self.todo
        return first

    def kill(self) -> int:
        """End it and what it started; its exit code."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # what it was to be told, it need not know any more
                if pipe is not None:
                    pipe.close()
        return self._process.wait()

    def _send(self, value: Any) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, which its output will tell
            self._process.stdin.write(orjson.dumps(value) + b"\n")
            self._process.stdin.flush()
