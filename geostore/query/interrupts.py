"""Lets Ctrl-C and SIGTERM end what DuckDB does, at once.

Python runs a signal's handler only when the main thread is back from DuckDB's code,
which may take minutes. So DuckDB works in a thread of its own, while the caller waits
in Python.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

import duckdb

from geostore.errors import QueryTimeoutError

T = TypeVar("T")

_LOOK = 0.2
"""Seconds between two looks for a signal. The system may hand one to any thread, and then a wait of
this one goes on as if none had come."""

_PATIENCE = 0.3
"""Seconds; an interrupt ends nearly all within it, but one call of a function runs to its end."""


def interruptible(
    reader: duckdb.DuckDBPyConnection, work: Callable[[], T], *, seconds: float | None = None
) -> T:
    """The result of `work`, which uses the reader; interrupted where this thread's wait is.

    seconds: how long it may take; None for as long as it does. Raises QueryTimeoutError.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    # A daemon, because what cannot be interrupted must not keep the process alive.
    thread = Thread(target=run, name="duckdb", daemon=True)
    thread.start()
    began = time.monotonic()
    try:
        while not future.done():
            if seconds is not None and time.monotonic() - began >= seconds:
                raise QueryTimeoutError(
                    f"the statement took over {seconds:g} s and was ended; ask for less at once, "
                    "or allow it more (--timeout, in seconds; timeout in Python)"
                )
            left = _LOOK if seconds is None else min(_LOOK, began + seconds - time.monotonic())
            wait([future], timeout=max(left, 0))
    except BaseException:
        reader.interrupt()
        thread.join(_PATIENCE)
        raise
    return future.result()


def close_soon(reader: duckdb.DuckDBPyConnection) -> None:
    """Close the reader, but go on without it where DuckDB works on what it cannot interrupt."""
    thread = Thread(target=reader.close, name="duckdb", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
