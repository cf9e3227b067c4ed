"""``geostore show``: prints one trace."""

from __future__ import annotations

from typing import Annotated

import typer

from geostore.cli.options import (
    DEFAULT_STORE,
    ModelOption,
    RecipeOption,
    StoreOption,
    WhereOption,
)
from geostore.cli.trace_choice import (
    BestTraceOption,
    NewestTraceOption,
    TraceArgument,
    WorstTraceOption,
    chosen_trace,
    order_of,
)


def show(
    trace: TraceArgument = None,
    store: StoreOption = DEFAULT_STORE,
    best: BestTraceOption = False,
    worst: WorstTraceOption = False,
    newest: NewestTraceOption = False,
    recipe: RecipeOption = None,
    model: ModelOption = None,
    where: WhereOption = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Whole responses, reasoning, and what was sent.")
    ] = False,
) -> None:
    """Show one trace: its sample, turns, tool calls, answer and reward."""
    from geostore.show.trace_text import render_trace
    from geostore.store import Conditions
    from geostore.text.terminal import PROSE_WIDTH, prose_width

    order = order_of(best=best, worst=worst, newest=newest)
    conditions = Conditions(recipe=recipe, model=model, where=where)
    stored = chosen_trace(store, trace, order, conditions)
    typer.echo(render_trace(stored, verbose=verbose, width=prose_width() or PROSE_WIDTH))
