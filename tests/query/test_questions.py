"""One kept process that answers the questions to a store: fresh answers, and in nobody's way."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import geostore
from geostore.errors import QueryError, StoreError
from geostore.query.questions import Questions
from geostore.query.reader import ask
from geostore.store import Store
from geostore.store.processes import is_running

COUNT = "select count(*) as n from datasets"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "geostore.db"
    Store.open(path, create=True).close()
    return path


@pytest.fixture
def questions(path: Path) -> Iterator[Questions]:
    asked = Questions(path)
    yield asked
    asked.close()


def asked(questions: Questions, statement: str) -> list[tuple[Any, ...]]:
    return questions.ask(partial(ask, statement_or_name=statement), None).rows


def pid_of(reader: object) -> int:
    return os.getpid()


def pause(reader: object) -> None:
    time.sleep(600)


def test_distances_of_one_question_are_not_those_of_the_next(questions: Questions) -> None:
    question = partial(ask, statement_or_name="select unnest(accuracy_km()) as km")
    assert questions.ask(question, None, [0.5, 3]).rows == [(0.5,), (3,)]
    assert len(questions.ask(question, None).rows) == 5
    with pytest.raises(QueryError, match="given twice"):
        questions.ask(question, None, [1, 1])


WRITE = """
import sqlite3, sys
writer = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0.1)
writer.execute(
    "insert into datasets (fingerprint, path, name, num_rows, columns, column_map, created_at)"
    " values (?, '/', ?, 1, '[]', '{}', 'now')", (sys.argv[2],) * 2
)
print(*writer.execute("pragma wal_checkpoint(truncate)").fetchone())
"""


def write(path: Path, name: str) -> str:
    """Another process adds a dataset and folds the log into the file."""
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(path), name], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_each_question_sees_what_was_committed_last_and_hinders_no_checkpoint(
    path: Path, questions: Questions
) -> None:
    """No transaction stays open between two, so the log is emptied while the reader is kept."""
    from geostore.query.stats import ask_stats

    assert asked(questions, COUNT) == [(0,)]
    assert write(path, "a") == "0 0 0"
    assert asked(questions, COUNT) == [(1,)]
    with pytest.raises(QueryError):
        asked(questions, "select error(name) from datasets")
    assert write(path, "b") == "0 0 0"
    questions.ask(ask_stats, None)
    assert write(path, "c") == "0 0 0"
    assert asked(questions, COUNT) == [(3,)]
    assert (path.parent / "geostore.db-wal").stat().st_size == 0


def test_questions_are_answered_by_one_process_until_it_dies(questions: Questions) -> None:
    pid = questions.ask(pid_of, None)
    assert pid != os.getpid()
    with pytest.raises(QueryError):
        asked(questions, "drop table traces")
    assert questions.ask(pid_of, None) == pid
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)  # until it is dead; a question that meets its death is an error
    other = questions.ask(pid_of, None)
    assert other != pid
    assert asked(questions, COUNT) == [(0,)]
    questions.close()
    questions.close()
    assert not is_running(other)
    assert asked(questions, COUNT) == [(0,)]


def test_a_process_that_dies_at_a_question_is_an_error_and_the_next_is_answered(
    questions: Questions,
) -> None:
    def kill_soon(pid: int) -> None:
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)

    import threading

    pid = questions.ask(pid_of, None)
    threading.Thread(target=kill_soon, args=(pid,)).start()
    with pytest.raises(QueryError, match="died"):
        questions.ask(pause, None)
    assert asked(questions, COUNT) == [(0,)]


def test_a_file_that_is_no_store_is_named_at_each_question(tmp_path: Path) -> None:
    questions = Questions(tmp_path / "none.db")
    for _ in range(2):
        with pytest.raises(StoreError, match="no store at"):
            asked(questions, COUNT)
    with closing(sqlite3.connect(tmp_path / "none.db")) as other, other:
        other.execute("create table people (name)")
    other.close()
    with pytest.raises(StoreError, match="of another program"):
        asked(questions, COUNT)
    questions.close()


def test_rewards_are_chosen_by_question(path: Path) -> None:
    """What one question asked for does not stay for the next."""
    with geostore.open(path) as store:
        store.rescore("linear")
        store.rescore()
        answer = "select count(*) as n from reward_specs"
        assert store.query(answer, reward="linear") == store.query(answer)
        variable = partial(_reward_variable)
        questions = Questions(path)
        assert questions.ask(variable, "ab") == "ab"
        assert questions.ask(variable, None) is None
        questions.close()


def _reward_variable(reader: Any) -> Any:
    return reader.execute("select getvariable('reward_spec')").fetchone()[0]


INTERRUPTED = """
import os, sys, geostore
from pathlib import Path
with geostore.open(sys.argv[1]) as store:
    store.query("summary")
    print("ready", flush=True)
    try:
        store.query("select count(*) from range(100000) a, range(100000) b where hash(a, b) = 1")
    except KeyboardInterrupt:
        print(store.query("select 1 as one"))
"""


def test_ctrl_c_ends_a_long_question_and_the_next_is_answered(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert out == "[{'one': 1}]\n"
    assert process.returncode == 0
    assert time.monotonic() - began < 20


def test_the_process_ends_with_the_one_that_asked(path: Path) -> None:
    """Also where that never closed the store."""
    script = (
        "import os, sys; from pathlib import Path\n"
        "from geostore.query.questions import Questions\n"
        "from tests.query.test_questions import pid_of\n"
        "print(Questions(Path(sys.argv[1])).ask(pid_of, None), flush=True); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    until = time.monotonic() + 10
    while is_running(int(done.stdout)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_running(int(done.stdout))
