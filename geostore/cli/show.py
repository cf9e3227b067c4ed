"""``geostore show``: prints one trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geostore.cli.options import DEFAULT_STORE, DatasetPathOption, StoreOption, say


def show(
    trace: Annotated[str, typer.Argument(help="The trace's name, such as 17-3fa1c2d4-1.")],
    store: StoreOption = DEFAULT_STORE,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Whole responses, reasoning, and what was sent.")
    ] = False,
    images: Annotated[
        Path | None, typer.Option(help="Write every image the teacher saw into this folder.")
    ] = None,
    dataset_path: DatasetPathOption = None,
) -> None:
    """Show one trace: its sample, turns, tool calls, answer and reward."""
    from geostore.conversation.images import PhotoSource
    from geostore.show.trace_text import render_trace, write_images
    from geostore.store import Store

    with Store.open(store) as opened:
        stored = opened.get_trace(opened.find_trace(trace))
    typer.echo(render_trace(stored, verbose=verbose))
    if images is not None:
        source = PhotoSource(str(dataset_path) if dataset_path else None)
        for path in write_images(stored, images, source):
            say(f"wrote {path}")
