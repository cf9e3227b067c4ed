"""Rewards that a function of the user's gives: its signature, its failures, its processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import RewardError
from geostore.rewards import RescoreResult, RewardSpec, Selection, rescore, set_default
from geostore.rewards.custom import CustomScorer, custom_spec
from geostore.rewards.pool import Pool
from geostore.rewards.worker import Failed, Scored, score_row
from geostore.store import Store
from geostore.store.processes import is_running
from geostore.store.rewards import list_specs
from tests.hand_made import Traces
from tests.running import command, environment, geostore

# As people write them for verl: by its argument names, with its return values.
VERL = """
import re

def extract_solution(solution_str):
    found = re.search(r"\\\\boxed\\{(-?[0-9.]+), (-?[0-9.]+)\\}", solution_str)
    return None if found is None else (float(found[1]), float(found[2]))

def compute_score(data_source, solution_str, ground_truth, extra_info=None, **kwargs):
    answer = extract_solution(solution_str)
    if answer is None:
        return {"score": 0.0, "acc": 0, "pred": None}
    lat, lon = ground_truth["lat"], ground_truth["lon"]
    close = abs(answer[0] - lat) < 1 and abs(answer[1] - lon) < 1
    return {
        "score": 1.0 if close else 0.1,
        "acc": close,
        "pred": str(answer),
        "index": extra_info["index"],
    }
"""


def write(path: Path, source: str) -> str:
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    return f"{path}:compute_score"


def compute(
    traces: Traces, target: str, *, limit: float = 20.0, workers: int = 1, **selection: Any
) -> RescoreResult:
    with Pool(target, workers=workers, time_limit=limit) as pool:
        return rescore(
            traces.db,
            custom_spec(target),
            scorer=CustomScorer(pool),
            selection=Selection(**selection),
        )


def scored(traces: Traces) -> list[tuple[float | None, dict[str, object]]]:
    return [(score, json.loads(extra or "{}")) for score, extra in traces.rows("score, extra")]


@pytest.fixture
def answered(traces: Traces) -> Traces:
    """Three traces: near the truth, far from it, and without coordinates."""
    for guess in ((0.0, 0.5), (10.0, 20.0), None):
        trace_id = traces.answered(guess)
        box = "unknown" if guess is None else f"{guess[0]}, {guess[1]}"
        traces.play(trace_id, response=f"\\boxed{{{box}}}", calls=[1, 0])
    return traces


def test_a_function_written_for_verl_runs_unchanged(answered: Traces, tmp_path: Path) -> None:
    """Its score is the score, all else that it says is kept, and distances are as ever."""
    target = write(tmp_path / "reward.py", VERL)
    assert compute(answered, target) == RescoreResult(3, 0)
    assert scored(answered) == [
        (1.0, {"acc": True, "pred": "(0.0, 0.5)", "index": 1}),
        (0.1, {"acc": False, "pred": "(10.0, 20.0)", "index": 2}),
        (0.0, {"acc": 0, "pred": None}),
    ]
    near, _, none = answered.rows("distance_km, geoguessr_points")
    assert near == (pytest.approx(55.597, abs=0.001), 4817)
    assert none == (None, None)
    assert compute(answered, target) == RescoreResult(0, 3)


@pytest.mark.parametrize(
    ("signature", "value", "score"),
    [
        ("data_source, solution_str, ground_truth, extra_info", "1", 1.0),
        ("data_source, solution_str, ground_truth, extra_info=None", "True", 1.0),
        ("solution_str, ground_truth, **kwargs", "0.25", 0.25),
        ("*, solution_str, **kwargs", "{'score': len(solution_str)}", 16.0),
        ("**kwargs", "len(kwargs)", 4.0),
        (
            "data_source, solution_str, ground_truth, extra_info",
            "__import__('numpy').float32(.5)",
            0.5,
        ),
        ("data_source, **kwargs", "float(data_source == 'photos')", 1.0),
        ("extra_info, **kwargs", "extra_info['index'] + extra_info['num_turns'] / 10", 7.2),
    ],
)
def test_signatures_and_results_that_verl_takes_are_taken(
    signature: str, value: str, score: float
) -> None:
    module: dict[str, Any] = {}
    exec(f"def compute_score({signature}):\n    return {value}\n", module)
    row = {
        "data_source": "photos",
        "solution_str": "\\boxed{0.0, 1.0}",
        "ground_truth": {"lat": 0.0, "lon": 0.0},
        "extra_info": {"index": 7, "num_turns": 2},
    }
    found = score_row(module["compute_score"], row)
    assert isinstance(found, Scored)
    assert found.score == pytest.approx(score)
    assert found.extra == {}


def test_a_coroutine_is_awaited() -> None:
    async def compute_score(**kwargs: Any) -> float:
        await asyncio.sleep(0)
        return 0.5

    assert score_row(compute_score, {}) == Scored(0.5)


def test_text_that_no_store_takes_is_a_bad_result() -> None:
    """Half of a surrogate pair, which a careless cut through an emoji leaves, is not UTF-8."""
    bad = score_row(lambda: {"score": 1, "text": "\ud83d"}, {})
    assert isinstance(bad, Failed)
    assert bad.reason == "bad_result"

    def compute_score() -> float:
        raise ValueError("\ud83d")

    assert score_row(compute_score, {}) == Failed("exception", "ValueError: ?")


FAILURES = [
    ("raise ValueError('no such\\nplace')", "exception", "ValueError: no such place"),
    ("sys.exit(3)", "exception", "SystemExit: 3"),
    ("return None", "bad_result", "NoneType"),
    ("return 'high'", "bad_result", "str"),
    ("return float('nan')", "bad_result", "nan"),
    ("return {'acc': 1}", "bad_result", "no score in the dict, but acc"),
    ("os._exit(7)", "crashed", "exit code 7"),
    ("os.kill(os.getpid(), 9)", "crashed", "exit code -9"),
    ("while True: pass", "timeout", "longer than 0.5 s"),
]


def test_what_a_function_does_wrong_is_a_row_with_its_reason(
    traces: Traces, tmp_path: Path
) -> None:
    """The rows before and after it are scored all the same, and it is not a score of 0."""
    source = "import os, sys\ndef compute_score(solution_str, **kwargs):\n    print('noise')\n"
    for number, (body, _, _) in enumerate(FAILURES):
        source += f"    if solution_str == '{number}':\n        {body}\n"
        for response in (str(number), "fine"):
            traces.play(traces.answered((0.0, 1.0)), response=response)
    source += "    return 1.0\n"
    found = compute(traces, write(tmp_path / "reward.py", source), limit=0.5)
    assert found.failures == {"exception": 2, "bad_result": 4, "crashed": 2, "timeout": 1}
    rows = scored(traces)
    for number, (_, reason, words) in enumerate(FAILURES):
        failed, fine = rows[2 * number : 2 * number + 2]
        assert fine == (1.0, {})
        assert failed[0] is None
        assert failed[1]["error"] == reason
        assert words in str(failed[1]["message"])
    assert all(km is not None for (km,) in traces.rows("distance_km"))


def test_a_worker_that_hangs_is_killed_with_what_it_started(
    answered: Traces, tmp_path: Path
) -> None:
    """SIGTERM is ignored here, and a child of the function's holds the pipe open."""
    source = f"""
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        def compute_score(**kwargs):
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            with open({str(tmp_path / "pids")!r}, "a") as file:
                print(os.getpid(), child.pid, file=file)
            time.sleep(600)
    """
    began = time.monotonic()
    with pytest.raises(RewardError, match=r"every trace \(3\).*longer than 0.5 s"):
        compute(answered, write(tmp_path / "reward.py", source), limit=0.5, workers=2)
    assert time.monotonic() - began < 60
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 6
    end = time.monotonic() + 10
    while any(is_running(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.01)
    assert not [pid for pid in pids if is_running(pid)]


def test_failures_can_be_computed_again_and_nothing_else_is(
    answered: Traces, tmp_path: Path
) -> None:
    """They count as there until asked for: a function that always fails is not run for ever."""
    (tmp_path / "flag").write_text("down")
    source = f"""
        import pathlib
        def compute_score(solution_str, **kwargs):
            with open({str(tmp_path / "calls")!r}, "a") as file:
                print(solution_str, file=file)
            if "10.0" in solution_str and pathlib.Path({str(tmp_path / "flag")!r}).exists():
                raise OSError("the judge is down")
            return 1.0
    """
    target = write(tmp_path / "reward.py", source)
    assert compute(answered, target).failures == {"exception": 1}
    assert compute(answered, target) == RescoreResult(0, 3)
    (tmp_path / "flag").unlink()
    (tmp_path / "calls").unlink()
    assert compute(answered, target, retry=True) == RescoreResult(1, 2)
    assert (tmp_path / "calls").read_text() == "\\boxed{10.0, 20.0}\n"
    assert compute(answered, target, retry=True) == RescoreResult(0, 3)
    assert [score for score, _ in scored(answered)] == [1.0, 1.0, 1.0]


def test_many_rows_come_back_in_their_order_from_several_workers(
    traces: Traces, tmp_path: Path
) -> None:
    """Whichever worker was at it, and whichever died on the way."""
    for number in range(150):
        traces.play(traces.answered((0.0, 1.0)), response=str(number))
    source = """
        import os
        def compute_score(solution_str, **kwargs):
            if int(solution_str) in (40, 41, 100):
                os._exit(1)
            return int(solution_str)
    """
    found = compute(traces, write(tmp_path / "reward.py", source), workers=3)
    assert (found.computed, found.failures) == (150, {"crashed": 3})
    # The same mistake three times is told once.
    assert [error.message for error in found.errors] == ["the process ended with exit code 1"]
    assert [score for score, _ in scored(traces)] == [
        None if number in (40, 41, 100) else float(number) for number in range(150)
    ]


def test_a_trace_that_is_opened_again_meanwhile_gets_no_row(
    answered: Traces, tmp_path: Path
) -> None:
    """The score of a response that is no longer the final one belongs to nobody."""
    source = f"""
        import sqlite3
        from contextlib import closing
        def compute_score(solution_str, **kwargs):
            if "10.0" in solution_str:
                with closing(sqlite3.connect({str(answered.path)!r})) as other, other:
                    other.execute("delete from answers where trace_id = 2")
            return 1.0
    """
    compute(answered, write(tmp_path / "reward.py", source))
    assert answered.rows("trace_id") == [(1,), (3,)]


# --- specs -----------------------------------------------------------------------------------


def test_an_edited_function_is_another_spec_and_a_moved_one_is_not(tmp_path: Path) -> None:
    first = custom_spec(write(tmp_path / "reward.py", VERL))
    (tmp_path / "else").mkdir()
    assert custom_spec(write(tmp_path / "else" / "reward.py", VERL)).sha256 == first.sha256
    edited = custom_spec(write(tmp_path / "reward.py", VERL.replace("0.1", "0.2")))
    assert edited.sha256 != first.sha256
    assert edited.name == first.name == "compute_score"
    assert str(tmp_path) not in json.dumps(first.parameters)


def test_a_function_can_stand_in_a_module_beside_others(
    answered: Traces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the folder in which the command is given; its file may import its neighbours."""
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "numbers_of_mine.py").write_text("HALF = 0.5\n")
    write(
        package / "rewards.py",
        """
        from mine.numbers_of_mine import HALF
        def compute_score(**kwargs):
            return HALF
        """,
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert compute(answered, "mine.rewards:compute_score") == RescoreResult(3, 0)
    (tmp_path / "near.py").write_text("HALF = 0.25\n")
    write(tmp_path / "far.py", "from near import HALF\ndef compute_score(**k): return HALF\n")
    compute(answered, "far.py:compute_score")
    assert {score for score, _ in scored(answered)} == {0.5, 0.25}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("reward.py", "names no function"),
        ("reward.py:", "names no function"),
        ("no_such.py:compute_score", "cannot be read"),
        ("no_such_module:compute_score", "no module 'no_such_module'"),
        ("sys:exit", "no module 'sys' whose source"),
    ],
)
def test_a_target_that_is_no_function_is_refused(target: str, words: str) -> None:
    with pytest.raises(RewardError, match=words):
        custom_spec(target)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def other(): pass\n", "no attribute 'compute_score'"),
        ("def compute_score(:\n", "SyntaxError"),
        ("import os; os._exit(4)\n", "exit code 4"),
    ],
)
def test_a_function_that_cannot_be_loaded_stops_before_any_row(
    answered: Traces, tmp_path: Path, source: str, words: str
) -> None:
    with pytest.raises(RewardError, match=words):
        compute(answered, write(tmp_path / "reward.py", source))
    assert answered.rows() == []
    assert list_specs(answered.db) == []


def test_a_function_that_fails_for_every_trace_leaves_nothing_behind(
    answered: Traces, tmp_path: Path
) -> None:
    """Its mended file is another spec, so that this one would stand in every list for ever."""
    broken = write(
        tmp_path / "reward.py", "def compute_score(**kwargs):\n    return kwargs['lat']\n"
    )
    with pytest.raises(RewardError, match=r"every trace \(3\).* 1-\w+-1: KeyError: 'lat'"):
        compute(answered, broken)
    assert answered.rows() == []
    assert list_specs(answered.db) == []


def test_ctrl_c_before_the_first_score_leaves_nothing_behind(
    answered: Traces, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    source = f"""
        import pathlib, time
        def compute_score(**kwargs):
            pathlib.Path({str(begun)!r}).touch()
            time.sleep(600)
    """
    target = write(tmp_path / "reward.py", source)
    answered.connection.close()
    options = ("rescore", "--store", answered.path, "--custom", target, "--time-limit", "900")
    with subprocess.Popen(
        command(*options, "--workers", "1"), stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        end = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "geostore: interrupted; what was committed is in the store"
    with Store.open(answered.path) as store:
        assert list_specs(store.db) == []


def test_a_function_that_fails_for_what_is_left_keeps_what_it_gave_before(
    answered: Traces, tmp_path: Path
) -> None:
    source = """
        def compute_score(solution_str, **kwargs):
            return 1 / ("10.0" not in solution_str)
    """
    target = write(tmp_path / "reward.py", source)
    compute(answered, target)
    again = compute(answered, target, retry=True)
    assert (again.computed, again.failures) == (1, {"exception": 1})
    assert len(answered.rows()) == 3


def test_a_store_whose_default_is_a_function_still_scores_what_closes(answered: Traces) -> None:
    """By geoguessr, until a rescore runs the function; a generate must not stop for it."""
    from geostore.rewards import ensure_default_spec, ensure_spec, score_trace

    spec = RewardSpec("mine", "custom", {"function": "reward.py:compute_score"})
    ensure_spec(answered.db, spec)
    set_default(answered.db, "mine")
    spec_id = ensure_default_spec(answered.db)
    assert score_trace(answered.db, 1, spec_id).geoguessr_points == 4817


# --- the command -----------------------------------------------------------------------------


def test_the_command_counts_failures_and_says_how_to_go_on(
    answered: Traces, tmp_path: Path
) -> None:
    source = """
        def compute_score(solution_str, **kwargs):
            return 1 / ("10.0" not in solution_str)
    """
    target = write(tmp_path / "reward.py", source)
    answered.connection.close()
    options = ("rescore", "--store", answered.path, "--custom", target, "--workers", "1")
    found = geostore(*options, "--name", "mine")
    assert found.returncode == 4, found.stderr
    assert "mine (" in found.stdout
    assert "computed 3, found done 0" in found.stdout
    assert "failed: 1 of 3 (exception 1)" in found.stdout
    assert "--retry-errors" in found.stdout
    (error,) = [line for line in found.stdout.splitlines() if "ZeroDivisionError" in line]
    again = json.loads(geostore(*options, "--retry-errors", "--json").stdout)
    assert (again["computed"], again["failures"]) == (1, {"exception": 1})
    (first,) = again["errors"]
    assert error == f"  {first['trace']}: {first['message']}"
    shown = geostore("show", first["trace"], "--store", answered.path).stdout
    assert "10.0" in shown
    assert geostore(*options).returncode == 0
    listed = json.loads(geostore("rewards", "list", "--store", answered.path, "--json").stdout)
    (mine,) = listed["specs"]
    assert (mine["name"], mine["kind"], mine["scored"], mine["failed"]) == ("mine", "custom", 2, 1)
    refused = geostore("rescore", "--store", answered.path, "--reward", "mine")
    assert refused.returncode == 1
    assert "--custom reward.py:compute_score" in refused.stderr


def test_workers_never_hold_the_store_open(answered: Traces, tmp_path: Path) -> None:
    """A file descriptor that came along would take the locks of the parent with it."""
    source = """
        import os
        def compute_score(**kwargs):
            names = []
            for number in os.listdir("/proc/self/fd"):
                try:
                    names.append(os.readlink(f"/proc/self/fd/{number}"))
                except OSError:
                    pass
            return {"score": 1.0, "open": " ".join(names)}
    """
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here")
    compute(answered, write(tmp_path / "reward.py", source))
    assert all("geostore.db" not in str(extra["open"]) for _, extra in scored(answered))
    assert isinstance(answered.connection, sqlite3.Connection)
