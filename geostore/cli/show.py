"""``geostore show``: prints one trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from geostore.cli.conditions import with_conditions
from geostore.cli.options import (
    DEFAULT_STORE,
    StoreOption,
)
from geostore.cli.trace_choice import (
    BestTraceOption,
    NewestTraceOption,
    TraceArgument,
    WorstTraceOption,
    chosen_trace,
    order_of,
)

if TYPE_CHECKING:
    from geostore.store import Conditions


@with_conditions("recipe", "model", "where")
def show(
    conditions: Conditions,
    trace: TraceArgument = None,
    store: StoreOption = DEFAULT_STORE,
    best: BestTraceOption = False,
    worst: WorstTraceOption = False,
    newest: NewestTraceOption = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Whole responses, reasoning, and what was sent.")
    ] = False,
) -> None:
    """Show one trace: its sample, turns, tool calls, answer and reward."""
    from geostore.show.trace_text import render_trace
    from geostore.text.terminal import PROSE_WIDTH, prose_width

    order = order_of(best=best, worst=worst, newest=newest)
    stored = chosen_trace(store, trace, order, conditions)
    typer.echo(render_trace(stored, verbose=verbose, width=prose_width() or PROSE_WIDTH))
