"""Shows a text that changes: in one place on a terminal, one below the other elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from geostore.text.phrases import with_time


def show_in_place(texts: Iterable[str], *, title: str) -> None:
    """Show each text as it comes, on stdout; the last one stays.

    title: stands above each text where there is no terminal, with the time.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            for text in texts:
                live.update(Text(text), refresh=True)
        return
    for text in texts:
        # Flushed, because whoever reads a pipe wants to know it now.
        print(f"{with_time(title)}\n{text}\n", flush=True)
