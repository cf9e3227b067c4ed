"""What several commands share: options, exit codes, and messages on stderr."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from geostore.text.carets import fit_to_caret

EXIT_ERROR = 1
EXIT_STOPPED = 3
EXIT_MANY_FAILED = 4
EXIT_INTERRUPTED = 128 + signal.SIGINT
"""What a shell gives for a command that Ctrl-C ended."""

StoreOption = Annotated[
    Path, typer.Option("--store", envvar="GEOSTORE_STORE", help="The store, one SQLite file.")
]
DEFAULT_STORE = Path("geostore.db")

DatasetPathOption = Annotated[
    Path | None,
    typer.Option("--dataset-path", "--dataset_path", help="Where the dataset is now."),
]

RewardOption = Annotated[
    str | None,
    typer.Option(
        "--reward", help="The reward whose scores count, by name or hash; none: the default."
    ),
]

KmOption = Annotated[
    str | None,
    typer.Option(
        "--km",
        metavar="KM,...",
        help="The distances of accuracy, such as 0.5,1,25; none: 1, 25, 200, 750 and 2500 km, or a "
        "question's own.",
    ),
]

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def reward_hash(store: Path, reward: str | None) -> str | None:
    """The hash of the store's reward that an option names; None where it names none.

    Raises RewardError.
    """
    if reward is None:
        return None
    from geostore.rewards import get_named
    from geostore.store import Store

    # Closed before DuckDB reads the store in this process: the two SQLite libraries do not see each
    # other's locks, and closing one drops the locks of the other.
    with Store.open(store) as opened:
        return get_named(opened.db, reward).sha256


def accuracy_km(km: str | None) -> tuple[float, ...] | None:
    """The distances that an option names; None where it names none. Raises a usage error."""
    if km is None:
        return None
    from geostore.errors import QueryError
    from geostore.query.thresholds import read_km

    try:
        return read_km(km)
    except QueryError as error:
        raise typer.BadParameter(str(error), param_hint="--km") from error


def tell(text: str) -> None:
    """Text for a person, on stdout. Lines too long for a terminal are broken between words."""
    from geostore.text.terminal import output_width, wrap_lines

    typer.echo(wrap_lines(text, output_width(), hanging=2))


def say(message: str) -> None:
    """A line for a person, on stderr; lost where nobody reads it any more.

    A terminal would break a long one in the middle of a word, so it is broken between words
    there; a file or a pipe gets it whole.
    """
    try:
        typer.echo(for_terminal(message), err=True)
    except OSError:
        mute_closed_outputs()


def for_terminal(message: str) -> str:
    """A message for stderr, broken between words where it goes to a terminal."""
    from geostore.text.terminal import output_width, wrap_lines

    columns = output_width(sys.stderr) if sys.stderr.isatty() else None
    if columns is None:
        return message
    return wrap_lines("\n".join(fit_to_caret(message.split("\n"), columns)), columns)


def mute_closed_outputs() -> None:
    """Lead stdout and stderr to nowhere where they take nothing more.

    What they still hold would fail again when Python exits, which would then exit with a
    code of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def leave_at_once(code: int) -> NoReturn:
    """End the process without waiting for threads; what was printed is printed."""
    mute_closed_outputs()
    os._exit(code)


def require_numbers(context: Any, parameters: Iterable[Any]) -> None:
    """Raise a usage error for an option that is NaN, infinite, or past 64 bits.

    context: a command's, once its options are read. No option means anything by such
    numbers: nobody can wait for, pay or count to infinity, no comparison with NaN holds,
    and a store's whole numbers have 64 bits.
    """
    for parameter in parameters:
        value = context.params.get(parameter.name or "")
        if isinstance(value, float) and not math.isfinite(value):
            raise typer.BadParameter(
                f"{value} is not a finite number", ctx=context, param=parameter
            )
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise typer.BadParameter(
                f"{value} is too large; whole numbers have 64 bits", ctx=context, param=parameter
            )


def pairs(values: list[str], option: str) -> dict[str, str]:
    """``name=value`` strings as a dict. Raises a usage error for any other string."""
    values_by_name: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{value!r} is not name=value", param_hint=option)
        values_by_name[name] = rest
    return values_by_name


def json_object(text: str | None, option: str) -> dict[str, Any]:
    """A JSON object that an option holds. Raises a usage error for anything else."""
    from geostore.identity import canonical_json

    try:
        value = json.loads(text or "{}", parse_constant=_number, parse_float=_number)
        canonical_json(value)  # numbers past 64 bits, and halves of characters
    except (ValueError, TypeError, RecursionError) as error:
        raise typer.BadParameter(f"this is no JSON: {error}", param_hint=option) from error
    if not isinstance(value, dict):
        raise typer.BadParameter("this is no JSON object", param_hint=option)
    return value


def _number(text: str) -> float:
    """A number of JSON, which has neither NaN nor infinity. Raises ValueError."""
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is not a finite number")
    return value
