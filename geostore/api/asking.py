"""Questions in SQL to an open store, from Python.

DuckDB reads the store in a process of its own, which starts with the first question and answers
all later ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from geostore.store import Store

if TYPE_CHECKING:
    import pandas
    import pyarrow
    from duckdb import DuckDBPyConnection

    from geostore.query.questions import Questions
    from geostore.query.stats import StoreStats

T = TypeVar("T")


class Asking(ABC):
    """The methods of `GeoStore` that answer questions."""

    _questions: Questions | None = None

    @property
    @abstractmethod
    def _store(self) -> Store:
        """The store, while it is open. Raises StoreError."""

    def query(
        self,
        statement: str,
        parameters: Mapping[str, object] | None = None,
        *,
        reward: str | None = None,
        km: Iterable[float] | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Rows of a named query, or of one statement in DuckDB's SQL, which can only read.

        The first question takes up to a second, for it starts a process that reads
        the store with DuckDB; later ones are asked of the same. parameters: values by
        name, such as ``{"km": 25}`` where the statement has ``$km``; they are bound and
        never become text of it. Those of a named query have types and defaults, see
        ``geostore query NAME --help``. reward: as in `traces`. km: the distances of
        accuracy; None: 1, 25, 200, 750 and 2500, or a question's own. timeout: seconds
        that it may take; None for no limit. Raises QueryError, also where km is given to a
        question that uses none.
        """
        from geostore.query.reader import ask

        return self._answer(ask, statement, parameters, reward, km, timeout).to_dicts()

    def arrow(
        self,
        statement: str,
        parameters: Mapping[str, object] | None = None,
        *,
        reward: str | None = None,
        km: Iterable[float] | None = None,
        timeout: float | None = None,
    ) -> pyarrow.Table:
        """The rows of `query` as a table of Arrow, which polars and others take without a copy.

        Whole numbers are int64 where they fit. Raises QueryError.
        """
        import pyarrow

        from geostore.query.arrow import ask_arrow

        data = self._answer(ask_arrow, statement, parameters, reward, km, timeout)
        return pyarrow.ipc.open_stream(data).read_all()

    def df(
        self,
        statement: str,
        parameters: Mapping[str, object] | None = None,
        *,
        reward: str | None = None,
        km: Iterable[float] | None = None,
        timeout: float | None = None,
    ) -> pandas.DataFrame:
        """The rows of `query` as a data frame of pandas; decimals are floats.

        Raises QueryError, also where pandas is not installed.
        """
        from geostore.query.arrow import to_pandas

        return to_pandas(self.arrow(statement, parameters, reward=reward, km=km, timeout=timeout))

    def stats(self, *, reward: str | None = None, km: Iterable[float] | None = None) -> StoreStats:
        """The numbers of `geostore stats`: of the store, and of each recipe.

        Asked of the process that answers `query`. reward: as in `traces`. km: as in `query`.
        Raises QueryError for a bad distance.
        """
        from geostore.query.stats import ask_stats

        return self._ask(ask_stats, reward, km)

    def _answer(
        self,
        asked: Callable[..., T],
        statement: str,
        parameters: Mapping[str, object] | None,
        reward: str | None,
        km: Iterable[float] | None,
        timeout: float | None,
    ) -> T:
        """What `ask` or another function like it makes of the answer to a statement."""
        from geostore.query.reader import check_uses_km

        check_uses_km(statement, km)
        question = partial(
            asked, statement_or_name=statement, parameters=parameters, timeout=timeout
        )
        return self._ask(question, reward, km)

    def _ask(
        self,
        question: Callable[[DuckDBPyConnection], T],
        reward: str | None,
        km: Iterable[float] | None,
    ) -> T:
        path = self._store.path
        if self._questions is None:
            from geostore.query.questions import Questions

            self._questions = Questions(path)
        return self._questions.ask(question, self._reward_hash(reward), km)

    def _reward_hash(self, reward: str | None) -> str | None:
        from geostore.rewards import get_named

        return None if reward is None else get_named(self._store.db, reward).sha256

    def _end_questions(self) -> None:
        """End the process that answers; may be called twice."""
        if self._questions is not None:
            self._questions.close()
