"""Numbers that mean nothing, for every option of every command that takes a number."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import commands, kind_of, needed, options_of
from tests.running import geostore

NUMBERS = [
    (name, option)
    for name, command in commands().items()
    for option, parameter in options_of(command).items()
    if kind_of(parameter) in (int, float)
]
WITHOUT_MEANING = ("nan", "inf", "-inf", "Infinity", "1e400", "99999999999999999999", "-1e999")


@pytest.mark.parametrize(("name", "option"), NUMBERS)
def test_a_number_that_means_nothing_is_refused_before_the_command_does_anything(
    name: str,
    option: str,
    tmp_path: Path,
    photo_dataset: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "files").mkdir()
    command = commands()[name]
    arguments = needed(command, tmp_path, photo_dataset)
    values = [
        v
        for v in WITHOUT_MEANING
        if kind_of(options_of(command)[option]) is int or "9" * 9 not in v
    ]
    for value in values:
        with pytest.raises(SystemExit) as ended:
            command.main([*arguments, option, value], prog_name=name)
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (2, "")
        assert option in err.splitlines()[-1]
        assert "Traceback" not in err
    assert [entry.name for entry in tmp_path.iterdir()] == ["files"]


def test_every_kind_of_refusal_is_a_sentence(tmp_path: Path) -> None:
    for options, words in (
        (("--max-cost", "inf"), "inf is not a finite number"),
        (("--rpm", "1e400"), "inf is not a finite number"),
        (
            ("--seed", "99999999999999999999"),
            "99999999999999999999 is too large; whole numbers have 64",
        ),
        (("--seed", "-9223372036854775809"), "-9223372036854775809 is too large"),
        (("--temperature", "nan"), "'nan' is neither a number from 0 to 2"),
    ):
        refused = geostore("generate", "--dataset-path", tmp_path, *options)
        assert refused.returncode == 2
        assert words in refused.stderr
