"""Shows a person how a generate run goes: a bar on a terminal, plain lines elsewhere.

Everything here goes to stderr, but for the block per sample of ``--verbose``,
which is a result and goes to stdout.
"""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from geostore.records import FailedAttempt, StoredTrace, TraceKey, Turn
from geostore.show import sample_block
from geostore.watching import TraceEnd

PLAIN_INTERVAL = 30.0
"""Seconds between lines where there is no terminal."""


class ProgressWatcher:
    """A `generate.Watcher` for people. Use as a context manager.

    verbose: write the block of each sample when its trace closes.
    saved_to: what the block names as the place of the trace.
    quiet: show nothing on the way.
    """

    def __init__(self, *, verbose: bool, saved_to: str, quiet: bool = False) -> None:
        self._verbose = verbose
        self._quiet = quiet
        self._saved_to = saved_to
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)
        self._out = Console(highlight=False, soft_wrap=True, markup=False)
        self._planned = 0
        self._found_done = 0
        self._ended = 0
        self._tokens = 0
        self._distances = 0.0
        self._measured = 0
        self._failures: Counter[str] = Counter()
        self._started = time.monotonic()
        self._last_line = self._started
        self._bar: Progress | None = None
        if self._err.is_terminal and not quiet:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[state]}"),
                TimeRemainingColumn(),
                console=self._err,
            )
            self._task = self._bar.add_task("traces", total=None, state="")

    def __enter__(self) -> ProgressWatcher:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def wants_traces(self) -> bool:
        """Whether each closed trace is shown whole."""
        return self._verbose

    def notice(self, message: str) -> None:
        """A line of its own."""
        if self._quiet:
            return
        self._err.print(message, markup=False)

    def planned(self, traces: int) -> None:
        """The bar's length."""
        self._planned = traces
        if self._bar is not None:
            self._bar.update(self._task, total=traces)

    def found_done(self, traces: int) -> None:
        """Counted as done, but not in the rate."""
        self._found_done += traces
        # A bar whose done part was not done now would promise a false time left.
        if self._bar is not None:
            self._bar.update(self._task, total=self._planned - self._found_done)

    def turn(self, key: TraceKey, turn: Turn) -> None:
        """Counts the tokens."""
        self._tokens += (turn.prompt_tokens or 0) + (turn.completion_tokens or 0)
        self._show()

    def failure(self, key: TraceKey, attempt: FailedAttempt) -> None:
        """Counted by class; the first of each class is said."""
        self._failures[attempt.error_class] += 1
        if self._failures[attempt.error_class] == 1:
            self.notice(f"failed request ({attempt.error_class}): {attempt.message}")
        self._show()

    def trace_ended(self, end: TraceEnd, stored: StoredTrace | None) -> None:
        """Counts it, and shows its block where asked to."""
        self._ended += 1
        if end.reward is not None and end.reward.distance_km is not None:
            self._distances += end.reward.distance_km
            self._measured += 1
        if stored is not None:
            block = sample_block(
                self._ended, self._planned - self._found_done, stored, self._saved_to
            )
            console = self._bar.console if self._bar is not None and self._out.is_terminal else None
            (console or self._out).print(block, markup=False)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._ended)
        self._show()

    def state(self) -> str:
        """Rate, tokens, mean distance of what this run has closed, in one line."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        parts = [f"{60 * self._ended / seconds:.1f}/min", f"{self._tokens:,} tokens"]
        if self._measured:
            parts.append(f"mean {self._distances / self._measured:,.0f} km")
        if failed := self._failures.total():
            parts.append(f"{failed} failed requests")
        return ", ".join(parts)

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(self._task, state=self.state())
            return
        now = time.monotonic()
        if now - self._last_line >= PLAIN_INTERVAL:
            self._last_line = now
            total = self._planned - self._found_done
            self.notice(f"{self._ended}/{total} traces, {self.state()}{self._time_left(total)}")

    def _time_left(self, total: int) -> str:
        if not self._ended:
            return ""
        seconds = (total - self._ended) * (time.monotonic() - self._started) / self._ended
        return f", about {seconds / 60:.0f} min left"
