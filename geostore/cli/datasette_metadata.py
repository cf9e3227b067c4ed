"""``geostore datasette-metadata``: words and questions for Datasette."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geostore.cli.options import DEFAULT_STORE, StoreOption, say


def datasette_metadata(
    out: Annotated[Path | None, typer.Argument(help="The file to write; none: print it.")] = None,
    store: StoreOption = DEFAULT_STORE,
    login: Annotated[
        bool,
        typer.Option(
            "--login/--no-login",
            help="Let only those read who log in with the link of datasette --root. Without it any "
            "page in a browser of this machine may.",
        ),
    ] = True,
) -> None:
    """Write metadata for Datasette: what each table and column is, and questions to ask.

    Datasette is a program of its own that shows a SQLite file as web pages. The questions are
    those that are written for SQLite too. docs/questions.md says how to run it, for you alone.
    """
    from geostore.query.datasette import datasette_metadata as make
    from geostore.text.beside import written_beside
    from geostore.text.json_lines import json_text

    text = json_text(make(store, with_login=login), indent=2) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    with written_beside(out) as part:
        part.write_text(text, encoding="utf-8")
    user = " --root" if login else ""
    say(f"wrote {out}; now run: datasette {store} --metadata {out} --host 127.0.0.1{user}")
