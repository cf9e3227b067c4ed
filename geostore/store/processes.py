"""Says whether the process that started a run still lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def host_name() -> str:
    """The name of this machine, as its processes see it."""
    return socket.gethostname()


def start_mark(pid: int) -> str | None:
    """A text that differs between two processes with the same number; None where unknown.

    It holds the machine's boot id and the process's start after the boot, in clock
    ticks. Source: proc(5), /proc/pid/stat field 22; Linux only.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    fields = _stat(pid)
    return f"{boot}/{fields[19]}" if fields else None


def is_alive(pid: int, mark: str | None) -> bool:
    """Whether a process with this number runs here and has this mark; None: any mark."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists, but belongs to another user
    fields = _stat(pid)
    if fields and fields[0] in "ZX":
        return False  # it has ended, but its parent has not waited for it yet
    return mark is None or start_mark(pid) == mark


def _stat(pid: int) -> list[str]:
    """The fields of /proc/pid/stat from the state (field 3) on; [] where there are none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The name in field 2 may hold spaces and parentheses, so split after the last parenthesis.
    return stat.rpartition(")")[2].split()
