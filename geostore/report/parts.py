"""One side of a report: some traces of a store, and the questions that are asked about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from geostore.query.chosen import only_traces
from geostore.query.reader import ask
from geostore.sqlfiles import load_sql
from geostore.text.tables import QueryResult

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from geostore.query.questions import Questions
    from geostore.store import Store

Asked = tuple[str, Mapping[str, Any]]
"""A named question and its parameters."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What some traces are of. `sql/reader/report_scope.sql` says what each member is."""

    models: Sequence[str]
    """Names, sorted."""
    datasets: Sequence[str]
    """Names, sorted."""
    recipes: int
    """How many."""
    closed: int
    """Traces."""
    open: int
    """Traces, which are in no figure."""
    unscored: int
    """Closed traces that have coordinates and no distance."""
    newest: str | None
    """When the last one was closed, UTC."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some traces of a store."""

    name: str
    """For people."""
    store: Store
    """Where they are."""
    questions: Questions
    """That are asked of the same file."""
    traces: Sequence[int] | None
    """Their ids; None: all of the store."""
    reward: str | None
    """The sha256 of the spec whose scores count; None: the store's default."""
    km: Sequence[float]
    """The distances of accuracy."""

    def ask(self, asked: Sequence[Asked]) -> tuple[Scope, list[QueryResult]]:
        """All answers as of one moment. Raises QueryError, StoreError."""
        return self.questions.ask(
            partial(_answers, asked=tuple(asked), traces=self.traces), self.reward, self.km
        )


def _answers(
    reader: DuckDBPyConnection, *, asked: Sequence[Asked], traces: Sequence[int] | None
) -> tuple[Scope, list[QueryResult]]:
    with only_traces(reader, traces):
        scope = reader.execute(load_sql("reader", "report_scope")).fetchall()[0]
        answers = [ask(reader, name, parameters=dict(values)) for name, values in asked]
    models, datasets, *others = scope
    return Scope(tuple(models or ()), tuple(datasets or ()), *others), answers
