"""``geostore traces``, and the traces that ``show`` and ``image`` choose: order and conditions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from geostore.audit import audit
from geostore.cli import app
from geostore.errors import NotFoundError
from geostore.rewards import make_spec, rescore
from geostore.store import Store
from tests.builders import ZOOM_IN, StoreBuilder, fill, make_dataset
from tests.hand_made import Traces
from tests.running import geostore


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The traces of `fill`, audited, and an open one."""
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        fill(builder)
        audit(store)
        builder.play(1, [ZOOM_IN], rollout=2)
    return folder / "geostore.db"


def run(command: str, store: Path, *options: str, columns: int | None = None) -> Result:
    environment = {"COLUMNS": "" if columns is None else str(columns)}
    return CliRunner(env=environment).invoke(app, [command, "--store", str(store), *options])


def listed(store: Path, *options: str) -> list[dict[str, Any]]:
    """The traces of a list, from its JSON."""
    result = run("traces", store, "--json", *options)
    assert result.exit_code == 0, result.output
    objects: list[dict[str, Any]] = json.loads(result.stdout)
    return objects


def rows_of(store: Path, *options: str) -> list[tuple[int, int]]:
    """Row number and rollout of each trace in a list."""
    return [(line["sample_index"], line["rollout"]) for line in listed(store, *options)]


def test_the_newest_traces_come_first(filled: Path) -> None:
    """In the reverse of the order in which `fill` plays them; an open one when it was made."""
    played = [(0, 1), (0, 2), (1, 1), (2, 1), (3, 1), (3, 1), (1, 2)]
    assert rows_of(filled) == rows_of(filled, "--newest") == played[::-1]
    assert rows_of(filled, "--limit", "2") == [(1, 2), (3, 1)]


def test_the_best_and_the_worst_traces_are_those_of_the_reward(filled: Path) -> None:
    """A failure is the worst, one without a response after it; what has no score comes last."""
    worst = listed(filled, "--worst")
    assert [line["sample_index"] for line in worst[:3]] == [2, 3, 1]
    assert [line["failure"] for line in worst] == [True, True, False, False, False, False, None]
    assert (worst[1]["status"], worst[-1]["status"]) == ("failed", "open")
    scores = [line["score_or_0"] for line in worst[:-1]]
    assert scores == sorted(scores)
    best = listed(filled, "--best")
    assert best[-1]["status"] == "open"
    assert [line["score_or_0"] for line in best[:-1]] == scores[::-1]
    assert best[0]["sample_index"] == 0


def test_scores_are_of_the_reward_that_is_named(filled: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(filled, tmp_path / "geostore.db"))
    with Store.open(path) as store:
        spec = make_spec("linear", {"max": "100000"})
        rescore(store.db, spec)
    ours, theirs = (listed(path, "--best", *o) for o in ([], ["--reward", spec.sha256]))
    assert theirs[0]["score"] != ours[0]["score"]
    above = ["--min-score", "0.8"]
    assert len(listed(path, *above, "--reward", spec.sha256)) > len(listed(path, *above))
    assert run("traces", path, "--reward", "nothing").exit_code == 1


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--status", "open"], [(1, 2)]),
        (["--status", "failed"], [(3, 1)]),
        (["--min-score", "0.95"], [(0, 1), (3, 1)]),
        (["--max-distance", "1"], [(0, 1)]),
        (["--model", "test-native"], [(3, 1)]),
        (["--where", "turns = 3 and tool_calls > 0"], [(0, 1), (0, 2)]),
        (["--flag", "placeholder"], [(2, 1)]),
        (["--exclude-flag", "placeholder", "--where", "tool_calls = 2"], [(0, 1), (3, 1)]),
        (["--since", "2999-01-01"], []),
        (["--recipe", "0000"], []),
    ],
)
def test_a_list_holds_the_traces_that_meet_every_condition(
    filled: Path, options: list[str], rows: list[tuple[int, int]]
) -> None:
    assert sorted(rows_of(filled, *options)) == rows


def test_a_list_shows_twenty_lines_unless_told_otherwise(traces: Traces) -> None:
    """As JSON, for programs, all of them."""
    for number in range(23):
        traces.answered((0.0, 1.0 + number))
    traces.connection.commit()
    result = run("traces", traces.path)
    assert len(result.stdout.splitlines()) == 2 + 20
    assert "20 of 23 traces; --limit 0 lists all" in result.stderr
    everything = run("traces", traces.path, "--limit", "0")
    assert len(everything.stdout.splitlines()) == 2 + 23
    assert everything.stderr == "23 traces\n"
    assert len(listed(traces.path)) == 23


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_line_of_a_list_is_a_line_of_the_terminal(filled: Path, columns: int) -> None:
    """A narrow terminal loses columns; it never loses the names, and no line folds."""
    names = [line["trace"] for line in listed(filled)]
    lines = run("traces", filled, columns=columns).stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert [line.split()[0] for line in lines[2:]] == names
    heads = lines[0].split()
    assert heads[0] == "trace"
    assert {"status", "why", "distance_km", "score"} <= set(heads)
    assert ("model" in heads) == (columns == 200)


def test_a_pipe_gets_every_column(filled: Path) -> None:
    heads = run("traces", filled).stdout.splitlines()[0].split()
    assert heads == [
        *("trace", "status", "why", "distance_km", "score", "country", "turns", "calls", "tools"),
        *("model", "tokens", "closed"),
    ]


def test_a_list_without_traces_says_so(filled: Path, tmp_path: Path) -> None:
    result = run("traces", filled, "--where", "false")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no trace" in result.stderr
    assert listed(filled, "--where", "false") == []
    Store.open(tmp_path / "empty.db", create=True).close()
    assert run("traces", tmp_path / "empty.db").exit_code == 0


def test_show_and_image_take_the_trace_that_a_list_has_first(filled: Path, tmp_path: Path) -> None:
    for options in (["--best"], ["--worst"], ["--newest"], ["--worst", "--where", "not failure"]):
        name = listed(filled, *options)[0]["trace"]
        shown = run("show", filled, *options)
        assert shown.stdout.startswith(f"Trace {name}: "), shown.output
    image = run("image", filled, "--best", "--overlay", "--out", str(tmp_path / "best.png"))
    assert image.exit_code == 0, image.output
    named = run("image", filled, listed(filled, "--best")[0]["trace"], "--overlay")
    assert named.exit_code == 0
    Path(named.stdout.strip()).unlink()


def test_show_takes_a_row_number_where_one_trace_fits(filled: Path) -> None:
    assert run("show", filled, "2").stdout.startswith("Trace 2-")
    result = run("show", filled, "0")
    assert result.exit_code == 1
    assert isinstance(result.exception, NotFoundError)
    assert "fits 2 traces; name one of them" in str(result.exception)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "name a trace, or give --best, --worst or --newest"),
        (["--best", "--newest"], "--best and --newest are two orders"),
        (["0", "--best"], "not both"),
        (["0", "--where", "turns > 1"], "choose among traces"),
        (["--where", "turns > 1"], "choose among traces"),
    ],
)
def test_a_choice_that_means_nothing_is_a_usage_error(
    filled: Path, options: list[str], words: str
) -> None:
    for command in ("show", "image"):
        result = run(command, filled, *options, columns=200)
        assert result.exit_code == 2
        assert words in result.stderr


def test_a_choice_without_a_trace_says_why(filled: Path, traces: Traces) -> None:
    result = run("show", filled, "--best", "--where", "false")
    assert "no trace" in str(result.exception)
    assert "fits" in str(result.exception)
    traces.answered((0.0, 1.0))
    traces.connection.commit()
    assert "geostore rescore" in str(run("show", traces.path, "--worst").exception)


def test_an_empty_condition_is_named_as_such(filled: Path) -> None:
    for where in ("", "  "):
        refused = geostore("traces", "--where", where, "--store", filled)
        assert refused.returncode == 1
        assert refused.stderr.startswith("geostore: the condition is empty; write one, such as ")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            ("traces", "--status", "answred"),
            "Invalid value for '--status': 'answred' is not one of 'open', 'answered', "
            "'exhausted', 'failed' (did you mean answered?).",
        ),
        (
            ("export", "out", "--messages", "lst"),
            "Invalid value for '--messages': 'lst' is not one of 'delta', 'last', 'full' "
            "(did you mean last?).",
        ),
        (
            ("query", "--format", "x y", "select 1"),
            "Invalid value for '--format': 'x y' is not one of 'table', 'csv', 'json', 'jsonl', "
            "'markdown', 'parquet'.",
        ),
    ],
)
def test_a_misspelt_choice_gets_the_nearest_one(command: tuple[str, ...], sentence: str) -> None:
    refused = geostore(*command)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1] == f"Error: {sentence}"
