"""Prices in the store, and what a model's traces have used so far."""

from __future__ import annotations

import sqlite3
from typing import Any

from geostore.costs.prices import Prices, Usage
from geostore.sqlfiles import load_sql
from geostore.store.errors import store_error
from geostore.store.store import Store, utc_now


def put_prices(store: Store, model: str, prices: Prices) -> None:
    """Record what a model's tokens cost; later prices replace earlier ones, for all its tokens."""
    _row(
        store,
        "put_prices",
        model=model,
        per_million_in=prices.per_million_in,
        per_million_out=prices.per_million_out,
        per_million_cached=prices.per_million_cached,
        now=utc_now(),
    )


def find_prices(store: Store, model: str) -> Prices | None:
    """What a model's tokens cost, as a run was last told; None where none was."""
    row = _row(store, "find_prices", model=model)
    return None if row is None else Prices(**dict(row))


def spent_tokens(store: Store, model: str) -> Usage:
    """All that was used for a model's traces, over all recipes and runs of this store.

    Failed requests that were billed are part of it. Adds up every turn, about
    0.2 s a million, so it is for the start of a run that has a budget.
    """
    row = _row(store, "spent_tokens", model=model)
    return Usage(**dict(row))


def _row(store: Store, statement: str, **values: Any) -> Any:
    try:
        return store.connection.execute(load_sql("store", statement), values).fetchone()
    except sqlite3.Error as error:
        raise store_error(error, store.path) from error
