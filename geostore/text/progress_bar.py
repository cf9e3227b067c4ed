"""Shows how far a command is that works through things it can count.

On a terminal this is a bar that disappears when the work is done, elsewhere a
line every 30 seconds. Work of less than a second shows nothing. Everything goes
to stderr.
"""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from geostore.text.phrases import format_span, with_time

PLAIN_INTERVAL = 30.0
"""Seconds between lines where there is no terminal."""

WORTH_A_BAR = 1.0
"""Seconds of work; a bar for less would only flicker."""


class CountProgress:
    """The progress of one piece of work. Use as a context manager.

    things: what is counted, in the plural. quiet: show nothing. interval: seconds
    between plain lines. bar_after: seconds of work before there is a bar. console:
    where to draw; None for stderr.
    """

    def __init__(
        self,
        things: str,
        *,
        quiet: bool = False,
        interval: float = PLAIN_INTERVAL,
        bar_after: float = WORTH_A_BAR,
        console: Console | None = None,
    ) -> None:
        self._things = things
        self._quiet = quiet
        self._interval = interval
        self._bar_after = bar_after
        self._err = console or Console(
            stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False
        )
        self._began = self._last_line = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=self._err,
            transient=True,
        )
        self._task = self._bar.add_task(things, total=None, state="")
        self._drawn = False

    def __enter__(self) -> CountProgress:
        self._began = self._last_line = time.monotonic()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end()

    def _end(self) -> None:
        """Take the bar away, because only one bar can be drawn at a time."""
        if self._drawn:
            self._bar.stop()
            self._drawn = False

    def show(self, done: int, total: int, state: str = "") -> None:
        """Show that `done` of `total` things are done. state: a few words to add."""
        if self._quiet:
            return
        now = time.monotonic()
        if self._err.is_terminal:
            self._bar.update(self._task, completed=done, total=total, state=state)
            if done >= total:
                self._end()
            elif not self._drawn and now - self._began >= self._bar_after:
                self._bar.start()
                self._drawn = True
        elif now - self._last_line >= self._interval:
            self._last_line = now
            parts = [f"{done:,} of {total:,} {self._things}", state]
            if done:
                parts.append(
                    f"about {format_span(max(total - done, 0) * (now - self._began) / done)} left"
                )
            self._err.print(with_time(", ".join(filter(None, parts))))
