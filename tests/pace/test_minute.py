"""Requests and tokens a minute: the bound holds over any minute, and the rate is used."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.pace.minute import WINDOW_SECONDS, MinuteLimit
from tests.pace.bench import Bench, on_bench


def most_in_a_minute(sent: list[tuple[float, float]]) -> float:
    """The largest sum within 60 seconds; sent: (when, how much) in order of time."""
    return max(
        sum(amount for at, amount in sent[i:] if at < begin + 60)
        for i, (begin, _) in enumerate(sent)
    )


class Clock:
    """A time that passes when it is told to."""

    def __init__(self, limit: float) -> None:
        self.now = 1e6
        self.limit = MinuteLimit(limit, self.now)
        self.sent: list[tuple[float, float]] = []

    def send(self, amount: float, late: float = 0.0) -> None:
        """Wait until the limit allows it, and so much longer, as a busy event loop does."""
        rounds = 0
        while (wait := self.limit.seconds_until(amount, self.now)) > 0:
            self.now += wait + late
            rounds += 1
            assert rounds < 5, "the wait it names is not the wait it takes"
        self.limit.charge(amount, self.now)
        self.sent.append((self.now, amount))


@given(
    st.floats(1, 5000),
    st.lists(st.tuples(st.floats(0, 90) | st.just(0.0), st.floats(0, 0.5)), min_size=1),
    st.integers(1, 60),
)
def test_no_minute_has_more_requests_than_the_limit(
    per_minute: float, pauses: list[tuple[float, float]], in_a_row: int
) -> None:
    """However requests come: in bursts, after pauses, and with timers that fire late."""
    clock = Clock(per_minute)
    for pause, late in pauses:
        clock.now += pause
        for _ in range(in_a_row):
            clock.send(1.0, late)
    assert most_in_a_minute(clock.sent) <= per_minute


@given(
    st.floats(100, 1e6),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 30)), min_size=1),
)
def test_no_minute_has_more_tokens_than_the_limit(
    per_minute: float, asked: list[tuple[float, float]]
) -> None:
    """asked: shares of the limit, each after a pause."""
    clock = Clock(per_minute)
    for share, pause in asked:
        clock.now += pause
        clock.send(share * per_minute)
    assert most_in_a_minute(clock.sent) <= per_minute * (1 + 1e-6)


@given(st.lists(st.floats(0, 1), min_size=20, max_size=60))
def test_what_a_request_did_not_use_is_spent_by_others_and_never_twice(used: list[float]) -> None:
    clock = Clock(600.0)
    spent = []
    for share in used:
        while (wait := clock.limit.seconds_until(100.0, clock.now)) > 0:
            clock.now += wait
        charge = clock.limit.charge(100.0, clock.now)
        sent_at = clock.now
        clock.now += 0.5
        clock.limit.settle(charge, 100.0 * share, clock.now)
        spent.append((sent_at, 100.0 * share))
    assert most_in_a_minute(spent) <= 600.0 + 1e-3
    # It takes no longer than the tokens do at 60/61 of the rate, but for the last request.
    assert clock.now - spent[0][0] <= sum(used) * 100.0 / 10 * 61 / 60 + 61 + 0.5 * len(used)


@pytest.mark.parametrize("per_minute", [1, 7.5, 60, 600, 6000])
def test_the_rate_is_used_but_for_a_sixtieth(per_minute: float) -> None:
    clock = Clock(per_minute)
    began = clock.now
    while clock.now < began + 600:
        clock.send(1.0, late=0.002)
    assert len(clock.sent) >= 10 * int(per_minute) * 60 / 61 - 2


@pytest.mark.parametrize("rpm", [60, 90, 600])
@pytest.mark.parametrize("way", [0.0, 1.0])
def test_no_minute_of_the_server_has_more_requests_than_the_limit(rpm: int, way: float) -> None:
    """Requests take up to a second to arrive, and many wait at any time; some fail."""

    async def test(bench: Bench) -> None:
        rng = random.Random(rpm)
        arrived: list[tuple[float, float]] = []

        async def ask() -> None:
            async with bench.pace.request() as request:
                await asyncio.sleep(rng.uniform(0, way))
                arrived.append((bench.loop.time(), 1.0))
                await asyncio.sleep(rng.uniform(0, 20))
                if rng.random() < 0.1:
                    request.failed("refused", "no")
                else:
                    request.succeeded(100)

        await bench.together(*(ask() for _ in range(4 * rpm)))
        arrived.sort()
        assert most_in_a_minute(arrived) <= rpm
        # The level starts at 16 and needs some seconds to reach what the rate allows.
        assert arrived[-1][0] - arrived[0][0] < 4 * 61 + 20

    limits: dict[str, Any] = {"ceiling": 5000, "rpm": rpm, "break_after_failures": 10_000}
    on_bench(test, **limits)


def test_a_minute_is_counted_from_each_request() -> None:
    """A clock that starts a count every full minute would let twice as many through."""
    clock = Clock(60)
    clock.now += 59.5
    for _ in range(120):
        clock.send(1.0)
    assert all(later - earlier > 0.7 for (earlier, _), (later, _) in pairwise(clock.sent))


@given(
    st.floats(1, 600),
    st.lists(st.floats(0, 30), min_size=1, max_size=100),
    st.lists(st.floats(0, 5) | st.just(0.0), min_size=1, max_size=100),
    st.floats(0, 70),
)
def test_a_restart_begins_no_new_minute(
    per_minute: float, before: list[float], after: list[float], pause: float
) -> None:
    """The second process has the requests of the first that left within the window."""
    clock = Clock(per_minute)
    for wait in before:
        clock.now += wait
        clock.send(1.0)
    clock.now += pause
    clock.limit = MinuteLimit(per_minute, clock.now)
    for at, amount in clock.sent:
        if at >= clock.now - WINDOW_SECONDS:
            clock.limit.remember(amount, at)
    for wait in after:
        clock.now += wait
        clock.send(1.0)
    assert most_in_a_minute(clock.sent) <= per_minute


def test_a_new_limit_that_is_lower_waits_until_it_holds() -> None:
    clock = Clock(10)
    for second in range(30):
        clock.limit.remember(1.0, clock.now - 30 + second)
    began = clock.now
    clock.send(1.0)
    # The tenth of those before it is gone then: nine within a minute, and this one.
    assert clock.now - began == pytest.approx(WINDOW_SECONDS - 10)


def test_a_pace_counts_what_was_sent_before_it() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(60):
            bench.pace.remember(41.0, None)
        await bench.send()
        assert bench.sent_at == [pytest.approx(20.0)]

    on_bench(test, rpm=60)

    async def tokens(bench: Bench) -> None:
        bench.pace.remember(31.0, 5000)
        bench.pace.remember(11.0, 4000)
        await bench.send(expected=2000)
        assert bench.sent_at == [pytest.approx(30.0)]

    on_bench(tokens, tpm=10_000)
