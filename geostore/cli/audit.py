"""``geostore audit``: checks traces for what would spoil training data."""

from __future__ import annotations

from typing import Annotated

import typer

from geostore.cli.options import DEFAULT_STORE, JsonOption, StoreOption, say, tell


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
    from geostore.text.phrases import format_number_of

    if list_:
        from geostore.text.terminal import prose_width

        typer.echo(audits.format_checks(prose_width()))
        return
    with Store.open(store) as opened:
        result = audits.audit(opened)
    if json:
        typer.echo(audits.format_json(result))
    else:
        tell(audits.format_text(result))
    say(f"audited {format_number_of(result.newly_audited, 'trace')} now, {result.audited:,} in all")
