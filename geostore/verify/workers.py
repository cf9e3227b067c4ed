"""Spreads tasks over processes, a few at a time, and survives the death of one of them.

A worker gets a task only when it is idle, so what waits in memory is one task
for each worker and one more, whatever there is to do. A worker whose parent is
gone reads the end of its pipe and ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def spread(
    work: Callable[[Task], Result], tasks: Iterable[Task], *, workers: int
) -> Iterator[tuple[Task, Result | None]]:
    """Each task with its result, in the order they come; None where its worker died.

    work: a function of a module, which raises nothing. With one worker it is
    called in this process.
    """
    if workers <= 1:
        for task in tasks:
            yield task, work(task)
        return
    with _Workers(work, workers) as running:
        yield from running.run(tasks)


class _Workers(Generic[Task, Result]):
    """Processes that wait for tasks at the other ends of pipes."""

    def __init__(self, work: Callable[[Task], Result], count: int) -> None:
        self._work = work
        self._count = count
        # Not forked: threads of this process may hold locks that a copy would wait for.
        self._context = multiprocessing.get_context("spawn")
        self._processes: dict[Connection, BaseProcess] = {}

    def __enter__(self) -> _Workers[Task, Result]:
        # All at once and before the first task is there: they import what they need meanwhile.
        for _ in range(self._count):
            self._start()
        return self

    def __exit__(self, *error: object) -> None:
        for connection, process in self._processes.items():
            connection.close()
            process.terminate()
        for process in self._processes.values():
            process.join()

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Result | None]]:
        busy: dict[Connection, Task] = {}
        idle = list(self._processes)
        for task in tasks:
            while not idle:
                yield from self._finished(busy, idle)
            connection = idle.pop()
            busy[connection] = task
            with suppress(OSError):  # it died; its end of the pipe tells below
                connection.send(task)
        while busy:
            yield from self._finished(busy, idle)

    def _finished(
        self, busy: dict[Connection, Task], idle: list[Connection]
    ) -> Iterator[tuple[Task, Result | None]]:
        """Wait for workers that are done; those that died are replaced."""
        for connection in wait(list(busy)):
            assert isinstance(connection, Connection)
            task = busy.pop(connection)
            try:
                result: Result | None = connection.recv()
                idle.append(connection)
            except (EOFError, OSError):
                result = None
                self._processes.pop(connection).join()
                connection.close()
                idle.append(self._start())
            yield task, result

    def _start(self) -> Connection:
        mine, its = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(its, self._work), daemon=True)
        with _interrupts_held():
            process.start()
        its.close()
        self._processes[mine] = process
        return mine


def _serve(connection: Connection, work: Callable[[Task], Result]) -> None:
    # The end of the pipe, or an error of it, is the end of the parent.
    with suppress(EOFError, OSError):
        while True:
            connection.send(work(connection.recv()))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches all processes of a terminal; those started inside leave it to this one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
