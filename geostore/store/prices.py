"""Prices in the store, and what a model's traces have used so far."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from geostore.costs.budget import CountedTo
from geostore.costs.prices import Prices
from geostore.costs.usage import Tally, Usage
from geostore.identity import canonical_text
from geostore.store.db import Db, Row, utc_now

_SUMS = tuple(field.name for field in fields(Usage))
_ALL_TIERS = ""
"""The tier in the rows of prices that hold for every tier without a row."""


def put_prices(db: Db, model: str, prices: Prices) -> None:
    """Record what a model's tokens cost. New prices replace the old ones, for past tokens too."""
    now = utc_now()
    by_tier = {_ALL_TIERS: prices, **prices.tiers}
    db.run("drop_other_tiers", model=model, tiers=canonical_text(list(by_tier)))
    for tier, of_tier in by_tier.items():
        db.run("put_prices", model=model, tier=tier, **_row(of_tier), now=now)


def find_prices(db: Db, model: str) -> Prices | None:
    """What a model's tokens cost, as the last run was given it; None where no run was."""
    by_tier = {row["tier"]: _prices(row) for row in db.run("find_prices", model=model).fetchall()}
    prices = by_tier.pop(_ALL_TIERS, None)
    return None if prices is None else replace(prices, tiers=by_tier)


def counted_to(db: Db) -> CountedTo:
    """The last rows there are."""
    row = db.run("last_rows").fetchone()
    return CountedTo(row["last_turn"], row["last_attempt"])


def spent_by_others(
    db: Db, model: str, *, run_id: int, since: CountedTo
) -> tuple[Tally, CountedTo]:
    """What other runs than `run_id` used for a model in the rows after `since`, and the last row.

    Reads the new rows alone, however large the store is.
    """
    rows = db.run(
        "spent_by_others",
        model=model,
        run_id=run_id,
        after_turn=since.turn,
        after_attempt=since.attempt,
    ).fetchall()
    tally = Tally(
        {row["service_tier"]: _usage(row) for row in rows if row["uncounted"] is not None}
    )
    return tally, CountedTo(rows[0]["last_turn"], rows[0]["last_attempt"])


def spent_by_tier(db: Db, model: str) -> Tally:
    """All tokens used for a model's traces, over all recipes and runs of this store.

    Counts failed requests that were billed. Adds up every turn, some tenths of a second
    a million: call it once, when a run with a budget starts, and count on from there.
    """
    rows = db.run("spent_tokens", model=model).fetchall()
    return Tally({row["service_tier"]: _usage(row) for row in rows})


def spent_tokens(db: Db, model: str) -> Usage:
    """The same, of all service tiers together."""
    return spent_by_tier(db, model).total


def _row(prices: Prices) -> dict[str, Any]:
    return {
        "per_million_in": prices.per_million_in,
        "per_million_out": prices.per_million_out,
        "per_million_cached": prices.per_million_cached,
        "per_million_cache_write": prices.per_million_cache_write,
    }


def _prices(row: Row) -> Prices:
    return Prices(
        row["per_million_in"],
        row["per_million_out"],
        row["per_million_cached"],
        row["per_million_cache_write"],
    )


def _usage(row: Row) -> Usage:
    return Usage(**{name: row[name] for name in _SUMS})
