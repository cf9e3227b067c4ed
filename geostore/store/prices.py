"""Prices in the store, and what a model's traces have used so far."""

from __future__ import annotations

from geostore.costs.prices import Prices
from geostore.costs.usage import Usage
from geostore.store.db import Db, utc_now


def put_prices(db: Db, model: str, prices: Prices) -> None:
    """Record what a model's tokens cost. New prices replace the old ones, for past tokens too."""
    db.run(
        "put_prices",
        model=model,
        per_million_in=prices.per_million_in,
        per_million_out=prices.per_million_out,
        per_million_cached=prices.per_million_cached,
        now=utc_now(),
    )


def find_prices(db: Db, model: str) -> Prices | None:
    """What a model's tokens cost, as the last run was given it; None where no run was."""
    row = db.run("find_prices", model=model).fetchone()
    return None if row is None else Prices(**dict(row))


def spent_tokens(db: Db, model: str) -> Usage:
    """All tokens used for a model's traces, over all recipes and runs of this store.

    Counts failed requests that were billed. Adds up every turn, about 0.2 s a
    million: call it once, when a run with a budget starts, and count on from there.
    """
    return Usage(**dict(db.run("spent_tokens", model=model).fetchone()))
