"""The last lines of a run fit a terminal of 80 columns and say what is left."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from geostore.costs.budget import BudgetLimits, BudgetUse
from geostore.costs.prices import Prices
from geostore.generate.events import (
    AskingEnded,
    Event,
    Gauges,
    Planned,
    RequestFailed,
    TraceEnded,
    TurnCommitted,
)
from geostore.generate.figures import RunFigures
from geostore.generate.last_lines import print_table, what_is_left
from geostore.generate.plan import RunResult
from geostore.records import Closing, FailedAttempt, Reward, Sample, TraceKey, Turn

KEY = TraceKey(0, "r" * 64, 1)
FULL = RunResult(
    done=1234,
    closings={
        "answered": {"answer": 1_000_000},
        "exhausted": {"turn_limit": 3, "no_answer": 2, "image_limit": 4},
        "failed": {"timeout": 2, "refused": 5},
    },
    remaining=746,
    interrupted=4,
    dropped=2,
    elsewhere=3,
    excluded={"duplicate": 12, "undecodable": 1},
    stopped=True,
)


def figures() -> RunFigures:
    """Figures of a long run, as its events give them."""
    now = iter([0.0, *[4321.0] * 1000])
    counted = RunFigures(clock=lambda: next(now))
    gauges = Gauges(
        in_flight=0,
        level=16,
        ceiling=16,
        paused=None,
        prices=Prices(per_million_in=2.5, per_million_out=10.0),
        budget=BudgetUse(BudgetLimits(max_cost=200.0, max_total_tokens=10**9), 900_000_000, 123.0),
    )
    turn = Turn(
        turn=1,
        response="",
        reasoning=None,
        reasoning_source=None,
        native_calls=None,
        finish_reason="stop",
        turn_limit=10,
        request_sha256=None,
        prompt_tokens=1_200_000,
        completion_tokens=34_567,
        total_tokens=1_234_567,
    )
    reward = Reward(distance_km=824.0, score=0.5, geoguessr_points=None)
    sample = Sample(0, 0.0, 0.0, None, None, {}, None)
    events: tuple[Event, ...] = (
        Planned(2_000_000),
        TurnCommitted(KEY, turn),
        TurnCommitted(KEY, turn),
        *(RequestFailed(KEY, FailedAttempt(1, kind, "x")) for kind in ("rate_limit", "server")),
        RequestFailed(KEY, FailedAttempt(1, "probe", "answered")),
        TraceEnded(KEY, sample, Closing("answered", "answer"), reward, None),
        AskingEnded(gauges, FULL),
    )
    for event in events:
        counted.watch(event)
    return counted


def printed(
    result: RunResult, counted: RunFigures | None, *, width: int = 80, terminal: bool = False
) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, soft_wrap=True)
    print_table(result, counted, console)
    return out.getvalue()


def test_the_table_holds_every_end_and_what_was_spent() -> None:
    assert (
        printed(FULL, figures())
        == """\
1,000,016 traces closed in 1 h 12 min

  answered      1,000,000  100.0 %
  exhausted             5    0.0 %  turn_limit 3, no_answer 2
  failed                2    0.0 %  timeout 2
  refused               9    0.0 %  refused 5, image_limit 4
  left open             4
  dropped               2           requests in flight; the teacher may bill
                                    them
  done before       1,234
  rows skipped         13           duplicate 12, undecodable 1
  remaining           746           3 held by another process

  tokens        2,469,134           2,400,000 in, 69,134 out
  cost               6.69           6.69 per trace
  budget                            123.00 of 200.00, 900,000,000 of
                                    1,000,000,000 tokens, over all runs
  distance         824 km           median; mean 824 km, 100.0 % accepted
  failures              2           rate_limit 1, server 1
"""
    )


@pytest.mark.parametrize("width", [30, 80, 200])
@pytest.mark.parametrize("terminal", [True, False])
def test_it_keeps_to_the_width_and_has_colours_only_on_a_terminal(
    width: int, terminal: bool
) -> None:
    text = printed(FULL, figures(), width=width, terminal=terminal)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert (text == plain) is not terminal
    assert max(map(len, plain.splitlines())) <= max(width, 60)
    for number in ("1,000,000", "746", "2,469,134", "6.69"):
        assert number in plain


def test_a_run_that_found_nothing_to_do_has_no_more_lines_than_it_needs() -> None:
    assert printed(RunResult(done=7, remaining=0), RunFigures()) == (
        "0 traces closed in 0 s\n\n  done before  7\n"
    )
    assert printed(RunResult(), None) == "0 traces closed\n"


def test_what_is_left_says_how_many_and_what_to_type() -> None:
    assert list(what_is_left(FULL)) == [
        "1 photo skipped as missing or damaged; once that is mended, run the same command with "
        "--retry skipped to read such photos again",
        "746 remain (3 of them held by another process); run the same command again to go on",
        "2 of 1,000,016 traces failed (geostore query failures); run the same command with "
        "--retry failed to ask about them again",
        "9 of 1,000,016 traces were refused by the server (geostore query failures); once that "
        "is mended, run the same command with --retry refused to ask about them again",
    ]
    assert list(what_is_left(RunResult(done=7, remaining=0))) == []
    one = RunResult(closings={"failed": {"refused": 1}}, remaining=1, stopped=True)
    assert list(what_is_left(one)) == [
        "1 remains; run the same command again to go on",
        "1 of 1 trace was refused by the server (geostore query failures); once that is mended, "
        "run the same command with --retry refused to ask about them again",
    ]
