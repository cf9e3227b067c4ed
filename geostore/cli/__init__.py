"""The command line: each command reads its options, calls one function and prints the result.

A command's module has its name. Results go to stdout, messages to stderr. An
error of geostore's is one line and exit code 1 (an error in a statement shows its
place in two more), a wrong option exit code 2, a run that stopped with work left
exit code 3, a run in which many traces failed exit code 4, another command that
Ctrl-C ended exit code 130. A command imports what it needs when it runs, so that
``--help`` answers at once.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, NoReturn

import typer

from geostore.cli.audit import audit
from geostore.cli.datasette_metadata import datasette_metadata
from geostore.cli.demo import demo
from geostore.cli.export import export
from geostore.cli.generate import generate
from geostore.cli.headings import HELP_WIDTH, HelpCommand, HelpGroup
from geostore.cli.image import image
from geostore.cli.import_ import import_
from geostore.cli.options import (
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    EXIT_STOPPED,
    mute_closed_outputs,
    say,
)
from geostore.cli.query import QueryCommand, query
from geostore.cli.report import report
from geostore.cli.rescore import rescore
from geostore.cli.rewards import rewards
from geostore.cli.show import show
from geostore.cli.sql import sql
from geostore.cli.stats import stats
from geostore.cli.status import status
from geostore.cli.traces import traces
from geostore.cli.verify import verify
from geostore.errors import GaveUp, GeostoreError

app = typer.Typer(
    name="geostore",
    cls=HelpGroup,
    help="Turn a teacher vision-language model into training data for photo geolocation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH},
)


def _version(value: bool) -> None:
    if value:
        from geostore.version import VERSION

        typer.echo(f"geostore {VERSION}")
        raise typer.Exit


@app.callback()
def geostore(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Turn a teacher vision-language model into training data for photo geolocation.

    A store is one SQLite file that holds every sample, turn, tool call, answer and reward.
    """
    # `debug` is read in `main`, which is where errors arrive.


# In the order of their use.
COMMANDS = (
    *(generate, import_, rescore, query, sql, stats, status, traces, show, image),
    *(audit, verify, report, export, datasette_metadata, demo),
)
CLASSES: dict[object, type[HelpCommand]] = {query: QueryCommand}
for command in COMMANDS:
    # A word of Python's own cannot be a function's name.
    name = command.__name__.removesuffix("_").replace("_", "-")
    app.command(name, cls=CLASSES.get(command, HelpCommand))(command)
app.add_typer(rewards)


_INTERRUPTED = "geostore: interrupted; what was committed is in the store"


def main() -> NoReturn:
    """The entry point of the command line."""
    try:
        if sys.platform == "win32":
            # Here too, since not every command opens a store.
            from geostore.store.requirements import require_platform

            require_platform()
        if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower() != "utf-8":
            # A terminal of another encoding shows a character that it lacks as \u6771.
            sys.stdout.reconfigure(errors="backslashreplace")
        _require_text(sys.argv[1:])
        try:
            app(standalone_mode=True)
        except SystemExit as ended:
            # Typer ends so after Ctrl-C, without a word; a command that has its own says it itself.
            if ended.code == EXIT_INTERRUPTED:
                say(_INTERRUPTED)
            raise
        finally:
            sys.stdout.flush()  # here, where an error can still be told
    except GeostoreError as error:
        if sys.argv[1:2] == ["--debug"]:
            raise
        say(f"geostore: {error}")
        # Only the teacher was away: the same command goes on where this one stopped.
        sys.exit(EXIT_STOPPED if isinstance(error, GaveUp) else EXIT_ERROR)
    except KeyboardInterrupt:
        say(_INTERRUPTED)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        mute_closed_outputs()  # whoever read, such as head, has read enough
        sys.exit(EXIT_ERROR)
    except (OSError, MemoryError) as error:
        if sys.argv[1:2] == ["--debug"]:
            raise
        say(f"geostore: {_of_the_system(error)}")
        mute_closed_outputs()
        sys.exit(EXIT_ERROR)
    sys.exit(EXIT_ERROR)  # `app` exits by itself


def _require_text(arguments: list[str]) -> None:
    """Raise GeostoreError for an argument that no file of geostore could hold."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            shown = os.fsencode(argument).decode(errors="backslashreplace")
            encoding = sys.getfilesystemencoding()
            how = "write it so" if encoding == "utf-8" else "set LC_ALL=C.UTF-8"
            raise GeostoreError(f"the argument {shown} is not text in {encoding}; {how}") from error


def _of_the_system(error: OSError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "the memory of this machine is used up; ask for less at once"
    if error.filename is None:  # from printing
        return f"the output cannot be written: {error.strerror or error}"
    return f"{error.filename} cannot be read or written: {error.strerror or error}"
