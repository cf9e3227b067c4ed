"""``geostore audit``: checks traces for what would spoil training data."""

from __future__ import annotations

from typing import Annotated

import typer

from geostore.cli.options import DEFAULT_STORE, JsonOption, StoreOption, say


def audit(
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
    list_: Annotated[
        bool, typer.Option("--list", help="List the checks and what they mean.")
    ] = False,
) -> None:
    """Check closed traces for what would spoil training data; looks only at what is new."""
    from geostore import audit as audits
    from geostore.store import Store

    if list_:
        typer.echo(audits.format_checks())
        return
    with Store.open(store) as opened:
        result = audits.audit(opened)
    typer.echo(audits.format_json(result) if json else audits.format_text(result))
    say(f"audited {result.newly_audited:,} traces now, {result.audited:,} in all")
