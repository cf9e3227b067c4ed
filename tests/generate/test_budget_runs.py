"""Budgets over whole runs: a run pauses cleanly, says how to go on, and goes on from there."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from geostore.store import Store
from tests.minds import zoom_then_answer
from tests.running import geostore
from tests.teacher_server import Reply, TeacherServer, teacher_server

# Each response uses 100 prompt and 20 completion tokens: 0.0002 at these prices.
PRICES = ("--price-in", "1", "--price-out", "5")


def generate(
    server: TeacherServer, photos: Path, store: Path, *options: str
) -> CompletedProcess[str]:
    return geostore(
        *("generate", "--dataset-path", photos, "--store", store, "--num-samples", "6"),
        *("--base-url", server.url, "--model", "test", "--concurrency", "2", *options),
    )


def count(store: Path, statement: str) -> int:
    with Store.open(store) as opened:
        return int(opened.db.connection.execute(statement).fetchone()[0])


@pytest.mark.parametrize(
    "limit", [("--max-total-tokens", "480"), ("--max-cost", "0.0008", *PRICES)]
)
def test_a_run_pauses_at_its_budget_and_a_larger_one_goes_on(
    photo_dataset: Path, tmp_path: Path, limit: tuple[str, ...]
) -> None:
    """Four responses reach the limit; one more may be in flight by then."""
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        paused = generate(server, photo_dataset, store, *limit)
        asked = len(server.requests)
        again = generate(server, photo_dataset, store, *limit)
        assert len(server.requests) == asked
        raised = generate(server, photo_dataset, store, limit[0], "100000", *limit[2:])
    assert 4 <= asked <= 5
    assert (paused.returncode, again.returncode, raised.returncode) == (3, 3, 0)
    for stopped in (paused, again):
        sentence = stopped.stderr.splitlines()[-1]
        assert "the budget of test is used up" in sentence
        assert f"raise {limit[0]} and run the same command again" in sentence
    assert again.stderr.count("is used up") == 1
    assert len(server.requests) == 12
    assert count(store, "select count(*) from traces where status = 'answered'") == 6
    assert count(store, "select count(*) from runs where outcome = 'stopped: budget'") == 2
    assert count(store, "select count(*) from traces where claimed_by is not null") == 0


def test_a_trace_whose_last_response_is_paid_for_is_closed_when_the_budget_is_reached(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        generate(server, photo_dataset, store, "--max-total-tokens", "240", "--concurrency", "1")
    assert count(store, "select count(*) from traces where status = 'answered'") == 1


def test_billed_failures_use_up_a_budget(photo_dataset: Path, tmp_path: Path) -> None:
    """A response that says nothing is billed all the same."""
    store = tmp_path / "geostore.db"
    with teacher_server(lambda body: Reply(None)) as server:
        done = generate(
            server, photo_dataset, store, "--max-total-tokens", "100", "--concurrency", "1"
        )
    assert len(server.requests) == 1
    assert done.returncode == 3


def test_a_cost_without_prices_asks_nothing(photo_dataset: Path, tmp_path: Path) -> None:
    with teacher_server(zoom_then_answer) as server:
        done = generate(server, photo_dataset, tmp_path / "g.db", "--max-cost", "5")
    assert (done.returncode, server.requests) == (1, [])
    assert "--max-cost needs the prices of test" in done.stderr


def test_status_and_stats_tell_the_cost_of_a_run_with_prices(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Twelve responses of 0.0002; the prices are kept, so that a later run needs none."""
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        generate(server, photo_dataset, store, *PRICES)
        assert generate(server, photo_dataset, store, "--max-cost", "0.001").returncode == 3
    told = json.loads(geostore("status", "--store", store, "--json").stdout)
    budget = told["runs"][0]["budget"]
    assert budget["spent_cost"] == pytest.approx(0.0024)
    stats = json.loads(geostore("stats", "--store", store, "--json").stdout)["store"]
    assert stats["cost"] == pytest.approx(0.0024)
    assert stats["cost_per_trace"] == pytest.approx(0.0004)
    assert "of 0.00100" in geostore("status", "--store", store).stdout
