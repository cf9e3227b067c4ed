"""What tokens cost: known sums, price files that say what they mean, and the store's own sums."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.costs.prices import PriceChoice, Prices, choose_prices, load_prices
from geostore.costs.usage import Tally, Usage, usage_of_failure, usage_of_turn
from geostore.errors import PriceError
from geostore.query.reader import ask, open_reader
from geostore.query.stats import format_text, stats
from geostore.records import FailedAttempt, Turn
from geostore.store import Store
from geostore.store.prices import find_prices, put_prices, spent_by_tier, spent_tokens
from geostore.text.phrases import format_cost
from tests.hand_made import Batch, insert_failure, write_facts

PRICES = Prices(0.25, 2.0, 0.025)
COUNTS = st.none() | st.integers(min_value=0, max_value=10**9)


def turn(**counts: Any) -> Turn:
    return Turn(
        turn=1,
        response="",
        reasoning=None,
        reasoning_source=None,
        native_calls=None,
        finish_reason="stop",
        turn_limit=10,
        request_sha256="0" * 64,
        **counts,
    )


def failure(usage: Any) -> FailedAttempt:
    return FailedAttempt(1, "bad_response", "", usage=None if usage is None else json.dumps(usage))


def test_the_cached_part_of_a_prompt_costs_the_cached_price() -> None:
    """600,000 at 0.25, 400,000 at 0.025 and 100,000 at 2, each per million."""
    assert PRICES.cost(1_000_000, 100_000, 400_000) == pytest.approx(0.15 + 0.01 + 0.2)


def test_without_a_cached_price_the_whole_prompt_costs_the_same() -> None:
    assert Prices(1.0, 0.0).cost(1_000_000, 0, 400_000) == pytest.approx(1.0)
    assert Prices(1.0, 0.0, 0.0).cost(1_000_000, 0, 400_000) == pytest.approx(0.6)


def test_what_is_unknown_costs_nothing_and_no_more_is_cached_than_was_sent() -> None:
    assert PRICES.cost(None, None, None) == 0.0
    assert PRICES.cost(None, None, 100) == 0.0
    assert PRICES.cost(100, 0, 1000) == pytest.approx(100 * 0.025 / 1e6)


def test_what_is_written_to_a_cache_costs_its_own_price() -> None:
    """Of a million: 0.4 cached, 0.5 written, and the rest as any prompt."""
    prices = Prices(1.0, 0.0, 0.1, 1.25)
    cost = prices.cost(1_000_000, 0, 400_000, 500_000)
    assert cost == pytest.approx(0.04 + 0.625 + 0.1)
    assert Prices(1.0, 0.0, 0.1).cost(1_000_000, 0, 400_000, 500_000) == pytest.approx(0.64)
    # No more is written than was sent and not cached.
    assert prices.cost(100, 0, 60, 999) == pytest.approx((60 * 0.1 + 40 * 1.25) / 1e6)


def test_a_tier_with_prices_of_its_own_costs_these_and_any_other_the_models() -> None:
    prices = Prices(1.0, 10.0, tiers={"flex": Prices(0.5, 5.0), "priority": Prices(2.0, 20.0)})
    for tier, factor in ((None, 1), ("default", 1), ("flex", 0.5), ("priority", 2)):
        tally = Tally()
        tally.add_turn(turn(prompt_tokens=100, completion_tokens=10, service_tier=tier))
        assert prices.cost_of_all(tally) == pytest.approx(factor * 200 / 1e6)


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS)))
def test_the_cost_of_a_sum_is_the_sum_of_costs(counts: list[tuple[int | None, ...]]) -> None:
    """So that a budget and a table of costs agree with each response's own cost."""
    prices = Prices(0.25, 2.0, 0.025, 0.3125)
    total = Usage()
    for prompt, completion, cached, written in counts:
        total += usage_of_turn(
            turn(
                prompt_tokens=prompt,
                completion_tokens=completion,
                cached_tokens=cached,
                cache_write_tokens=written,
            )
        )
    each = sum(prices.cost(*one) for one in counts)
    assert prices.cost_of(total) == pytest.approx(each)


def test_a_response_without_counts_is_known_to_be_one() -> None:
    assert usage_of_turn(turn()) == Usage(uncounted=1)
    assert usage_of_turn(turn(prompt_tokens=5)) == Usage(5, 0, 0, 5, uncounted=1)
    assert usage_of_turn(turn(total_tokens=9)) == Usage(total_tokens=9, uncounted=1)
    assert usage_of_turn(turn(prompt_tokens=5, completion_tokens=2)) == Usage(5, 2, 0, 7)


def test_a_billed_failure_counts_and_one_without_usage_does_not() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 3},
    }
    assert usage_of_failure(failure(usage)) == Usage(10, 5, 3, 15)
    assert usage_of_failure(failure(None)) == Usage()
    odd = {"prompt_tokens": "ten", "completion_tokens": True, "prompt_tokens_details": None}
    assert usage_of_failure(failure(odd)) == Usage(uncounted=1)


@pytest.mark.parametrize("price", [-1.0, float("nan"), float("inf")])
def test_a_price_is_a_number_that_can_be_paid(price: float) -> None:
    for prices in ((price, 1.0), (1.0, price), (1.0, 1.0, price)):
        with pytest.raises(PriceError, match="per million"):
            Prices(*prices)


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (0, "0.00"),
        (0.0000123456, "0.0000123"),
        (0.00420000000005, "0.00420"),
        (0.5, "0.500"),
        (1, "1.00"),
        (1234.567, "1,234.57"),
    ],
)
def test_a_cost_is_shown_with_digits_that_say_something(cost: float, text: str) -> None:
    assert format_cost(cost) == text


# --- where prices come from ------------------------------------------------------------------

TABLE: dict[str, Any] = {
    "gpt*": {"in": 9, "out": 9},
    "teacher*": {"in": 0.25, "out": 2.0, "cached": 0.025},
    "teacher-exact": {"in": 1, "out": 3},
}
TOML = """
["gpt*"]
in = 9
out = 9
["teacher*"]
in = 0.25
out = 2.0
cached = 0.025
[teacher-exact]
in = 1
out = 3
"""


@pytest.mark.parametrize("kind", ["json", "toml"])
@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("teacher-exact", Prices(1, 3)),
        ("teacher-mini", PRICES),
        ("teacher", PRICES),
        ("gpt-4", Prices(9, 9)),
    ],
)
def test_the_exact_name_comes_first_and_then_the_longest_start(
    tmp_path: Path, kind: str, model: str, prices: Prices
) -> None:
    path = tmp_path / f"prices.{kind}"
    path.write_text(json.dumps(TABLE) if kind == "json" else TOML)
    assert load_prices(path, model) == prices


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "p.json",
            json.dumps(TABLE),
            r"no price of 'm'; it has: gpt\*, teacher\*, teacher-exact",
        ),
        ("p.json", "{", r"is no JSON"),
        ("p.toml", "[", r"is no TOML"),
        ("p.json", "[]", r"no table from models to prices"),
        ("p.csv", "m,1,2", r"ends in \.json or \.toml"),
        ("p.json", '{"m": 3}', r"'m': a price is a table"),
        ("p.json", '{"m": {"in": 1}}', r"'out', per million tokens, is missing"),
        ("p.json", '{"m": {"in": "1", "out": 2}}', r"'in' is no number: '1'"),
        ("p.json", '{"m": {"in": true, "out": 2}}', r"'in' is no number: True"),
        ("p.json", '{"m": {"in": 1, "out": -2}}', r"'m': a price per million .* not -2"),
        ("p.json", '{"m": {"in": 1, "out": 2, "cached": null}}', r"'cached' is no number"),
        ("p.json", '{"m": {"in": 1, "out": 2, "input": 3}}', r"'input' is no member of a price"),
        ("p.toml", "[m.1]\nin = 1\nout = 2", r"'1' is no member .* dots needs quotes"),
        ("p.json", '{"m": {"in": 1, "out": 2, "flex": {"in": 1}}}', r"tier 'flex': .*'out', per"),
        ("p.json", '{"m": {"in": 1, "out": {}}}', r"'out' is no number"),
        (
            "p.json",
            '{"m": {"in": 1, "out": 2, "flex": {"in": 1, "out": 2, "late": {}}}}',
            r"tier 'flex': 'late' is no member",
        ),
        ("p.json", '{"m": {"in": 1, "out": 2, "flex": 0.5}}', r"'flex' is no member of a price"),
    ],
)
def test_a_price_file_that_is_wrong_says_where(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(PriceError, match=words) as raised:
        load_prices(path, "m")
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_a_price_file_has_prices_of_cache_writes_and_of_tiers(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"prices.{kind}"
    table = {
        "gpt-5.5": {
            "in": 1.25,
            "out": 10.0,
            "cached": 0.125,
            "cache_write": 1.5,
            "Flex": {"in": 0.625, "out": 5.0, "cache_write": 0.75},
        }
    }
    toml = """
["gpt-5.5"]
in = 1.25
out = 10
cached = 0.125
cache_write = 1.5
["gpt-5.5".Flex]
in = 0.625
out = 5
cache_write = 0.75
"""
    path.write_text(json.dumps(table) if kind == "json" else toml)
    flex = Prices(0.625, 5.0, None, 0.75)
    assert load_prices(path, "gpt-5.5") == Prices(1.25, 10.0, 0.125, 1.5, {"flex": flex})


def test_a_price_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match=r"no price file at .*none\.json"):
        load_prices(tmp_path / "none.json", "m")
    with pytest.raises(PriceError, match="cannot be read"):
        load_prices(tmp_path, "m")


def test_prices_come_from_options_or_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"*": {"in": 1, "out": 2}}')
    assert choose_prices("m", PriceChoice()) is None
    assert choose_prices("m", PriceChoice(per_million_in=3, per_million_out=4)) == Prices(3, 4)
    assert choose_prices("m", PriceChoice(file=path)) == Prices(1, 2)
    with pytest.raises(PriceError, match="both --price-in and --price-out"):
        choose_prices("m", PriceChoice(per_million_in=3))
    with pytest.raises(PriceError, match="both --price-in and --price-out"):
        choose_prices("m", PriceChoice(per_million_cached=3))
    with pytest.raises(PriceError, match="not from both"):
        choose_prices("m", PriceChoice(per_million_in=0.0, per_million_out=1, file=path))


# --- in the store ----------------------------------------------------------------------------

BILLED = {
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "total_tokens": 1050,
    "prompt_tokens_details": {"cached_tokens": 400},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Model m: five turns in four traces of two recipes, a billed failure; model n: one turn."""
    where = tmp_path / "geostore.db"
    with Store.open(where, create=True) as store, store.db.transaction():
        batch = Batch(store.db)
        batch.dataset("photos")
        batch.recipe("aaaaaaaa", "m", tools='[{"name":"zoom"}]')
        batch.recipe("bbbbbbbb", "m", tools="[]")
        batch.recipe("cccccccc", "n", tools="[]")
        samples = [batch.sample(i, 0.5) for i in range(3)]
        batch.placed(samples[0], 1, 100, 0.9, turns=2)
        batch.placed(samples[1], 1, 5000, 0.1)
        open_trace = batch.trace(samples[2], 1, status="open")
        batch.placed(samples[0], 2, 10, 0.99)
        batch.placed(samples[0], 3, 10, 0.99)
        for attempt, usage in enumerate((BILLED, None), start=1):
            insert_failure(
                store.db.connection, trace_id=open_trace, attempt=attempt, turn=2, usage=usage
            )
        # What no run asked for was imported, and nobody paid for it here.
        run_id = store.runs.start_run(
            arguments={}, versions={}, host="test", pid=1, process_started=None
        )
        store.db.connection.execute("update turns set run_id = ?", (run_id,))
    return where


def price(path: Path, model: str, prices: Prices) -> None:
    with Store.open(path) as store:
        put_prices(store.db, model, prices)


def test_later_prices_replace_earlier_ones_and_the_same_change_nothing(path: Path) -> None:
    with Store.open(path) as store:
        assert find_prices(store.db, "m") is None
        put_prices(store.db, "m", PRICES)
        assert find_prices(store.db, "m") == PRICES
        (before,) = store.db.connection.execute("select * from prices").fetchall()
        put_prices(store.db, "m", PRICES)
        (after,) = store.db.connection.execute("select * from prices").fetchall()
        assert tuple(before) == tuple(after)
        put_prices(store.db, "m", Prices(1, 2))
        assert find_prices(store.db, "m") == Prices(1, 2)
        assert find_prices(store.db, "n") is None


def test_prices_of_tiers_are_kept_and_those_of_tiers_that_are_gone_are_not(path: Path) -> None:
    first = Prices(1.0, 10.0, 0.1, 1.25, {"flex": Prices(0.5, 5.0), "batch": Prices(0.25, 2.5)})
    second = Prices(1.0, 10.0, tiers={"flex": Prices(0.5, 5.0, 0.05)})
    with Store.open(path) as store:
        put_prices(store.db, "n", PRICES)
        for prices in (first, second):
            put_prices(store.db, "m", prices)
            assert find_prices(store.db, "m") == prices
        assert find_prices(store.db, "n") == PRICES


def test_every_sum_in_the_store_prices_each_tier_alike(path: Path) -> None:
    """A budget's, the costs of traces, of turns and of failures, in Python, SQLite and DuckDB."""
    prices = Prices(1.0, 10.0, 0.1, 1.25, {"flex": Prices(0.5, 5.0), "priority": Prices(2.0, 20.0)})
    price(path, "m", prices)
    with Store.open(path) as store:
        for trace, tier, written in ((1, "flex", 70), (2, "default", 30), (4, "priority", 999)):
            store.db.connection.execute(
                "update turns set service_tier = ?, cache_write_tokens = ? where trace_id = ?",
                (tier, written, trace),
            )
        usage = {**BILLED, "service_tier": "flex", "cache_creation_input_tokens": 500}
        insert_failure(store.db.connection, trace_id=1, attempt=1, usage=usage)
        insert_failure(store.db.connection, trace_id=2, attempt=1, usage=BILLED)
        write_facts(store.db.connection)
        tally = spent_by_tier(store.db, "m")
        expected = Tally()
        for row in store.db.connection.execute("select id from traces where recipe_id <> 3"):
            stored = store.traces.get_trace(row["id"])
            for one in stored.turns:
                expected.add_turn(one)
            for failed in stored.failures:
                expected.add_failure(failed)
        in_file = [
            store.db.connection.execute(statement).fetchone()[0]
            for statement in (
                "select sum(cost) from trace_results where model = 'm'",
                "select (select sum(cost) from turn_results where model = 'm')"
                " + (select sum(cost) from billed_failures)",
            )
        ]
    assert {tier: usage for tier, usage in expected.by_tier.items() if usage != Usage()} == (
        tally.by_tier
    )
    cost = prices.cost_of_all(tally)
    with open_reader(path) as reader:
        told = [
            ask(reader, "select sum(cost) from trace_results where model = 'm'").rows[0][0],
            ask(reader, "select cost from recipe_results where model = 'm'").rows,
            ask(reader, "costs").to_dicts(),
            ask(reader, "spending").to_dicts(),
        ]
    told[1] = sum(row[0] for row in told[1])
    told[2] = sum(row["cost"] for row in told[2] if row["model"] == "m")
    told[3] = next(row["cost"] for row in told[3] if row["model"] == "m")
    assert [*in_file, *told] == [pytest.approx(cost)] * 6


def test_all_of_a_models_turns_and_billed_failures_are_added_up(path: Path) -> None:
    """Turn n has 100 n prompt and 10 completion tokens, 50 cached in the second; over recipes."""
    with Store.open(path) as store:
        found = spent_tokens(store.db, "m")
        assert found == Usage(
            prompt_tokens=100 + 200 + 100 + 100 + 100 + 1000,
            completion_tokens=5 * 10 + 50,
            cached_tokens=50 + 400,
            total_tokens=600 + 50 + 1050,
        )
        assert spent_tokens(store.db, "n") == Usage(100, 10, 0, 110)
        assert spent_tokens(store.db, "none") == Usage()


def test_adding_up_does_not_read_the_turns_themselves(path: Path) -> None:
    """Their texts are most of a store; three million of them would be read at each start."""
    from geostore.sqlfiles import store_statements

    with Store.open(path) as store:
        plan = store.db.connection.execute(
            "explain query plan " + store_statements()["spent_tokens"], {"model": "m"}
        ).fetchall()
    steps = [row["detail"] for row in plan]
    assert any("COVERING INDEX turns_by_run" in step for step in steps)
    assert not any(step.startswith("SCAN k") and "INDEX" not in step for step in steps)


def cost(prompt: int, completion: int, cached: int) -> Any:
    return pytest.approx(PRICES.cost(prompt, completion, cached))


def test_stats_tell_what_a_trace_and_an_accepted_one_cost(path: Path) -> None:
    """Everything that was spent counts, also on failures and on traces that are open."""
    price(path, "m", PRICES)
    numbers = stats(path)
    whole = numbers.store
    first, second, other = (part.sums for part in numbers.recipes)
    total = PRICES.cost(500 + 1000, 40 + 50, 450)
    assert first.cost == pytest.approx(total)
    assert first.cost_per_trace == pytest.approx(total / 2)
    assert first.cost_per_accepted_trace == pytest.approx(total)
    assert second.cost == cost(100, 10, 0)
    assert (other.cost, other.cost_per_trace, other.unpriced_turns) == (None, None, 1)
    assert whole.cost == cost(1600, 100, 450)
    assert whole.cost is not None
    # Model n has no price, so its traces are in neither part of the fraction.
    assert whole.cost_per_trace == pytest.approx(whole.cost / 3)
    assert whole.cost_per_accepted_trace == pytest.approx(whole.cost / 2)
    assert (first.unpriced_turns, whole.unpriced_turns) == (0, 1)
    assert format_cost(total) in format_text(numbers)


def test_without_any_price_no_cost_is_made_up(path: Path) -> None:
    whole = stats(path).store
    names = ("cost", "cost_per_trace", "cost_per_accepted_trace")
    assert [getattr(whole, name) for name in names] == [None, None, None]
    assert whole.unpriced_turns == whole.turns


def test_costs_of_each_recipe_tell_what_failures_cost(path: Path) -> None:
    price(path, "m", PRICES)
    with open_reader(path) as reader:
        result = ask(reader, "costs")
    first, _, other = (dict(zip(result.columns, row, strict=True)) for row in result.rows)
    assert (first["per_million_in"], first["per_million_out"]) == (0.25, 2.0)
    assert (first["traces"], first["accepted"], first["billed_failures"]) == (2, 1, 1)
    assert first["failed_cost"] == cost(1000, 50, 400)
    assert (first["prompt_tokens"], first["cached_tokens"]) == (1500, 450)
    assert (other["cost"], other["failed_cost"], other["per_million_in"]) == (None, None, None)


def test_python_sqlite_and_duckdb_add_up_alike(path: Path) -> None:
    """One place reads a usage object and three add up; also of one that is odd or says half."""
    odd = [
        {"prompt_tokens": "seven", "completion_tokens": 1.5, "total_tokens": None},
        {"prompt_tokens": 100.0, "completion_tokens": 20.0, "total_tokens": 120.0},
        {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 3100},
        {"input_tokens": 10, "cache_read_input_tokens": 900, "output_tokens": 5},
        {"prompt_tokens": 9, "completion_tokens": -1, "total_tokens": -1},
        {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 99}},
        {"prompt_tokens": True, "prompt_tokens_details": [], "total_tokens": 12},
        {"completion_tokens": 3, "prompt_tokens_details": None},
    ]
    with Store.open(path) as store, store.db.transaction():
        put_prices(store.db, "m", PRICES)
        store.db.connection.execute(
            "update turns set completion_tokens = null, total_tokens = null, cached_tokens = 9999"
            " where trace_id = 2"
        )
        for attempt, usage in enumerate(odd, start=1):
            insert_failure(store.db.connection, trace_id=1, attempt=attempt, usage=usage)
        write_facts(store.db.connection)
    with Store.open(path) as store:
        found = spent_tokens(store.db, "m")
        turns = [t for i in range(1, 5) for t in store.traces.trace_turns(i)]
    expected = usage_of_failure(failure(BILLED))
    for one in [*map(usage_of_turn, turns), *(usage_of_failure(failure(u)) for u in odd)]:
        expected += one
    assert found == expected
    assert found.uncounted == 6
    with open_reader(path) as reader:
        result = ask(reader, "spending")
        by_trace = ask(reader, "select sum(cost) from trace_results where model = 'm'")
    spent = dict(zip(result.columns, result.rows[0], strict=True))
    assert spent.pop("model") == "m"
    assert spent.pop("cost") == pytest.approx(PRICES.cost_of(found))
    assert spent.pop("estimated_cost") == 0
    assert spent == {name: getattr(found, name) for name in spent}
    assert by_trace.rows[0][0] == pytest.approx(PRICES.cost_of(found))
