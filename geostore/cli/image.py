"""``geostore image``: writes the images that the teacher saw as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geostore.cli.conditions import with_conditions
from geostore.cli.options import (
    DEFAULT_STORE,
    DatasetPathOption,
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
def image(
    conditions: Conditions,
    trace: TraceArgument = None,
    store: StoreOption = DEFAULT_STORE,
    best: BestTraceOption = False,
    worst: WorstTraceOption = False,
    newest: NewestTraceOption = False,
    turn: Annotated[
        int | None,
        typer.Option(min=1, help="The images, or boxes, of this turn's calls."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every image the teacher saw.")] = False,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="The photo with the boxes of all calls drawn on it.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="A file, or a folder for them; else the current folder.")
    ] = None,
    dataset_path: DatasetPathOption = None,
) -> None:
    """Write what the teacher saw: the photo as sent, the images of a turn's calls, or all images.

    Prints the path of each file.
    """
    from geostore.conversation.images import PhotoSource
    from geostore.show.pictures import write_overlay, write_seen

    if all_ and (overlay or turn is not None):
        other = "--overlay" if overlay else "--turn"
        raise typer.BadParameter(f"--all writes every image; leave out it or {other}")
    order = order_of(best=best, worst=worst, newest=newest)
    stored = chosen_trace(store, trace, order, conditions)
    source = PhotoSource(str(dataset_path) if dataset_path else None)
    if overlay:
        typer.echo(write_overlay(stored, out, source, turn=turn))
        return
    for path in write_seen(stored, out, source, turn=turn, every=all_):
        typer.echo(path)
