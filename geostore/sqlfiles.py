"""Loads SQL from the files of ``sql/`` by name; no statement is written in Python.

The folder stands at the top of the repository and travels in the wheel as the
package ``geostore.sql``.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

Folder = Literal["schema", "store", "audit", "analytics"]


@cache
def load_sql(folder: Folder, name: str) -> str:
    """The text of ``sql/<folder>/<name>.sql``. Raises KeyError where there is none."""
    path = files("geostore.sql") / folder / f"{name}.sql"
    if not path.is_file():
        raise KeyError(f"no statement {name!r} in sql/{folder}")
    return path.read_text(encoding="utf-8")


@cache
def sql_names(folder: Folder) -> tuple[str, ...]:
    """The names of all statements in a folder, sorted."""
    entries = (files("geostore.sql") / folder).iterdir()
    return tuple(sorted(e.name.removesuffix(".sql") for e in entries if e.name.endswith(".sql")))


def describe_sql(folder: Folder, name: str) -> str:
    """What a statement answers: the first comment line of its file."""
    first = load_sql(folder, name).lstrip().splitlines()[0]
    return first.removeprefix("--").strip()
