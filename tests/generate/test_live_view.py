"""What a person sees of a run: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import os
import pty
import re
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from geostore.costs.budget import BudgetLimits, BudgetUse
from geostore.costs.prices import Prices
from geostore.generate.events import (
    AskingStarted,
    FoundDone,
    Gauges,
    Planned,
    Ticked,
    TraceEnded,
    TurnCommitted,
)
from geostore.generate.figures import RunFigures
from geostore.generate.live_view import ProgressWatcher
from geostore.generate.view import view
from geostore.records import Closing, Reward, TraceKey
from geostore.text.bars import sparkline
from geostore.text.phrases import (
    format_cost_per_trace,
    format_counts,
    format_km,
    format_pace,
    format_quality,
    format_score,
    format_span,
)
from geostore.text.progress_bar import CountProgress
from tests.minds import zoom_then_answer
from tests.running import Notes, command, environment, geostore, run
from tests.teacher_server import Body, Fault, free_address, teacher_server
from tests.trace_parts import SAMPLE, TURN

PRICES = Prices(10.0, 100.0)
REFUSAL = Fault(400, b'{"error": {"message": "content policy"}}')
KEY = TraceKey(0, "ab" * 32, 1)


def fault_at_first(number: int, body: Body) -> Fault | None:
    return Fault(503) if number < 2 else None


# --- figures -----------------------------------------------------------------------------------


def test_figures_are_those_of_the_store(photo_dataset: Path, tmp_path: Path) -> None:
    """Counted on the way, and the same as what the rows say afterwards."""
    figures, store = RunFigures(), tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer, script=fault_at_first) as server:
        run(server.url, photo_dataset, store, notes=figures, prices=PRICES)
        run(server.url, photo_dataset, store, notes=(again := RunFigures()), num_samples=7)
    connection = sqlite3.connect(store)
    found = connection.execute(
        "select avg(distance_km), avg(coalesce(score, 0) >= 0.3) from (select * from rewards "
        "order by trace_id limit 6)"
    ).fetchone()
    connection.close()
    assert (figures.mean_km, figures.accept_rate) == pytest.approx(found)
    assert (figures.ended, figures.to_do, figures.done_before) == (6, 6, 0)
    assert (figures.turns, figures.usage.total_tokens) == (12, 12 * 120)
    assert dict(figures.failures) == {"server": 2}
    # 12 responses of 100 tokens in and 20 out, at 10 and 100 per million.
    assert figures.cost == pytest.approx(12 * (100 * 10 + 20 * 100) / 1e6)
    assert (again.ended, again.to_do, again.done_before) == (1, 1, 6)


def test_rates_are_of_this_run_and_tokens_a_second_of_the_last_minute() -> None:
    now = 1_000.0
    figures = RunFigures(clock=lambda: now)
    figures.watch(Planned(100))
    figures.watch(FoundDone(60))
    assert figures.left_seconds is None
    assert figures.tokens_per_second == 0
    figures.ended = 10
    turn = replace(TURN, prompt_tokens=500, completion_tokens=100, total_tokens=600)
    figures.watch(TurnCommitted(KEY, turn))
    now += 30
    assert figures.per_minute == pytest.approx(20)
    assert figures.left_seconds == pytest.approx(90)
    assert figures.tokens_per_second == pytest.approx(20)
    now += 29.5
    assert figures.tokens_per_second == pytest.approx(600 / 59.5)
    now += 30
    assert figures.tokens_per_second == 0
    assert figures.progress_text() == "10 of 40 (25.0 %), 60 done before"
    assert figures.time_text() == "1 min 30 s, 6.7 traces/min, about 4 min 28 s left"


def test_estimated_tokens_are_shown_as_about_and_are_in_no_cost() -> None:
    figures = RunFigures()
    limits = BudgetLimits(max_cost=10.0)
    figures.watch(AskingStarted(Gauges(0, 16, 64, None, PRICES, None)))
    counted = replace(TURN, prompt_tokens=500, completion_tokens=100, total_tokens=600)
    figures.watch(TurnCommitted(KEY, counted))
    assert figures.tokens_text().startswith("600 tokens, ")
    guessed = replace(
        TURN, prompt_tokens=None, estimated_prompt_tokens=1500, estimated_completion_tokens=9
    )
    figures.watch(TurnCommitted(KEY, guessed))
    assert figures.tokens_text().startswith("about 2,109 tokens, ")
    cost = PRICES.cost(500, 100)
    assert figures.cost == pytest.approx(cost)
    budget = BudgetUse(limits, 2109, 1.5, estimated_tokens=1509, uncounted=1)
    figures.watch(Ticked(Gauges(0, 16, 64, None, PRICES, budget)))
    assert figures.cost_text().endswith(" (of counted tokens); budget: about 1.50 of 10.00")


def test_what_cannot_be_known_yet_is_not_made_up() -> None:
    figures = RunFigures()
    assert (figures.mean_km, figures.accept_rate, figures.cost) == (None, None, None)
    assert figures.quality_text() == "no distance yet"
    assert figures.cost_text() == ""
    assert figures.requests_text() == "none yet"


def test_the_level_and_the_budget_are_read_off_the_run() -> None:
    figures = RunFigures()
    limits = BudgetLimits(max_cost=10.0, max_total_tokens=5000)
    for in_flight, spent in ((0, 0), (3, 1200)):
        budget = BudgetUse(limits, spent_tokens=spent, spent_cost=spent / 1000)
        figures.watch(Ticked(Gauges(in_flight, 16, 64, None, PRICES, budget)))
    assert figures.requests_text() == "0 answered, 3 in flight, 16 at a time of 64"
    assert figures.cost_text() == "0.00; budget: 1.20 of 10.00, 1,200 of 5,000 tokens"


# --- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (250, "4 min 10 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (47 * 3600 + 1800, "47 h 30 min"),
        (60 * 3600, "2.5 days"),
    ],
)
def test_lengths_of_time_are_said_as_people_do(seconds: float, said: str) -> None:
    assert format_span(seconds) == said


def test_failures_are_said_by_class_the_most_first() -> None:
    assert format_counts({"timeout": 3, "server": 3, "rate_limit": 1200}) == (
        "rate_limit 1,200, server 3, timeout 3"
    )


def test_distance_and_acceptance_are_said_together() -> None:
    assert format_quality(8.25, 823.6, 0.5317) == "median 8.2 km, mean 824 km, 53.2 % accepted"
    assert format_quality(None, None, 0.0) == "no distance yet, 0.0 % accepted"
    assert [format_km(km) for km in (0, 0.424, 9.96, 12345.6)] == [
        *("0.00 km", "0.42 km", "10.0 km", "12,346 km")
    ]


def test_a_small_score_is_not_lost_to_rounding() -> None:
    scores = [format_score(score) for score in (0.0, 0.87654, 1.0, 0.00216, 0.000021, 2.1e-9)]
    assert scores == ["0", "0.877", "1.000", "0.0022", "0.000021", "2.1e-09"]
    assert format_score(0.5, 2) == "0.50"


def test_pace_and_cost_per_trace_are_left_out_where_nothing_tells() -> None:
    assert format_pace(3, 9720) == "3.0 traces/min, about 2 h 42 min left"
    assert format_pace(0, None) == "0.0 traces/min"
    assert format_cost_per_trace(1.23, 100) == "1.23, 0.0123 per trace"
    assert format_cost_per_trace(1.23, 0) == "1.23"


# --- on a terminal and elsewhere ---------------------------------------------------------------


def test_without_a_terminal_lines_come_while_nothing_happens(
    photo_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that is silent for minutes must not look like a run that is dead."""
    late = lambda number, body: Fault(503, silent_seconds=1.6) if number == 0 else None  # noqa: E731
    with (
        teacher_server(zoom_then_answer, script=late) as server,
        ProgressWatcher(saved_to="x", interval=0.4) as watcher,
    ):
        run(server.url, photo_dataset, tmp_path / "s.db", notes=watcher, num_samples=1)
    lines = [line for line in capsys.readouterr().err.splitlines() if " in flight" in line]
    pattern = (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  traces: 0 of 1 \(0\.0 %\); \d s, 0\.0 traces/min; "
        r"requests: 0 answered, 1 in flight, 4 at a time; 0 tokens, 0/s; no distance yet"
    )
    assert sum(bool(re.fullmatch(pattern, line)) for line in lines) >= 2, lines


def test_a_run_is_told_that_time_passes(photo_dataset: Path, tmp_path: Path) -> None:
    notes = Notes()
    late = lambda number, body: Fault(503, silent_seconds=1.2) if number == 0 else None  # noqa: E731
    with teacher_server(zoom_then_answer, script=late) as server:
        run(server.url, photo_dataset, tmp_path / "s.db", notes=notes, num_samples=1)
    assert 1 in [tick.gauges.in_flight for tick in notes.all_of(Ticked)]
    assert [started.gauges.ceiling for started in notes.all_of(AskingStarted)] == [4]


def seen_on_a_terminal(*arguments: str | Path) -> str:
    """All that a command writes to a terminal of its own, 100 columns wide."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        stdin=theirs,
        env=environment(TERM="xterm", COLUMNS="100", LINES="40"),
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that nobody holds the other end any more
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait() == 0, said
    return said.decode()


def test_a_terminal_shows_notices_and_last_lines_without_a_broken_word(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """A file gets each as one line; `seen_on_a_terminal` is 100 columns wide."""

    def refuse_half(number: int, body: Body) -> Fault | None:
        return REFUSAL if number % 4 == 0 else None

    with teacher_server(zoom_then_answer, script=refuse_half) as server:
        options = ["--max-failed-share", "1", "--concurrency", "1"]
        shown = seen_on_a_terminal(
            *generate(server.url, photo_dataset, tmp_path / "a.db", *options)
        )
        piped = geostore(*generate(server.url, photo_dataset, tmp_path / "b.db", *options)).stderr
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip() for line in shown.splitlines()]
    last = next(line for line in piped.splitlines() if "traces were refused" in line)
    assert len(last) > 100
    assert all(len(line) <= 100 for line in lines)
    assert last in " ".join(lines), "broken between words"


@pytest.mark.parametrize("fault", [Fault(402), Fault(401)])
def test_a_failure_that_ends_the_run_is_said_once(
    fault: Fault, photo_dataset: Path, tmp_path: Path
) -> None:
    with teacher_server(zoom_then_answer, script=lambda number, body: fault) as server:
        ended = geostore(*generate(server.url, photo_dataset, tmp_path / "s.db"))
    assert ended.returncode == 1
    assert ended.stderr.count("out of order") == 1
    assert ended.stderr.splitlines()[-1].endswith("mend it and run the command again")


def test_a_refused_connection_is_not_said_to_be_waited_for(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Nobody listens there, so the run ends at once, and says nothing of ten minutes."""
    options = generate(free_address(), photo_dataset, tmp_path / "s.db", "--concurrency", "8")
    ended = geostore(*options)
    assert ended.returncode == 1
    assert "nothing was answered yet" not in ended.stderr
    assert ended.stderr.count("no server answers at") == 1


def generate(url: str, dataset: Path, store: Path, *more: str) -> list[str | Path]:
    options = ["--base-url", url, "--model", "m", "--concurrency", "2", *more]
    return ["generate", "--dataset-path", dataset, "--store", store, *options]


def test_a_terminal_shows_how_the_run_goes(photo_dataset: Path, tmp_path: Path) -> None:
    prices = ("--price-in", "10", "--price-out", "100", "--max-total-tokens", "100000")
    with teacher_server(zoom_then_answer, script=fault_at_first, latency=0.3) as server:
        said = seen_on_a_terminal(
            *generate(server.url, photo_dataset, tmp_path / "s.db", "--num-samples", "5", *prices)
        )
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    for words in (
        r"━━━━━",
        r"traces +\d of 5 \(\d+\.0 %\)",
        r"time +\d+ s, [\d.,]+ traces/min, about \d+ s left",
        r"requests +\d+ answered, [12] in flight, [12] at a time",
        r"tokens +[\d,]+, [\d,]+/s  [▁▂▃▄▅▆▇█]{20}",
        r"distance +median [\d,]+ km, mean [\d,]+ km, [\d.]+ % accepted",
        r"last traces +score",
        r"\d-[0-9a-f]{8}-1 +[\d,]+ km +\d\.\d\d",
        r"failures +server [12]",
        r"cost +0\.0\d+, 0\.0\d+ per trace; budget: [\d,]+ of 100,000 tokens",
    ):
        assert re.search(words, plain), (words, plain)
    assert re.search(r"5 traces closed in \d+ s\s+answered +5 +100.0 %", plain)


@pytest.mark.parametrize(
    ("gauges", "words"),
    [
        (
            Gauges(3, 8, 64, None, None, None, "level"),
            "the server bears 8 requests at a time so far",
        ),
        (Gauges(64, 64, 64, None, None, None, "ceiling"), "--concurrency 64 holds requests back"),
        (Gauges(64, 64, 64, None, None, None), "--concurrency 64 holds requests back"),
        (Gauges(3, 64, 64, None, None, None, "rpm"), "--rpm holds requests back"),
        (Gauges(3, 64, 64, None, None, None, "tpm"), "--tpm holds requests back"),
        (Gauges(3, 64, 64, None, None, None), ""),
        (Gauges(1, 1, 64, "HTTP 503", None, None, "outage"), ""),
    ],
)
def test_what_limits_the_pace_is_said(gauges: Gauges, words: str) -> None:
    figures = RunFigures()
    figures.watch(Ticked(gauges))
    assert figures.pace_text() == words


def test_the_sparkline_is_of_the_last_minute() -> None:
    now = 1_000.0
    figures = RunFigures(clock=lambda: now)
    turn = replace(TURN, prompt_tokens=500, completion_tokens=100, total_tokens=600)
    assert sparkline(figures.tokens_by_time(20)) == ""
    for at, turns in ((1_000.0, 1), (1_030.0, 2), (1_058.0, 4)):
        now = at
        for _ in range(turns):
            figures.watch(TurnCommitted(KEY, turn))
    assert figures.tokens_by_time(20) == [200, *[0] * 9, 400, *[0] * 8, 800]
    assert sparkline(figures.tokens_by_time(20)) == "▃▁▁▁▁▁▁▁▁▁▅▁▁▁▁▁▁▁▁█"
    now = 1_200.0
    assert figures.tokens_by_time(20) == [0] * 20


def test_the_median_is_of_all_answers_and_the_last_traces_are_named() -> None:
    figures = RunFigures()
    for number, km in enumerate((1.0, 9000.0, 30.0, None)):
        closing = Closing("failed", "timeout") if km is None else Closing("answered", "answer")
        reward = None if km is None else Reward(km, 0.5, 2500)
        key = TraceKey(number, "ab" * 32, 1)
        figures.watch(TraceEnded(key, SAMPLE, closing, reward, None))
    assert figures.median_km == 30.0
    assert figures.mean_km == pytest.approx(9031 / 3)
    assert [(one.name, one.outcome, one.is_failure) for one in figures.last_traces] == [
        ("3-abababab-1", "failed (timeout)", True),
        ("2-abababab-1", "30 km", False),
        ("1-abababab-1", "9,000 km", False),
        ("0-abababab-1", "1.0 km", False),
    ]


def drawn(figures: RunFigures, width: int, height: int, encoding: str = "utf-8") -> list[str]:
    """The lines of the view on a terminal of this size."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, force_terminal=True, width=width, height=height, color_system=None)
    with console.capture() as captured:
        console.print(view(figures, console))
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 109, 110, 200])
@pytest.mark.parametrize("height", [10, 16, 40])
def test_the_view_fits_the_terminal(width: int, height: int) -> None:
    figures = RunFigures()
    figures.watch(Planned(1_400_000))
    limits = BudgetLimits(max_cost=2000.0, max_total_tokens=9_000_000_000)
    budget = BudgetUse(limits, spent_tokens=1_234_567_890, spent_cost=321.0)
    figures.watch(Ticked(Gauges(250, 250, 256, None, PRICES, budget, "level")))
    figures.watch(TurnCommitted(KEY, replace(TURN, total_tokens=5_000, prompt_tokens=4_000)))
    for number in range(20):
        key = TraceKey(1_399_000 + number, "ab" * 32, 1)
        figures.watch(
            TraceEnded(key, SAMPLE, Closing("answered", "answer"), Reward(19_999.0, 0.1, 5), None)
        )
    lines = drawn(figures, width, height)
    text = " ".join(" ".join(lines).split())
    assert all(len(line) <= width for line in lines)
    assert "the server bears 250 requests at a time so far" in text
    assert "1,234,567,890 of 9,000,000,000 tokens" in text, "broken inside a word"
    traces = [line for line in lines if "-abababab-1" in line]
    if width >= 110:
        assert len(traces) == 8
        assert any("traces" in line and "last traces" in line for line in lines)
    else:
        assert len(traces) == {10: 0, 16: 3, 40: 4}[height]
    assert len(lines) < max(height, 13)


def test_a_terminal_without_bars_gets_none() -> None:
    figures = RunFigures()
    figures.watch(TurnCommitted(KEY, replace(TURN, total_tokens=5_000)))
    assert "█" in "".join(drawn(figures, 80, 24))
    assert "\n".join(drawn(figures, 80, 24, encoding="ascii")).isascii()


def test_counted_work_is_told_in_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with CountProgress("files", interval=0.0) as progress:
        progress.show(0, 8)
        progress.show(4, 8, "2 failed")
    with CountProgress("files", interval=0.0, quiet=True) as progress:
        progress.show(4, 8)
    first, second = capsys.readouterr().err.splitlines()
    time_of_day = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  "
    assert re.fullmatch(time_of_day + "0 of 8 files", first)
    assert re.fullmatch(time_of_day + "4 of 8 files, 2 failed, about 0 s left", second)


def test_counted_work_has_a_bar_on_a_terminal_that_is_gone_when_it_is_done() -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=100, soft_wrap=True)
    with CountProgress("soon done", console=console) as progress:
        progress.show(1, 2)
    assert terminal.getvalue() == ""
    with CountProgress("files", bar_after=0.0, console=console) as progress:
        progress.show(1, 2, "3 images/s")
        progress._bar.refresh()
        shown = terminal.getvalue()
        progress.show(2, 2)
        length = len(terminal.getvalue())
        progress.show(2, 2)
        assert len(terminal.getvalue()) == length, "it does not come again"
    assert "files" in shown
    assert "3 images/s" in shown


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_shows_only_how_it_ended(quiet: bool, photo_dataset: Path, tmp_path: Path) -> None:
    more = ("--quiet",) if quiet else ()
    with teacher_server(zoom_then_answer, script=fault_at_first) as server:
        done = geostore(*generate(server.url, photo_dataset, tmp_path / "s.db", *more))
    assert done.returncode == 0
    assert ("failed request (server)" in done.stderr) is not quiet
    lines = done.stderr.splitlines()
    (head,) = (number for number, line in enumerate(lines) if line.startswith("10 traces closed"))
    assert lines[head + 2].split() == ["answered", "10", "100.0", "%"]
    assert (head == 0) is quiet
