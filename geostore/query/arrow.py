"""Answers as tables of Arrow, which go from one process to another as bytes, not value by value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from pyarrow import parquet

from geostore.errors import QueryError
from geostore.query.reader import each_once, read_answer

if TYPE_CHECKING:
    import pandas

_ROWS_AT_ONCE = 100_000
_HUGE = pa.decimal128(38, 0)
"""What DuckDB gives for a whole number of 128 bits."""


def ask_arrow(
    reader: duckdb.DuckDBPyConnection,
    statement_or_name: str,
    parameters: Mapping[str, object] | None = None,
    *,
    timeout: float | None = None,
) -> bytes:
    """`reader.ask`, its rows as a stream in Arrow's format for processes. Raises QueryError."""
    return read_answer(reader, statement_or_name, _to_stream, parameters, timeout=timeout)


def write_parquet(
    cursor: duckdb.DuckDBPyConnection, *, path: Path, limit: int | None
) -> tuple[list[str], int, bool]:
    """Write rows to a file; the names of the columns, how many rows, and whether a limit left
    out more. Whole numbers of 128 bits, which every sum is, are written with 64. Raises QueryError.
    """
    batches = cursor.to_arrow_reader(_ROWS_AT_ONCE)
    names = each_once(batches.schema.names)
    fields = zip(names, batches.schema, strict=True)
    schema = pa.schema(
        pa.field(name, pa.int64() if field.type == _HUGE else field.type) for name, field in fields
    )
    rows, has_more = 0, False
    try:
        with parquet.ParquetWriter(path, schema) as writer:
            for batch in batches:
                if limit is not None and rows + batch.num_rows > limit:
                    batch, has_more = batch.slice(0, limit - rows), True
                writer.write_table(
                    pa.Table.from_batches([batch]).rename_columns(names).cast(schema)
                )
                rows += batch.num_rows
                if has_more:
                    break
    except pa.ArrowException as error:
        raise QueryError(f"this answer cannot be written as parquet: {error}") from error
    return names, rows, has_more


def to_pandas(table: pa.Table) -> pandas.DataFrame:
    """A data frame, in which decimals are floats. Raises QueryError where pandas is not there."""
    for place, column in enumerate(table.columns):
        if pa.types.is_decimal(column.type):
            # Objects of Python's Decimal mix with no float.
            table = table.set_column(place, table.field(place).name, column.cast(pa.float64()))
    try:
        return table.to_pandas()
    except ImportError as error:
        raise QueryError("a data frame needs pandas; install it: pip install pandas") from error


def _to_stream(cursor: duckdb.DuckDBPyConnection) -> bytes:
    batches = cursor.to_arrow_reader(_ROWS_AT_ONCE)
    table = pa.Table.from_batches(batches, batches.schema)
    table = table.rename_columns(each_once(table.column_names))
    for place, column in enumerate(table.columns):
        if column.type == _HUGE:
            table = table.set_column(place, table.field(place).name, _whole(column))
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    data: bytes = out.getvalue().to_pybytes()
    return data


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers of 128 bits, which every sum of whole numbers has, in 64 where they fit."""
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column
