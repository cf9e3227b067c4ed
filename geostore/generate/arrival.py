"""Saves a response that comes just as its request is cancelled: it is paid for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_ARRIVING_SECONDS = 0.1
"""For a response whose bytes are here already. A cancelled task would drop them, even where its
next step were to return."""


class Arrivals:
    """What comes in for one rollout, however it is cancelled."""

    def __init__(self) -> None:
        self._is_cancelled = False

    async def finish(self, request: Coroutine[Any, Any, T]) -> T:
        """Do a request. Where the caller is cancelled, give it a moment before it is dropped.

        What comes within that moment is returned or raised in place of the CancelledError.
        The caller records it and then calls `end_if_cancelled`.
        """
        task = asyncio.ensure_future(request)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                await asyncio.wait([task], timeout=_ARRIVING_SECONDS)
            if not task.done() or task.cancelled():
                raise
            self._is_cancelled = True
            return task.result()
        finally:
            task.cancel()

    def end_if_cancelled(self) -> None:
        """Raise the CancelledError that was held back."""
        if self._is_cancelled:
            raise asyncio.CancelledError
