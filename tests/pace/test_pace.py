"""The pace of requests, in a time of its own that passes only while everyone waits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geostore.errors import GaveUp, Stopped
from geostore.pace import Pace, PaceLimits
from tests.examples import examples
from tests.pace.bench import Bench, VirtualLoop, in_virtual_time, on_bench

# The level.


@pytest.mark.parametrize("ceiling", [1, 3, 16])
def test_a_good_server_gets_the_whole_ceiling_from_the_start(ceiling: int) -> None:
    """A run of ordinary size loses nothing to a level that has yet to be found."""

    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send() for _ in range(4 * ceiling)))
        assert bench.sent_at == [float(i) for i in range(4) for _ in range(ceiling)]

    on_bench(test, ceiling=ceiling)


def test_a_large_ceiling_is_reached_by_doubling() -> None:
    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send() for _ in range(16 + 32 + 64 + 100 + 100)))
        rounds = [bench.sent_at.count(float(i)) for i in range(5)]
        assert rounds == [16, 32, 64, 100, 100]
        assert bench.most == bench.pace.level == 100

    on_bench(test, ceiling=100)


@pytest.mark.parametrize("error_class", ["rate_limit", "server", "timeout"])
def test_an_overload_halves_the_level_once_a_round_trip(error_class: str) -> None:
    """All that were in flight together fail together, and that is one piece of news."""

    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send(error_class) for _ in range(16)))
        assert bench.pace.level == 8
        await bench.together(*(bench.send(error_class) for _ in range(8)))
        assert bench.pace.level == 4

    on_bench(test, ceiling=16, break_after_failures=1000)


def test_the_level_falls_no_lower_than_one() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(20):
            await bench.send("rate_limit")
        assert bench.pace.level == 1
        bench.most = 0
        await bench.together(*(bench.send() for _ in range(2)))
        assert bench.most == 1

    on_bench(test, ceiling=16, break_after_failures=1000)


@pytest.mark.parametrize("error_class", ["connection", "bad_response", "refused"])
def test_a_failure_that_is_no_overload_leaves_the_level(error_class: str) -> None:
    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send(error_class) for _ in range(9)))
        assert bench.pace.level == 16

    on_bench(test, ceiling=16)


def test_after_an_overload_the_level_grows_by_one_a_round_trip() -> None:
    """Additive increase: as many successes as the level add one to it."""

    async def test(bench: Bench) -> None:
        await bench.send("rate_limit")
        assert bench.pace.level == 8
        await bench.together(*(bench.send() for _ in range(200)))
        rounds = [bench.sent_at.count(float(1 + i)) for i in range(8)]
        assert rounds == [8, 8, 9, 10, 11, 12, 13, 14]

    on_bench(test, ceiling=16)


def test_the_level_never_passes_the_ceiling() -> None:
    async def test(bench: Bench) -> None:
        await bench.send("timeout")
        await bench.together(*(bench.send() for _ in range(500)))
        assert bench.pace.level == bench.most == 10

    on_bench(test, ceiling=10)


def test_a_level_nobody_makes_use_of_does_not_grow() -> None:
    """One request at a time shows nothing of what the server bears."""

    async def test(bench: Bench) -> None:
        await bench.send("rate_limit")
        for _ in range(100):
            await bench.send()
        assert bench.pace.level == 8

    on_bench(test, ceiling=16)


def test_the_level_settles_around_what_a_server_bears() -> None:
    """A server of 20 at a time, asked by 64: it is kept busy, and rarely overrun."""

    async def test(bench: Bench) -> None:
        inside = answered = overruns = 0

        async def worker() -> None:
            nonlocal inside, answered, overruns
            while bench.now < 600:
                async with bench.pace.request(expected_tokens=1) as request:
                    inside += 1
                    try:
                        if inside > 20:
                            overruns += 1
                            await asyncio.sleep(0.05)
                            request.failed("rate_limit", "slow down")
                        else:
                            await asyncio.sleep(1.0)
                            answered += 1
                            request.succeeded(1)
                    finally:
                        inside -= 1

        await bench.together(*(worker() for _ in range(64)))
        assert answered > 0.7 * 20 * 600
        assert overruns < 0.05 * answered
        assert bench.notices == []

    on_bench(test, ceiling=64)


# Requests and tokens a minute.


def test_requests_a_minute_are_spread_evenly() -> None:
    """A minute's worth, and a second more, so that no minute has one too many at the server."""

    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send(seconds=0.1) for _ in range(180)))
        expected = [float(i + i // 60) for i in range(180)]
        assert bench.sent_at == pytest.approx(expected, abs=0.05)

    on_bench(test, ceiling=200, rpm=60)


def test_a_rate_below_one_a_minute_still_sends() -> None:
    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send(seconds=0.1) for _ in range(3)))
        assert bench.sent_at == pytest.approx([0.0, 120.0, 240.0], abs=0.05)

    on_bench(test, ceiling=8, rpm=0.5)


def test_expected_tokens_hold_requests_back() -> None:
    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send(expected=100, used=100) for _ in range(13)))
        expected = [10.0 * i + i // 6 for i in range(13)]
        assert bench.sent_at == pytest.approx(expected, abs=0.05)

    on_bench(test, ceiling=16, tpm=600)


@pytest.mark.parametrize(("used", "next_at"), [(10, 1.0), (None, 10.0), (100, 10.0), (200, 20.0)])
def test_tokens_are_settled_with_what_was_used(used: int | None, next_at: float) -> None:
    """Fewer than expected are given back at once, more are made up for, unknown is as expected."""

    async def test(bench: Bench) -> None:
        await bench.send(expected=60, used=60)
        await asyncio.sleep(60)
        began = bench.now
        await bench.send(expected=100, used=used)
        await bench.send(expected=60)
        assert bench.sent_at[-1] - began == pytest.approx(next_at, abs=0.05)

    on_bench(test, ceiling=16, tpm=600)


def test_a_failed_request_stays_charged() -> None:
    """What the server counted is unknown, and too few is the safe side of a limit."""

    async def test(bench: Bench) -> None:
        await bench.send("rate_limit", expected=60)
        await bench.send(expected=60)
        assert bench.sent_at == pytest.approx([0.0, 6.0], abs=0.05)

    on_bench(test, ceiling=16, tpm=600)


def test_a_request_as_large_as_the_limit_goes_and_is_made_up_for() -> None:
    async def test(bench: Bench) -> None:
        await bench.send(expected=600, used=600)
        await bench.send(expected=60)
        assert bench.sent_at == pytest.approx([0.0, 61.0], abs=0.05)

    on_bench(test, ceiling=16, tpm=600)


def test_a_request_larger_than_the_limit_goes_alone_and_is_made_up_for() -> None:
    async def test(bench: Bench) -> None:
        await bench.send(expected=60)
        await bench.send(expected=1200, used=1200)
        await bench.send(expected=60)
        assert bench.sent_at == pytest.approx([0.0, 61.0, 181.0], abs=0.05)

    on_bench(test, ceiling=16, tpm=600)


def test_unsaid_expectations_follow_what_requests_used_lately() -> None:
    async def test(bench: Bench) -> None:
        """The first use is the mean, and each later one moves it by a tenth of the way."""
        await bench.send(expected=None, used=50)
        await bench.send(expected=None, used=150)
        await asyncio.sleep(600)
        began = bench.now
        await bench.together(*(bench.send("refused", expected=None) for _ in range(3)))
        sent = [at - began for at in bench.sent_at[2:]]
        assert sent == pytest.approx([0.0, 6.0, 12.0], abs=0.05)

    on_bench(test, ceiling=16, tpm=600)


def test_more_tokens_than_expected_count_even_after_a_quiet_time() -> None:
    """What was left unused meanwhile does not pay for the excess."""

    async def test(bench: Bench) -> None:
        await bench.send(seconds=300, expected=10, used=670)
        await bench.send(expected=60)
        assert bench.sent_at[1] == pytest.approx(366.0, abs=0.05)

    on_bench(test, ceiling=16, tpm=600)


def test_tokens_given_back_late_do_not_make_a_larger_burst() -> None:
    async def test(bench: Bench) -> None:
        await bench.send(seconds=60, expected=600, used=0)
        await bench.together(*(bench.send(expected=60) for _ in range(3)))
        assert bench.sent_at == pytest.approx([0.0, 60.0, 66.0, 72.0], abs=0.05)

    on_bench(test, ceiling=16, tpm=600)


# Waiting.


def test_places_are_given_in_the_order_of_asking() -> None:
    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send(number=i) for i in range(50)))
        assert bench.order == list(range(50))

    on_bench(test, ceiling=4, rpm=240)


def test_a_small_request_does_not_overtake_a_large_one() -> None:
    async def test(bench: Bench) -> None:
        await bench.send(expected=60)
        await bench.together(bench.send(expected=60, number=1), bench.send(expected=1, number=2))
        assert bench.order == [0, 1, 2]

    on_bench(test, ceiling=16, tpm=600)


def test_one_that_waits_outside_holds_up_nobody() -> None:
    """A long Retry-After is waited for without a place, while the others go on."""

    async def test(bench: Bench) -> None:
        async def told_to_wait() -> None:
            await bench.send("rate_limit", number=1)
            await asyncio.sleep(300)
            await bench.send(number=2)

        await bench.together(told_to_wait(), *(bench.send() for _ in range(20)))
        assert bench.order[-1] == 2
        assert bench.sent_at[-2] <= 20
        assert bench.sent_at[-1] == 301

    on_bench(test, ceiling=2)


def test_a_cancelled_waiter_leaves_no_gap() -> None:
    async def test(bench: Bench) -> None:
        tasks = [asyncio.create_task(bench.send(number=i)) for i in range(6)]
        await bench.settle()
        assert bench.pace.waiting == 5
        tasks[1].cancel()
        tasks[3].cancel()
        await asyncio.wait(tasks)
        assert bench.order == [0, 2, 4, 5]
        assert bench.sent_at == [0.0, 1.0, 2.0, 3.0]

    on_bench(test, ceiling=1)


def test_a_place_given_to_one_just_cancelled_goes_to_the_next() -> None:
    """Grant and cancellation fall into one turn of the loop: neither place nor charge is lost."""

    async def test(bench: Bench) -> None:
        async with bench.pace.request() as first:
            second = asyncio.create_task(bench.send(number=2))
            third = asyncio.create_task(bench.send(number=3))
            await bench.settle()
            first.succeeded(None)
        assert bench.pace.in_flight == 1  # the second has it, and does not know yet
        second.cancel()
        await asyncio.wait([second, third])
        assert second.cancelled()
        assert bench.order == [3]
        assert bench.sent_at == [0.0]

    # Two requests may go at once: the second's charge must come back for the third.
    on_bench(test, ceiling=1, rpm=480)


def test_who_waits_behind_a_large_request_that_is_cancelled_does_not_wait_for_it() -> None:
    async def test(bench: Bench) -> None:
        await bench.send(expected=50)
        large = asyncio.create_task(bench.send(expected=60, number=1))
        small = asyncio.create_task(bench.send(expected=10, number=2))
        await bench.settle()
        assert bench.pace.waiting == 2
        large.cancel()
        await small
        assert bench.sent_at == [0.0, 5.0]

    on_bench(test, ceiling=16, tpm=600)


@pytest.mark.parametrize("limits", [{"ceiling": 1}, {"ceiling": 300, "rpm": 60}])
def test_waiting_takes_no_turns_of_the_event_loop(limits: dict[str, Any]) -> None:
    """Neither for a place nor for the rate, for which one timer serves all."""

    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send(seconds=1000.0) for _ in range(300)))
        assert bench.loop.waits.turns < 10 * 300
        assert bench.looks < 10 * 300

    on_bench(test, **limits)


def test_a_waiter_that_was_cancelled_and_then_passed_over_ends_well() -> None:
    """A place becomes free between a waiter's cancellation and its hearing of it."""

    async def test(bench: Bench) -> None:
        async with bench.pace.request() as first:
            second = asyncio.create_task(bench.send(number=2))
            third = asyncio.create_task(bench.send(number=3))
            await bench.settle()
            second.cancel()
            first.succeeded(None)
        await asyncio.wait([second, third])
        assert second.cancelled()
        assert bench.order == [3]

    on_bench(test, ceiling=1)


def test_leaving_without_a_report_is_neither_success_nor_failure() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(20):
            await bench.send("connection", seconds=1.0)
        assert bench.pace.broken is None
        task = asyncio.create_task(bench.send("rate_limit", seconds=100.0))
        await asyncio.sleep(50)
        task.cancel()
        await asyncio.wait([task])
        assert (bench.pace.level, bench.pace.broken, bench.pace.failing) == (16, None, True)

    on_bench(test, ceiling=16, break_after_seconds=30.0)


def test_a_request_is_reported_once_and_not_after_its_place_is_left() -> None:
    async def test(bench: Bench) -> None:
        async with bench.pace.request() as request:
            request.succeeded(1)
            with pytest.raises(RuntimeError, match="once"):
                request.failed("timeout", "too late")
        async with bench.pace.request() as request:
            pass
        with pytest.raises(RuntimeError, match="left"):
            request.succeeded(1)

    on_bench(test, ceiling=1)


def test_stopping_ends_the_waiting_and_not_the_sending() -> None:
    async def test(bench: Bench) -> None:
        sending = asyncio.create_task(bench.send())
        waiting = [asyncio.create_task(bench.send()) for _ in range(3)]
        await bench.settle()
        bench.pace.stop()
        for task in waiting:
            with pytest.raises(Stopped):
                await task
        assert bench.now == 0
        with pytest.raises(Stopped):
            await bench.send()
        assert await sending is None

    on_bench(test, ceiling=1)


def test_stopping_passes_over_a_waiter_just_cancelled() -> None:
    async def test(bench: Bench) -> None:
        async with bench.pace.request():
            waiting = asyncio.create_task(bench.send())
            await bench.settle()
            waiting.cancel()
            bench.pace.stop()
            await asyncio.wait([waiting])
            assert waiting.cancelled()

    on_bench(test, ceiling=1)


# The breaker.


def test_the_breaker_opens_when_everything_fails_for_a_while_and_says_why_once() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(30):
            await bench.send("connection", seconds=1.0)
        assert bench.pace.broken is None
        assert bench.notices == []
        await bench.send("connection", seconds=1.0)
        why = "31 requests in a row failed over 30 s, the last with connection: said the server"
        assert bench.pace.broken == why
        assert bench.notices == [
            f"pausing: {why}; a single request is tried in 15 s and then ever more rarely, "
            "until one succeeds; the run gives up after 1 h"
        ]

    on_bench(test, ceiling=4, give_up_after=3600.0)


def test_many_refusals_open_the_breaker_at_once_because_each_ends_a_trace() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(9):
            await bench.send("refused")
        assert bench.pace.broken is None
        await bench.send()
        for _ in range(9):
            await bench.send("refused")
        assert bench.pace.broken is None
        await bench.send("refused")
        assert bench.pace.broken is not None

    on_bench(test, ceiling=16)


def test_many_failures_at_once_are_not_yet_a_while() -> None:
    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send("server", seconds=1.0) for _ in range(50)))
        assert bench.pace.broken is None

    on_bench(test, ceiling=50)


def test_few_failures_over_a_long_time_do_not_open_the_breaker() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(9):
            await bench.send("timeout", seconds=600.0)
        assert bench.pace.broken is None

    on_bench(test, ceiling=4)


def test_one_success_among_many_failures_keeps_the_breaker_closed() -> None:
    async def test(bench: Bench) -> None:
        for i in range(300):
            await bench.send(None if i % 25 == 24 else "rate_limit", seconds=1.0)
        assert bench.notices == []

    on_bench(test, ceiling=4)


def test_failing_is_known_before_the_breaker_opens_and_until_a_success() -> None:
    """So that requests do not use up their attempts on a teacher that is down."""

    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send("server", seconds=0.0) for _ in range(9)))
        assert not bench.pace.failing
        await bench.send("server", seconds=0.0)
        assert bench.pace.failing
        await bench.open_breaker()
        assert bench.pace.failing
        await bench.send()
        assert not bench.pace.failing

    on_bench(test, ceiling=4)


def test_probes_go_out_one_at_a_time_and_ever_more_rarely() -> None:
    async def test(bench: Bench) -> None:
        await bench.open_breaker()
        opened, before = bench.now, len(bench.sent_at)
        bench.most = 0
        probes = [asyncio.create_task(bench.send("connection", seconds=5.0)) for _ in range(7)]
        await asyncio.wait(probes)
        sent = [at - opened for at in bench.sent_at[before:]]
        gaps = [sent[0], *(b - a - 5.0 for a, b in pairwise(sent))]
        assert gaps == pytest.approx([15, 30, 60, 120, 120, 120, 120], abs=0.01)
        assert bench.most == 1
        assert len(bench.notices) == 1

    on_bench(test, ceiling=16)


def test_a_probe_that_succeeds_closes_the_breaker_and_restores_half_the_level() -> None:
    """Half of the level before the failures: those of a server that was away do not count."""

    async def test(bench: Bench) -> None:
        await bench.open_breaker("server")
        assert bench.pace.level == 1
        began = len(bench.sent_at)
        await bench.together(*(bench.send(seconds=10.0) for _ in range(9)))
        assert bench.pace.broken is None
        assert bench.notices[1:] == [
            "going on: the teacher answers again after 25 s; requests at a time: 8"
        ]
        assert [at - bench.sent_at[began] for at in bench.sent_at[began:]] == [0.0] + [10.0] * 8

    on_bench(test, ceiling=16)


def test_a_request_of_before_that_succeeds_closes_the_breaker_too() -> None:
    async def test(bench: Bench) -> None:
        slow = asyncio.create_task(bench.send(seconds=35.0))
        await bench.settle()
        await bench.open_breaker()
        waiting = asyncio.create_task(bench.send())
        await slow
        assert bench.pace.broken is None
        await waiting
        assert bench.sent_at[-1] == 35.0

    on_bench(test, ceiling=16)


def test_requests_that_hang_do_not_keep_the_probe_back() -> None:
    async def test(bench: Bench) -> None:
        hanging = [asyncio.create_task(bench.send("timeout", seconds=600.0)) for _ in range(15)]
        await bench.settle()
        await bench.open_breaker()
        opened = bench.now
        assert bench.pace.in_flight == 15
        await bench.send()
        assert bench.sent_at[-1] - opened == pytest.approx(15.0, abs=0.01)
        assert bench.pace.broken is None
        await asyncio.wait(hanging)
        assert bench.pace.level == 8  # they were sent under the load of before

    on_bench(test, ceiling=16)


def test_no_probe_goes_beyond_the_ceiling() -> None:
    """Its place is held by who failed until that block is left, however long after."""

    async def test(bench: Bench) -> None:
        for _ in range(9):
            await bench.send("connection", seconds=10.0)
        async with bench.pace.request() as last:
            last.failed("connection", "said the server")
            assert bench.pace.broken is not None
            probe = asyncio.create_task(bench.send(seconds=100.0))
            await asyncio.sleep(20)
            assert bench.pace.in_flight == 1
        await probe

    on_bench(test, ceiling=1)


def test_a_probe_that_is_cancelled_makes_way_for_another() -> None:
    async def test(bench: Bench) -> None:
        await bench.open_breaker()
        opened = bench.now
        probe = asyncio.create_task(bench.send(seconds=1000.0))
        await asyncio.sleep(20)
        assert bench.pace.in_flight == 1
        probe.cancel()
        await bench.send()
        assert bench.sent_at[-1] - opened == pytest.approx(35.0, abs=0.01)

    on_bench(test, ceiling=16)


def test_the_breaker_opens_again_from_the_first_interval() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(2):
            await bench.open_breaker()
            opened = bench.now
            await bench.send("connection")
            await bench.send()
            assert bench.sent_at[-1] - opened == pytest.approx(15 + 1 + 30, abs=0.01)
        assert [notice.split(":")[0] for notice in bench.notices] == ["pausing", "going on"] * 2

    on_bench(test, ceiling=16)


def test_giving_up_reaches_everyone_who_waits_and_everyone_who_comes() -> None:
    async def test(bench: Bench) -> None:
        await bench.open_breaker("rate_limit")
        opened = bench.now
        tasks = [asyncio.create_task(bench.send("rate_limit")) for _ in range(20)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        gave_up = [result for result in results if isinstance(result, GaveUp)]
        # Probes at 15, 46 and 107 s of the pause had their turn before.
        assert len(gave_up) == 17
        assert len({id(error) for error in gave_up}) == 17
        assert bench.now - opened == pytest.approx(200.0, abs=0.01)
        assert str(gave_up[0]) == (
            "gave up after a pause of 3 min 20 s: 34 requests in a row failed over 2 min 18 s, "
            "the last with rate_limit: said the server; run the command again when the "
            "teacher answers"
        )
        with pytest.raises(GaveUp):
            await bench.send()

    on_bench(test, ceiling=16, give_up_after=200.0)


def test_a_success_takes_back_the_time_to_give_up() -> None:
    async def test(bench: Bench) -> None:
        await bench.open_breaker()
        await bench.send()
        await asyncio.sleep(1000)
        await bench.send()

    on_bench(test, ceiling=16, give_up_after=100.0)


def test_a_pause_of_a_day_is_slept_through() -> None:
    """Waiting takes no turns of the event loop but for the probes themselves."""

    async def test(bench: Bench) -> None:
        await bench.open_breaker()
        before = bench.loop.waits.turns
        stop_at = bench.now + 86_400

        async def worker() -> None:
            while bench.now < stop_at:
                await bench.send("connection", seconds=1.0)

        workers = [asyncio.create_task(worker()) for _ in range(16)]
        await asyncio.sleep(86_400)
        probes = 86_400 / 121
        assert bench.loop.waits.turns - before < 6 * probes
        for task in workers:
            task.cancel()
        await asyncio.wait(workers)

    on_bench(test, ceiling=16)


def test_a_run_that_was_never_answered_says_so_and_gives_up_by_itself() -> None:
    """Also where too few requests fail for the breaker to open, and nobody waits for a place."""

    async def test(bench: Bench) -> None:
        await bench.send("server")
        for _ in range(2):
            await asyncio.sleep(60)
            await bench.send("rate_limit")
        assert bench.notices == [
            "nothing was answered yet: 3 requests in a row failed over 2 min 2 s, the last with "
            "rate_limit: said the server; the run ends after 10 min without an answer "
            "(see --give-up-after)"
        ]
        await asyncio.sleep(477)
        assert bench.gave_up == []
        await asyncio.sleep(2)
        assert bench.gave_up == [
            "gave up after 10 min without an answer: 3 requests in a row failed over 2 min 2 s, "
            "the last with rate_limit: said the server; run the command again when the teacher "
            "answers"
        ]
        with pytest.raises(GaveUp):
            await bench.send()

    on_bench(test, answered=False, ceiling=16)


def test_the_pause_of_a_run_that_was_never_answered_says_when_it_ends() -> None:
    async def test(bench: Bench) -> None:
        await bench.open_breaker()
        assert bench.notices[-1].startswith("pausing: 31 requests in a row failed over 30 s")
        assert bench.notices[-1].endswith("; the run gives up after 9 min 30 s")
        await asyncio.sleep(600)
        assert len(bench.gave_up) == 1
        assert bench.gave_up[0].startswith("gave up after 10 min without an answer: ")

    on_bench(test, answered=False, ceiling=16)


def test_one_answer_is_enough_for_a_run_to_wait_for_ever() -> None:
    async def test(bench: Bench) -> None:
        await bench.send("server")
        await bench.send()
        await bench.open_breaker()
        await asyncio.sleep(86_400)
        await bench.send()
        assert bench.gave_up == []

    on_bench(test, answered=False, ceiling=16)


def test_how_long_a_run_without_an_answer_lasts_can_be_said() -> None:
    """As where the breaker opens as soon as it can."""

    async def test(bench: Bench) -> None:
        await bench.send("connection")
        await asyncio.sleep(3628)
        assert bench.gave_up == []
        await asyncio.sleep(3)
        assert len(bench.gave_up) == 1

    on_bench(test, answered=False, ceiling=16, give_up_after=3600.0)


def test_a_check_goes_before_all_that_wait_and_a_row_of_its_failures_opens_the_breaker() -> None:
    """However few they are; but not for a hiccup."""

    async def test(bench: Bench) -> None:
        order: list[str] = []

        async def send(name: str, fault: str | None) -> None:
            async with bench.pace.request(check=name == "check") as request:
                order.append(name)
                await asyncio.sleep(1.0)
                if fault is None:
                    request.succeeded(None)
                else:
                    request.failed(fault, "said the server")

        await bench.together(send("first", None), send("second", None), send("check", "server"))
        assert order == ["first", "check", "second"]
        await bench.together(send("check", "server"))
        await asyncio.sleep(28)
        await bench.together(send("check", "rate_limit"))
        assert bench.pace.broken is None
        await asyncio.sleep(2)
        await bench.together(send("check", "server"))
        assert bench.pace.broken is not None
        await bench.together(send("first", None), send("check", None))
        assert order[-2:] == ["check", "first"]
        assert bench.pace.answered == 4

    on_bench(test, ceiling=1)


def test_a_request_that_is_cancelled_after_it_was_sent_is_counted_as_dropped() -> None:
    async def test(bench: Bench) -> None:
        sending = asyncio.create_task(bench.send(seconds=50.0))
        waiting = asyncio.create_task(bench.send())
        await asyncio.sleep(10)
        for task in (sending, waiting):
            task.cancel()
        await asyncio.wait([sending, waiting])
        await bench.send("server")
        assert bench.pace.dropped == 1

    on_bench(test, ceiling=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ceiling", 0),
        ("rpm", 0.0),
        ("tpm", -1.0),
        ("rpm", float("nan")),
        ("break_after_failures", 0),
        ("probe_seconds", 0.0),
        ("break_after_seconds", -1.0),
        ("give_up_after", -1.0),
    ],
)
def test_limits_out_of_range_are_refused(name: str, value: float) -> None:
    values: dict[str, Any] = {"ceiling": 4, name: value}
    with pytest.raises(ValueError, match=name):
        PaceLimits(**values)


def test_the_real_clock_and_loop_serve_as_well() -> None:
    async def main() -> None:
        pace = Pace(PaceLimits(ceiling=2, rpm=30_000))

        async def send() -> None:
            async with pace.request(expected_tokens=1) as request:
                await asyncio.sleep(0.001)
                request.succeeded(1)

        await asyncio.gather(*(send() for _ in range(10)))
        assert (pace.in_flight, pace.waiting) == (0, 0)

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() >= began


# Whatever happens.


@dataclass(frozen=True)
class Wish:
    """A request to come: when, how long it takes, what it meets, when its owner cancels."""

    at: float
    seconds: float
    fault: str | None
    expected: int | None
    used: int | None
    cancel_after: float | None


times = st.integers(0, 80).map(lambda quarter: quarter / 4)
wishes = st.builds(
    Wish,
    at=times,
    seconds=times,
    fault=st.sampled_from(
        [None, None, None, "rate_limit", "server", "timeout", "connection", "refused"]
    ),
    expected=st.none() | st.integers(0, 200),
    used=st.none() | st.integers(0, 200),
    cancel_after=st.none() | st.none() | times,
)
some_limits = st.builds(
    PaceLimits,
    ceiling=st.integers(1, 24),
    rpm=st.none() | st.integers(6, 600),
    tpm=st.none() | st.integers(600, 60_000),
    break_after_seconds=st.sampled_from([0.0, 5.0, 30.0]),
    break_after_failures=st.integers(1, 6),
)


@settings(max_examples=examples(100), deadline=None)
@given(limits=some_limits, asked=st.lists(wishes, max_size=60))
def test_whatever_comes_the_limits_hold_and_everyone_has_a_turn(
    limits: PaceLimits, asked: list[Wish]
) -> None:
    """Never above the level, never too many a minute, nobody overtaken, nobody forgotten."""
    asked = sorted(asked, key=lambda wish: wish.at)

    async def test(bench: Bench) -> None:
        pace = bench.pace
        cancelled: set[int] = set()
        came: dict[int, int] = {}

        def check() -> None:
            assert 1 <= pace.level <= limits.ceiling
            assert pace.in_flight <= limits.ceiling

        def admitted(broken: str | None, in_flight: int, level: int) -> None:
            assert in_flight <= (limits.ceiling if broken else level)

        # Seen at the instant a place is given, as a level that falls later binds only the next.
        start = pace._start

        def watched(tokens: float, now: float) -> Any:
            request = start(tokens, now)
            admitted(pace.broken, pace.in_flight, pace.level)
            return request

        pace._start = watched  # type: ignore[method-assign]  # of this object alone

        async def one(number: int, wish: Wish) -> None:
            await asyncio.sleep(wish.at)
            came[number] = len(came)
            sending = bench.send(
                wish.fault,
                seconds=wish.seconds,
                number=number,
                expected=wish.expected,
                used=wish.used,
                each_place=check,
            )
            try:
                async with asyncio.timeout(wish.cancel_after):
                    await sending
            except TimeoutError:
                cancelled.add(number)

        await bench.together(*(one(number, wish) for number, wish in enumerate(asked)))
        assert pace.in_flight == 0
        assert set(range(len(asked))) - cancelled <= set(bench.order)
        # Those that are let go at one instant may find out in any order.
        turns = sorted(
            (at, came[number]) for at, number in zip(bench.sent_at, bench.order, strict=True)
        )
        assert [turn for _, turn in turns] == sorted(turn for _, turn in turns)
        if limits.rpm is not None:
            burst = max(1.0, limits.rpm / 10)
            for i, first in enumerate(bench.sent_at):
                in_window = sum(first <= at < first + 60 for at in bench.sent_at[i:])
                assert in_window <= limits.rpm + burst + 1e-6

    on_bench(test, **{name: getattr(limits, name) for name in limits.__dataclass_fields__})


@settings(max_examples=examples(60), deadline=None)
@given(
    tpm=st.integers(600, 6000),
    sizes=st.lists(st.integers(1, 1000), max_size=40),
)
def test_tokens_in_any_minute_stay_within_the_limit_a_burst_and_one_request(
    tpm: int, sizes: list[int]
) -> None:
    """Where requests use what they were expected to."""

    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send(seconds=0.5, expected=size, used=size) for size in sizes))
        sent = list(zip(bench.sent_at, sizes, strict=True))
        for first, _ in sent:
            in_window = sum(size for at, size in sent if first <= at < first + 60)
            assert in_window <= tpm + max(1.0, tpm / 10) + max(sizes) + 1e-6

    on_bench(test, ceiling=16, tpm=tpm)


def test_the_virtual_loop_sees_a_lost_wake_up() -> None:
    """The tests above would hang for ever without this, and prove nothing."""

    async def main(loop: VirtualLoop) -> None:
        await loop.create_future()

    with pytest.raises(AssertionError, match="lost"):
        in_virtual_time(main)


# --- what holds requests back ------------------------------------------------------------------


async def _held_while_many_wait(bench: Bench, *, expected: int = 100) -> str | None:
    requests = [asyncio.ensure_future(bench.send(expected=expected)) for _ in range(12)]
    await bench.settle()
    held_by = bench.pace.held_by()
    await bench.together(*requests)
    return held_by


@pytest.mark.parametrize(
    ("limits", "held_by"),
    [
        ({"ceiling": 4}, "ceiling"),
        ({"ceiling": 64}, None),
        ({"ceiling": 64, "rpm": 60}, "rpm"),
        ({"ceiling": 64, "tpm": 1000}, "tpm"),
        ({"ceiling": 64, "rpm": 6000, "tpm": 1000}, "tpm"),
        ({"ceiling": 64, "rpm": 6, "tpm": 100_000}, "rpm"),
    ],
)
def test_what_holds_requests_back_is_known(limits: dict[str, Any], held_by: str | None) -> None:
    async def test(bench: Bench) -> None:
        assert bench.pace.held_by() is None
        assert await _held_while_many_wait(bench) == held_by
        assert bench.pace.held_by() is None

    on_bench(test, **limits)


def test_after_an_overload_the_level_holds_requests_back() -> None:
    async def test(bench: Bench) -> None:
        await bench.together(*(bench.send("rate_limit") for _ in range(8)))
        assert await _held_while_many_wait(bench) == "level"

    on_bench(test, ceiling=8, break_after_failures=1000)


def test_an_outage_holds_requests_back() -> None:
    async def test(bench: Bench) -> None:
        await bench.open_breaker()
        assert await _held_while_many_wait(bench) == "outage"

    on_bench(test, ceiling=8)
