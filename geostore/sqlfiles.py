"""Loads SQL from the files of ``sql/`` by name; no statement is written in Python.

The folder stands at the top of the repository and travels in the wheel as the
package ``geostore.sql``. In most folders a file is one statement. A file of
``sql/store`` holds all statements of one topic, each after a line ``-- name: ...``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

Folder = Literal["schema", "store", "audit", "analytics", "datasette"]

_BLOCK = re.compile(r"^-- (name|part): (\w+)\n", re.MULTILINE)
_PART = re.compile(r"\{\{(\w+)\}\}")


@cache
def load_sql(folder: Folder, name: str) -> str:
    """The text of ``sql/<folder>/<name>.sql``. Raises KeyError where there is none."""
    path = files("geostore.sql") / folder / f"{name}.sql"
    if not path.is_file():
        raise KeyError(f"no statement {name!r} in sql/{folder}")
    return path.read_text(encoding="utf-8")


@cache
def sql_names(folder: Folder) -> tuple[str, ...]:
    """The names of all files in a folder, sorted, without their suffix."""
    entries = (files("geostore.sql") / folder).iterdir()
    return tuple(sorted(e.name.removesuffix(".sql") for e in entries if e.name.endswith(".sql")))


@cache
def store_statements() -> Mapping[str, str]:
    """Every named statement of ``sql/store``, with its parts filled in.

    A part is text that several statements share, such as a list of columns. It is
    written once, after a line ``-- part: ...``; a statement names it in double braces.
    Raises ValueError where two statements or two parts have one name.
    """
    blocks: dict[str, dict[str, str]] = {"name": {}, "part": {}}
    for topic in sql_names("store"):
        _, *pieces = _BLOCK.split(load_sql("store", topic))
        for kind, name, text in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
            if name in blocks[kind]:
                raise ValueError(f"sql/store has two blocks with the {kind} {name!r}")
            blocks[kind][name] = _without_header(text)
    parts = blocks["part"]
    return MappingProxyType({name: _filled(text, parts) for name, text in blocks["name"].items()})


def describe_sql(folder: Folder, name: str) -> str:
    """The first comment line of a file, which says what its statement answers."""
    first = load_sql(folder, name).lstrip().splitlines()[0]
    return first.removeprefix("--").strip()


def _without_header(block: str) -> str:
    """A block without the comment lines it begins with, and without its last semicolon."""
    lines = block.strip().splitlines()
    while lines and lines[0].startswith("--"):
        del lines[0]
    return "\n".join(lines).rstrip().removesuffix(";")


def _filled(text: str, parts: Mapping[str, str]) -> str:
    # A part may name other parts, so fill in until none is left.
    while _PART.search(text):
        text = _PART.sub(lambda match: parts[match[1]], text)
    return text
