"""The tables of the gazetteer that a process keeps: which it has read, and how to forget them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import geostore.places
from geostore.rewards import placing


def forget_tables() -> None:
    """As in a process that has looked up no place yet."""
    for _, table in _kept():
        table.cache_clear()
    placing._load.cache_clear()


def tables_read() -> dict[str, bool]:
    """Whether each table is read, by the names of its module and function."""
    return {
        name: table.cache_info().currsize > 0
        for name, table in _kept()
        if not inspect.signature(table).parameters
    }


def _kept() -> Iterator[tuple[str, Any]]:
    for module in pkgutil.iter_modules(geostore.places.__path__, "geostore.places."):
        for name, value in vars(importlib.import_module(module.name)).items():
            # A module that imports a table is not the one that keeps it.
            if hasattr(value, "cache_clear") and value.__module__ == module.name:
                yield f"{module.name}.{name}", value
