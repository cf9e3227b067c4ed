"""``geostore export --check``: reads an export again and says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import typer

from geostore.cli.options import EXIT_ERROR, say, tell


def show_check(folder: Path) -> None:
    """Print what an export holds; raise Exit with 1 where something is wrong with it."""
    from geostore.export.files.checking import check_export
    from geostore.text.phrases import format_number_of

    result = check_export(folder)
    tell(
        f"{result.path}: {result.format}, {format_number_of(result.rows, 'row')}, "
        f"{format_number_of(result.images, 'image')}, {format_number_of(result.files, 'file')}"
    )
    for problem in result.problems:
        say(f"wrong: {problem}")
    if not result.holds():
        raise typer.Exit(EXIT_ERROR)
    for number, text in enumerate(result.learnt, start=1):
        tell(f"learnt in the first row, {number} of {len(result.learnt)}: {' '.join(text.split())}")
    for note in result.notes:
        say(note)
    say(result.loader)
    tell("nothing is wrong")
