"""Work for processes of their own; light, because each of them imports it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from geostore.errors import TeacherError


def half(number: int) -> float:
    """At 13 its process dies."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return number / 2


def make_half() -> Callable[[int], float]:
    return half


def dies(*_: object) -> NoReturn:
    """Never gets as far as making its work."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def refuses() -> NoReturn:
    raise TeacherError("no teacher", error_class="server", status=503)


def make_worker() -> Callable[[tuple[str, Any]], Any]:
    return do


def do(task: tuple[str, Any]) -> Any:
    """What a test asks for by a word."""
    what, value = task
    if what == "say":
        print("noise", flush=True)
        os.system("echo more noise")
        return value
    if what == "sleep":
        time.sleep(value)
    if what == "start":  # leaves a process behind that would sleep for long
        return os.getpid(), subprocess.Popen([sys.executable, "-c", SLEEPS]).pid
    if what == "raise":
        raise TeacherError("the teacher is gone", error_class="server", status=value)
    if what == "bug":
        raise ValueError("two\nlines")
    if what == "exit":
        os._exit(value)
    if what == "environment":
        return os.environ.get(value), list(sys.path), "__main__" in sys.modules and MAIN
    return value


SLEEPS = "import time; time.sleep(600)"
MAIN = getattr(sys.modules["__main__"], "__file__", None)
"""The script that this process runs; a child runs none."""
