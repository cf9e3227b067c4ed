"""``geostore sql``: a shell for questions in SQL."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from geostore.cli.options import (
    DEFAULT_STORE,
    EXIT_ERROR,
    KmOption,
    RewardOption,
    StoreOption,
    accuracy_km,
    leave_at_once,
    reward_hash,
    say,
)
from geostore.cli.query import (
    UNSAFE,
    MemoryOption,
    ThreadsOption,
    TimeoutOption,
    UnsafeOption,
)
from geostore.query.limits import USUAL_SECONDS

_ROWS_ON_A_TERMINAL = 1_000


def sql(
    store: StoreOption = DEFAULT_STORE,
    format: Annotated[
        Literal["table", "csv", "json", "jsonl", "markdown"],
        typer.Option("--format", help="How rows are written."),
    ] = "table",
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            help="At most so many rows of an answer; none: 1,000 on a terminal, and all in a pipe.",
        ),
    ] = None,
    reward: RewardOption = None,
    km: KmOption = None,
    timeout: TimeoutOption = USUAL_SECONDS,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    unsafe: UnsafeOption = False,
    history: Annotated[
        bool,
        typer.Option(
            "--history/--no-history",
            help="Remember statements for the next time, but for those that seem to hold a key.",
        ),
    ] = True,
) -> None:
    """Open a shell for questions in SQL; it only reads, also while generate writes.

    A statement ends with a semicolon. The name of a question (see list) asks it, Tab completes
    names, and help shows what else there is. Ctrl-C ends a statement, Ctrl-D the shell.
    Statements may be piped in.
    """
    from geostore.query.limits import Limits
    from geostore.query.shell import Asked, Shell

    is_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    limits = Limits(memory, threads)
    asked = Asked(
        store,
        reward=reward_hash(store, reward),
        km=accuracy_km(km),
        format=format,
        limit=_ROWS_ON_A_TERMINAL if limit is None and is_terminal else limit,
        timeout=timeout or None,
        limits=limits,
        unsafe=unsafe,
        with_time=is_terminal,
    )
    if unsafe:
        say(UNSAFE)
    else:
        limits.bound_process()
    with Shell(asked, say) as shell:
        if is_terminal:
            from geostore.cli.sql_prompt import converse

            say(f"{store}, read-only; help says what there is, Ctrl-D leaves")
            converse(shell, remember=history)
        else:
            for line in sys.stdin or ():
                shell.feed(line)
                if shell.has_left:
                    break
            shell.finish()
    # Not as usual: a function that DuckDB cannot interrupt may still run in a thread.
    leave_at_once(EXIT_ERROR if shell.failures and not is_terminal else 0)
