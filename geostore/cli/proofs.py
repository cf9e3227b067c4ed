"""The commands that prove what the teacher saw, and show it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geostore.cli.options import (
    DEFAULT_STORE,
    EXIT_ERROR,
    EXIT_STOPPED,
    DatasetPathOption,
    StoreOption,
    say,
)


def verify(
    store: StoreOption = DEFAULT_STORE,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Check only so many traces, the same ones every time."),
    ] = None,
    dataset_path: DatasetPathOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Prove the store: derive every image and every request again, and compare by hash.

    Exit code 1 where anything failed or could not be verified.
    """
    from geostore import verify as proof
    from geostore.text.progress_bar import CheckProgress

    try:
        with CheckProgress() as progress:
            report = proof.verify(
                store,
                sample=sample,
                dataset_path=str(dataset_path) if dataset_path else None,
                watcher=progress,
            )
    except KeyboardInterrupt as error:
        say("geostore: interrupted; what was not checked is not proven")
        raise typer.Exit(EXIT_STOPPED) from error
    typer.echo(proof.format_json(report) if json else proof.format_text(report))
    if not report.holds(strict=strict):
        raise typer.Exit(EXIT_ERROR)


def image(
    trace: Annotated[str, typer.Argument(help="The trace's name, such as 17-3fa1c2d4-1.")],
    store: StoreOption = DEFAULT_STORE,
    turn: Annotated[
        int | None,
        typer.Option(min=1, help="The images, or boxes, of this turn's calls."),
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="The photo with the boxes of all calls drawn on it.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="A file, or a folder for them; else the current folder.")
    ] = None,
    dataset_path: DatasetPathOption = None,
) -> None:
    """Write what the teacher saw: the photo as sent, or the images that a turn's calls gave.

    Prints the path of each file.
    """
    from geostore.conversation.images import PhotoSource
    from geostore.show.pictures import write_overlay, write_seen
    from geostore.store import Store

    with Store.open(store) as opened:
        stored = opened.get_trace(opened.find_trace(trace))
    source = PhotoSource(str(dataset_path) if dataset_path else None)
    if overlay:
        typer.echo(write_overlay(stored, out, source, turn=turn))
        return
    for path in write_seen(stored, out, source, turn=turn):
        typer.echo(path)
