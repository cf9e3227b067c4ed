"""Turns the signals that ask a process to stop into calls."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def signals_call(asked_to_stop: Callable[[], None]) -> Iterator[None]:
    """While inside, each SIGINT, SIGTERM or SIGHUP calls `asked_to_stop` in the event loop.

    A terminal that is closed sends SIGHUP. A process that ignores it, as `nohup` has it
    do, goes on ignoring it.
    """
    loop = asyncio.get_running_loop()
    taken = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue
        # Python allows signal handlers only in the main thread; elsewhere, run without them.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, asked_to_stop)
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
