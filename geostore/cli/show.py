"""``geostore show``: prints one trace."""

from __future__ import annotations

from typing import Annotated

import typer

from geostore.cli.options import DEFAULT_STORE, StoreOption


def show(
    trace: Annotated[str, typer.Argument(help="The trace's name, such as 17-3fa1c2d4-1.")],
    store: StoreOption = DEFAULT_STORE,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Whole responses, reasoning, and what was sent.")
    ] = False,
) -> None:
    """Show one trace: its sample, turns, tool calls, answer and reward."""
    from geostore.show.trace_text import render_trace
    from geostore.store import Store
    from geostore.text.terminal import PROSE_WIDTH, prose_width

    with Store.open(store) as opened:
        stored = opened.traces.get_trace(opened.traces.find_trace(trace))
    typer.echo(render_trace(stored, verbose=verbose, width=prose_width() or PROSE_WIDTH))
