"""Ends a run gently: nothing more is asked, and what is in flight finishes and is stored.

Whatever ends a run - a signal, a used-up budget, an error, giving up - requests are in
flight then, and each is paid for. They may take as long as a request may take (or
`--grace`). Only a second signal drops them sooner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from geostore.pace import Pace
from geostore.text.phrases import format_number_of, format_span

_QUIET_SECONDS = 1.0
"""Mostly all requests in flight fail within a moment for the reason that ends the run, and then
there is no wait to speak of."""

_REASON_LENGTH = 200


class Ending:
    """How one run ends. Made in the task that plays the run, which `drop` cancels.

    pace: gives no more places from the end on. grace: seconds to wait for requests in
    flight. notice: called with sentences for a person. dropping: called as often as
    `drop`, to end waits that a cancellation does not end.
    """

    def __init__(
        self,
        *,
        pace: Pace,
        grace: float,
        notice: Callable[[str], None],
        dropping: Callable[[], None],
    ) -> None:
        self.stopping = asyncio.Event()
        """Set from the moment that the run is ending."""
        self.error: Exception | None = None
        """What ended the run; None where it was asked to stop."""
        self.is_dropping = False
        """Whether requests in flight are not waited for any more."""
        self._pace = pace
        self._grace = grace
        self._notice = notice
        self._dropping = dropping
        self._signals = 0
        self._dropped_before = 0
        self._timers: list[asyncio.TimerHandle] = []
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()

    def stop(self, reason: str) -> None:
        """Ask for nothing more. reason: why, in a few words; said where the wait is long."""
        if self._begin():
            later = self._loop.call_later(_QUIET_SECONDS, self._say_long_wait, reason)
            self._timers.append(later)

    def fail(self, error: Exception) -> None:
        """End for an error. Only the first counts: the others mostly have the same cause."""
        if self.error is None:
            self.error = error
        reason = " ".join(str(error).split()) or type(error).__name__
        self.stop(reason[:_REASON_LENGTH])

    def asked_to_stop(self) -> None:
        """Take a signal: the first lets requests in flight finish, the second drops them."""
        self._begin()
        self._signals += 1
        if self._signals == 1:
            self._say_wait("stopping", then="once more")
        else:
            self.drop()

    def drop(self) -> None:
        """Wait no more: cancel every rollout."""
        if not self.is_dropping:
            self.is_dropping = True
            self._dropped_before = self._pace.dropped
        self._dropping()
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Nothing is in flight any more. Says how many requests were dropped."""
        for timer in self._timers:
            timer.cancel()
        dropped = self._pace.dropped - self._dropped_before
        if self.is_dropping and dropped:
            requests = format_number_of(dropped, "request")
            asked_again = "it is asked again" if dropped == 1 else "they are asked again"
            self._notice(
                f"dropped {requests} in flight, which the teacher may bill all the same; "
                f"{asked_again} when the run goes on"
            )

    def _begin(self) -> bool:
        """Whether the run was not ending before."""
        if self.stopping.is_set():
            return False
        self.stopping.set()
        self._pace.stop()
        self._timers.append(self._loop.call_later(self._grace, self.drop))
        return True

    def _say_long_wait(self, reason: str) -> None:
        if self._pace.in_flight and not self._signals:
            self._say_wait(f"stopping: {reason}", then="Ctrl-C twice")

    def _say_wait(self, begin: str, *, then: str) -> None:
        count = self._pace.in_flight
        if not count:
            self._notice(f"{begin}; no request is in flight")
            return
        requests = format_number_of(count, "request") + (" is" if count == 1 else " are")
        self._notice(
            f"{begin}; {requests} in flight, waited for and stored, for at most "
            f"{format_span(self._grace)} (--grace); {then} drops them"
        )
