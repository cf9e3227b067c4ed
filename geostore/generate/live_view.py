"""Shows a person how a generate run goes: a live view on a terminal, plain lines elsewhere.

Everything here goes to stderr, but for the block per sample of ``--verbose``,
which is a result and goes to stdout.
"""

from __future__ import annotations

import time

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from geostore.generate.events import Gauges, TraceEnd, Watcher
from geostore.generate.figures import RunFigures
from geostore.records import FailedAttempt, StoredTrace, TraceKey, Turn
from geostore.show.trace_text import sample_block
from geostore.text.progress_bar import PLAIN_INTERVAL


class ProgressWatcher(Watcher):
    """A watcher for people. Use as a context manager.

    verbose: write the block of each sample when its trace closes.
    saved_to: what the block names as the place of the trace.
    quiet: show nothing on the way.
    interval: seconds between plain lines.
    """

    def __init__(
        self,
        *,
        verbose: bool,
        saved_to: str,
        quiet: bool = False,
        interval: float = PLAIN_INTERVAL,
    ) -> None:
        self.figures = RunFigures()
        self._verbose = verbose
        self._quiet = quiet
        self._saved_to = saved_to
        self._interval = interval
        self._err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
        self._out = Console(highlight=False, soft_wrap=True, markup=False)
        self._last_line = time.monotonic()
        self._live: Live | None = None
        if self._err.is_terminal and not quiet:
            # Drawn when the run ticks: a thread of its own would draw while rows are counted.
            self._live = Live(
                get_renderable=self._view, console=self._err, auto_refresh=False, transient=True
            )

    def __enter__(self) -> ProgressWatcher:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def wants_traces(self) -> bool:
        """Whether each closed trace is shown whole."""
        return self._verbose

    def started(self, gauges: Gauges) -> None:
        """There is something to show."""
        self.figures.started(gauges)
        self.tick()

    def tick(self) -> None:
        """Draw the view anew, or write a line where it is time for one."""
        if self._live is not None:
            self._live.refresh()
        elif not self._quiet and time.monotonic() - self._last_line >= self._interval:
            self._last_line = time.monotonic()
            figures = self.figures
            self.notice(f"{figures.progress_text()}; {figures.requests_text()}; {figures.line()}")

    def notice(self, message: str) -> None:
        """A line of its own."""
        if not self._quiet:
            self._err.print(message)

    def planned(self, traces: int) -> None:
        """Counted."""
        self.figures.planned(traces)

    def found_done(self, traces: int) -> None:
        """Counted."""
        self.figures.found_done(traces)

    def turn(self, key: TraceKey, turn: Turn) -> None:
        """Counted."""
        self.figures.turn(key, turn)

    def failure(self, key: TraceKey, attempt: FailedAttempt) -> None:
        """Counted by class; the first of each class is said."""
        self.figures.failure(key, attempt)
        if self.figures.failures[attempt.error_class] == 1:
            self.notice(f"failed request ({attempt.error_class}): {attempt.message}")

    def trace_ended(self, end: TraceEnd, stored: StoredTrace | None) -> None:
        """Counted, and shown whole where asked to."""
        self.figures.trace_ended(end, stored)
        if stored is not None:
            block = sample_block(self.figures.ended, self.figures.to_do, stored, self._saved_to)
            # On a terminal that shows the view as well, it goes above the view.
            above = self._live is not None and self._out.is_terminal
            (self._err if above else self._out).print(block)

    def _view(self) -> Group:
        figures = self.figures
        bar = Table.grid(expand=True)
        bar.add_row(ProgressBar(total=max(figures.to_do, 1), completed=figures.ended))
        grid = Table.grid(padding=(0, 2))
        rows = {
            "traces": figures.progress_text(),
            "requests": f"{figures.turns:,} answered, {figures.requests_text()}",
            "tokens": figures.tokens_text(),
            "quality": figures.quality_text(),
            "failures": figures.failures_text(),
            "cost": figures.cost_text(),
            "paused": figures.paused or "",
        }
        for label, text in rows.items():
            if text:
                grid.add_row(label, Text(text))
        return Group(bar, grid)
