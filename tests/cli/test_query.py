"""`geostore query`: where a statement may come from, and how Ctrl-C ends it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from geostore.store import Store
from tests.running import command, environment, geostore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("asked") / "geostore.db"
    Store.open(path, create=True).close()
    return path


def piped(*arguments: str | Path, text: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the command line with a pipe as stdin."""
    return subprocess.run(
        command(*arguments), input=text, capture_output=True, env=environment(), timeout=60
    )


def test_a_statement_comes_from_a_file_or_from_stdin(store: Path, tmp_path: Path) -> None:
    statement = "\ufeff-- why\nselect 'été' as a\n"
    file = tmp_path / "question.sql"
    file.write_text(statement, encoding="utf-8")
    expected = [{"a": "été"}]
    rest = ("--store", store, "--format", "json")
    assert json.loads(geostore("query", "-f", file, *rest).stdout) == expected
    for given in ((), ("-",), ("-f", "-")):
        answered = piped("query", *given, *rest, text=statement.encode())
        assert json.loads(answered.stdout) == expected, answered.stderr
    file.write_text("summary\n")
    named = geostore("query", "--file", file, *rest).stdout
    assert named == geostore("query", "summary", *rest).stdout


@pytest.mark.parametrize("statement", ["-- why\nselect 1 as a", "--why\nselect 1 as a"])
def test_a_statement_that_begins_with_a_comment_is_no_option(store: Path, statement: str) -> None:
    options = ("--store", store, "--format", "json")
    for arguments in ((statement, *options), (*options, statement), (*options, "--", statement)):
        answered = geostore("query", *arguments)
        assert answered.returncode == 0, answered.stderr
        assert json.loads(answered.stdout) == [{"a": 1}]
    wrong = geostore("query", "--fromat", "json", "select 1", "--store", store)
    assert wrong.returncode == 2
    assert "--format" in wrong.stderr


def test_without_a_statement_the_ways_to_give_one_are_named(store: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.sql").touch()
    (tmp_path / "odd.sql").write_bytes(b"select '\xff'")
    for arguments, words in (
        ((), "stdin holds no statement"),
        (("-f", tmp_path / "empty.sql"), "empty.sql holds no statement"),
        (("-f", tmp_path / "odd.sql"), "not UTF-8"),
        (("-f", tmp_path / "none.sql"), "none.sql cannot be read: No such file"),
        (("-f", tmp_path), "cannot be read: Is a directory"),
        (("select 1", "-f", tmp_path / "odd.sql"), "given twice"),
    ):
        refused = geostore("query", *arguments, "--store", store)
        assert refused.returncode == 2
        assert words in refused.stderr
        assert "Traceback" not in refused.stderr


def test_on_a_terminal_the_command_does_not_wait_for_a_statement() -> None:
    mine, its = pty.openpty()
    try:
        refused = subprocess.run(
            command("query"), stdin=its, capture_output=True, text=True, timeout=60
        )
    finally:
        os.close(mine)
        os.close(its)
    assert refused.returncode == 2
    assert "-f FILE" in refused.stderr
    assert "--list" in refused.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "select count(*) from range(1000000) a, range(1000000) b where hash(a, b) = 1",
        # One call of a function, which DuckDB does not interrupt.
        "select levenshtein(repeat('ab', 200000), repeat('ba', 200000))",
    ],
)
def test_ctrl_c_ends_a_statement_at_once(store: Path, tmp_path: Path, statement: str) -> None:
    with subprocess.Popen(
        command("query", statement, "--store", store),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TMPDIR=str(tmp_path)),
    ) as process:
        time.sleep(3)  # until it works on the statement
        assert process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        seconds = time.monotonic() - began
    assert process.returncode == 130
    assert (out, err) == ("", "geostore: interrupted\n")
    assert seconds < 2, "a second where the machine is not busy"
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_shown_with_its_place_in_the_statement(store: Path) -> None:
    refused = geostore("query", "select turm\nfrom turns", "--store", store)
    assert refused.returncode == 1
    first, line, caret = refused.stderr.splitlines()
    assert first.startswith("geostore: Binder Error: ")
    assert '"turn"' in first
    assert line == "LINE 1: select turm"
    assert caret.index("^") == line.index("turm")


def test_json_is_a_short_form_of_the_format(store: Path) -> None:
    for more in (("--json",), ("--format", "json"), ("--json", "--format", "json")):
        answered = geostore("query", "select 1 as a", *more, "--store", store)
        assert json.loads(answered.stdout) == [{"a": 1}], answered.stderr
    refused = geostore("query", "select 1", "--json", "--format", "csv", "--store", store)
    assert refused.returncode == 2
    assert "--json and --format csv are two forms" in refused.stderr


def test_the_row_over_the_store_is_named(store: Path) -> None:
    rows = json.loads(geostore("query", "stats", "--json", "--store", store).stdout)
    assert rows[0]["recipe"] == "(all)"
    assert rows[0]["model"] is None
