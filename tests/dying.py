"""Work for processes of their own; light, because each of them imports it."""

from __future__ import annotations

import os
import signal


def half(number: int) -> float:
    """At 13 its process dies."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return number / 2
