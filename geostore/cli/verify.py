"""``geostore verify``: derives what the teacher saw again and compares it with the store."""

from __future__ import annotations

from typing import Annotated

import typer

from geostore.cli.options import (
    DEFAULT_STORE,
    EXIT_ERROR,
    EXIT_STOPPED,
    DatasetPathOption,
    JsonOption,
    StoreOption,
    say,
    tell,
)


def verify(
    store: StoreOption = DEFAULT_STORE,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Check only so many traces, the same ones every time."),
    ] = None,
    dataset_path: DatasetPathOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings too.")] = False,
    mend: Annotated[
        bool,
        typer.Option(
            "--mend",
            help="Write anew what questions read of a trace whose rows another program changed.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Prove the store: derive every image and every request again, and compare by hash.

    Exit code 1 where anything failed or could not be verified.
    """
    from geostore import verify as proof
    from geostore.text.progress_bar import CountProgress

    try:
        with CountProgress("traces") as bar:
            report = proof.verify(
                store,
                sample=sample,
                dataset_path=str(dataset_path) if dataset_path else None,
                mend=mend,
                progress=bar.show,
            )
    except KeyboardInterrupt as error:
        say("geostore: interrupted; what was not checked is not proven")
        raise typer.Exit(EXIT_STOPPED) from error
    if json:
        typer.echo(proof.format_json(report))
    else:
        tell(proof.format_text(report))
    if not report.holds(strict=strict):
        raise typer.Exit(EXIT_ERROR)
