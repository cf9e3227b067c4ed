"""Gives a connection the math functions that its SQLite was built without.

They are an option of SQLite's build (SQLITE_ENABLE_MATH_FUNCTIONS), and the SQL
that computes rewards needs them. Called through Python, 100,000 rewards take
about a third longer.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Collection
from types import MappingProxyType
from typing import Any

_FUNCTIONS = MappingProxyType(
    {
        "sin": math.sin,
        "cos": math.cos,
        "asin": math.asin,
        "exp": math.exp,
        "sqrt": math.sqrt,
        "radians": math.radians,
    }
)
"""Those that the statements use; a user's own condition may use them too."""


def add_missing_math(connection: sqlite3.Connection, native: Collection[str]) -> list[str]:
    """Add the functions that are not among the native ones; their names, in order."""
    missing = sorted(_FUNCTIONS.keys() - set(native))
    for name in missing:
        connection.create_function(name, 1, _as_sqlite(_FUNCTIONS[name]), deterministic=True)
    return missing


def _as_sqlite(function: Callable[[float], float]) -> Callable[[Any], float | None]:
    """A function of math as SQLite has it: null for null, for text and outside of its domain."""

    def call(value: Any) -> float | None:
        if not isinstance(value, int | float):
            return None
        try:
            return function(value)
        except ValueError:
            return None
        except OverflowError:
            return math.inf

    return call
