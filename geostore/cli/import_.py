"""``geostore import``: takes in trace files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from geostore.cli.options import (
    DEFAULT_STORE,
    EXIT_ERROR,
    EXIT_STOPPED,
    StoreOption,
    pairs,
    say,
    tell,
)
from geostore.cli.remade_lines import remade_lines

if TYPE_CHECKING:
    from geostore.importing import ImportResult, Problem


def import_(
    source: Annotated[
        Path,
        typer.Argument(exists=True, help="The folder with the trace files, or one file."),
    ],
    store: StoreOption = DEFAULT_STORE,
    dataset_path: Annotated[
        Path | None,
        typer.Option(
            "--dataset-path",
            "--dataset_path",
            help="The dataset the traces were made from; every row number is checked against it.",
        ),
    ] = None,
    match: Annotated[
        Literal["index", "coordinates"],
        typer.Option(
            help="Where a row number is not at the file's coordinates: leave the file out, or take "
            "the one row that is there."
        ),
    ] = "index",
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Name a column, or a part of one: lat=latitude, lat=location.lat. May be repeated."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The teacher of files that do not name theirs.")
    ] = None,
    tools: Annotated[
        bool | None,
        typer.Option(
            "--tools/--no-tools",
            help="Whether the teacher was offered tools, for files that do not say which; else a "
            "batch with a call was.",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Keeps these traces apart from others; else the folder's name below."),
    ] = None,
    bbox_frame: Annotated[
        Literal["auto", "norm1000", "pixel", "full_pixel", "relative", "norm1000_yx"],
        typer.Option(
            "--bbox-frame",
            help="The frame of the boxes in the files; auto: the one that gives their images.",
        ),
    ] = "auto",
    report: Annotated[
        Path | None,
        typer.Option(help="Write every skipped file into this one, a JSON object a line."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that read files; else one a core.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show only how it ended.")] = False,
) -> None:
    """Import trace files of older scripts, or an export; what is in already is left alone.

    A file may hold one trace, a list of them, or one a line (.jsonl). Files that are no traces, are
    broken, or are about another row are skipped and named. Rewards in the files are kept beside
    those that are computed anew.
    """
    from geostore.importing import ReadOptions, import_traces
    from geostore.store import Store
    from geostore.text.progress_bar import CountProgress

    options = ReadOptions(
        dataset_path=None if dataset_path is None else str(dataset_path),
        columns=pairs(column or [], "--column"),
        model=model,
        label=label,
        tools=tools,
        match=match,
        bbox_frame=None if bbox_frame == "auto" else bbox_frame,
    )
    try:
        with ExitStack() as stack:
            report_file = stack.enter_context(_Report(report)) if report is not None else None
            progress = stack.enter_context(CountProgress("traces", quiet=quiet))
            images = stack.enter_context(CountProgress("traces with images", quiet=quiet))
            opened = stack.enter_context(Store.open(store, create=True, durability="normal"))
            result = import_traces(
                opened,
                source,
                options=options,
                processes=processes,
                leave_out=report,
                on_problem=report_file.write if report_file is not None else None,
                on_progress=progress.show,
                on_remade=images.show,
            )
    except KeyboardInterrupt:
        say("stopped; what was committed is in the store: run the same command again to go on")
        raise typer.Exit(EXIT_STOPPED) from None
    _print_result(result, report)
    if result.skipped and not (result.imported or result.known):
        raise typer.Exit(EXIT_ERROR)


def _print_result(result: ImportResult, report: Path | None) -> None:
    from geostore.importing.skipped import skipped_table
    from geostore.text.phrases import format_number_of

    for problem in result.problems:
        say(_printable(f"skipped ({problem.kind}) {problem.path}: {problem.why}"))
    total = result.skipped.total()
    if total > len(result.problems):
        rest = f"{total - len(result.problems):,} more skipped"
        say(rest if report is not None else f"{rest}; --report FILE lists them all")
    if report is not None:
        say(f"{report}: {format_number_of(total, 'skipped file')}")
    if result.unproven:
        files = format_number_of(result.unproven, "file")
        say(f"{files} of geostore imported as other scripts' files are: {result.unproven_why}")
    if mismatched := result.skipped["row_mismatch"] + result.moved:
        numbers = (
            "1 row number does not belong to its"
            if mismatched == 1
            else f"{mismatched:,} row numbers do not belong to their"
        )
        say(
            f"{numbers} coordinates: {result.moved:,} found by them, "
            f"{result.skipped['row_mismatch']:,} skipped"
            + ("" if result.moved else "; --match coordinates looks for their rows")
        )
    for line in remade_lines(result.remade):
        say(_printable(line))
    if result.without_dataset:
        say(
            f"{format_number_of(result.without_dataset, 'trace')} came in before without a dataset "
            "and stay without photos; import the files into a new store (--store) to give them one"
        )
    traces = format_number_of(result.imported, "trace")
    parts = [f"imported {traces} of {format_number_of(result.files, 'file')}"]
    if result.known:
        parts.append(f"{result.known:,} known before")
    if total:
        parts.append(f"{total:,} skipped")
    parts.append(f"{format_number_of(result.rewards, 'reward')} computed")
    tell(", ".join(parts))
    if total:
        typer.echo(f"\n{skipped_table(result.skipped)}")


def _printable(text: str) -> str:
    """Text from a file, without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


class _Report:
    """A file with a JSON object a line. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> _Report:
        from geostore.errors import TraceImportError

        try:
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise TraceImportError(f"{self._path} cannot be written: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, problem: Problem) -> None:
        """Append what is wrong with a file."""
        from geostore.text.json_lines import json_text

        self._file.write(json_text(problem.to_json()) + "\n")
