"""Budgets: they count what was paid for, go on where the last run stopped, and say how to go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geostore.costs.budget import Budget, BudgetLimits
from geostore.costs.prices import Prices
from geostore.costs.usage import Usage
from geostore.errors import PriceError
from geostore.generate.request import open_budget
from geostore.records import FailedAttempt
from geostore.store import ClaimedTrace, Store
from tests.trace_parts import DATASET, RECIPE, SAMPLE, SENT, TURN, start_run

PRICES = Prices(1.0, 10.0)
PAID = replace(TURN, prompt_tokens=100, completion_tokens=20, total_tokens=120)
BILLED = FailedAttempt(
    1, "bad_response", "empty", 200, json.dumps({"prompt_tokens": 30, "completion_tokens": 1})
)
UNBILLED = FailedAttempt(1, "rate_limit", "slow down", 429)


def test_nothing_is_limited_without_a_limit() -> None:
    budget = Budget("m", BudgetLimits(), prices=PRICES, spent=Usage(10**12, 10**12, 0, 2 * 10**12))
    assert budget.reached is None


def test_a_limit_is_reached_when_it_is_spent_and_not_before() -> None:
    budget = Budget("m", BudgetLimits(max_total_tokens=240))
    budget.add_turn(replace(PAID, prompt_tokens=99, total_tokens=119))
    budget.add_turn(PAID)
    assert (budget.spent_tokens, budget.reached) == (239, None)
    budget.add_turn(replace(PAID, prompt_tokens=1, completion_tokens=0, total_tokens=1))
    assert budget.spent_tokens == 240
    assert budget.reached is not None


def test_billed_failures_count_and_others_do_not() -> None:
    budget = Budget("m", BudgetLimits(max_total_tokens=1000), prices=PRICES)
    budget.add_failure(UNBILLED)
    assert budget.spent == Usage()
    budget.add_failure(BILLED)
    assert budget.spent_tokens == 31
    assert budget.spent_cost == pytest.approx(40 / 1e6)
    use = budget.use
    assert (use.spent_tokens, use.spent_cost) == (31, budget.spent_cost)
    budget.add_turn(PAID)
    assert use.text() == "31 of 1,000 tokens", "a use is of one moment"


def test_the_sentence_says_which_limit_how_much_and_how_to_go_on() -> None:
    tokens = Budget("m", BudgetLimits(max_total_tokens=1000), spent=Usage(900, 334, 0, 1234))
    assert tokens.reached == (
        "the budget of m is used up: 1,234 tokens in this store, of 1,000; "
        "raise --max-total-tokens and run the same command again to go on"
    )
    spent = Usage(1_000_000, 100_000, 0, 1_100_000)
    cost = Budget("m", BudgetLimits(max_cost=1.5), prices=PRICES, spent=spent)
    assert cost.reached == (
        "the budget of m is used up: a cost of 2.00 in this store, of 1.50; "
        "raise --max-cost and run the same command again to go on"
    )


def test_responses_without_counts_are_told_with_the_limit() -> None:
    """They were paid for, so what is spent is more than is known."""
    budget = Budget("m", BudgetLimits(max_total_tokens=100))
    budget.add_turn(replace(TURN, prompt_tokens=None))
    budget.add_turn(PAID)
    assert budget.reached is not None
    assert "(1 without token counts, so estimated)" in budget.reached


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_cost": 5.0}, "--max-cost needs the prices of m"),
        ({"max_cost": 0.0}, "--max-cost is above 0"),
        ({"max_cost": float("nan")}, "--max-cost is above 0"),
        ({"max_total_tokens": 0}, "--max-total-tokens is above 0"),
    ],
)
def test_a_limit_that_cannot_be_held_is_refused(limits: dict[str, Any], words: str) -> None:
    with pytest.raises(PriceError, match=words):
        Budget("m", BudgetLimits(**limits))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store in which model `test` was asked once with success and failed twice."""
    where = tmp_path / "geostore.db"
    with Store.open(where, create=True) as store:
        run_id = start_run(store)
        claimed = store.claims.claim(
            sample_id=store.samples.put_sample(
                store.samples.put_dataset(DATASET), SAMPLE
            ).sample_id,
            recipe_id=store.recipes.put_recipe(RECIPE),
            rollout=1,
            run_id=run_id,
            turn_limit=10,
            seconds=60,
        )
        assert isinstance(claimed, ClaimedTrace)
        store.traces.put_turn(claimed.trace_id, PAID, run_id=run_id, photo=SENT)
        store.traces.put_attempt(claimed.trace_id, BILLED, run_id=run_id)
        store.traces.put_attempt(claimed.trace_id, UNBILLED, run_id=run_id)
    return where


def test_a_budget_goes_on_from_what_earlier_runs_spent(path: Path) -> None:
    """Billed failures included, and the same as if one run had spent it all."""
    whole = Budget("test", BudgetLimits(max_cost=1.0), prices=PRICES)
    whole.add_turn(PAID)
    whole.add_failure(BILLED)
    whole.add_failure(UNBILLED)
    with Store.open(path) as store:
        resumed = open_budget(store, "test", BudgetLimits(max_cost=1.0), prices=PRICES)
        other = open_budget(store, "another", BudgetLimits(max_total_tokens=1))
        small = open_budget(store, "test", BudgetLimits(max_total_tokens=151))
        enough = open_budget(store, "test", BudgetLimits(max_total_tokens=152))
    assert resumed is not None
    assert resumed.spent == whole.spent == Usage(130, 21, 0, 151)
    assert resumed.spent_cost == pytest.approx((130 + 210) / 1e6)
    assert other is not None
    assert other.reached is None
    assert small is not None
    assert small.reached is not None
    assert enough is not None
    assert enough.reached is None


def test_without_a_limit_nothing_is_added_up(path: Path) -> None:
    with Store.open(path) as store:
        store.db.connection.set_trace_callback(lambda statement: pytest.fail(statement))
        assert open_budget(store, "test", BudgetLimits(), prices=PRICES) is None
