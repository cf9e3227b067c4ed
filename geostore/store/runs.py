"""A generate process as a row of the store: who it is, with what, and whose claims are void."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import version
from typing import Any

from geostore.store import Store
from geostore.store.processes import host_name, is_alive, start_mark


def start_run(store: Store, *, arguments: dict[str, Any]) -> int:
    """Record this process, and give back what processes that no longer live have claimed."""
    host = host_name()
    for run in store.claiming_runs():
        if run["host"] == host and not is_alive(run["pid"], run["process_started"]):
            store.end_run(run["id"], "killed")
    return store.start_run(
        arguments=arguments,
        versions=versions(),
        host=host,
        pid=os.getpid(),
        process_started=start_mark(os.getpid()),
    )


def versions() -> dict[str, str]:
    """The versions that decide which bytes an image comes out in, and what was sent how."""
    from PIL import features

    found = {name: version(name) for name in ("geostore", "pillow", "openai", "datasets")}
    return {
        **found,
        "libjpeg": str(features.version("libjpeg_turbo") or features.version("jpg")),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
