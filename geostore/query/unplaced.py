"""Tells how many traces have no place yet, where a question or a condition asks for places.

A place that is missing is null, so an answer about places would leave such traces out
without a word.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from duckdb import DuckDBPyConnection

from geostore.query.reader import ask, check_uses_km, open_reader
from geostore.sqlfiles import load_sql
from geostore.text.phrases import format_number_of
from geostore.text.tables import QueryResult

_PLACES = re.compile(
    r"\b(?:(?:true|answer|said|said_true|stated)_(?:country|region|city)|(?:country|region|city)_correct\w*"
    r"|sample_places|answer_places|accuracy_results)\b",
    re.IGNORECASE,
)


def ask_of_places(
    store: str | os.PathLike[str],
    statement_or_name: str,
    reward: str | None = None,
    km: Iterable[float] | None = None,
    parameters: Mapping[str, object] | None = None,
) -> tuple[QueryResult, str | None]:
    """Answer a question as `run_query` does; beside it a sentence about traces without a place.

    None in its stead where the question asks for no place, or none is missing.
    """
    statement = check_uses_km(statement_or_name, km)
    with open_reader(store, reward=reward, km=km) as reader:
        result = ask(reader, statement_or_name, parameters)
        if not _PLACES.search(" ".join((statement, *result.columns))):
            return result, None
        return result, unplaced_line(_count(reader))


def unplaced_by(store: str | os.PathLike[str], conditions: Iterable[str]) -> str | None:
    """A sentence about traces without a place, where conditions on ``trace_results`` name places.

    None where they name none, or none is missing.
    """
    if not _PLACES.search(" ".join(conditions)):
        return None
    with open_reader(store) as reader:
        return unplaced_line(_count(reader))


def unplaced_line(traces: int) -> str | None:
    """How many traces lack a place and what to do, in a sentence; None where none does."""
    if not traces:
        return None
    return (
        f"the places of {format_number_of(traces, 'trace')} are not computed yet; "
        "geostore rescore computes them"
    )


def _count(reader: DuckDBPyConnection) -> int:
    row = reader.execute(load_sql("reader", "count_unplaced")).fetchone()
    assert row is not None
    return int(row[0])
