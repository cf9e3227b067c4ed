"""`geostore sql` on a real terminal, and in a pipe."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from geostore.store import Store
from tests.running import command, environment


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sql") / "geostore.db"
    Store.open(path, create=True).close()
    return path


class Terminal:
    """A command on a pseudo-terminal of 80 columns."""

    def __init__(self, arguments: list[str | Path], state: Path) -> None:
        self._ours, theirs = pty.openpty()
        self._left = ""  # shown, and not read yet
        termios.tcsetwinsize(theirs, (40, 80))
        without = {k: v for k, v in environment().items() if k != "COLUMNS"}
        self.process = subprocess.Popen(
            command(*arguments),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # its terminal
            env={
                **without,
                "XDG_STATE_HOME": str(state),
                "TERM": "xterm",
                "PROMPT_TOOLKIT_NO_CPR": "1",
            },
        )
        os.close(theirs)
        self.text = ""

    def read_until(self, words: str, seconds: float = 60) -> str:
        """What is shown after what was read before, up to these words."""
        shown, ends = self._left, time.monotonic() + seconds
        while words not in shown:
            assert time.monotonic() < ends, f"{words!r} never came, but: {shown!r}"
            if select.select([self._ours], [], [], 0.1)[0]:
                try:
                    part = os.read(self._ours, 10_000).decode()
                except OSError as error:
                    raise AssertionError(f"it ended, without {words!r}: {shown!r}") from error
                shown += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", part)
        read, _, self._left = shown.partition(words)
        return read + words

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> int:
        return self.process.wait(timeout=60)


@pytest.fixture
def terminal(store: Path, tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(["sql", "--store", store], tmp_path)
    yield opened
    opened.process.kill()
    opened.process.wait()


def test_a_session_on_a_terminal(terminal: Terminal, tmp_path: Path) -> None:
    """Statements of several lines, completion, an interrupt, a history, and a way out."""
    assert "read-only" in terminal.read_until("geostore>")
    terminal.type("select 40 + 2 as answer\r")
    terminal.read_until("...>")
    terminal.type(";\r")
    assert re.search(r"answer\n-+\n\s*42\n\(1 row\)\n\d+\.\d\d s\n", terminal.read_until(" s\n"))
    terminal.read_until("geostore>")
    terminal.type("select count(*) as n from trace_res\t")
    terminal.read_until("ults")
    terminal.type(";\r")
    terminal.read_until("(1 row)")
    terminal.type("select nothing;\r")
    terminal.read_until('"nothing" was not found')
    terminal.type("select count(*) from range(1000000) a, range(1000000) b where hash(a, b) = 1;\r")
    time.sleep(2)
    terminal.type("\x03")
    terminal.read_until("interrupted")
    terminal.read_until("geostore>")
    terminal.type("select 'half of a statem\x03")
    terminal.read_until("geostore>")
    terminal.type("select 'sk-verysecretkey123' as k;\r")
    terminal.read_until("(1 row)")
    terminal.type("tool_lift\r")
    terminal.read_until("(1 row)")
    # Before the prompt is there, the terminal itself would take the key, for an end of input.
    terminal.read_until("geostore>")
    terminal.type("\x04")
    assert terminal.end() == 0
    history = tmp_path / "geostore" / "sql_history"
    assert history.stat().st_mode & 0o777 == 0o600
    remembered = history.read_text()
    assert "+select 40 + 2 as answer\n" in remembered
    assert "tool_lift" in remembered
    assert "secret" not in remembered


def piped(text: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("sql", *arguments),
        input=text,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
    )


def test_statements_may_be_piped_in(store: Path) -> None:
    done = piped(
        "select 1 as a;\n-- why\nselect\n 2 as b;\ncosts\nselect 3 as c", "--format", "csv",
        "--store", store,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"a\n1\nb\n2\nrecipe,.*\nc\n3\n", done.stdout)


def test_an_error_in_a_pipe_is_said_and_is_the_exit_code(store: Path) -> None:
    done = piped("select nothing;\nselect 1 as a;\nexit\nselect 2 as b;\n", "--store", store)
    assert done.returncode == 1
    assert '"nothing" was not found' in done.stderr
    assert done.stdout.startswith("a\n-\n1\n")
    assert "b" not in done.stdout
    missing = piped("select 1;", "--store", "nowhere.db")
    assert missing.returncode == 1
    assert "nowhere.db" in missing.stderr
