"""Runs the command line on a pseudo-terminal of a given width."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import termios
from contextlib import suppress
from pathlib import Path

from tests.running import command, environment

_ESCAPES = re.compile(r"\x1b\[[\d;]*m")


def on_terminal(
    *arguments: str | Path, columns: int, environ: dict[str, str] | None = None
) -> tuple[int, list[str]]:
    """The exit code of a command on a real terminal, without COLUMNS, and the lines on it.

    environ: what else stands in the environment.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, columns))
    without = {k: v for k, v in environment().items() if k != "COLUMNS"}
    text = b""
    with subprocess.Popen(
        command(*arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**without, **(environ or {})},
    ) as started:
        os.close(theirs)
        with suppress(OSError):  # the terminal has no end of file but an error
            while part := os.read(ours, 10_000):
                text += part
        os.close(ours)
    return started.returncode, text.decode().splitlines()


def without_colours(line: str) -> str:
    """What a reader of the terminal sees of a line."""
    return _ESCAPES.sub("", line)
