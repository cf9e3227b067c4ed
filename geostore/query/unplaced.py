"""Tells how many traces have no place yet, where a question or a condition asks for places.

A place that is missing is null, so an answer about places would leave such traces out
without a word.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from duckdb import DuckDBPyConnection

from geostore.query.reader import open_reader
from geostore.sqlfiles import load_sql
from geostore.text.phrases import format_number_of

_PLACES = re.compile(
    r"\b(?:(?:true|answer|said|said_true|stated)_(?:country|region|city)|(?:country|region|city)_correct\w*"
    r"|sample_places|answer_places|accuracy_results)\b",
    re.IGNORECASE,
)


def asks_for_places(*texts: str) -> bool:
    """Whether a statement, a condition or the names of an answer's columns name places."""
    return _PLACES.search(" ".join(texts)) is not None


def unplaced_by(store: str | os.PathLike[str], conditions: Iterable[str]) -> str | None:
    """A sentence about traces without a place, where conditions on ``trace_results`` name places.

    None where they name none, or none is missing.
    """
    if not asks_for_places(*conditions):
        return None
    with open_reader(store) as reader:
        return unplaced_line_of(reader)


def unplaced_line(traces: int) -> str | None:
    """How many traces lack a place and what to do, in a sentence; None where none does."""
    if not traces:
        return None
    return (
        f"the places of {format_number_of(traces, 'trace')} are not computed yet; "
        "geostore rescore computes them"
    )


def unplaced_line_of(reader: DuckDBPyConnection) -> str | None:
    """`unplaced_line` of the reader's store."""
    row = reader.execute(load_sql("reader", "count_unplaced")).fetchone()
    assert row is not None
    return unplaced_line(int(row[0]))
