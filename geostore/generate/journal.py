"""Commits what rollouts do, many at a time: one writer thread per process.

A rollout hands over a change and waits until it is on disk. Changes that wait
at the same moment share one transaction and one sync, so that many rollouts in
flight cost few commits. Only this thread writes to the store.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from geostore.answers import PARSER_VERSION, parse_answer
from geostore.records import Closing, FailedAttempt, ImageFacts, Reward, ToolCall, Turn
from geostore.rewards import ensure_default_spec, score_trace
from geostore.store import Store

T = TypeVar("T")
_MOST_IN_ONE_COMMIT = 512
"""Changes that share a transaction at most; the first of them waits for all to be done."""


@dataclass(frozen=True, slots=True)
class _Change:
    """A change to the store, and the rollout that waits for it."""

    work: Callable[[Store], Any]
    """Makes the change; the caller gets what it returns."""

    waiting: asyncio.Future[Any]
    """Resolved in the event loop once the change is on disk, or has failed."""


_Result = tuple[_Change, Any, BaseException | None]


class Journal:
    """The writer thread over a store. Use as a context manager, in the thread of the loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="geostore-writer", daemon=True)

    def __enter__(self) -> Journal:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Commit what waits, and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    async def commit(self, work: Callable[[Store], T]) -> T:
        """Do `work` in a transaction and return its value once that is on disk.

        Where another change in the transaction fails, `work` is done again, so it
        must only read and write rows. A caller that is cancelled gets the
        CancelledError only when the change is on disk, or the change's own error
        where it failed: the response in it may be paid for.
        """
        waiting: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put(_Change(work, waiting))
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            while not waiting.done():
                # Asked to end once more, by a second signal for example.
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([waiting])
            waiting.result()
            raise

    def _write(self) -> None:
        while True:
            batch, ended = self._gather()
            if batch:
                results = self._commit(batch)
                self._loop.call_soon_threadsafe(_tell, results)
            if ended:
                return

    def _gather(self) -> tuple[list[_Change], bool]:
        """The changes that wait now, at least one; True where no more will come."""
        first = self._waiting.get()
        if first is None:
            return [], True
        batch = [first]
        while len(batch) < _MOST_IN_ONE_COMMIT:
            try:
                change = self._waiting.get_nowait()
            except queue.Empty:
                break
            if change is None:
                return batch, True
            batch.append(change)
        return batch, False

    def _commit(self, batch: list[_Change]) -> list[_Result]:
        try:
            with self._store.db.transaction():
                values = [change.work(self._store) for change in batch]
        except BaseException as error:
            if len(batch) == 1:
                return [(batch[0], None, error)]
            # One bad change has rolled back the whole batch. Retried one by one, only that
            # one fails.
            return [result for change in batch for result in self._commit([change])]
        return [(change, value, None) for change, value in zip(batch, values, strict=True)]


def _tell(results: list[_Result]) -> None:
    """Resolve what the rollouts wait for. Runs in the event loop, which owns the futures."""
    for change, value, error in results:
        if error is None:
            change.waiting.set_result(value)
        else:
            change.waiting.set_exception(error)


class TraceJournal:
    """Writes one rollout's trace; each method returns when its change is on disk.

    Every method raises ClaimLost, and writes nothing, where another run holds the trace by now.
    """

    def __init__(self, journal: Journal, *, trace_id: int, run_id: int) -> None:
        self._journal = journal
        self._trace_id = trace_id
        self._run_id = run_id

    async def record_turn(self, turn: Turn, photo: ImageFacts | None) -> None:
        """Write a response; with the first one, the photo as it was sent."""
        await self._commit(
            lambda store: store.traces.put_turn(
                self._trace_id, turn, run_id=self._run_id, photo=photo
            )
        )

    async def record_call(self, call: ToolCall) -> None:
        """Write a tool call and its result."""
        await self._commit(lambda store: store.traces.put_call(self._trace_id, call))

    async def record_failure(self, attempt: FailedAttempt) -> None:
        """Write a request that failed."""
        await self._commit(
            lambda store: store.traces.put_attempt(self._trace_id, attempt, run_id=self._run_id)
        )

    async def close(
        self, closing: Closing, *, turn_limit: int, final_response: str | None
    ) -> Reward | None:
        """Close the trace, with its answer and default reward; None for a failed trace."""
        cut = closing.reason == "truncated"
        answer = None if final_response is None else parse_answer(final_response, cut=cut)

        def work(store: Store) -> Reward | None:
            store.traces.close_trace(self._trace_id, closing, turn_limit=turn_limit)
            if answer is None:
                return None
            store.traces.put_answer(self._trace_id, PARSER_VERSION, answer)
            spec_id = ensure_default_spec(store.db)
            return score_trace(store.db, self._trace_id, spec_id)

        return await self._commit(work)

    async def _commit(self, work: Callable[[Store], T]) -> T:
        def while_held(store: Store) -> T:
            store.claims.require_claim(self._trace_id, self._run_id)
            return work(store)

        return await self._journal.commit(while_held)
