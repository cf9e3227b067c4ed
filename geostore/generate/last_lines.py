"""The last lines of a run: what it did in a small table, and what is left to type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from geostore.generate.figures import RunFigures
from geostore.generate.plan import RunResult
from geostore.text.phrases import (
    format_cost,
    format_counts,
    format_km,
    format_number_of,
    format_span,
)

_NARROWEST = 60
"""Columns. A narrower terminal breaks the lines itself."""

_MAY_CHANGE = ("missing", "undecodable")
"""Reasons to skip a photo that may hold no more later: its file was put back or copied anew."""

_Row = tuple[str, str, str, str, str]
"""A label, its number and its share, a note, and the style of the number."""


def print_table(result: RunResult, figures: RunFigures | None, console: Console) -> None:
    """Print what a run did, within the width of the console; in colour only on a terminal.

    figures: None where nobody counted them to the end. Raises OSError where the console
    takes nothing more.
    """
    closed = format_number_of(result.closed.total(), "trace") + " closed"
    seconds = "" if figures is None else f" in {format_span(figures.elapsed)}"
    head = Text(closed, "bold").append(seconds, "not bold")
    table = _table(_traces(result), [] if figures is None else _spent(figures))
    console.width = max(console.width, _NARROWEST)
    if console.is_terminal:
        console.print(head)
        console.print(table, soft_wrap=False)
        return
    # A file needs no spaces at the ends of its lines.
    with console.capture() as captured:
        console.print(table, soft_wrap=False)
    lines = [head.plain, *(line.rstrip() for line in captured.get().splitlines())]
    console.print("\n".join(lines))


def _table(*groups: list[_Row]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, justify="right", style="dim")
    table.add_column(style="dim")
    for rows in filter(None, groups):
        table.add_row()
        for label, number, share, note, style in rows:
            table.add_row(f"  {label}", Text(number, style), share, Text(note))
    return table


def _traces(result: RunResult) -> list[_Row]:
    """How many traces ended in each way, and how many did not."""
    answered: Counter[str] = Counter()
    exhausted: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    by_status = {"answered": answered, "exhausted": exhausted, "failed": failed}
    for closing, count in result.iter_closings():
        kind = refused if closing.by_refusal else by_status[closing.status]
        kind[closing.reason] += count
    in_all = result.closed.total()

    def ended(label: str, reasons: Counter[str], style: str) -> Iterator[_Row]:
        if count := reasons.total():
            # One reason that says no more than the label is none.
            says_no_more = reasons is answered or set(reasons) == {label}
            note = "" if says_no_more else format_counts(reasons)
            yield label, f"{count:,}", f"{100 * count / in_all:.1f} %", note, style

    def other(label: str, count: int | None, note: str = "", style: str = "") -> Iterator[_Row]:
        if count:
            yield label, f"{count:,}", "", note, style

    set_aside = result.set_aside.counts
    dropped = "requests in flight; the teacher may bill them"
    elsewhere = f"{result.elsewhere:,} held by another process"
    return [
        *ended("answered", answered, "green"),
        *ended("exhausted", exhausted, "yellow"),
        *ended("failed", failed, "red"),
        *ended("refused", refused, "red"),
        *other("left open", result.interrupted),
        *other("dropped", result.dropped, dropped),
        *other("done before", result.done),
        *other("rows skipped", sum(result.excluded.values()), format_counts(result.excluded)),
        *other("set aside", sum(set_aside.values()), format_counts(set_aside), "yellow"),
        *other("remaining", result.remaining, elsewhere if result.elsewhere else "", "bold"),
    ]


def _spent(figures: RunFigures) -> list[_Row]:
    """Tokens, cost, quality and failed requests."""
    if not figures.has_asked:
        return []
    usage, tokens = figures.usage, ""
    if usage.total_tokens:
        tokens = f"{usage.prompt_tokens:,} in, {usage.completion_tokens:,} out"
    if usage.uncounted:
        lacking = f"{format_number_of(usage.uncounted, 'response')} not counted"
        tokens = "; ".join(filter(None, (tokens, lacking)))
    rows = [("tokens", f"{usage.total_tokens:,}", "", tokens, "")]
    if figures.cost is not None:
        each = f"{format_cost(figures.cost / figures.ended)} per trace" if figures.ended else ""
        known = "of counted tokens" if usage.uncounted else ""
        note = ", ".join(filter(None, (each, known)))
        rows.append(("cost", format_cost(figures.cost), "", note, ""))
    if budget := figures.budget_text():
        rows.append(("budget", "", "", f"{budget}, over all runs", ""))
    if figures.mean_km is not None and figures.median_km is not None:
        accepted = f"{100 * (figures.accept_rate or 0):.1f} % accepted"
        note = f"median; mean {format_km(figures.mean_km)}, {accepted}"
        rows.append(("distance", format_km(figures.median_km), "", note, ""))
    if failures := figures.failures.total():
        rows.append(("failures", f"{failures:,}", "", figures.failures_text(), ""))
    return rows


def what_is_left(result: RunResult) -> Iterator[str]:
    """How many traces remain and what to type, in sentences; none where all is done."""
    skipped = sum(result.excluded.get(kind, 0) for kind in _MAY_CHANGE)
    if skipped and not result.has_read_again:
        yield (
            f"{format_number_of(skipped, 'photo')} skipped as missing or damaged; once that is "
            f"mended, run the same command with --retry skipped to read such photos again"
        )
    for condition, sentence in result.set_aside.first.items():
        number = result.set_aside.counts[condition]
        them = f"{format_number_of(number, 'photo')} set aside for this run"
        yield f"{them}: {sentence}" if number == 1 else f"{them}, such as: {sentence}"
    elsewhere = f"{result.elsewhere:,} of them held by another process"
    if result.stopped and result.remaining != 0:
        count = "traces remain" if result.remaining is None else _remain(result.remaining)
        count += f" ({elsewhere})" if result.elsewhere else ""
        # A budget's sentence says itself what to type.
        yield count if result.paused else f"{count}; run the same command again to go on"
    elif result.elsewhere:
        yield (
            f"{_remain(result.elsewhere)}, held by another process; "
            "run the same command again once it has ended"
        )
    traces = format_number_of(result.closed.total(), "trace")
    if failed := result.closed["failed"] - result.refused["failed"]:
        yield (
            f"{failed:,} of {traces} failed (geostore query failures); "
            "run the same command with --retry failed to ask about them again"
        )
    if refused := result.refused.total():
        was = "was" if refused == 1 else "were"
        yield (
            f"{refused:,} of {traces} {was} refused by the server (geostore query "
            "failures); once that is mended, run the same command with --retry refused to ask "
            "about them again"
        )
    if result.paused:
        yield result.paused


def _remain(count: int) -> str:
    return f"{count:,} {'remains' if count == 1 else 'remain'}"
