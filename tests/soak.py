"""Ends generate thousands of times, at random, and checks every store against an undisturbed one.

Run it as ``python -m tests.soak --kills 3000``; with ``--seconds 60`` it ends
after a minute, however many kills that were. Each round draws a plan, a latency
of the teacher, a fault rate and a way to kill; plays one store to its end through
as many kills as it takes; and compares its rows, the file's soundness and the
number of requests. In half of the rounds faults, signals, budgets and kills are
mixed, or all but kills, and some have a second process beside them
(`tests.lives`). The seed of a round that failed is printed, and ``--seed`` with it
plays that round again first.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before anything of the datasets' library is imported, and for the forks too.
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")

from tests.conftest import photo_bytes, save_dataset
from tests.kill_worker import POINTS, SQL, Forks
from tests.lives import GENTLE, HARD, Life, Lives
from tests.minds import wanderer
from tests.running import assert_whole, contents, turns_of
from tests.teacher_server import Body, Fault, Reply, teacher_server

PHOTOS = 12


@dataclass(frozen=True)
class Round:
    """What one store goes through."""

    seed: int
    plan: dict[str, Any]
    latency: float
    fault_rate: float
    how: str

    @classmethod
    def drawn(cls, seed: int) -> Round:
        chance = random.Random(seed)
        plan: dict[str, Any] = {
            "num_samples": chance.randint(1, PHOTOS),
            "rollouts": chance.choice([1, 1, 2, 3]),
            "concurrency": chance.choice([1, 1, 2, 4, 8]),
            "turn_limit": chance.choice([2, 3, 10]),
            "recipe": {"protocol": chance.choice(["text", "native"])},
        }
        return cls(
            seed=seed,
            plan=plan,
            latency=chance.choice([0.0, 0.0, 0.002, 0.01]),
            fault_rate=chance.choice([0.0, 0.0, 0.1]),
            how=chance.choice(["instant", "point", "statement", "mixed", "mixed", "gentle"]),
        )


def play(round_: Round, *, forks: Forks, beside: Forks, dataset: Path, folder: Path) -> int:
    """Play a round to its end; how many kills that took. Raises AssertionError.

    beside: for second processes at the same time.
    """
    if round_.how in ("mixed", "gentle"):
        return play_lives(round_, forks=forks, beside=beside, dataset=dataset, folder=folder)
    chance = random.Random(f"kills of {round_.seed}")
    whole, store = folder / "whole.db", folder / "geostore.db"
    with teacher_server(wanderer) as server:
        undisturbed = forks.generate(server.url, dataset, whole, points=[], **round_.plan)
        assert undisturbed.code == 0, "the undisturbed run"
        needed = len(server.requests)

    def script(number: int, body: Body) -> Reply | Fault | None:
        return Fault(503) if chance.random() < round_.fault_rate else None

    # Faults are few and a trace is allowed many, so that none fails for good.
    retry_policy = {"first_wait": 0.001, "longest_wait": 0.002, "longest_retry_after": 0.01}
    plan = {**round_.plan, "retry_policy": {"max_attempts": 30, **retry_policy}}
    kills = 0
    with teacher_server(wanderer, script=script, latency=round_.latency) as server:
        while True:
            # Lives grow longer, so that however short the first ones are the end is reached.
            how: dict[str, Any] = {
                "instant": {"points": [], "kill_after": chance.uniform(0.01, 0.1 + 0.02 * kills)},
                "point": {"points": POINTS, "kill_at": chance.randint(1, 40 + 4 * kills)},
                "statement": {"points": [SQL], "kill_at": chance.randint(1, 60 + 8 * kills)},
            }[round_.how]
            outcome = forks.generate(server.url, dataset, store, **how, **plan)
            if not outcome.killed:
                break
            kills += 1
            if store.exists() and turns_of(store):
                assert_whole(store)
        assert outcome.code == 0, "the last run"
        asked = len(server.requests)
    assert contents(store) == contents(whole), "rows differ"
    assert_whole(store)
    assert turns_of(store) == needed, "turns were lost or made up"
    if round_.fault_rate == 0.0:
        most = kills * round_.plan["concurrency"]
        assert needed <= asked <= needed + most, f"{asked} requests, {needed} needed"
    return kills


def play_lives(round_: Round, *, forks: Forks, beside: Forks, dataset: Path, folder: Path) -> int:
    """The same where the ends are mixed; how many of them were kills."""
    chance = random.Random(f"lives of {round_.seed}")
    ends = GENTLE if round_.how == "gentle" else GENTLE + HARD
    lives = Lives(
        forks=forks,
        beside=beside,
        dataset=dataset,
        folder=folder,
        seed=round_.seed,
        plan=round_.plan,
    )
    lives.play([Life.drawn(chance, ends, beside=0.3) for _ in range(chance.randint(2, 8))])
    return sum(lives.ends[end] for end in HARD)


def main() -> int:
    """Play rounds until there were enough kills; 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=3000, help="how many, at least")
    parser.add_argument("--seconds", type=float, default=None, help="end when they are over")
    parser.add_argument("--seed", type=int, default=None, help="of the first round")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="geostore-soak-"))
    dataset = save_dataset(folder / "photos", [photo_bytes(number) for number in range(PHOTOS)])
    kills = rounds = 0
    started = time.monotonic()
    with Forks(folder / "errors") as forks, Forks(folder / "errors-beside") as beside:
        for warm in (forks, beside):
            warm.open(folder / "warm.db")
        while kills < options.kills and not (
            options.seconds and time.monotonic() - started > options.seconds
        ):
            work = folder / str(seed)
            work.mkdir()
            round_ = Round.drawn(seed)
            try:
                kills += play(round_, forks=forks, beside=beside, dataset=dataset, folder=work)
            except AssertionError as error:
                print(f"FAILED: {error}\n{round_}\nfiles: {work}", file=sys.stderr)
                print((folder / "errors").read_text()[-3000:], file=sys.stderr)
                return 1
            rounds += 1
            seed += 1
            shutil.rmtree(work)
            if rounds % 10 == 0:
                seconds = time.monotonic() - started
                print(f"{kills:,} kills in {rounds:,} rounds, {seconds:.0f} s", file=sys.stderr)
    shutil.rmtree(folder)
    print(f"{kills:,} kills in {rounds:,} stores: every row as if there had been none")
    return 0


if __name__ == "__main__":
    sys.exit(main())
