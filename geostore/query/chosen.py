"""Lets questions see some traces of a store alone, as if it held no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb

from geostore.query.reader import one_moment
from geostore.sqlfiles import load_sql


@contextmanager
def only_traces(reader: duckdb.DuckDBPyConnection, traces: Sequence[int] | None) -> Iterator[None]:
    """Let all questions inside see these traces alone, at one moment.

    traces: ids, each once; None: all traces. Samples, recipes and runs stay whole.
    """
    with one_moment(reader):  # which takes back the views at its end
        if traces is not None:
            for (statement,) in reader.execute(load_sql("reader", "chosen_tables")).fetchall():
                reader.execute(statement)
            reader.execute(load_sql("reader", "put_chosen"), {"traces": list(traces)})
        yield
