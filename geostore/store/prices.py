"""Prices in the store, and what a model's traces have used so far."""

from __future__ import annotations

from geostore.costs.prices import Prices
from geostore.costs.usage import Usage
from geostore.store.db import Db, utc_now


def put_prices(db: Db, model: str, prices: Prices) -> None:
    """Record what a model's tokens cost; later prices replace earlier ones, for all its tokens."""
    db.run(
        "put_prices",
        model=model,
        per_million_in=prices.per_million_in,
        per_million_out=prices.per_million_out,
        per_million_cached=prices.per_million_cached,
        now=utc_now(),
    )


def find_prices(db: Db, model: str) -> Prices | None:
    """What a model's tokens cost, as a run was last told; None where no run was told."""
    row = db.run("find_prices", model=model).fetchone()
    return None if row is None else Prices(**dict(row))


def spent_tokens(db: Db, model: str) -> Usage:
    """All that was used for a model's traces, over all recipes and runs of this store.

    Failed requests that were billed are part of it. Adds up every turn, about
    0.2 s a million, so call it once when a run with a budget starts.
    """
    return Usage(**dict(db.run("spent_tokens", model=model).fetchone()))
