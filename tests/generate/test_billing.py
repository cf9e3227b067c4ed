"""What a server says that it billed, over whole runs: kept in its words, counted and priced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geostore.costs.usage import COUNT_NAMES
from tests.completions import USAGE, completion, fault, rows
from tests.running import geostore
from tests.teacher_server import Body, Fault, Reply, teacher_server
from tests.usage_objects import ODD, SERVERS

PRICES = ("--price-in", "1", "--price-out", "10", "--price-cached", "0.1")
ANSWER = "It is there. <answer>\\boxed{48.8566, 2.3522}</answer>"
COUNTS = (
    "prompt_tokens, completion_tokens, total_tokens, cached_tokens, cache_write_tokens,"
    " service_tier"
)


def billing(usage: Any, **members: Any) -> Fault:
    """An answer with this usage. members: what stands beside it in the body."""
    return fault({**completion({"content": ANSWER}), "usage": usage, **members})


def generate(photos: Path, store: Path, *replies: Fault, options: tuple[str, ...] = ()) -> Any:
    """Ask about one photo; each reply is given once, in order, and the last one for ever."""

    def script(number: int, body: Body) -> Fault:
        return replies[min(number, len(replies) - 1)]

    with teacher_server(lambda body: Reply(ANSWER), script=script) as server:
        return geostore(
            *("generate", "--dataset-path", photos, "--store", store, "--num-samples", "1"),
            *("--base-url", server.url, "--model", "test", "--concurrency", "1", *options),
        )


def costs(store: Path) -> list[float]:
    """The cost of the store as each place tells it, the same number each time."""
    told = json.loads(geostore("stats", "--store", store, "--json").stdout)["store"]["cost"]
    status = json.loads(geostore("status", "--store", store, "--json").stdout)["runs"][0]["cost"]
    ((in_file,),) = rows(store, "select sum(cost) from trace_results")
    return [told, status, in_file]


def test_thoughts_that_stand_only_in_the_total_are_paid_for(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """1,000 in at 1.25 and 2,100 out at 10, per million."""
    store = tmp_path / "geostore.db"
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 3100}
    options = ("--price-in", "1.25", "--price-out", "10", "--max-total-tokens", "100000")
    done = generate(photo_dataset, store, billing(usage), options=options)
    assert done.returncode == 0, done.stderr
    assert "0.0222" in done.stderr
    assert costs(store) == [pytest.approx(0.02225)] * 3
    status = json.loads(geostore("status", "--store", store, "--json").stdout)["runs"][0]
    assert (status["tokens"], status["budget"]["spent_tokens"]) == (3100, 3100)
    assert rows(store, f"select {COUNTS}, usage from turns") == [
        (1000, 2100, 3100, None, None, None, json.dumps(usage, sort_keys=True).replace(" ", ""))
    ]


def test_cache_writes_and_the_tier_are_kept_and_priced(photo_dataset: Path, tmp_path: Path) -> None:
    """In flex 100 in at 0.5, 900 written at 0.625 and 100 out at 5, per million."""
    store, prices = tmp_path / "geostore.db", tmp_path / "prices.json"
    flex = {"in": 0.5, "out": 5, "cache_write": 0.625}
    prices.write_text(json.dumps({"test": {"in": 1, "out": 10, "cache_write": 1.25, "flex": flex}}))
    usage: dict[str, Any] = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    usage["prompt_tokens_details"] = {"cached_tokens": 0, "cache_write_tokens": 900}
    reply = billing(usage, service_tier="flex")
    done = generate(photo_dataset, store, reply, options=("--price-file", str(prices)))
    assert done.returncode == 0, done.stderr
    assert rows(store, f"select {COUNTS} from turns") == [(1000, 100, 1100, 0, 900, "flex")]
    ((kept,),) = rows(store, "select usage from turns")
    assert json.loads(kept) == {**usage, "service_tier": "flex"}
    assert costs(store) == [pytest.approx((100 * 0.5 + 900 * 0.625 + 100 * 5) / 1e6)] * 3
    told = json.loads(geostore("status", "--store", store, "--json").stdout)["runs"][0]
    assert told["cache_write_tokens"] == 900
    assert json.loads(geostore("stats", "--store", store, "--json").stdout)["store"][
        "cache_write_tokens"
    ] == (900)
    # Prices that are given later hold for what was used before.
    options = ("--price-in", "1", "--price-out", "10", "--price-cache-write", "2")
    generate(photo_dataset, store, reply, options=options)
    in_stats, _, in_file = costs(store)
    assert in_stats == in_file == pytest.approx((100 * 1 + 900 * 2 + 100 * 10) / 1e6)


def test_a_failed_request_is_read_and_priced_as_a_turn_is(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Floats, another name, and thoughts only in the total, of replies that say nothing."""
    store = tmp_path / "geostore.db"
    odd: list[dict[str, Any]] = [
        {"prompt_tokens": 100.0, "completion_tokens": 20.0, "total_tokens": 120.0},
        {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 90},
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 620},
    ]
    useless = [fault({**completion({"content": ""}), "usage": usage}) for usage in odd]
    options = ("--price-in", "1", "--price-out", "10", "--max-total-tokens", "100000")
    done = generate(photo_dataset, store, *useless, billing(USAGE), options=options)
    assert done.returncode == 0, done.stderr
    assert rows(store, f"select {COUNTS} from attempts order by attempt") == [
        (100, 20, 120, None, None, None),
        (100, 5, 105, 90, None, None),
        (100, 520, 620, None, None, None),
    ]
    spent = 120 + 105 + 620 + 120
    status = json.loads(geostore("status", "--store", store, "--json").stdout)["runs"][0]
    assert (status["tokens"], status["budget"]["spent_tokens"]) == (spent, spent)
    assert costs(store) == [pytest.approx((400 * 1 + 565 * 10) / 1e6)] * 3


def test_each_server_is_read_as_it_bills_and_counted_once(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """One reply of each form in one run: its words, its counts, and the sum that a budget holds."""
    store = tmp_path / "geostore.db"
    forms = [*SERVERS.values(), *ODD.values()]
    replies = [billing(usage if usage != {} else None) for usage, _ in forms]
    rollouts = -(-len(forms) // 12)
    options = ("--num-samples", "12", "--rollouts", str(rollouts))
    budget = ("--max-total-tokens", str(10**9))
    done = generate(photo_dataset, store, *replies, options=(*options, *budget, *PRICES))
    assert done.returncode == 0, done.stderr
    columns = ", ".join(COUNT_NAMES)
    found = rows(store, f"select {columns} from turns order by rowid")[: len(forms)]
    assert found == [tuple(getattr(counts, n) for n in COUNT_NAMES) for _, counts in forms]
    kept = [text and json.loads(text) for (text,) in rows(store, "select usage from turns")]
    said = [json.loads(json.dumps(usage, allow_nan=False)) for usage, _ in SERVERS.values()]
    assert kept[: len(said)] == said
    ((tokens,),) = rows(
        store,
        "select sum(coalesce(total_tokens, coalesce(prompt_tokens, estimated_prompt_tokens)"
        " + coalesce(completion_tokens, estimated_completion_tokens))) from turns",
    )
    status = json.loads(geostore("status", "--store", store, "--json").stdout)["runs"][0]
    assert status["budget"]["spent_tokens"] == tokens
    in_stats, *others = costs(store)
    assert others == [pytest.approx(in_stats)] * 2
    stats = json.loads(geostore("stats", "--store", store, "--json").stdout)["store"]
    assert stats["stated_cost"] == pytest.approx(0.0125 + 0.006)


# --- budgets without counts -------------------------------------------------------------------

SAYS_SO = "come without token counts, so the budget is estimated: a token for every 4 bytes of text"
UNCOUNTED: dict[str, Any] = {
    "no usage": None,
    "an empty usage": {},
    "nothing but zeros": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    "no prompt": {"completion_tokens": 20},
    "seconds alone": {"queue_time": 0.5, "total_time": 1.5},
}


@pytest.mark.parametrize("usage", UNCOUNTED.values(), ids=UNCOUNTED)
def test_a_budget_that_cannot_be_counted_says_so_and_holds_by_an_estimate(
    photo_dataset: Path, tmp_path: Path, usage: Any
) -> None:
    """A photo alone is more than 500 tokens, so the first reply ends the run."""
    store = tmp_path / "geostore.db"
    options = ("--num-samples", "6", "--max-total-tokens", "500")
    done = generate(photo_dataset, store, billing(usage), options=options)
    assert done.returncode == 3, done.stderr
    assert done.stderr.count(SAYS_SO) == 1
    assert "the budget of test is used up: about " in done.stderr
    assert "of 500; raise --max-total-tokens" in done.stderr.splitlines()[-1]
    ((turns, prompts, guesses),) = rows(
        store,
        "select count(*), count(prompt_tokens), sum(estimated_prompt_tokens) from turns",
    )
    assert (turns, prompts) == (1, 0)
    assert guesses > 500
    status = json.loads(geostore("status", "--store", store, "--json").stdout)["runs"][0]
    assert status["uncounted"] == status["budget"]["uncounted"] == 1
    assert status["budget"]["estimated_tokens"] == status["estimated_tokens"] >= guesses
    assert status["budget"]["spent_tokens"] == status["tokens"] + status["estimated_tokens"]
    assert "about " in geostore("status", "--store", store).stdout
    numbers = json.loads(geostore("stats", "--store", store, "--json").stdout)["store"]
    assert (numbers["uncounted_turns"], numbers["prompt_tokens"]) == (1, None)
    assert numbers["estimated_tokens"] == status["estimated_tokens"]


COUNTED = {
    "floats": {"prompt_tokens": 100.0, "completion_tokens": 20.0, "total_tokens": 120.0},
    "in quotes": {"prompt_tokens": "100", "completion_tokens": "20", "total_tokens": "120"},
    "fractions": {"prompt_tokens": 99.5, "completion_tokens": 19.2},
    "other names": {"input_tokens": 100, "output_tokens": 20},
    "a prompt and the total": {"prompt_tokens": 100, "total_tokens": 120},
}


@pytest.mark.parametrize("usage", COUNTED.values(), ids=COUNTED)
def test_a_budget_counts_numbers_in_whatever_form_they_come(
    photo_dataset: Path, tmp_path: Path, usage: Any
) -> None:
    """The fifth reply of 120 tokens is the one that goes past 500."""
    store = tmp_path / "geostore.db"
    options = ("--num-samples", "12", "--max-total-tokens", "500")
    replies = [billing(usage, id=f"r{number}") for number in range(12)]
    done = generate(photo_dataset, store, *replies, options=options)
    assert done.returncode == 3, done.stderr
    assert SAYS_SO not in done.stderr
    assert "600 tokens in this store, of 500" in done.stderr.splitlines()[-1]
    counts = rows(store, "select prompt_tokens, completion_tokens, total_tokens from turns")
    assert counts == [(100, 20, 120)] * 5


def test_a_later_run_counts_what_was_estimated_and_says_so_at_its_start(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    done = generate(photo_dataset, store, billing(None))
    assert SAYS_SO not in done.stderr
    options = ("--num-samples", "6", "--max-total-tokens", "500")
    again = generate(photo_dataset, store, billing(USAGE), options=options)
    assert again.returncode == 3
    assert again.stderr.count(SAYS_SO) == 1
    assert rows(store, "select count(*) from turns") == [(1,)]


def test_a_budget_on_cost_holds_by_the_estimate_too(photo_dataset: Path, tmp_path: Path) -> None:
    """What stats tell is only what was counted, and how many turns that leaves out."""
    store = tmp_path / "geostore.db"
    prices = ("--price-in", "1000", "--price-out", "0")
    options = ("--num-samples", "6", "--max-cost", "0.5", *prices)
    done = generate(photo_dataset, store, billing({"completion_tokens": 20}), options=options)
    assert done.returncode == 3, done.stderr
    assert "the budget of test is used up: a cost of about " in done.stderr
    numbers = json.loads(geostore("stats", "--store", store, "--json").stdout)["store"]
    assert (numbers["cost"], numbers["unpriced_turns"]) == (0, 1)
    budget = json.loads(geostore("status", "--store", store, "--json").stdout)["runs"][0]["budget"]
    assert budget["spent_cost"] > 0.5


def test_half_an_answer_without_usage_counts_by_its_estimate(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    half = {**completion({"content": "It is in"}, "error"), "usage": None}
    options = ("--max-total-tokens", "500")
    done = generate(photo_dataset, store, fault(half), billing(USAGE), options=options)
    assert done.returncode == 3, done.stderr
    assert SAYS_SO in done.stderr
    query = "select prompt_tokens, estimated_prompt_tokens > 500, estimated_completion_tokens"
    assert rows(store, f"{query} from attempts") == [(None, 1, 2)]


def test_a_request_without_any_reply_is_not_taken_for_paid(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    options = ("--max-total-tokens", "500")
    done = generate(photo_dataset, store, Fault(429), billing(USAGE), options=options)
    assert done.returncode == 0, done.stderr
    assert rows(store, "select usage, estimated_completion_tokens from attempts") == [(None, None)]
    assert SAYS_SO not in done.stderr
