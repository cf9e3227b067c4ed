"""Generate processes as rows: which process, which versions, and how it ended."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from geostore.identity import canonical_text
from geostore.store.db import Db, utc_now
from geostore.store.processes import host_name, process_life, start_mark
from geostore.version import VERSION


@dataclass(frozen=True, slots=True)
class UnseenRun:
    """A run that holds claims, and whose process cannot be seen from here."""

    run_id: int
    """The id of its row in `runs`."""

    host: str
    """The name that its machine or container gave itself."""

    pid: int
    """Its process's number there."""

    claim_until: str
    """When the last of its claims expires. A process that lives sets it later again and again."""


class Runs:
    """The runs of a store."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def start_this_process(self, *, arguments: Mapping[str, Any]) -> int:
        """Record this process as a run; its id. Ends the runs of processes that were killed."""
        self.end_killed_runs()
        return self.start_run(
            arguments=arguments,
            versions=versions(),
            host=host_name(),
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

    def end_killed_runs(self) -> frozenset[UnseenRun]:
        """End the runs whose processes were killed; the runs of which that cannot be seen.

        Only runs that hold claims. Of those that cannot be seen, only such whose claims have
        not expired.
        """
        unseen, now = set(), utc_now()
        for run in self._db.run("claiming_runs").fetchall():
            life = process_life(run["pid"], run["process_started"])
            if life == "dead":
                self.end_run(run["id"], "killed")
            elif life == "unknown" and run["claim_until"] > now:
                unseen.add(UnseenRun(run["id"], run["host"], run["pid"], run["claim_until"]))
        return frozenset(unseen)


def versions() -> dict[str, str]:
    """The versions that decide the bytes of an encoded image and of a request."""
    from PIL import features

    packages = {name: version(name) for name in ("pillow", "aiohttp", "openai", "datasets")}
    with suppress(PackageNotFoundError):
        packages["pi-heif"] = version("pi-heif")  # decodes HEIC, where it is installed
    return {
        "geostore": VERSION,
        **packages,
        "libjpeg": str(features.version("libjpeg_turbo") or features.version("jpg")),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
