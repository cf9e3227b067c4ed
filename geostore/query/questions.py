"""Questions to one store, asked of a child process that keeps DuckDB and the store open.

Opening takes most of a question's time, so the second one is quick. The child is
started with the first question, replaced if it died, and holds no transaction
between two: each sees what was committed last, and no writer waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from geostore.children import Child
from geostore.errors import ChildEnded, QueryError
from geostore.query.reader import open_reader, take_scores_of

T = TypeVar("T")
Question = Callable[[duckdb.DuckDBPyConnection], Any]


class Questions:
    """Asks questions to a store. Use in one thread, and `close` it.

    For a process that has the store open in Python's SQLite, which must not read
    it with DuckDB itself; see `geostore.query.reader`.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._child: Child[tuple[Question, str | None], Any] | None = None

    def ask(self, question: Callable[[duckdb.DuckDBPyConnection], T], reward: str | None) -> T:
        """The answer of a function of a module, or a partial of one, that is called with a reader.

        reward: see `open_reader`. Raises QueryError, StoreError.
        """
        if self._child is None or self._child.has_ended:
            self.close()
            self._child = Child(partial(_Answers, self._store))
        try:
            answer: T = self._child.ask((question, reward))
        except ChildEnded as error:
            raise QueryError(
                f"{error} while it answered a question; ask for less at once if memory ran out"
            ) from error
        return answer

    def close(self) -> None:
        """End the child, if there is one; may be done twice."""
        if self._child is not None:
            self._child.end()
            self._child = None


class _Answers:
    """A store that is open for as long as this lives; called with a question."""

    def __init__(self, store: Path) -> None:
        self._open = ExitStack()
        self._reader = self._open.enter_context(open_reader(store))

    def __call__(self, asked: tuple[Question, str | None]) -> Any:
        question, reward = asked
        take_scores_of(self._reader, reward)
        return question(self._reader)
