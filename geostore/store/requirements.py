"""What a store needs of the system and of SQLite, checked before a file is opened.

Without these checks the first statement that needs more fails somewhere in the
middle, with a sentence about syntax.
"""

from __future__ import annotations

import sqlite3
import sys

from geostore.errors import StoreError

SQLITE_NEEDED = (3, 38, 0)
"""STRICT tables came with 3.37, and 3.38 is the first whose JSON functions are always built in."""
_JSON = frozenset({"json_valid", "json_extract", "json_group_array"})


def require_platform() -> None:
    """Raise StoreError on Windows.

    Claims of a killed run are released by asking the system whether its process
    lives, and runs are stopped by signals; neither works there as on the others.
    """
    if sys.platform == "win32":
        raise StoreError(
            "geostore does not run on Windows; use Linux or macOS (under Windows, WSL is a Linux)"
        )


def require_sqlite(
    functions: frozenset[str], version: tuple[int, ...] = sqlite3.sqlite_version_info
) -> None:
    """Raise StoreError where this Python's SQLite is too old or lacks JSON.

    functions: the names of those that it has, as `native_functions` gives them.
    """
    shown = ".".join(map(str, version))
    remedy = (
        "use a Python that comes with a newer SQLite (python.org, conda, uv python install 3.12)"
    )
    if version < SQLITE_NEEDED:
        needed = ".".join(map(str, SQLITE_NEEDED[:2]))
        raise StoreError(
            f"{sys.executable} has SQLite {shown}, and a store needs {needed} or later; {remedy}"
        )
    if not functions >= _JSON:
        raise StoreError(
            f"{sys.executable} has SQLite {shown} without JSON functions, which a store needs; "
            f"{remedy}"
        )


def native_functions(connection: sqlite3.Connection) -> frozenset[str]:
    """The names of all SQL functions that a connection knows."""
    return frozenset(row[0] for row in connection.execute("pragma function_list"))
