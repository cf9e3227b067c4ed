"""Waits for runs that hold traces and cannot be seen from here, until they show a sign."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from geostore.generate.events import Event, Noticed
from geostore.generate.journal import Journal
from geostore.store import UnseenRun
from geostore.text.phrases import format_span

_LOOK_SECONDS = 1.0


async def wait_for_unseen_runs(
    journal: Journal,
    *,
    run_id: int,
    stopping: asyncio.Event,
    watch: Callable[[Event], None],
    claim_seconds: float,
) -> None:
    """Return once each such run has renewed its claims, or they have expired or were given back.

    Without the wait, the traces of a container that was killed would be left for
    another start of the command. A run that lives renews its claims within
    `claim_seconds`, so this takes no longer. Ends early when `stopping` is set.
    run_id: of the run that waits.
    """

    async def look() -> dict[int, UnseenRun]:
        unseen = await journal.commit(lambda store: store.runs.end_killed_runs())
        return {run.run_id: run for run in unseen if run.run_id != run_id}

    waited_for = await look()
    if waited_for:
        places = {f"process {run.pid} on {run.host}" for run in waited_for.values()}
        watch(
            Noticed(
                f"waiting for {', '.join(sorted(places))}, which holds traces and cannot be seen "
                f"from here: it renews its claims, or they expire, within "
                f"{format_span(claim_seconds)}"
            )
        )
    while waited_for and not stopping.is_set():
        try:
            await asyncio.wait_for(stopping.wait(), _LOOK_SECONDS)
        except TimeoutError:
            now = await look()
            waited_for = {
                key: run
                for key, run in waited_for.items()
                if key in now and now[key].claim_until <= run.claim_until
            }
