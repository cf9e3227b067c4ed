"""Reads files of Arrow and Parquet that anybody may have damaged, in batches.

Arrow does not look at what it reads: an offset that points out of its buffer ends the process when
the value is asked for. So each batch is checked before anybody gets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow

_ROWS = 16  # of Parquet that are held at a time; each may hold megabytes of images


def packed_batches(path: str) -> Iterator[pyarrow.RecordBatch]:
    """The rows of a file in batches: of Parquet where it is named so, else of a stream of Arrow.

    Raises ValueError where it is damaged, OSError where it cannot be read.
    """
    import pyarrow

    try:
        for batch in _batches(path):
            batch.validate(full=True)
            yield batch
    except OSError:
        raise
    except (pyarrow.ArrowException, LookupError, TypeError, SystemError) as error:
        # What pyarrow raises is not always an error of its own.
        raise ValueError(str(error) or type(error).__name__) from error


def count_packed_rows(path: str) -> int:
    """How many rows a file says it has, without looking at them; errors as of `packed_batches`."""
    import pyarrow
    from pyarrow import parquet

    try:
        if path.endswith(".parquet"):
            return int(parquet.read_metadata(path).num_rows)
        return sum(batch.num_rows for batch in _batches(path))
    except OSError:
        raise
    except (pyarrow.ArrowException, LookupError, TypeError, SystemError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _batches(path: str) -> Iterator[pyarrow.RecordBatch]:
    # Imported here: most commands read no such file.
    import pyarrow
    from pyarrow import parquet

    if path.endswith(".parquet"):
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(_ROWS)
    else:
        with pyarrow.memory_map(path) as source, pyarrow.ipc.open_stream(source) as batches:
            yield from batches
