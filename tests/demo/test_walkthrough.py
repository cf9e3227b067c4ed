from __future__ import annotations

import shlex

import pytest

from geostore.demo import walkthrough


def test_a_failing_command_stops_the_walk_with_its_exit_code(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The command is shown as typed, its code handed on, and one line says where it stopped."""
    with pytest.raises(SystemExit) as stopped:
        walkthrough._geostore("no-such-command", "a b")
    out, err = capfd.readouterr()
    assert stopped.value.code == 2
    assert "$ geostore no-such-command 'a b'" in out
    assert "exit code 2 from: geostore no-such-command 'a b'" in err.splitlines()[-1]


def test_commands_run_without_the_users_key_or_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo can reach nobody's account."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.test")
    environment = walkthrough._environment()
    assert not [key for key in environment if key.startswith("OPENAI_")]
    assert "PATH" in environment


def test_a_long_command_stands_on_several_lines_that_a_shell_takes_as_they_are() -> None:
    words = ["geostore", "export", "/a folder/traces", "--store", "/a folder/geostore.db"]
    words += ["--format", "jsonl", "--min-score", "0.3", "--exclude-flag", "truncated"]
    text = walkthrough._over_lines(words)
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) > 1
    assert shlex.split(text.replace("\\\n", "")) == words


def test_in_a_file_commands_write_as_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's output is read by people wherever it goes."""
    monkeypatch.setenv("COLUMNS", "")
    assert walkthrough._environment()["COLUMNS"] == "80"
    monkeypatch.setenv("COLUMNS", "120")
    assert walkthrough._environment()["COLUMNS"] == "120"
