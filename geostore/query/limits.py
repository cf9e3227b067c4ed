"""How much one statement may take: time, memory, threads and room on disk.

A statement of a stranger, or one with a slip in it, must not take the machine from the run that
writes the store.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from geostore.errors import QueryError

USUAL_SECONDS = 600.0
"""Of a statement of the command line. While it runs, no writer can shorten the store's log."""

USUAL_MEMORY = "1500MB"
"""What DuckDB may use for rows. The process stays below 2 GB with it."""

MEMORY_VARIABLE = "GEOSTORE_QUERY_MEMORY"
"""Of the environment; instead of `USUAL_MEMORY`, such as ``8GB``."""

THREADS_VARIABLE = "GEOSTORE_QUERY_THREADS"
"""Of the environment; instead of a thread for each core."""

_MOST_ON_DISK = 10 * 10**9  # bytes; and never more than half of what is free
_BESIDE = 400 * 10**6  # bytes for what DuckDB does not count, such as one long text
_MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT])i?B", re.IGNORECASE)
_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader may take; None stands for what the environment says, or the usual."""

    memory: str | None = None
    """A number and a unit, such as ``2GB``."""
    threads: int | None = None
    """At least 1; None without a word of the environment: one for each core."""

    def settings(self, temporary: Path) -> dict[str, str]:
        """DuckDB's settings. temporary: where rows go that memory has no room for.

        Raises QueryError for a limit that is none.
        """
        free = shutil.disk_usage(temporary.parent).free
        settings = {
            "memory_limit": f"{self._memory_bytes()}B",
            "temp_directory": str(temporary),
            # DuckDB's own is nine tenths of what is free, which a slip in a join would fill.
            "max_temp_directory_size": f"{min(_MOST_ON_DISK, free // 2)}B",
        }
        threads = os.environ.get(THREADS_VARIABLE) if self.threads is None else str(self.threads)
        if threads:
            if not threads.isdecimal() or not int(threads):
                raise QueryError(f"{threads!r} is no number of threads; take one from 1 on")
            settings["threads"] = threads
        return settings

    def bound_process(self) -> None:
        """Let this process have no more memory than `memory` and a little beside it.

        DuckDB counts rows and not the text that a function makes, which ``repeat`` may make as
        long as memory is. Only for a process that does nothing else. Linux alone does this.
        """
        import resource  # Windows has none

        try:
            pages = int(Path("/proc/self/statm").read_text().split()[5])
        except OSError:
            return
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        bound = pages * resource.getpagesize() + self._memory_bytes() + _BESIDE
        if soft == resource.RLIM_INFINITY or bound < soft:
            resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))

    def _memory_bytes(self) -> int:
        text = self.shown_memory
        match = _MEMORY.fullmatch(text.strip())
        if not match or not (count := int(float(match[1]) * _UNITS[match[2].upper()])):
            raise QueryError(f"{text!r} is no amount of memory; write such as 2GB or 500MB")
        return count

    @property
    def shown_memory(self) -> str:
        """What `memory` stands for."""
        return self.memory or os.environ.get(MEMORY_VARIABLE) or USUAL_MEMORY
