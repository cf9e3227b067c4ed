"""The child's side: it answers tasks until its parent is gone."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from geostore.errors import ChildError, GeostoreError

_LOOK_EVERY = 1.0  # seconds


def serve(connection: Connection, *, parent: int) -> None:
    """Receive a ``make_work`` and then lists of tasks; reply once to it, and to each task.

    A reply is ``(error, value)``. Any error but a GeostoreError is a bug: its traceback
    goes to stderr, and the parent gets a ChildError of one line.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A process started here must not inherit the connection and keep it open.
    os.set_inheritable(connection.fileno(), False)
    # stdout is the parent's, which writes the results of a command there.
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    # Where the connection ends or fails, the parent wants no more replies.
    with suppress(EOFError, OSError):
        make_work = connection.recv()
        error, work = _outcome(make_work)
        connection.send((error, None))
        while work is not None:
            for task in connection.recv():
                connection.send(_outcome(partial(work, task)))
    # A parent that is gone kills nothing: end here what this process started, but not the process
    # itself, which still has to clean up.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)


def _outcome(call: Callable[[], Any]) -> tuple[GeostoreError | None, Any]:
    try:
        return None, call()
    except GeostoreError as error:
        return error, None
    except Exception as error:
        traceback.print_exc()
        return ChildError(" ".join(f"{type(error).__name__}: {error}".split())), None


def _end_with(parent: int) -> None:
    """Once the parent is gone, kill this process and all it started, even during a task."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
    os.killpg(0, signal.SIGKILL)
