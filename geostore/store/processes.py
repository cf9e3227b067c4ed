"""Tells whether the process that left a mark in the store still lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def host_name() -> str:
    """The name of this machine, as its processes see it."""
    return socket.gethostname()


def start_mark(pid: int) -> str | None:
    """What tells a process from a later one with the same number; None where unknown.

    The machine's boot and the process's start since then, in clock ticks.
    Source: proc(5), /proc/pid/stat field 22; Linux only.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    fields = _stat(pid)
    return f"{boot}/{fields[19]}" if fields else None


def is_alive(pid: int, mark: str | None) -> bool:
    """Whether the process of that number, and of that mark if one is known, runs here."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's process, but it is there
    fields = _stat(pid)
    if fields and fields[0] in "ZX":
        return False  # it has ended, and only its parent has not taken notice
    return mark is None or start_mark(pid) == mark


def _stat(pid: int) -> list[str]:
    """What proc(5) tells of a process from its state on; [] where it tells nothing."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The name in field 2 may hold spaces and parentheses; the others follow its last one.
    return stat.rpartition(")")[2].split()
