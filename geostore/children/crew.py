"""Several children that share tasks; one that dies or hangs is replaced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from multiprocessing.connection import wait
from typing import Generic, TypeVar

from geostore.children.child import Child
from geostore.errors import ChildEnded

Task = TypeVar("Task")
Result = TypeVar("Result")


class Crew(Generic[Task, Result]):
    """Runs tasks in `count` children, which start as tasks come. A context manager that kills them.

    make_work, time_limit: as for `Child`.
    """

    def __init__(
        self,
        make_work: Callable[[], Callable[[Task], Result]],
        count: int,
        *,
        time_limit: float | None = None,
    ) -> None:
        self._make_work = make_work
        self._count = count
        self._time_limit = time_limit
        self._children: list[Child[Task, Result]] = []

    def __enter__(self) -> Crew[Task, Result]:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start all children now, so that they import while the caller makes the first tasks."""
        while len(self._children) < self._count:
            self._add_child()

    def kill(self) -> None:
        """Kill every child. Nothing is lost: a child keeps nothing between tasks."""
        for child in self._children:
            child.kill()

    def run(
        self, tasks: Iterable[Task], *, at_once: int = 1
    ) -> Iterator[tuple[Task, Result | ChildEnded]]:
        """Each task with its result, in the order in which they finish.

        Where a child dies at a task or is late, the result is a ChildEnded; other tasks
        that it was given go to another child. Raises what `Child.receive` raises
        otherwise, such as where a child cannot start.
        at_once: tasks in one message to a child. A child gets more only when it is idle,
        so `tasks` is read no further than the children need.
        """
        source = iter(tasks)
        returned: list[list[Task]] = []  # unanswered tasks of children that ended
        while True:
            while len(self._busy()) < self._count:
                chunk = returned.pop() if returned else list(islice(source, at_once))
                if not chunk:
                    break
                idle = (child for child in self._children if not child.unanswered)
                (next(idle, None) or self._add_child()).give(chunk)
            if not self._busy():
                return
            for child in self._wait():
                task = child.unanswered[0]
                try:
                    results: list[Result | ChildEnded] = [*child.receive()]
                except ChildEnded as ended:
                    # Every other child would fail in the same way before its first task.
                    if not ended.was_ready:
                        raise
                    self._children.remove(child)
                    left_over = list(child.unanswered)[1:]
                    if left_over:
                        returned.append(left_over)
                    results = [ended]
                for result in results:
                    yield task, result

    def _add_child(self) -> Child[Task, Result]:
        child = Child(self._make_work, time_limit=self._time_limit)
        self._children.append(child)
        return child

    def _busy(self) -> list[Child[Task, Result]]:
        return [child for child in self._children if child.unanswered]

    def _wait(self) -> list[Child[Task, Result]]:
        """Wait until some children have sent something, ended or are late; those children."""
        busy = self._busy()
        nearest = min(child.deadline for child in busy)
        timeout = None if nearest == float("inf") else max(0.0, nearest - time.monotonic())
        ready = wait([child.connection for child in busy], timeout)
        now = time.monotonic()
        return [child for child in busy if child.connection in ready or child.deadline <= now]
