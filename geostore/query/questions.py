"""Asks questions about one store in a child process that keeps DuckDB and the store open.

Opening takes most of a question's time, so the second question is quick. The
first question starts the child, and a child that died is replaced. It holds no
transaction between two questions, so each question sees the last commit and no
writer waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from geostore.children import Child
from geostore.errors import ChildEnded, QueryError
from geostore.query.reader import open_reader, take_parameters
from geostore.query.thresholds import check_km

T = TypeVar("T")
Question = Callable[[duckdb.DuckDBPyConnection], Any]


class Questions:
    """Asks questions about a store. Use in one thread, and `close` it.

    A process that has the store open in Python's SQLite must ask through this and not
    open DuckDB itself; see `geostore.query.reader`.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._child: Child[tuple[Question, str | None, tuple[float, ...] | None], Any] | None = None

    def ask(
        self,
        question: Callable[[duckdb.DuckDBPyConnection], T],
        reward: str | None,
        km: Iterable[float] | None = None,
    ) -> T:
        """Call a function with a reader in the child; what it returns.

        question: a function of a module, or a partial of one. reward, km: as for
        `open_reader`. Raises QueryError, StoreError.
        """
        distances = None if km is None else check_km(km)
        if self._child is None or self._child.has_ended:
            self.close()
            self._child = Child(partial(_Answers, self._store))
        try:
            answer: T = self._child.ask((question, reward, distances))
        except ChildEnded as error:
            raise QueryError(
                f"{error} while it answered a question; ask for less at once if memory ran out"
            ) from error
        return answer

    def close(self) -> None:
        """End the child if there is one; may be called twice."""
        if self._child is not None:
            self._child.end()
            self._child = None


class _Answers:
    """The child's work: holds a store open, and is called with each question."""

    def __init__(self, store: Path) -> None:
        self._open = ExitStack()
        self._reader = self._open.enter_context(open_reader(store))

    def __call__(self, asked: tuple[Question, str | None, tuple[float, ...] | None]) -> Any:
        question, reward, km = asked
        take_parameters(self._reader, reward=reward, km=km)
        return question(self._reader)
