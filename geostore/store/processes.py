"""Says whether the process that started a run still lives, as far as it can be seen from here.

A process's number means nothing alone: the first process of each container has the
number 1, and a number is given again after a boot. So the store keeps a mark with it:
the place that counts the process, and when the process started.
"""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Literal

Life = Literal["alive", "dead", "unknown"]
"""``unknown``: the process is, or was, counted elsewhere, and cannot be seen from here."""


def host_name() -> str:
    """The name of this machine, as its processes see it."""
    return socket.gethostname()


def start_mark(pid: int) -> str | None:
    """A text that no other process has, now or later; None where the system does not say.

    Of a process that runs here. It is ``<place>/<start>``; see `process_place`.
    """
    place, start = process_place(), _started(pid)
    return f"{place}/{start}" if place and start else None


def process_place() -> str | None:
    """What counts the processes that are seen here; None where nobody can say.

    On Linux the boot id of the machine and this process's pid namespace, as
    ``<boot>/pid:[<number>]``: a container has a namespace of its own, also where
    its host name is another container's. On other systems, which know no
    namespaces, the host's name. Source: pid_namespaces(7), proc(5).
    """
    if not _has_proc():
        return host_name()
    try:
        # A namespace may see the files of the one around it, in which its numbers mean others.
        if os.readlink("/proc/self") != str(os.getpid()):
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def process_life(pid: int, mark: str | None) -> Life:
    """Whether the process with this number and mark lives.

    Exact where it is counted in the same place as this process. A process of another
    container, of another host, or of before the last boot is unknown, as one without
    a mark is.
    """
    place, _, start = (mark or "").rpartition("/")
    if not place or place != process_place():
        return "unknown"
    if not is_running(pid):
        return "dead"
    started = _started(pid)
    if started is None:
        return "unknown"  # the system hides the processes of other users
    return "alive" if started == start else "dead"


def is_running(pid: int) -> bool:
    """Whether any process has this number here now; one that has ended has not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists, but belongs to another user
    fields = _stat(pid)
    # Z, X: it has ended, but its parent has not waited for it yet.
    return not (fields and fields[0] in "ZX")


def _started(pid: int) -> str | None:
    """When a process started; None where it is not seen.

    On Linux in clock ticks since the boot (proc(5), /proc/pid/stat field 22), on
    other systems as ps says it, to the second.
    """
    if _has_proc():
        fields = _stat(pid)
        return fields[19] if fields else None
    try:
        told = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
            # Or two users of different languages or time zones would see different starts.
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip() or None


def _has_proc() -> bool:
    return os.path.lexists("/proc/self")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/pid/stat from the state (field 3) on; [] where there are none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The name in field 2 may hold spaces and parentheses, so split after the last parenthesis.
    return stat.rpartition(")")[2].split()
