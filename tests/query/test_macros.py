"""The functions of intervals and of repeated tries, against computations in Python."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from geostore.query.reader import ask, open_reader, run_query
from geostore.store import Store


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBPyConnection]:
    path = tmp_path_factory.mktemp("store") / "geostore.db"
    Store.open(path, create=True).close()
    with open_reader(path) as reader:
        yield reader


def value(reader: DuckDBPyConnection, expression: str) -> Any:
    """The value of an expression, asked as a user's statement is."""
    return ask(reader, f"select {expression}").rows[0][0]


def shares_that_explain(hits: int, n: int) -> tuple[float, float]:
    """The lowest and highest share from which the observed one is 1.96 standard deviations off."""

    def is_near(share: float) -> bool:
        deviation = math.sqrt(share * (1 - share) / n)
        return abs(hits / n - share) <= statistics.NormalDist().inv_cdf(0.975) * deviation

    bounds = []
    for far in (0.0, 1.0):
        near = hits / n
        for _ in range(100):
            middle = (near + far) / 2
            near, far = (middle, far) if is_near(middle) else (near, middle)
        bounds.append(near)
    return bounds[0], bounds[1]


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (3, 10), (1, 1), (250, 1000), (0, 10**6)])
def test_the_interval_of_a_share_holds_all_shares_that_explain_it(
    reader: DuckDBPyConnection, hits: int, n: int
) -> None:
    low, high = shares_that_explain(hits, n)
    assert value(reader, f"share_low({hits}, {n})") == pytest.approx(low, abs=1e-9)
    assert value(reader, f"share_high({hits}, {n})") == pytest.approx(high, abs=1e-9)


def test_a_share_of_nothing_has_no_interval(reader: DuckDBPyConnection) -> None:
    assert ask(reader, "select share_low(0, 0), share_high(0, 0), share_low(null, 3)").rows == [
        (None, None, None)
    ]


@pytest.mark.parametrize(
    ("locatability", "decile"),
    [
        *(("null", None), ("0", 1), ("0.0999", 1), ("0.1", 2), ("0.3", 4), ("0.7", 8)),
        *(("0.6999", 7), ("0.7::float", 8), ("0.95", 10), ("1", 10), ("-0.5", 1), ("1.5", 10)),
    ],
)
def test_a_decile_holds_its_lower_bound(
    reader: DuckDBPyConnection, locatability: str, decile: int | None
) -> None:
    assert value(reader, f"decile({locatability})") == decile


def test_bins_are_as_many_as_wanted(reader: DuckDBPyConnection) -> None:
    columns = "bin_of(0.49, 4), bin_of(0.5, 4), bin_of(1, 4), bin_name(2, 4), bin_name(10, 10)"
    assert ask(reader, f"select {columns}").rows == [(2, 3, 4, "0.25-0.5", "0.9-1")]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_pass_at_is_the_share_of_choices_that_hold_a_pass(
    reader: DuckDBPyConnection, n: int
) -> None:
    for c in range(n + 1):
        rollouts = [True] * c + [False] * (n - c)
        for k in range(1, n + 1):
            choices = [any(choice) for choice in itertools.combinations(rollouts, k)]
            share = sum(choices) / len(choices)
            assert value(reader, f"pass_at({k}, {n}, {c})") == pytest.approx(share)
    assert value(reader, f"pass_at({n + 1}, {n}, {n})") is None


def mixed(number: int) -> int:
    """The last step of MurmurHash3."""
    number ^= number >> 16
    number = number * 0x85EBCA6B & 0xFFFFFFFF
    number ^= number >> 13
    number = number * 0xC2B2AE35 & 0xFFFFFFFF
    return number ^ number >> 16


def bootstrap(sums: list[float], counts: list[float]) -> tuple[float, float]:
    """The bounds that hold 95 % of 1,000 quotients with exponential weights."""
    quotients = []
    for replicate in range(1000):
        weights = [-math.log((mixed(400 * replicate + i) + 0.5) / 2**32) for i in range(len(sums))]
        above = sum(weight * part for weight, part in zip(weights, sums, strict=True))
        below = sum(weight * part for weight, part in zip(weights, counts, strict=True))
        quotients.append(above / below)
    bounds = statistics.quantiles(quotients, n=40, method="inclusive")
    return bounds[0], bounds[-1]


def test_a_bootstrap_follows_its_rule(reader: DuckDBPyConnection) -> None:
    """So the same rows give the same interval in every version of DuckDB."""
    dice = random.Random(3)
    for groups in (2, 7, 400):
        counts = [float(dice.randint(1, 9)) for _ in range(groups)]
        sums = [count * dice.random() for count in counts]
        interval = value(reader, f"bootstrap({sums}, {counts})")
        assert (interval["low"], interval["high"]) == pytest.approx(bootstrap(sums, counts))
    statement = "select bootstrap_group(unnest([0, 1, 12345, 4294967295]))"
    groups_of_ids = [mixed(id) % 400 for id in (0, 1, 12345, 4294967295)]
    assert [group for (group,) in ask(reader, statement).rows] == groups_of_ids


def test_a_bootstrap_is_as_wide_as_the_spread_of_a_mean(reader: DuckDBPyConnection) -> None:
    """Over 20,000 numbers in 400 groups, each cell for itself."""
    statement = """
        with
        numbers as (
          select i, i % 2 as cell, mixed(i + 7) / 4294967296 * (1 + i % 2) as x
          from range(40000) as t(i)
        ),
        groups as (
          select cell, bootstrap_group(i) as g, sum(x) as total, count(*) as n
          from numbers
          group by cell, g
        )
        select
          sum(total) / sum(n) as mean,
          bootstrap(list(total order by g), list(n order by g)) as interval
        from groups
        group by cell
        order by cell
    """
    for scale, row in enumerate(ask(reader, statement).to_dicts(), start=1):
        spread = 1.96 * scale / math.sqrt(12 * 20_000)
        assert row["interval"]["low"] == pytest.approx(row["mean"] - spread, abs=spread / 4)
        assert row["interval"]["high"] == pytest.approx(row["mean"] + spread, abs=spread / 4)


def test_one_group_or_equal_ones_have_no_interval(reader: DuckDBPyConnection) -> None:
    """A width of 0 would say that the mean is known for sure."""
    lists = ("[1], [2]", "[0, 0], [0, 0]", "null, null", "[0.3, 0.1], [3, 1]", "[0, 0], [1, 1]")
    columns = ", ".join(f"bootstrap({sums_and_counts})" for sums_and_counts in lists)
    assert ask(reader, f"select {columns}").rows == [(None,) * 5]


@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_the_best_of_k_is_the_mean_of_the_greatest_of_all_choices(
    reader: DuckDBPyConnection, n: int
) -> None:
    numbers = sorted(random.Random(n).sample(range(100), n))
    for k in range(1, n + 1):
        greatest = [max(choice) for choice in itertools.combinations(numbers, k)]
        terms = (f"{x} * best_weight({place}, {k}, {n})" for place, x in enumerate(numbers, 1))
        expected = pytest.approx(sum(greatest) / len(greatest))
        assert value(reader, " + ".join(terms)) == expected


def test_the_functions_can_be_used_in_a_statement_of_ones_own(tmp_path: Path) -> None:
    Store.open(tmp_path / "geostore.db", create=True).close()
    result = run_query(
        tmp_path / "geostore.db",
        "select decile(locatability_score) as decile, share_low(count(*), count(*)) as low, "
        "pass_at(1, count(*), 0) as pass from trace_results group by all",
    )
    assert (result.columns, result.rows) == (("decile", "low", "pass"), [])
