"""Several children: what one's death costs, and how far ahead tasks are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from geostore.children import Crew
from geostore.errors import ChildEnded, TeacherError
from tests.dying import dies, make_half, make_worker


def test_a_child_that_dies_loses_its_own_task_only() -> None:
    """Also where it held others: another child gets them."""
    for at_once in (1, 7):
        with Crew(make_half, 2) as crew:
            results = dict(crew.run(range(20), at_once=at_once))
        assert isinstance(results.pop(13), ChildEnded)
        assert results == {number: number / 2 for number in range(20) if number != 13}


def test_tasks_are_not_read_far_ahead_of_the_work() -> None:
    """So memory does not grow with what there is to do."""
    begun: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(20, 60):
            begun.append(number)
            yield number

    with Crew(make_half, 2) as crew:
        for done, (_, _) in enumerate(crew.run(tasks())):
            assert len(begun) <= done + 1 + 2


def test_a_child_that_hangs_loses_its_own_task_only() -> None:
    """The others are none the later for it."""
    tasks: list[tuple[str, Any]] = [("back", n) for n in range(10)]
    tasks[4] = ("sleep", 60)
    with Crew(make_worker, 2, time_limit=0.5) as crew:
        results = dict(crew.run(tasks, at_once=3))
    late = results.pop(("sleep", 60))
    assert isinstance(late, ChildEnded)
    assert late.was_late
    assert results == {("back", n): n for n in range(10) if n != 4}


def test_a_crew_runs_again_and_starts_no_more_children_than_there_are_tasks() -> None:
    with Crew(make_worker, 8) as crew:
        ((_, first),) = crew.run([("start", 1)])
        ((_, again),) = crew.run([("start", 2)])
        assert not isinstance(first, ChildEnded)
        assert not isinstance(again, ChildEnded)
        assert first[0] == again[0], "the same process"


def test_children_that_cannot_start_end_the_work() -> None:
    """Replacing them would go on for ever."""
    crew: Crew[int, Any] = Crew(dies, 2)
    with crew, pytest.raises(ChildEnded):
        list(crew.run(range(20)))


def test_an_error_of_the_work_ends_it() -> None:
    with Crew(make_worker, 2) as crew, pytest.raises(TeacherError):
        list(crew.run([("raise", 1)] * 3))
