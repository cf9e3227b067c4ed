"""One budget that several processes of a store spend together."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from geostore.costs.budget import Budget, BudgetLimits
from geostore.costs.prices import Prices
from geostore.costs.usage import Usage
from geostore.generate.events import RequestFailed, TurnCommitted
from geostore.generate.request import open_budget
from geostore.generate.spending import Spending
from geostore.records import FailedAttempt, TraceKey, Turn
from geostore.store import ClaimedTrace, Store
from geostore.store.prices import spent_by_tier
from tests.completions import rows
from tests.minds import zoom_then_answer
from tests.running import geostore, run, start_geostore
from tests.teacher_server import Body, Reply, teacher_server, wait_until
from tests.trace_parts import DATASET, RECIPE, SAMPLE, SENT, start_run, turn_of

SEATS = 4
PROCESSES = 4
TOKENS = 120
"""Of each response of the test's server."""

KEY = TraceKey(3, "0" * 64, 1)
BILLED = FailedAttempt(
    1, "bad_response", "empty", 200, '{"prompt_tokens":30,"completion_tokens":1}'
)


@pytest.mark.parametrize("usage", ["counted", "not counted"])
def test_four_processes_overspend_one_budget_by_no_more_than_is_in_flight(
    photo_dataset: Path, tmp_path: Path, usage: str
) -> None:
    """Each alone would spend it all, which would be four budgets."""
    store = tmp_path / "geostore.db"
    together = threading.Event()

    def mind(body: Body) -> Reply:
        reply = zoom_then_answer(body)
        return reply if usage == "counted" else Reply(reply.content, usage=None)

    def script(number: int, body: Body) -> None:
        if not together.is_set():
            query = "select count(distinct claimed_by) from traces"
            wait_until(lambda: rows(store, query) == [(PROCESSES,)], 60.0)
            together.set()

    budget = 100 * TOKENS if usage == "counted" else 100_000
    with teacher_server(mind, script=script, latency=0.05) as server:
        options: list[str | Path] = [
            *("generate", "--dataset-path", photo_dataset, "--store", store, "--num-samples", "0"),
            *("--base-url", server.url, "--model", "test", "--rollouts", "40"),
            *("--concurrency", str(SEATS), "--max-total-tokens", str(budget)),
        ]
        processes = [start_geostore(*options) for _ in range(PROCESSES)]
        errors = [process.communicate(timeout=100)[1] for process in processes]
        asked = len(server.requests)
        again = geostore(*options)
        assert len(server.requests) == asked
    assert [process.returncode for process in processes] == [3] * PROCESSES, errors
    assert again.returncode == 3
    for said in errors:
        assert "the budget of test is used up" in said.splitlines()[-1]
    counts = "coalesce(total_tokens, estimated_prompt_tokens + estimated_completion_tokens)"
    query = f"select sum({counts}), max({counts}), count(*) from turns"
    ((spent, most, turns),) = rows(store, query)
    assert turns == asked
    assert budget <= spent <= budget + PROCESSES * SEATS * most
    assert len(rows(store, "select distinct run_id from turns")) == PROCESSES


# --- what one process knows of the others ---------------------------------------------------


class Others:
    """A store with a trace of each of two runs, and what the first counts."""

    def __init__(self, store: Store, budget: Budget) -> None:
        self.store = store
        self.mine, self.theirs = start_run(store), start_run(store)
        self.notices: list[str] = []
        self.ends: list[str] = []
        self.spending = Spending(
            budget, run_id=self.mine, notice=self.notices.append, used_up=self.ends.append
        )
        self._turns = 0

    def trace(self, run_id: int, rollout: int) -> int:
        claimed = self.store.claims.claim(
            sample_id=self.store.samples.put_sample(
                self.store.samples.put_dataset(DATASET), SAMPLE
            ).sample_id,
            recipe_id=self.store.recipes.put_recipe(RECIPE),
            rollout=rollout,
            run_id=run_id,
            turn_limit=10,
            seconds=60,
        )
        assert isinstance(claimed, ClaimedTrace)
        return claimed.trace_id

    def look(self) -> None:
        self.spending.add_others(self.spending.read_others(self.store))


def paid(turn: int, tokens: int, tier: str | None = None) -> Turn:
    return turn_of(turn, prompt_tokens=tokens, completion_tokens=0, service_tier=tier)


def test_what_others_spend_is_counted_once_and_ones_own_never_twice(tmp_path: Path) -> None:
    """Turns and failures of both, in turns, some before the budget is opened; by service tier."""
    prices = Prices(1.0, 10.0, tiers={"flex": Prices(0.5, 5.0)})
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        early = start_run(store)
        before = Others(store, Budget("test", BudgetLimits(max_total_tokens=1)))
        first = before.trace(early, 1)
        store.traces.put_turn(first, paid(1, 1000), run_id=early, photo=SENT)
        store.traces.put_attempt(first, BILLED, run_id=early)
        budget = open_budget(store, "test", BudgetLimits(max_cost=9.0), prices=prices)
        assert budget is not None
        assert budget.spent == Usage(1030, 1, 0, 1031)
        others = Others(store, budget)
        mine, theirs = others.trace(others.mine, 2), others.trace(others.theirs, 3)
        others.look()
        assert budget.spent_tokens == 1031
        for number in range(1, 4):
            turn = paid(number, 10**number, "flex")
            store.traces.put_turn(mine, turn, run_id=others.mine, photo=SENT)
            others.spending.watch(TurnCommitted(KEY, turn))
            store.traces.put_turn(
                theirs, paid(number, 2 * 10**number), run_id=others.theirs, photo=SENT
            )
            store.traces.put_attempt(theirs, BILLED, run_id=others.theirs)
            store.traces.put_attempt(mine, BILLED, run_id=others.mine)
            others.spending.watch(RequestFailed(KEY, BILLED))
            others.look()
            others.look()
            assert budget.tally.by_tier == spent_by_tier(store.db, "test").by_tier
        assert budget.spent_tokens == 1031 + 3330 + 6 * 31
        assert others.ends == []


def test_what_was_imported_or_asked_of_another_model_counts_for_nobody(tmp_path: Path) -> None:
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        budget = open_budget(store, "another", BudgetLimits(max_total_tokens=100))
        assert budget is not None
        others = Others(store, budget)
        trace = others.trace(others.theirs, 1)
        store.traces.put_turn(trace, paid(1, 1000), run_id=others.theirs, photo=SENT)
        others.look()
        assert budget.spent == Usage()
        same = open_budget(store, "test", BudgetLimits(max_total_tokens=10**6))
        assert same is not None
        others = Others(store, same)
        imported = paid(2, 500)
        store.traces.put_turn(trace, imported, run_id=None)
        others.look()
        assert same.spent_tokens == 1000


def test_a_budget_that_nobody_read_from_the_store_counts_from_the_first_look(
    tmp_path: Path,
) -> None:
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        budget = Budget("test", BudgetLimits(max_total_tokens=100))
        others = Others(store, budget)
        trace = others.trace(others.theirs, 1)
        store.traces.put_turn(trace, paid(1, 1000), run_id=others.theirs, photo=SENT)
        others.look()
        assert budget.spent_tokens == 0
        store.traces.put_turn(trace, paid(2, 99), run_id=others.theirs)
        others.look()
        assert (budget.spent_tokens, others.ends) == (99, [])
        store.traces.put_turn(trace, paid(3, 1), run_id=others.theirs)
        others.look()
        assert budget.spent_tokens == 100
        (sentence,) = others.ends
        assert "the budget of test is used up: 100 tokens in this store" in sentence
        others.spending.heed()
        assert len(others.ends) == 1


def test_new_rows_are_read_without_the_old_ones(tmp_path: Path) -> None:
    """A store may hold three million turns, and this is read after each commit."""
    from geostore.sqlfiles import store_statements

    with Store.open(tmp_path / "geostore.db", create=True) as store:
        values = {"model": "m", "run_id": 1, "after_turn": 5, "after_attempt": 5}
        plan = store.db.execute(
            "explain query plan " + store_statements()["spent_by_others"], values
        ).fetchall()
    steps = [row["detail"] for row in plan]
    for name in ("k", "a", "t"):
        of_table = [step for step in steps if step.split()[1] == name]
        assert of_table
        assert all("USING INTEGER PRIMARY KEY" in step for step in of_table), steps


def test_a_run_of_one_process_ends_where_it_did(photo_dataset: Path, tmp_path: Path) -> None:
    """Its own turns come from its events, so reading the store adds nothing to them."""
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        result = run(
            server.url, photo_dataset, store, num_samples=12, concurrency=1, max_total_tokens=840
        )
        assert len(server.requests) == 7
    assert result.paused is not None
    assert "840 tokens in this store, of 840" in result.paused
    with Store.open(store) as opened:
        assert spent_by_tier(opened.db, "test").by_tier == {None: Usage(700, 140, 0, 840)}
        assert spent_by_tier(opened.db, "none").by_tier == {}
