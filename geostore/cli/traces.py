"""``geostore traces``: lists traces, the newest, best or worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from geostore.cli.conditions import CONDITION_OPTIONS, say_unplaced, with_conditions
from geostore.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    say,
)
from geostore.cli.trace_choice import BestOption, NewestOption, WorstOption, order_of
from geostore.records import Status

if TYPE_CHECKING:
    from geostore.store import Selection

_LIMIT = 20
"""Lines of a list unless told otherwise, which fit a screen."""


@with_conditions(*CONDITION_OPTIONS, "exclude_near", "radius", "best_of", "dedupe", "balance")
def traces(
    selection: Selection,
    store: StoreOption = DEFAULT_STORE,
    best: BestOption = False,
    worst: WorstOption = False,
    newest: NewestOption = False,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="How many at most, 0 for all; none: 20, or all as JSON."),
    ] = None,
    status: Annotated[Status | None, typer.Option(help="Only traces of this status.")] = None,
    json: JsonOption = False,
) -> None:
    """List traces with their names, results and lengths: the newest first, or the best or worst."""
    from geostore.show.trace_list import list_json, list_text, list_traces
    from geostore.store import Store, read_selection
    from geostore.text.phrases import format_number_of

    selection["status"] = status
    if limit is None and not json:
        limit = _LIMIT
    order = order_of(best=best, worst=worst, newest=newest) or "newest"
    filters, choice = read_selection(selection, statuses=None)
    with Store.open(store) as opened:
        say_unplaced(store, selection)
        listed = list_traces(opened, filters, order=order, limit=limit or None, choice=choice)
        unknown = (
            None
            if listed.lines
            else opened.recipes.explain_unknown(
                recipe=selection.get("recipe"), model=selection.get("model")
            )
        )
    if json:
        typer.echo(list_json(listed))
        return
    if not listed.lines:
        say(f"no trace in {store} meets these conditions" + (f": {unknown}" if unknown else ""))
        return
    typer.echo(list_text(listed))
    if len(listed.lines) < listed.total:
        say(f"{len(listed.lines):,} of {listed.total:,} traces; --limit 0 lists all")
    else:
        say(format_number_of(listed.total, "trace"))
