"""`geostore stats` on real terminals of several widths, and in a pipe."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geostore.query.stats import DistanceBin, StoreStats, format_text, stats
from geostore.query.stats_view import stats_sheet
from geostore.store import Store
from geostore.text.bars import upright_bars
from geostore.text.sheets import Group, Sheet
from tests.questioned import PLAIN, TOOLS, failed_answer, filling, left_out, make_store
from tests.running import geostore
from tests.terminals import on_terminal, without_colours

USUAL = {"TERM": "xterm-256color", "NO_COLOR": ""}
FAR = [0.05, 1.0, 26, 800, 19_999]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recipes: one with tools and failures, and one without either."""
    path = make_store(tmp_path_factory.mktemp("stats"))
    with filling(path) as batch:
        for index, km in enumerate(FAR):
            calls = "yyn" if index == 0 else ""
            batch.placed(batch.sample(index, 0.5), TOOLS, km, 0.5, calls=calls)
        failed_answer(batch, batch.sample(20, 0.5), TOOLS)
        left_out(batch, batch.sample(21, 0.5), TOOLS)
        for index in (22, 23):
            batch.placed(batch.sample(index, 0.5), PLAIN, 10, 0.5)
    return path


@pytest.fixture(scope="module")
def numbers(path: Path) -> StoreStats:
    return stats(path)


def drawn(path: Path, columns: int, **environ: str) -> list[str]:
    code, lines = on_terminal(
        "stats", "--store", path, columns=columns, environ={**USUAL, **environ}
    )
    assert code == 0, lines
    return lines


def of_row(lines: list[str], label: str) -> list[str]:
    """What stands behind a label, each part between wide spaces."""
    (line,) = [line for line in lines if line.startswith(f"  {label} ")]
    return re.split(r" {2,}", line.strip())[1:]


def rows_of(sheet: Sheet, title: str, note: str) -> dict[str, list[str]]:
    (group,) = [group for group in sheet.groups if (group.title, group.note) == (title, note)]
    return {row.label: [cell.value for cell in row.cells] for row in group.rows}


def test_recipes_stand_side_by_side_with_units_and_intervals(path: Path) -> None:
    lines = [*map(without_colours, drawn(path, 80))]
    assert max(map(len, lines)) <= 80
    assert all(line == line.rstrip() for line in lines)
    assert lines[:3] == ["recipe    model", "aaaaaaaa  m      tools", "bbbbbbbb  m      no tools"]
    heads = next(
        n for n, line in enumerate(lines) if line.split() == ["all", "aaaaaaaa", "bbbbbbbb"]
    )
    assert lines[heads + 1].split() == ["tools", "no", "tools"]
    assert "Right answers  95 % interval; a failure is a miss" in lines
    first = lines.index("Right answers  95 % interval; a failure is a miss")
    # 2 of 6, one of them without coordinates; with the other recipe 4 of 8.
    assert of_row(lines[first : first + 6], "within 25 km") == [
        *("50.0 %", "22-78", "33.3 %", "10-70", "100.0 %", "34-100")
    ]
    assert of_row(lines, "calls with a result") == ["66.7 %", "66.7 %"]
    assert of_row(lines, "one_number") == ["1", "1", "0"]
    ends = [line.split("  ")[0] for line in lines if line and line[0] not in " rab"]
    assert ends == [
        *("How far the answers are off, in km", "Traces", "Distance", "Distance"),
        *("Right answers", "Right answers", "Reward", "Turns and tools", "Tokens"),
        *(
            "No coordinates",
            "Audit",
            "the places of 9 traces are not computed yet; geostore rescore computes them",
        ),
    ]


def test_failures_count_both_ways(numbers: StoreStats) -> None:
    sheet = stats_sheet(numbers)
    left_out = rows_of(sheet, "Distance", "failures left out")
    assert left_out["median"] == ["10 km", "26 km", "10 km"]
    assert rows_of(sheet, "Distance", "each failure as 20,000 km")["median"][1] == "413 km"
    assert rows_of(sheet, "Right answers", "a failure is a miss")["within 25 km"][1] == "33.3 %"
    assert rows_of(sheet, "Right answers", "failures left out")["within 25 km"][1] == "40.0 %"


def test_without_failures_each_number_stands_once(path: Path, tmp_path: Path) -> None:
    plain = make_store(tmp_path)
    with filling(plain) as batch:
        batch.placed(batch.sample(1, 0.5), PLAIN, 10, 0.5)
    lines = [*map(without_colours, drawn(plain, 60))]
    assert sum("median" in line for line in lines) == 1
    assert "Distance  every trace has coordinates" in lines
    assert not any("none" in line or "all" in line.split() for line in lines)
    assert "Turns  no tool was called" in lines


def test_a_narrow_terminal_leaves_intervals_out_and_a_wide_one_has_two_halves(path: Path) -> None:
    narrow, usual, wide = ([*map(without_colours, drawn(path, n))] for n in (60, 80, 160))
    assert max(map(len, narrow)) <= 60 < max(map(len, usual)) <= 80 < max(map(len, wide)) <= 160
    assert not any("22-78" in line or "interval" in line for line in narrow)
    assert any(re.match("Traces  +.*Re", line) or "Traces   " in line for line in wide)
    assert len(wide) < len(usual) - 15


def test_what_does_not_fit_side_by_side_follows_below(tmp_path: Path) -> None:
    path = make_store(tmp_path)
    with filling(path) as batch:
        more = [batch.recipe(f"{n:08d}", f"model{n}", tools="[]") for n in range(10)]
        samples = map(batch.sample, range(78), [0.5] * 78)
        for number, recipe in enumerate([TOOLS, PLAIN, *more]):
            for _ in range(number + 1):
                batch.placed(next(samples), recipe, 3, 0.5)
    lines = [*map(without_colours, drawn(path, 80))]
    assert max(map(len, lines)) <= 80
    counts = [line.split()[3:] for line in lines if line.startswith("  in the store ")]
    assert len(counts) == 3
    assert sorted(int(count) for band in counts for count in band) == [*range(1, 13), 78]
    assert sum(line.startswith("  00000009 ") for line in lines) == 1, "a line of bars"


def test_a_store_without_traces_says_what_makes_some(tmp_path: Path) -> None:
    Store.open(tmp_path / "empty.db", create=True).close()
    lines = drawn(tmp_path / "empty.db", 60)
    assert "geostore generate" in " ".join(lines)
    assert len(lines) < 10


def test_colours_are_for_terminals_that_want_them(path: Path) -> None:
    coloured = re.compile(r"\x1b\[(\d+;)*[39]\d")
    assert coloured.search("".join(drawn(path, 80)))
    for environ in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        lines = drawn(path, 80, **environ)
        assert not coloured.search("".join(lines))
        assert [*map(without_colours, lines)] == [*map(without_colours, drawn(path, 80))]


def test_a_terminal_without_block_characters_gets_others(path: Path) -> None:
    lines = [*map(without_colours, drawn(path, 80, PYTHONIOENCODING="ascii"))]
    assert "".join(lines).isascii()
    assert any(re.search(r"aaaaaaaa +[.:=+*%#-]", line) for line in lines)


def test_a_pipe_gets_plain_lines_with_every_number(path: Path, numbers: StoreStats) -> None:
    text = geostore("stats", "--store", path, COLUMNS="").stdout
    assert "\x1b" not in text
    assert text == format_text(numbers) + "\n"
    assert "median_km_failures_20000" in text


def test_bars_stand_where_their_distances_are(numbers: StoreStats) -> None:
    chart = stats_sheet(numbers).chart
    assert chart is not None
    bars = [n for n, share in enumerate(chart.shares[1]) if share]
    ticks = {words: n for n, words in chart.ticks.items()}
    # 0.05 km, 1, 26, 800 and 19,999 km, and the failure; four bars for each factor of ten.
    assert bars == [
        0,
        ticks["1"],
        ticks["10"] + 1,
        ticks["100"] + 3,
        ticks["10k"] + 1,
        ticks["none"],
    ]
    assert {chart.shares[1][n] for n in bars} == {1 / 6}
    assert chart.shares[2][ticks["10"]] == 1


def test_a_distance_beyond_the_earth_is_in_the_last_bar(numbers: StoreStats) -> None:
    far = (DistanceBin(1e6, 1.778e6, 3),)
    store = replace(numbers.store, distances=far, failures=0)
    chart = stats_sheet(replace(numbers, store=store)).chart
    assert chart is not None
    assert [n for n, share in enumerate(chart.shares[0]) if share] == [len(chart.shares[0]) - 3]


def test_costs_stand_there_where_there_are_prices(numbers: StoreStats) -> None:
    def costs(**known: Any) -> list[Group]:
        sums = replace(numbers.store, **known)
        sheet = stats_sheet(replace(numbers, store=sums))
        return [group for group in sheet.groups if group.title == "Cost" and group.rows]

    assert costs() == []
    (priced,) = costs(cost=1.5, cost_per_trace=0.25)
    assert [row.label for row in priced.rows] == ["in all", "per trace", "turns left out"]
    assert [row.cells[0].value for row in priced.rows] == ["1.50", "0.250", "10"]
    (stated,) = costs(stated_cost=3.0)
    assert stated.note.startswith("as the server states it")


def test_large_counts_have_three_digits(numbers: StoreStats) -> None:
    def sent(tokens: int) -> str:
        sums = replace(numbers.store, prompt_tokens=tokens)
        return rows_of(stats_sheet(replace(numbers, store=sums)), "Tokens", "")["sent"][0]

    assert [sent(n) for n in (9_999_999, 12_345_678, 999_900_000, 8_123_456_789)] == [
        *("9,999,999", "12.3 M", "1,000 M", "8.12 G")
    ]


def test_a_bar_is_empty_for_nothing_alone() -> None:
    assert upright_bars([0, 0.001, 0.5, 1], 1, lines=2) == ["   █", " ▁██"]
    assert upright_bars([0, 1, 2], 2, lines=1, width=2) == ["  ▄▄██"]
    assert upright_bars([0, 1, 8], 8, lines=1, ascii_only=True) == [" .#"]
