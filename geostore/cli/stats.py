"""``geostore stats``: shows what the traces of a store hold, in sums."""

from __future__ import annotations

import sys

import typer

from geostore.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    KmOption,
    RewardOption,
    StoreOption,
    accuracy_km,
    reward_hash,
    tell,
)


def stats(
    store: StoreOption = DEFAULT_STORE,
    reward: RewardOption = None,
    km: KmOption = None,
    json: JsonOption = False,
) -> None:
    """Show the batch: traces, parse success, distances, accuracy, turns, tools, tokens."""
    from geostore.query import stats as batch

    distances = accuracy_km(km)
    result = batch.stats(store, reward_hash(store, reward), distances)
    if json:
        typer.echo(batch.format_json(result))
    elif sys.stdout.isatty():
        from geostore.query.stats_view import stats_sheet
        from geostore.text.sheets import print_sheet

        print_sheet(stats_sheet(result))
    else:
        tell(batch.format_text(result))
