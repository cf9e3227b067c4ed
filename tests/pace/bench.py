"""The pace of requests in a time of its own, which passes only while everyone waits."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from geostore.pace import Pace, PaceLimits


class _NothingToWaitFor(selectors.SelectSelector):
    """Where the loop would sleep, its time jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        if timeout is None:
            raise AssertionError("everyone waits, and no timer is set: a wake-up was lost")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.waits = _NothingToWaitFor()
        super().__init__(self.waits)

    def time(self) -> float:
        return self.waits.now


def in_virtual_time(main: Callable[[VirtualLoop], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        runner.run(main(loop))


@dataclass
class Bench:
    """A pace under test, and what is seen from outside."""

    loop: VirtualLoop
    limits: PaceLimits
    notices: list[str] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    most: int = 0
    looks: int = 0  # at the clock, as the queue is looked at

    def __post_init__(self) -> None:
        self.gave_up: list[str] = []
        self.pace = Pace(
            self.limits,
            clock=self._clock,
            notice=self.notices.append,
            gave_up=lambda error: self.gave_up.append(str(error)),
        )
        self.began = self.loop.time()

    def _clock(self) -> float:
        self.looks += 1
        return self.loop.time()

    @property
    def now(self) -> float:
        return round(self.loop.time() - self.began, 3)

    async def send(
        self,
        fault: str | Callable[[], str | None] | None = None,
        *,
        seconds: float = 1.0,
        number: int = 0,
        expected: int | None = 100,
        used: int | None = None,
        each_place: Callable[[], None] = lambda: None,
    ) -> str | None:
        """One request: wait for a place, take so long, report; the fault it met."""
        async with self.pace.request(expected_tokens=expected) as request:
            self.sent_at.append(self.now)
            self.order.append(number)
            self.most = max(self.most, self.pace.in_flight)
            each_place()
            await asyncio.sleep(seconds)
            met = fault() if callable(fault) else fault
            if met is None:
                request.succeeded(used)
            else:
                request.failed(met, "said the server")
            return met

    async def together(self, *requests: Awaitable[object]) -> None:
        await asyncio.gather(*requests)

    async def settle(self) -> None:
        """Let everyone run who can, without letting time pass."""
        for _ in range(10):
            await asyncio.sleep(0)

    async def open_breaker(self, error_class: str = "connection") -> None:
        """Fail as often and as long as it takes."""
        while self.pace.broken is None:
            await self.send(error_class, seconds=1.0)


def on_bench(
    test: Callable[[Bench], Coroutine[Any, Any, None]], *, answered: bool = True, **limits: Any
) -> None:
    """answered: whether the run was answered before; a run that never was gives up by itself."""

    async def main(loop: VirtualLoop) -> None:
        bench = Bench(loop, PaceLimits(**limits))
        if answered:
            bench.pace._breaker.succeeded()
        await test(bench)
        assert bench.pace.in_flight == 0, "a place leaked"
        assert bench.pace.waiting == 0

    in_virtual_time(main)
