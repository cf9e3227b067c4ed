"""The help of `geostore generate`: every option under one heading."""

from __future__ import annotations

from collections import Counter

import typer

from geostore.cli import app
from geostore.cli.headings import GENERATE_HEADINGS


def test_every_option_of_generate_stands_under_one_heading() -> None:
    """An option that was forgotten in the table would be missing from the page."""
    command = typer.main.get_command(app).commands["generate"]  # type: ignore[attr-defined]
    options = {option.name for option in command.params} | {"help"}
    under_headings = Counter(name for names in GENERATE_HEADINGS.values() for name in names)
    assert under_headings == Counter(options)
