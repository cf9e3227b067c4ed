from __future__ import annotations

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
