"""Every command of the command line with what it cannot do without, read from the commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from geostore.cli import app

Words = tuple[str, ...]


def commands() -> dict[str, Any]:
    """Every command, also below another, by its full name."""
    return dict(_below(typer.main.get_command(app), ()))


def options_of(command: Any) -> dict[str, Any]:
    """The options of a command by their longest name, such as ``--min-score``."""
    options = (p for p in command.params if p.param_type_name == "option")
    return {max(option.opts, key=len): option for option in options}


def kind_of(parameter: Any) -> Any:
    """The type of a parameter's value, such as int."""
    return parameter.type_descriptor.annotation


def needed(command: Any, folder: Path, dataset: Path) -> list[str]:
    """Arguments with which a command gets as far as its store.

    folder: where files may be made. dataset: a dataset that can be read.
    """
    words: list[str] = []
    for parameter in command.params:
        is_path = kind_of(parameter) is Path
        if parameter.param_type_name == "argument" and (
            parameter.required or parameter.name in ("statement", "trace")
        ):
            words.append(str(folder / "files") if is_path else "summary")
    if "--base-url" in options_of(command):
        words += ["--dataset-path", str(dataset), "--base-url", "http://127.0.0.1:9/v1"]
        words += ["--model", "m"]
    return words


def _below(command: Any, name: Words) -> Iterator[tuple[str, Any]]:
    if isinstance(command, typer.core.TyperGroup):
        for own, below in sorted(command.commands.items()):
            yield from _below(below, (*name, own))
    else:
        yield " ".join(name), command
