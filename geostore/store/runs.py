"""Generate processes as rows: which process, which versions, and how it ended."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from geostore.identity import canonical_text
from geostore.store.db import Db, Row, utc_now
from geostore.store.processes import host_name, is_alive, start_mark


class Runs:
    """The runs of a store."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def start_this_process(self, *, arguments: Mapping[str, Any]) -> int:
        """Record this process as a run; its id. Ends the runs of processes that were killed."""
        host = host_name()
        # Whether a process on another machine lives cannot be seen here; its claims expire.
        for run in self.claiming_runs():
            if run["host"] == host and not is_alive(run["pid"], run["process_started"]):
                self.end_run(run["id"], "killed")
        return self.start_run(
            arguments=arguments,
            versions=versions(),
            host=host,
            pid=os.getpid(),
            process_started=start_mark(os.getpid()),
        )

    def start_run(
        self,
        *,
        arguments: Mapping[str, Any],
        versions: Mapping[str, str],
        host: str,
        pid: int,
        process_started: str | None,
    ) -> int:
        """Record that a process starts to generate; the run's id. `arguments` holds no secret."""
        return self._db.number(
            "start_run",
            arguments=canonical_text(dict(arguments)),
            versions=canonical_text(dict(versions)),
            host=host,
            pid=pid,
            process_started=process_started,
            now=utc_now(),
        )

    def end_run(self, run_id: int, outcome: str) -> None:
        """Record how a run ended and give back its claims; a second outcome changes nothing."""
        self._db.run("release_claims", run_id=run_id)
        self._db.run("end_run", run_id=run_id, outcome=outcome, now=utc_now())

    def claiming_runs(self) -> list[Row]:
        """The runs that hold claims: id, host, pid, process_started."""
        return self._db.run("open_runs").fetchall()


def versions() -> dict[str, str]:
    """The versions that decide the bytes of an encoded image and of a request."""
    from PIL import features

    packages = {name: version(name) for name in ("geostore", "pillow", "openai", "datasets")}
    return {
        **packages,
        "libjpeg": str(features.version("libjpeg_turbo") or features.version("jpg")),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
