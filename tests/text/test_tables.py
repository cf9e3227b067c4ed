"""Tables on terminals of several widths: nothing too wide, nothing broken, nothing lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.text.numbers import format_numbers
from geostore.text.tables import QueryResult, format_table, format_transposed
from geostore.text.terminal import text_width, wrap_words

NAMES = st.from_regex(r"[a-z]{1,6}(_[a-z]{1,6}){0,2}", fullmatch=True)
CELLS = st.one_of(
    st.none(),
    st.integers(-(10**9), 10**9),
    st.floats(-1e9, 1e9),
    st.booleans(),
    st.text("ab é東京(", max_size=60),
)


def words(text: str) -> set[str]:
    return set(text.replace(":", " ").replace(",", " ").split())


@st.composite
def results(draw: st.DrawFn) -> QueryResult:
    names = draw(st.lists(NAMES, min_size=1, max_size=12, unique=True))
    rows = draw(st.lists(st.tuples(*[CELLS] * len(names)), max_size=8))
    return QueryResult(tuple(names), rows)


@given(results(), st.sampled_from([40, 60, 80, 200]))
def test_no_line_is_wider_than_the_terminal_and_no_word_or_number_is_lost(
    result: QueryResult, width: int
) -> None:
    text = format_table(result, width)
    # No name and no cell of these has a word wider than 40 columns but East Asian ones, which
    # break anywhere.
    single = [word for row in result.rows for v in row if isinstance(v, str) for word in v.split()]
    longest = max([width, *(text_width(w) for w in single if text_width(w) == len(w))])
    assert max(map(text_width, text.splitlines())) <= longest
    shown = words(text)
    assert {*result.columns} <= shown
    plain = words(format_table(result, 100_000))
    assert {word for word in plain if word.isascii() and set(word) != {"-"}} <= shown


@pytest.mark.parametrize("width", [60, 80, 200])
def test_numbers_are_written_alike_however_a_table_is_laid_out(width: int) -> None:
    rows = [(f"{n}-4e0b8a39-1", 0.0042 * n, 1234567 * n, 5667.123 * n) for n in (1, 2, 3)]
    names = ("trace", "a_share_with_a_long_name", "a_count_with_a_long_name", "mean_distance_km")
    text = format_table(QueryResult(names, rows), width)
    assert {"0.0042", "0.0084", "0.013", "1,234,567", "5,667.1", "17,001.4"} <= set(text.split())


NUMBERS: dict[str, tuple[str, list[Any], list[str]]] = {
    "a zero has no decimals": ("share", [0.0, 0.875], ["0", "0.875"]),
    "two digits of a small one": ("share", [0.0042, 0.5], ["0.0042", "0.500"]),
    "also where others are large": ("mean_km", [5570.25, 0.31], ["5,570.2", "0.31"]),
    "no more decimals than needed": ("price", [0.15, 0.6], ["0.15", "0.60"]),
    "two digits of a round one": ("mean_km", [5570.25, 0.797], ["5,570.2", "0.80"]),
    "whole fractions": ("share", [1.0, 1.0], ["1.0", "1.0"]),
    "thousands": ("tokens", [1234567, 12], ["1,234,567", "12"]),
    "a number that names something": ("run_id", [12345, None], ["12345", ""]),
    "a negative one": ("gain_km", [-0.0042, -1234.5], ["-0.0042", "-1,234.5"]),
    "degrees": ("lat", [48.85661412, 0.1], ["48.85661", "0.10000"]),
    "a cost": ("cost_per_trace", [0.000402, 12.0], ["0.000402", "12.00"]),
    "too small to count zeros": ("share", [1e-9], ["1e-09"]),
    "too large to count them": ("x", [1e300, 1.5], ["1e+300", "1.5"]),
    "no number at all": ("x", [float("nan"), float("inf")], ["nan", "inf"]),
    "DuckDB's decimals": ("x", [Decimal("1234.50"), Decimal(0)], ["1,234.5", "0"]),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_digits_of_a_column(case: str) -> None:
    name, values, expected = NUMBERS[case]
    assert format_numbers(name, values) == expected


def test_decimal_points_stand_below_each_other() -> None:
    rows = [("a", 5570.25), ("b", 0.0042), ("c", 0.0), ("d", None)]
    assert format_table(QueryResult(("name", "km"), rows), 80).splitlines() == [
        "name          km",
        "----  ----------",
        "a     5,570.2",
        "b         0.0042",
        "c         0",
        "d",
        "(4 rows)",
    ]


def test_a_row_more_is_a_row_and_two_are_rows() -> None:
    assert format_table(QueryResult(("a",), [(1,)]), 80).endswith("(1 row)")
    assert format_table(QueryResult(("a",), [(1,)] * 1200), 80).endswith("(1,200 rows)")


def test_long_text_is_wrapped_in_its_column() -> None:
    rows = [("a", "one two three four five six seven eight nine ten eleven", 7), ("b", "x", 12)]
    assert format_table(QueryResult(("name", "text", "n"), rows), 40).splitlines() == [
        "name  text                             n",
        "----  ------------------------------  --",
        "a     one two three four five six      7",
        "      seven eight nine ten eleven",
        "b     x                               12",
        "(2 rows)",
    ]


def test_columns_come_closer_where_that_makes_the_table_fit() -> None:
    names = ("a_name_of_15", "another_of_18", "and_a_third_of_20")
    wide, close = (format_table(QueryResult(names, [(1, 2, 3)]), width) for width in (46, 44))
    assert wide.splitlines()[0] == "a_name_of_15  another_of_18  and_a_third_of_20"
    assert close.splitlines()[0] == "a_name_of_15 another_of_18 and_a_third_of_20"


COLUMNS = ("recipe", *(f"a_long_name_{n}" for n in range(8)))


def test_a_wide_table_of_two_rows_is_turned() -> None:
    rows: list[tuple[Any, ...]] = [(name, *range(1000, 1008)) for name in ("4e0b8a39", "3efae2eb")]
    assert format_table(QueryResult(COLUMNS, rows), 60).splitlines()[:2] == [
        "recipe         4e0b8a39  3efae2eb",
        "a_long_name_0     1,000     1,000",
    ]


def test_a_wide_table_of_more_rows_folds_behind_the_columns_that_name_a_row() -> None:
    rows: list[tuple[Any, ...]] = [(f"4e0b8a{n}", *range(8)) for n in range(10, 20)]
    lines = format_table(QueryResult(COLUMNS, rows), 60).splitlines()
    heads = [line for line in lines if line.startswith("recipe")]
    assert heads == [
        "recipe    a_long_name_0  a_long_name_1  a_long_name_2",
        "recipe    a_long_name_3  a_long_name_4  a_long_name_5",
        "recipe    a_long_name_6  a_long_name_7",
    ]
    assert lines.count("4e0b8a10              0              1              2") == 1
    assert lines.count("4e0b8a10              6              7") == 1


def test_a_folded_table_repeats_the_column_that_tells_its_rows_apart() -> None:
    columns = ("flag", "trace", *COLUMNS[1:5])
    rows: list[tuple[Any, ...]] = [("same", f"{n}-4e0b8a39-1", *range(4)) for n in range(10, 20)]
    lines = format_table(QueryResult(columns, rows), 60).splitlines()
    assert [line.split()[0] for line in lines if "a_long_name" in line] == ["trace", "trace"]
    rows = [("a" if n < 5 else "b", n % 5, *range(4)) for n in range(10)]
    columns = ("kind", "count", *COLUMNS[1:5])
    heads = format_table(QueryResult(columns, rows), 60).splitlines()
    assert sum(line.startswith("kind  count") for line in heads) == 2


def test_a_folded_table_repeats_all_columns_that_tell_its_rows_apart() -> None:
    """The first three do not always: calibration has rows by recipe, form and band."""
    columns = ("recipe", "model", "tools", "form", "band", *COLUMNS[1:5])
    rows: list[tuple[Any, ...]] = [
        ("4e0b8a39", "m", "yes", form, band, *range(4))
        for form in ("1-5", "percent", None)
        for band in ("0-0.1", "0.5-0.6", "0.9-1")
    ]
    lines = format_table(QueryResult(columns, rows), 60).splitlines()
    heads = [line for line in lines if line.startswith("recipe")]
    assert len(heads) > 1
    assert all(head.split()[:3] == ["recipe", "form", "band"] for head in heads)
    names = [line.split("  0.9-1")[0] for line in lines if "  0.9-1" in line]
    assert len(set(names)) == len(names) / len(heads)


def test_a_wide_table_of_many_rows_becomes_a_block_for_each() -> None:
    rows: list[tuple[Any, ...]] = [(f"4e0b8a39-{n}", *range(8)) for n in range(50)]
    lines = format_table(QueryResult(COLUMNS, rows), 60).splitlines()
    assert lines[:2] == ["recipe:        4e0b8a39-0", "a_long_name_0: 0"]
    assert (lines[9], lines[10]) == ("", "recipe:        4e0b8a39-1")
    assert lines[-1] == "(50 rows)"


def test_one_wide_row_is_a_block_whose_text_goes_on_below_itself() -> None:
    row = ("0-4e0b8a39-1", "some words to say " * 9, '{"a":["b"]}')
    assert format_table(QueryResult(("trace", "response", "json"), [row]), 60).splitlines() == [
        "trace:    0-4e0b8a39-1",
        "response: some words to say some words to say some words to",
        "          say some words to say some words to say some words",
        "          to say some words to say some words to say some",
        "          words to say",
        'json:     {"a":["b"]}',
        "(1 row)",
    ]


def test_a_word_wider_than_the_terminal_stays_whole() -> None:
    sha256, path = (
        "0123456789abcdef" * 4,
        "/a/path/that/nobody/wants/to/put/together/from/two/lines",
    )
    text = format_table(QueryResult(("sha256", "path"), [(sha256, path)]), 40)
    assert text.splitlines() == ["sha256:", sha256, "path:", path, "(1 row)"]


def test_an_answer_without_rows_names_its_columns() -> None:
    assert format_table(QueryResult(COLUMNS, []), 60).splitlines() == [
        "recipe, a_long_name_0, a_long_name_1, a_long_name_2,",
        "a_long_name_3, a_long_name_4, a_long_name_5, a_long_name_6,",
        "a_long_name_7",
        "(0 rows)",
    ]


def test_turned_rows_that_do_not_fit_side_by_side_follow_below() -> None:
    rows: list[tuple[Any, ...]] = [(f"4e0b8a{n}", n, n / 7) for n in range(10, 17)]
    text = format_transposed(QueryResult(("recipe", "traces", "mean_km"), rows), 60)
    assert text.splitlines() == [
        "recipe   4e0b8a10  4e0b8a11  4e0b8a12  4e0b8a13  4e0b8a14",
        "traces         10        11        12        13        14",
        "mean_km     1.429     1.571     1.714     1.857     2.000",
        "",
        "recipe   4e0b8a15  4e0b8a16",
        "traces         15        16",
        "mean_km     2.143     2.286",
    ]


def test_in_a_pipe_a_row_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that grep and `less -S` see whole rows."""
    monkeypatch.delenv("COLUMNS", raising=False)
    rows: list[tuple[Any, ...]] = [(f"4e0b8a{n}", *range(8)) for n in range(10, 12)]
    lines = format_table(QueryResult(COLUMNS, rows)).splitlines()
    assert len(lines) == 5
    assert lines[2].split() == ["4e0b8a10", *"01234567"]
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, format_table(QueryResult(COLUMNS, rows)).splitlines())) <= 60


def test_words_of_east_asian_text_break_anywhere() -> None:
    assert wrap_words("駅前の標識に東京と書いてある", 12) == [
        "駅前の標識に",
        "東京と書いて",
        "ある",
    ]


SHARES = QueryResult(
    ("name", "share", "share_low", "share_high", "n", "n_low"),
    [
        ("a", 0.875, 0.69, 0.9573, 24, 1),
        ("b", 0.0, 0.0, 0.299, 9, 2),
        ("c", None, None, None, 0, 3),
    ],
)


def test_on_a_terminal_an_interval_stands_behind_its_number() -> None:
    """Three columns for each share would take three bands where one does."""
    assert format_table(SHARES, 80).splitlines() == [
        "name                 share   n  n_low",
        "----  --------------------  --  -----",
        "a     0.875 (0.690..0.957)  24      1",
        "b     0.000 (0.000..0.299)   9      2",
        "c                            0      3",
        "(3 rows; in brackets from _low to _high)",
    ]


def test_in_a_file_the_bounds_of_an_interval_are_columns() -> None:
    assert format_table(SHARES, None).splitlines()[0].split() == list(SHARES.columns)
    assert format_table(SHARES, None).splitlines()[-1] == "(3 rows)"


def test_texts_are_no_bounds() -> None:
    result = QueryResult(("x", "x_low", "x_high"), [(1, "none", 3)])
    assert format_table(result, 80).splitlines()[0].split() == ["x", "x_low", "x_high"]
