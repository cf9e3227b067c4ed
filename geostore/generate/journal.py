"""Commits what rollouts do, many at a time: one writer thread per process.

A rollout hands over a change and waits until it is on disk. Changes that wait
at the same moment share one transaction and one sync, so that many rollouts in
flight cost few commits. Only this thread writes to the store.

While another program holds the store's write lock, all changes wait for it
together and as long as it takes, with a notice now and then: they hold what was
paid for, and nothing else of the store is at risk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from geostore.answers import PARSER_VERSION
from geostore.conversation.interim import interim_answers
from geostore.conversation.machine import read_answer
from geostore.errors import StoreLockedError
from geostore.records import Closing, FailedAttempt, ImageFacts, Reward, ToolCall, Turn
from geostore.rewards import (
    ensure_default_spec,
    is_gazetteer_loaded,
    load_gazetteer,
    place_trace,
    score_trace,
)
from geostore.store import Store
from geostore.text.phrases import format_number_of, format_span

T = TypeVar("T")
CLAIM_SECONDS = 120.0
"""How long a claim holds without being renewed: so long a killed run's traces stay taken."""

_NOTICE_SECONDS = 30.0
"""From one notice of a lock to the next."""

_LOOK_SECONDS = 1.0
"""How long SQLite waits for the lock at a time; giving up takes effect in between."""

_MOST_IN_ONE_COMMIT = 512
"""Changes that share a transaction at most; the first of them waits for all to be done."""


@dataclass(frozen=True, slots=True)
class _Change:
    """A change to the store, and the rollout that waits for it."""

    work: Callable[[Store], Any]
    """Makes the change; the caller gets what it returns."""

    waiting: asyncio.Future[Any]
    """Resolved in the event loop once the change is on disk, or has failed."""

    is_paid: bool
    """Whether it holds a response."""


@dataclass(frozen=True, slots=True)
class _Look:
    """Wakes the writer to read what is followed."""


_Result = tuple[_Change, Any, BaseException | None]


class Journal:
    """The writer thread over a store. Use as a context manager, in the thread of the loop.

    notice: called in the event loop with sentences about a lock that another
    program holds, every `notice_seconds`.
    """

    def __init__(
        self,
        store: Store,
        *,
        notice: Callable[[str], None] = lambda message: None,
        notice_seconds: float = _NOTICE_SECONDS,
    ) -> None:
        self._store = store
        self._notice = notice
        self._notice_seconds = notice_seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[_Change | _Look | None] = queue.SimpleQueue()
        self._read: Callable[[Store], Callable[[], None]] | None = None
        self._thread = threading.Thread(target=self._write, name="geostore-writer", daemon=True)
        # When to fail what waits for a lock, on the monotonic clock; None: never.
        self._give_up_at: float | None = None
        self._busy_timeout = 0.0
        self._gazetteer: asyncio.Future[None] | None = None
        # Changes and, of them, responses: handed over, which the loop counts, and settled, which
        # the writer counts.
        self._handed = self._handed_paid = 0
        self._settled = self._settled_paid = 0
        # Since when a lock has kept everybody from writing, and the time of the next notice of it.
        self._locked_since: float | None = None
        self._next_notice = 0.0

    def __enter__(self) -> Journal:
        look = min(_LOOK_SECONDS, self._notice_seconds)
        self._busy_timeout = self._store.db.set_busy_timeout(look)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Commit what waits, and end the thread."""
        self._waiting.put(None)
        self._thread.join()
        self._store.db.set_busy_timeout(self._busy_timeout)

    def follow(self, read: Callable[[Store], T], tell: Callable[[T], None]) -> None:
        """Read something anew after each commit and at each `look`, and tell it in the event loop.

        Whoever waits for the commit goes on only after `tell`. read: called in the
        writer's thread, outside of a transaction; does not raise.
        """

        def read_then(store: Store) -> Callable[[], None]:
            value = read(store)
            return lambda: tell(value)

        self._read = read_then

    def look(self) -> None:
        """Read what is followed, if anything is, without a commit."""
        if self._read is not None:
            self._waiting.put(_Look())

    async def load_gazetteer(self) -> None:
        """Read what places are computed from, once, in a thread beside the writer.

        Within a transaction, all that commit would wait for it, and other programs too.
        """
        if is_gazetteer_loaded():
            return
        if self._gazetteer is None:
            self._gazetteer = self._loop.run_in_executor(None, load_gazetteer)
        await asyncio.shield(self._gazetteer)

    def give_up(self) -> None:
        """Wait for a lock of another program no longer than the store's busy timeout.

        What waits for it then fails. A second call waits no longer at all. Neither changes
        anything where the store is not locked.
        """
        wait = self._busy_timeout if self._give_up_at is None else 0.0
        self._give_up_at = time.monotonic() + wait

    async def commit(self, work: Callable[[Store], T], *, is_paid: bool = False) -> T:
        """Do `work` in a transaction and return its value once that is on disk.

        is_paid: whether it writes a response.

        Where another change in the transaction fails, `work` is done again, so it
        must only read and write rows. A caller that is cancelled gets the
        CancelledError only when the change is on disk, or the change's own error
        where it failed: the response in it may be paid for.
        """
        waiting: asyncio.Future[T] = self._loop.create_future()
        self._handed += 1
        self._handed_paid += is_paid
        self._waiting.put(_Change(work, waiting, is_paid))
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            while not waiting.done():
                # Asked to end once more, by a second signal for example.
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([waiting])
            waiting.result()
            raise

    async def commit_unpaid(self, work: Callable[[Store], T]) -> T:
        """`commit` for what holds nothing that was paid for, at the start and end of a run.

        A caller that is cancelled waits no longer for a lock of another program, and gets
        StoreLockedError.
        """
        committing = asyncio.ensure_future(self.commit(work))
        try:
            return await asyncio.shield(committing)
        except asyncio.CancelledError:
            self._give_up_at = 0.0
            await committing
            raise

    def _write(self) -> None:
        while True:
            batch, ended = self._gather()
            results = self._commit(batch) if batch else []
            self._settled += len(batch)
            self._settled_paid += sum(change.is_paid for change in batch)
            if self._read is not None:
                self._loop.call_soon_threadsafe(self._read(self._store))
            if results:
                self._loop.call_soon_threadsafe(_tell, results)
            if ended:
                return

    def _gather(self) -> tuple[list[_Change], bool]:
        """The changes that wait now, once there is anything; True where no more will come."""
        batch: list[_Change] = []
        item = self._waiting.get()
        while item is not None:
            if isinstance(item, _Change):
                batch.append(item)
            if len(batch) == _MOST_IN_ONE_COMMIT:
                return batch, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: list[_Change]) -> list[_Result]:
        began = time.monotonic()
        try:
            with self._store.db.transaction(still_locked=lambda: self._wait_on(began)):
                if self._locked_since is not None:
                    # Nobody could renew a claim. Whoever writes first renews those of all, because
                    # the next change may be to take over what has expired.
                    self._store.claims.renew_after_lock(
                        locked_for=time.monotonic() - self._locked_since, seconds=CLAIM_SECONDS
                    )
                values = [change.work(self._store) for change in batch]
            self._unlocked()
        except StoreLockedError as error:
            return [(change, None, error) for change in batch]
        except BaseException as error:
            if len(batch) == 1:
                return [(batch[0], None, error)]
            # One bad change has rolled back the whole batch. Retried one by one, only that
            # one fails.
            return [result for change in batch for result in self._commit([change])]
        return [(change, value, None) for change, value in zip(batch, values, strict=True)]

    def _wait_on(self, began: float) -> None:
        """Go on waiting for a lock; say so now and then. Raises StoreLockedError once given up."""
        now = time.monotonic()
        if self._locked_since is None:
            self._locked_since, self._next_notice = began, began + self._notice_seconds
        span = format_span(now - self._locked_since)
        waiting = self._handed - self._settled
        if self._give_up_at is not None and now >= self._give_up_at:
            paid = self._handed_paid - self._settled_paid
            commits = format_number_of(waiting, "commit") + (" was" if waiting == 1 else " were")
            responses = f", {paid:,} of them responses that are paid for" if paid else ""
            raise StoreLockedError(
                f"{self._store.path} stayed locked by another program for {span}: {commits} not "
                f"written{responses}; end that program, and run the same command again"
            )
        if now >= self._next_notice:
            self._next_notice = now + self._notice_seconds
            self._say(
                f"the store is locked by another program for {span}; waiting; "
                + format_number_of(waiting, "commit")
                + (" waits" if waiting == 1 else " wait")
            )

    def _unlocked(self) -> None:
        """A transaction is on disk, so whatever lock there was is gone."""
        if self._locked_since is None:
            return
        locked_for = time.monotonic() - self._locked_since
        self._locked_since = None
        if locked_for >= self._notice_seconds:
            self._say(f"the store is free again after {format_span(locked_for)}")

    def _say(self, message: str) -> None:
        self._loop.call_soon_threadsafe(self._notice, message)


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
            ),
            is_paid=True,
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
        self, closing: Closing, *, turn_limit: int, played: Sequence[Turn]
    ) -> Reward | None:
        """Close the trace, with its answers, places and default reward; None for a failed trace.

        played: its turns, whose responses are read; () where none counts.
        """
        cut = closing.reason == "truncated"
        answer = read_answer(played[-1], cut=cut) if played else None
        interim = interim_answers(played)

        def work(store: Store) -> Reward | None:
            store.traces.close_trace(self._trace_id, closing, turn_limit=turn_limit)
            if answer is not None:
                store.traces.put_answer(self._trace_id, PARSER_VERSION, answer, interim=interim)
            # Before the reward, whose terms may ask for places.
            place_trace(store.db, self._trace_id)
            if answer is None:
                return None
            spec_id = ensure_default_spec(store.db)
            return score_trace(store.db, self._trace_id, spec_id)

        await self._journal.load_gazetteer()
        return await self._commit(work)

    async def _commit(self, work: Callable[[Store], T], *, is_paid: bool = False) -> T:
        def while_held(store: Store) -> T:
            store.claims.require_claim(self._trace_id, self._run_id)
            return work(store)

        return await self._journal.commit(while_held, is_paid=is_paid)
