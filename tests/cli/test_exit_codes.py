"""How a run ended, for scripts: its exit code, how many traces remain, and what to type."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Set
from pathlib import Path

import pytest

from geostore.cli import main
from geostore.errors import GaveUp
from geostore.generate import request
from tests.conftest import photo_bytes, save_dataset
from tests.minds import zoom_then_answer
from tests.running import geostore, start_geostore
from tests.teacher_server import (
    Body,
    Fault,
    TeacherServer,
    free_address,
    teacher_server,
    wait_until,
)

REFUSED = Fault(400, b'{"error": {"message": "this photo is refused"}}')
TOO_MANY_IMAGES = Fault(400, b'{"error": {"message": "At most 1 image(s) may be provided"}}')
AGAIN = "run the same command again to go on"


def options(url: str, dataset: Path, store: Path, *more: str) -> list[str]:
    base = ["generate", "--dataset-path", str(dataset), "--store", str(store), "--base-url", url]
    return [*base, "--model", "gpt-4o", "--num-samples", "10", "--concurrency", "1", *more]


def run(
    dataset: Path, store: Path, *more: str, refused: Set[int] = frozenset(), fault: Fault = REFUSED
) -> subprocess.CompletedProcess[str]:
    """A run over ten photos of which some, by number, are refused; the others take two requests."""
    requests = {2 * photo - sum(other < photo for other in refused) for photo in refused}
    script = lambda number, body: fault if number in requests else None  # noqa: E731
    with teacher_server(zoom_then_answer, script=script) as server:
        return geostore(*options(server.url, dataset, store, *more))


def closed(errors: str) -> int:
    """How many traces a run says it closed."""
    return int(re.findall(r"^([\d,]+) traces? closed", errors, re.MULTILINE)[0])


def row(label: str, errors: str) -> int:
    """A number of the last table."""
    return int(re.findall(rf"^  {label} +([\d,]+)", errors, re.MULTILINE)[0])


@pytest.mark.parametrize(
    ("failed", "more", "code"),
    [
        (0, (), 0),
        (1, (), 0),
        (2, (), 4),
        (2, ("--max-failed-share", "0.2"), 0),
        (2, ("--max-failed-share", "0.19"), 4),
        (1, ("--max-failed-share", "0"), 4),
        (0, ("--max-failed-share", "0"), 0),
        (9, ("--max-failed-share", "1"), 0),
    ],
)
def test_a_run_that_is_done_says_by_its_exit_code_whether_many_traces_failed(
    failed: int, more: tuple[str, ...], code: int, photo_dataset: Path, tmp_path: Path
) -> None:
    # The first is answered: a run in which every request is refused from the start ends at once.
    ended = run(photo_dataset, tmp_path / "s.db", *more, refused=set(range(1, failed + 1)))
    assert ended.returncode == code, ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert AGAIN not in ended.stderr
    if failed:
        assert last.startswith(f"{failed} of 10 traces w")
        assert "--retry refused" in last
    else:
        assert closed(ended.stderr) == row("answered", ended.stderr) == 10


def test_traces_that_failed_otherwise_are_counted_by_themselves(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """A useless reply is no refusal, so another option brings its trace back."""
    useless = Fault(200, b'{"choices": []}')
    ended = run(
        photo_dataset, tmp_path / "s.db", "--max-attempts", "1", refused={1, 2}, fault=useless
    )
    assert ended.returncode == 4
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("2 of 10 traces failed")
    assert "--retry failed" in last
    assert "refused" not in ended.stderr


def test_conversations_that_end_at_a_servers_limit_are_among_those_that_failed(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Each has a paid turn and no answer; a script has to learn that the limit is too low."""

    def refuse_second(number: int, body: Body) -> Fault | None:
        return TOO_MANY_IMAGES if len(body["messages"]) > 2 else None

    with teacher_server(zoom_then_answer, script=refuse_second) as server:
        command = options(server.url, photo_dataset, tmp_path / "s.db")
        ended = geostore(*command)
        store = tmp_path / "t.db"
        borne = geostore(*options(server.url, photo_dataset, store, "--max-failed-share", "1"))
    assert ended.returncode == 4, ended.stderr
    assert row("refused", ended.stderr) == 10
    assert ended.stderr.splitlines()[-1].startswith("10 of 10 traces were refused")
    assert borne.returncode == 0


def test_no_request_counts_as_dropped_where_an_error_ends_the_run(
    photo_dataset: Path, tmp_path: Path
) -> None:
    script = lambda number, body: Fault(402) if number >= 2 else None  # noqa: E731
    with teacher_server(zoom_then_answer, script=script) as server:
        ended = geostore(*options(server.url, photo_dataset, tmp_path / "s.db"))
    assert ended.returncode == 1
    assert closed(ended.stderr) == 1
    assert "dropped" not in ended.stderr


def test_the_share_is_of_the_traces_of_this_run(photo_dataset: Path, tmp_path: Path) -> None:
    """Failures of runs before are no news; a run that finds nothing to do is done."""
    store = tmp_path / "s.db"
    assert run(photo_dataset, store, refused={1, 2, 3}).returncode == 4
    nothing = run(photo_dataset, store)
    assert nothing.returncode == 0
    assert "failed" not in nothing.stderr
    again = run(photo_dataset, store, "--retry", "failed")
    assert again.returncode == 0
    assert closed(again.stderr) == row("answered", again.stderr) == 3
    assert row("done before", again.stderr) == 7


def interrupted(server: TeacherServer, arguments: list[str], requests: int) -> tuple[int, str]:
    """Exit code and stderr of a run that gets SIGINT after so many requests."""
    process = start_geostore(*arguments)
    wait_until(lambda: len(server.requests) >= requests)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    return process.wait(), errors


@pytest.mark.parametrize(("done_before", "rollouts"), [(0, 1), (3, 1), (0, 3)])
def test_a_run_that_stopped_says_how_many_traces_remain(
    done_before: int, rollouts: int, photo_dataset: Path, tmp_path: Path
) -> None:
    """Also where traces of before stand at the end of the order, which it did not look at."""
    store = tmp_path / "s.db"
    more = ("--order", "random", "--rollouts", str(rollouts))
    with teacher_server(zoom_then_answer, latency=0.2) as server:
        if done_before:
            first = options(server.url, photo_dataset, store)
            assert geostore(*first, "--num-samples", str(done_before)).returncode == 0
        before = len(server.requests)
        arguments = options(server.url, photo_dataset, store, *more, "--num-samples", "12")
        code, errors = interrupted(server, arguments, before + 4)
    assert code == 3, errors
    remaining = 12 * rollouts - done_before - closed(errors)
    assert row("remaining", errors) == remaining
    assert errors.splitlines()[-1].replace("remains", "remain") == f"{remaining} remain; {AGAIN}"


def test_photos_that_cannot_be_used_do_not_remain(tmp_path: Path) -> None:
    photos = [photo_bytes(seed) for seed in range(8)]
    photos[1] = photos[2] = b"no photo"
    dataset, store = save_dataset(tmp_path / "photos", photos), tmp_path / "s.db"
    with teacher_server(zoom_then_answer, latency=0.3) as server:
        arguments = options(server.url, dataset, store, "--num-samples", "0")
        code, errors = interrupted(server, arguments, 3)
    assert code == 3, errors
    remaining = 6 - closed(errors)
    assert errors.splitlines()[-1].replace("remains", "remain") == f"{remaining} remain; {AGAIN}"


def test_a_budget_says_how_many_traces_remain_and_which_option_to_raise(
    photo_dataset: Path, tmp_path: Path
) -> None:
    ended = run(photo_dataset, tmp_path / "s.db", "--max-total-tokens", "480")
    assert ended.returncode == 3
    left, budget = ended.stderr.splitlines()[-2:]
    assert left == "8 remain"
    assert "raise --max-total-tokens and run the same command again" in budget


def test_a_run_that_gave_up_stopped_with_work_left(
    photo_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The teacher was away, and the same command goes on later; a wrong key is an error."""

    def give_up(*_: object, **__: object) -> None:
        raise GaveUp("gave up after a pause of 1 h: run the command again")

    monkeypatch.setattr(request, "run_generate", give_up)
    arguments = options(free_address(), photo_dataset, tmp_path / "s.db")
    monkeypatch.setattr(sys, "argv", ["geostore", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert (
        capsys.readouterr().err == "geostore: gave up after a pause of 1 h: run the command again\n"
    )


def test_errors_and_wrong_options_have_codes_of_their_own(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s.db"
    nobody = geostore(*options(free_address(), photo_dataset, store))
    assert nobody.returncode == 1
    assert nobody.stderr.splitlines()[-1].startswith("geostore: no server answers at ")
    wrong = [("--max-failed-share", share) for share in ("2", "-0.1", "many")]
    for option in (*wrong, ("--grace", "inf"), ("--give-up-after", "inf"), ("--rpm", "nan")):
        ended = geostore(*options(free_address(), photo_dataset, store, *option))
        assert ended.returncode == 2, option
        assert "Traceback" not in ended.stderr
