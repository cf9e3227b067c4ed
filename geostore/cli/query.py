"""``geostore query``: answers a question in SQL, or one that has a name."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from geostore.cli.headings import HelpCommand
from geostore.cli.options import (
    DEFAULT_STORE,
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    JsonOption,
    KmOption,
    RewardOption,
    StoreOption,
    accuracy_km,
    leave_at_once,
    pairs,
    reward_hash,
    say,
)
from geostore.errors import QueryTimeoutError
from geostore.query.limits import USUAL_SECONDS

_COMMENT = re.compile(r"--(?:[\w-]*\s|[^\w-])")
"""The start of a statement that begins with a comment; an option has neither there."""

ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="A value for what the statement names with a dollar: km=25 for $km. May be repeated.",
    ),
]

TimeoutOption = Annotated[
    float,
    typer.Option("--timeout", min=0, help="Seconds that a statement may take; 0: no limit."),
]

MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        help="What DuckDB may use, such as 4GB; none: GEOSTORE_QUERY_MEMORY in the environment, "
        "else 1500MB. More goes to disk.",
    ),
]

ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        help="Threads of DuckDB; none: GEOSTORE_QUERY_THREADS in the environment, else one for "
        "each core.",
    ),
]

UnsafeOption = Annotated[
    bool,
    typer.Option(
        "--unsafe",
        help="Let statements do all that DuckDB can: read and write files, attach databases, load "
        "extensions, use the network. The store is attached read-only all the same.",
    ),
]

UNSAFE = (
    "unsafe: this statement may read and write files, load extensions and use the network; only "
    "the store is attached read-only"
)

_HOW = (
    "name a query (--list shows the names) or write SQL, as an argument, in a file (-f FILE), or "
    "piped into the command"
)


class QueryCommand(HelpCommand):
    """Has help for each named question, and takes ``-- a comment`` for no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move statements that begin so behind ``--``, where nothing is an option."""
        if "--" not in args and (commented := [arg for arg in args if _COMMENT.match(arg)]):
            args = [*(arg for arg in args if arg not in commented), "--", *commented]
        options, _, _ = self.make_parser(ctx).parse_args(list(args))
        if options.get("help") and isinstance(name := options.get("statement"), str):
            _help_with(name)
        return super().parse_args(ctx, args)


def _help_with(name: str) -> None:
    """Print the help of a question, and end. Does nothing where a statement is given."""
    from geostore.query.headers import find_question
    from geostore.query.question_help import format_question
    from geostore.text.terminal import prose_width

    if question := find_question(name):
        typer.echo(format_question(question, prose_width()))
        raise typer.Exit


def query(
    statement: Annotated[
        str | None,
        typer.Argument(
            help="The name of a query (see --list), or SQL of DuckDB's; - reads it from stdin."
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the statement from this file.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    format: Annotated[
        Literal["table", "csv", "json", "jsonl", "markdown", "parquet"] | None,
        typer.Option(
            "--format",
            help="How rows are written; none: by the suffix of --output, else as a table.",
        ),
    ] = None,
    json: JsonOption = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the answer to this file, which is replaced when all is written.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="At most so many rows, of whatever statement."),
    ] = None,
    reward: RewardOption = None,
    km: KmOption = None,
    param: ParamOption = None,
    timeout: TimeoutOption = USUAL_SECONDS,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    unsafe: UnsafeOption = False,
    list_: Annotated[
        bool, typer.Option("--list", help="List the queries that have names.")
    ] = False,
) -> None:
    """Ask the store a question in SQL; it only reads, also while generate writes.

    geostore query NAME --help says what a named query answers, its parameters and its columns.
    Without a statement, what is piped into it is the statement. Ctrl-C ends a statement at once,
    with exit code 130.
    """
    if list_:
        _list()
        return
    form = _format(format, json, output)
    distances = accuracy_km(km)
    texts = pairs(param or [], "--param")
    asked = _statement(statement, file)
    try:
        from geostore.query.headers import find_question
        from geostore.query.parameters import read_parameters

        values = read_parameters(find_question(asked), texts)

        from geostore.query.limits import Limits
        from geostore.query.output import print_answer

        limits = Limits(memory, threads)
        if unsafe:
            say(UNSAFE)
        else:
            limits.bound_process()
        written, unplaced = print_answer(
            store,
            asked,
            values,
            reward=reward_hash(store, reward),
            km=distances,
            format=form,
            limit=limit,
            file=output,
            timeout=timeout or None,
            limits=limits,
            unsafe=unsafe,
        )
        if written.has_more and (form != "table" or output is not None):
            say(f"these are the first {written.rows:,} rows; there are more (--limit)")
        if unplaced is not None:
            say(unplaced)
    # Both not as usual: a function that DuckDB cannot interrupt may still run in a thread.
    except QueryTimeoutError as error:
        say(f"geostore: {error}")
        leave_at_once(EXIT_ERROR)
    except KeyboardInterrupt:
        say("geostore: interrupted")
        leave_at_once(EXIT_INTERRUPTED)


def _format(given: str | None, json: bool, output: Path | None) -> str:
    """The format to write. Raises a usage error for two, or one that does not go there."""
    if json and given not in (None, "json"):
        raise typer.BadParameter(f"--json and --format {given} are two forms; give one")
    if (chosen := "json" if json else given) is None:
        chosen = "table"
        if output is not None:
            from geostore.text.row_formats import SUFFIXES

            if output.suffix.lower() not in SUFFIXES:
                raise typer.BadParameter(
                    f"{output.name} does not say its format; add --format, or end it in "
                    f"{', '.join(SUFFIXES)}",
                    param_hint="--output",
                )
            chosen = SUFFIXES[output.suffix.lower()]
    if chosen == "parquet" and output is None:
        raise typer.BadParameter("parquet is no text; name a file with --output")
    return chosen


def _list() -> None:
    # Without DuckDB, which takes longer to import than the rest of the list takes.
    from geostore.query.headers import questions
    from geostore.text.terminal import format_entries, prose_width

    entries = ((question.name, question.title) for question in questions())
    typer.echo(format_entries(entries, prose_width()))


def _statement(statement: str | None, file: Path | None) -> str:
    """The statement of the command line, of the file, or of stdin. Raises a usage error."""
    if statement not in (None, "-") and file is not None:
        raise typer.BadParameter("a statement is given twice; leave out it or --file")
    if file is not None and str(file) != "-":
        where, text = str(file), _text_of(file)
    elif statement == "-" or file is not None or (statement is None and not _is_terminal()):
        where, text = "stdin", _decoded(sys.stdin.buffer.read() if sys.stdin else b"", "stdin")
    elif statement is None:
        raise typer.BadParameter(_HOW)
    else:
        return statement
    if not text.strip():
        raise typer.BadParameter(f"{where} holds no statement; {_HOW}")
    return text


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _text_of(file: Path) -> str:
    try:
        return _decoded(file.read_bytes(), str(file))
    except OSError as error:
        raise typer.BadParameter(
            f"{file} cannot be read: {error.strerror}", param_hint="--file"
        ) from error


def _decoded(data: bytes, where: str) -> str:
    try:
        # Some editors begin a file with a byte order mark, which is no part of the statement.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{where} is not UTF-8 text (byte {error.start})") from error
