"""``geostore status``: shows how runs go."""

from __future__ import annotations

import typer

from geostore.cli.options import DEFAULT_STORE, JsonOption, StoreOption


def status(
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show how runs go, also from another terminal: progress, pace, failures, cost, time left."""
    from geostore.query import status as running

    result = running.status(store)
    typer.echo(running.format_json(result) if json else running.format_text(result))
