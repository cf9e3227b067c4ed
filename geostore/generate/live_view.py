"""Shows a person how a generate run goes: a live view on a terminal, plain lines elsewhere.

Everything goes to stderr except the block per sample of ``--verbose``: that is a
result, and goes to stdout.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import NoReturn

from rich.console import Console, Group
from rich.live import Live

from geostore.generate.events import (
    AskingStarted,
    Event,
    Noticed,
    RequestFailed,
    Ticked,
    TraceEnded,
    Understood,
)
from geostore.generate.figures import RunFigures
from geostore.generate.last_lines import print_table
from geostore.generate.plan import RunResult
from geostore.generate.view import view
from geostore.records import FailedAttempt, StoredTrace
from geostore.show.trace_text import sample_block
from geostore.text.phrases import with_time
from geostore.text.progress_bar import PLAIN_INTERVAL
from geostore.text.terminal import wrap_with_indent


class _Console(Console):
    """A console of which a reader that is gone is an error like any other."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise BrokenPipeError; Rich's own would end the process."""
        raise BrokenPipeError("nobody reads what the run shows any more")


class ProgressWatcher:
    """A watcher for people. Use as a context manager.

    After an OSError of the terminal, `failed` is set and nothing more is to be shown.
    A closed trace is shown whole where the run sends whole traces.
    saved_to: named in a whole trace as the place where it is.
    quiet: show nothing but whole traces.
    interval: seconds between plain lines.
    """

    def __init__(
        self,
        *,
        saved_to: str,
        quiet: bool = False,
        interval: float = PLAIN_INTERVAL,
    ) -> None:
        self.figures = RunFigures()
        self.failed = False
        self._quiet = quiet
        self._saved_to = saved_to
        self._interval = interval
        self._err = _Console(
            stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False
        )
        self._out = _Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
        self._last_line = time.monotonic()
        self._live: Live | None = None
        if self._err.is_terminal and not quiet:
            # Drawn when the run ticks: a thread of Rich's own could draw while a count changes.
            self._live = Live(
                get_renderable=self._view, console=self._err, auto_refresh=False, transient=True
            )

    def __enter__(self) -> ProgressWatcher:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._live is not None:
            # The terminal may be gone, and what was shown there with it.
            with suppress(OSError):
                self._live.stop()

    def watch(self, event: Event) -> None:
        """Count the event, and show it or the view where it is time to."""
        self.figures.watch(event)
        try:
            self._show(event)
        except OSError:
            self.failed = True
            raise

    def print_end(self, result: RunResult) -> None:
        """Print the last table. Call it after the view is left; raises OSError."""
        print_table(result, None if self.failed else self.figures, self._err)

    def _show(self, event: Event) -> None:
        match event:
            case AskingStarted() | Ticked():
                self._show_progress()
            case Noticed():
                if not event.at_end:
                    self._print(event.message)
            case Understood() if not self._quiet:
                self._show_understood(event.lines)
            case RequestFailed():
                if not event.ends_run:
                    self._show_failure(event.attempt)
            case TraceEnded():
                if event.trace is not None:
                    self._show_trace(event.trace)
            case _:
                pass

    def _show_progress(self) -> None:
        """Draw the view anew, or write a line once `interval` has passed."""
        if self._live is not None:
            self._live.refresh()
        elif not self._quiet and time.monotonic() - self._last_line >= self._interval:
            self._last_line = time.monotonic()
            self._print(self.figures.line())

    def _show_failure(self, attempt: FailedAttempt) -> None:
        # The first of each class; an outage would fill the screen with the same sentence.
        if self.figures.failures[attempt.error_class] == 1:
            self._print(f"failed request ({attempt.error_class}): {attempt.message}")

    def _show_trace(self, trace: StoredTrace) -> None:
        block = sample_block(self.figures.ended, self.figures.to_do, trace, self._saved_to)
        # On a terminal that shows the view as well, the block goes above the view.
        above = self._live is not None and self._out.is_terminal
        (self._err if above else self._out).print(block)

    def _show_understood(self, lines: tuple[tuple[str, str], ...]) -> None:
        """Texts behind their labels; on a terminal, long ones go on below themselves."""
        width = self._err.width if self._err.is_terminal else None
        room = 2 + max(len(label) for label, _ in lines)
        aligned = [
            line
            for label, text in lines
            for line in wrap_with_indent(text, width, first=label.ljust(room), later=" " * room)
        ]
        if self._err.is_terminal:
            # In one piece, because the view is drawn anew below whatever is printed. Soft wrapping
            # leaves a path whole that is too long for a line.
            self._err.print("\n".join([*aligned, ""]), soft_wrap=True)
        else:
            for line in aligned:
                self._print(line)

    def _print(self, message: str) -> None:
        if self._quiet:
            return
        if self._err.is_terminal:
            # Soft wrapping would break a long notice in the middle of a word.
            self._err.print(message, soft_wrap=False)
        else:
            self._err.print(with_time(message))

    def _view(self) -> Group:
        return view(self.figures, self._err)
