"""Faults, signals, budgets and kills in any mix: nothing is lost, nothing is paid for twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kill_worker import Forks
from tests.lives import GENTLE, HARD, Life, Lives

PLAN = {"num_samples": 6, "concurrency": 4, "recipe": {"protocol": "text"}}
NATIVE = {"num_samples": 5, "concurrency": 2, "rollouts": 2, "recipe": {"protocol": "native"}}


def warm_forks(folder: Path) -> Iterator[Forks]:
    with Forks(folder / "errors") as warm:
        warm.open(folder / "warm.db")
        yield warm


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    yield from warm_forks(tmp_path_factory.mktemp("forks"))


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """For a second process at the same time."""
    yield from warm_forks(tmp_path_factory.mktemp("beside"))


@pytest.mark.parametrize("end", GENTLE)
def test_a_run_that_ends_in_order_has_taken_in_all_that_was_in_flight(
    end: str, forks: Forks, photo_dataset: Path, tmp_path: Path
) -> None:
    """Twice in one store, early and late; most replies are slow, so that there is something."""
    lives = Lives(forks=forks, dataset=photo_dataset, folder=tmp_path, seed=1, plan=PLAN)
    early = Life(end, 0.05, True, fault_rate=0.1, slow_rate=0.8)
    lives.play([early, replace(early, at=0.3, by_point=False)])
    assert lives.ends[end] > 0, "it never came to that end"


@pytest.mark.parametrize("seed", range(3))
def test_whatever_mix_of_faults_and_ends_a_store_goes_through_it_ends_as_if_undisturbed(
    seed: int, forks: Forks, photo_dataset: Path, tmp_path: Path
) -> None:
    """Replies are paid for twice only where a kill met them in flight; `make soak` plays more."""
    chance = random.Random(seed)
    plan = chance.choice([PLAN, NATIVE])
    lives = Lives(forks=forks, dataset=photo_dataset, folder=tmp_path, seed=seed, plan=plan)
    lives.play([Life.drawn(chance, GENTLE + HARD) for _ in range(4)])
    assert lives.ends.total() == 5


@pytest.mark.parametrize("seed", range(3))
def test_a_second_process_beside_one_that_ends_anyhow_pays_for_nothing_again(
    seed: int, forks: Forks, beside: Forks, photo_dataset: Path, tmp_path: Path
) -> None:
    """It takes over what the other leaves, also in the middle of a conversation."""
    chance = random.Random(f"beside {seed}")
    plan = {**chance.choice([PLAN, NATIVE]), "num_samples": 10, "concurrency": 2}
    lives = Lives(
        forks=forks,
        beside=beside,
        dataset=photo_dataset,
        folder=tmp_path,
        seed=seed,
        plan=plan,
    )
    lives.play([Life.drawn(chance, GENTLE + HARD, beside=1.0) for _ in range(2)])
    assert lives.ends.total() == 3
