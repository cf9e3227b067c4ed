"""``geostore status``: shows how runs go."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from geostore.cli.options import DEFAULT_STORE, JsonOption, StoreOption

_INTERVAL = 2.0
"""Seconds between two looks of --watch."""


def status(
    store: StoreOption = DEFAULT_STORE,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Show it anew every two seconds, until no run goes on."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show how runs go, also from another terminal: progress, pace, failures, cost, time left."""
    from geostore.query import status as running

    if watch:
        # Whoever watches has seen enough, and the run knows nothing of it.
        with suppress(KeyboardInterrupt):
            _watch(store, json=json)
        return
    result = running.status(store)
    typer.echo(running.format_json(result) if json else running.format_text(result))


def _watch(store: Path, *, json: bool) -> None:
    """On a terminal in one place, elsewhere block by block; as JSON, an object a line."""
    from geostore.query.status import format_text, watch_status
    from geostore.text.in_place import show_in_place
    from geostore.text.json_lines import json_text

    looks = watch_status(store, interval=_INTERVAL)
    if not json:
        show_in_place(map(format_text, looks), title=str(store))
        return
    for now in looks:
        typer.echo(json_text(now.to_json()))
