"""Turns the signals that ask a process to stop into calls."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def stopped_by_signals(
    stop: Callable[[], None],
    task: asyncio.Task[Any] | None,
    *,
    grace: float,
    give_up: Callable[[], None],
) -> Iterator[None]:
    """While inside, the first SIGINT or SIGTERM calls `stop`, and the second cancels `task`.

    The task is also cancelled `grace` seconds after the first signal. give_up: called
    before it is cancelled, to end waits that a cancellation does not end.
    """
    loop = asyncio.get_running_loop()
    end_of_grace: asyncio.TimerHandle | None = None

    def asked_to_stop() -> None:
        nonlocal end_of_grace
        if end_of_grace is None:
            stop()
            end_of_grace = loop.call_later(grace, asked_to_stop)
        else:
            give_up()
            if task is not None:
                task.cancel()

    taken = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # Python allows signal handlers only in the main thread; elsewhere, run without them.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, asked_to_stop)
            taken.append(number)
    try:
        yield
    finally:
        if end_of_grace is not None:
            end_of_grace.cancel()
        for number in taken:
            loop.remove_signal_handler(number)
