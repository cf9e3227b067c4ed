"""Help: every option once, under its heading, and as wide as the terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from geostore.cli import app
from geostore.cli.headings import COMMAND_HEADINGS, GENERATE_HEADINGS, HEADINGS, HELP_WIDTH
from tests.running import geostore


def group() -> TyperGroup:
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    return command


GROUP = group()


def commands(within: TyperGroup, *names: str) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """Every command that does something, with the words that call it."""
    for name, command in within.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, *names, name)
        elif isinstance(command, TyperCommand):
            yield (*names, name), command


COMMANDS = dict(commands(GROUP))


def page(*words: str, width: int) -> str:
    return geostore(*words, "--help", COLUMNS=str(width)).stdout


def test_every_option_of_generate_stands_under_one_heading() -> None:
    """An option that was forgotten in the table would be missing from the page."""
    command = COMMANDS["generate",]
    options = {option.name for option in command.params} | {"help"}
    under_headings = Counter(name for names in GENERATE_HEADINGS.values() for name in names)
    assert under_headings == Counter(options)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_of_a_command_stands_once_in_its_help(words: tuple[str, ...]) -> None:
    """At any width the same options, each with what it does, and no word of it broken."""
    pages = [page(*words, width=width) for width in (60, 80, 200)]
    for width, text in zip((60, 80, 200), pages, strict=True):
        assert max(map(len, text.splitlines())) <= min(width, HELP_WIDTH)
        options = [p for p in COMMANDS[words].params if p.param_type_name == "option"]
        for option in options:
            lines = re.findall(
                rf"^  (?:-\w, )?{re.escape(option.opts[0])}[ ,\n]", text, re.MULTILINE
            )
            assert len(lines) == 1, option.opts
    assert len({tuple(sorted(text.split())) for text in pages}) == 1


def test_every_heading_is_of_a_command_and_every_command_has_a_heading() -> None:
    assert {(name,) for name in HEADINGS} <= set(COMMANDS)
    with_headings = Counter(name for names in COMMAND_HEADINGS.values() for name in names)
    assert with_headings == Counter(list(GROUP.commands))


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("words", [(), ("rewards",)], ids=["geostore", "rewards"])
def test_a_list_of_commands_tells_each_in_a_whole_sentence(
    words: tuple[str, ...], width: int
) -> None:
    text = page(*words, width=width)
    assert max(map(len, text.splitlines())) <= min(width, HELP_WIDTH)
    assert "..." not in text.replace("[ARGS]...", "")


def test_help_in_a_pipe_is_plain_text() -> None:
    assert "\x1b" not in page("generate", width=80)
