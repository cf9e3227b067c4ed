"""Whatever is given and wherever the output goes: one sentence and no traceback."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from geostore.store import Store
from tests.running import command, environment, geostore

HUGE = "9" * 20
GENERATE = ("generate", "--base-url", "http://127.0.0.1:9/v1", "--model", "m")
PRINTING = [
    ("--help",),
    ("generate", "--help"),
    ("query", "select * from range(20000)"),
    ("query", "--list"),
    ("stats",),
    ("rewards", "list"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("odd") / "geostore.db"
    Store.open(path, create=True).close()
    return path


def sentence_of(*arguments: str | Path, **variables: str) -> str:
    """The last line that a command which fails prints."""
    ended = geostore(*arguments, **variables)
    assert ended.returncode in (1, 2), (ended.returncode, ended.stdout)
    assert "Traceback" not in ended.stderr
    return ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--since", f"{HUGE}d"), "before the year 1"),
        (("--since", "1e400d"), "is no time"),
        (("--since", "0001-01-01T00:00+23:59"), "is no time"),
        (("--since", "9999-12-31T23:59-10:00"), "is no time"),
        (("--recipe", "\udcff"), "is not text in utf-8"),
        (("--model", "\udcff"), "is not text in utf-8"),
    ],
)
def test_an_odd_condition_is_named(store: Path, options: tuple[str, ...], words: str) -> None:
    assert words in sentence_of("export", "out", "--store", store, *options)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ('{"top_p": NaN}', "NaN is not a finite number"),
        ('{"top_p": -1e400}', "-1e400 is not a finite number"),
        (f'{{"top_p": {HUGE}}}', "64-bit"),
        ('{"a": "\\ud800"}', "surrogates"),
        ("[" * 100_000, "depth"),
    ],
)
@pytest.mark.parametrize("option", ["--extra-body", "--transport"])
def test_members_of_a_request_that_no_json_holds_are_refused(
    option: str, members: str, words: str, photo_dataset: Path, tmp_path: Path
) -> None:
    rest = ("--dataset-path", photo_dataset, "--store", tmp_path / "g.db")
    sentence = sentence_of(*GENERATE, *rest, option, members)
    assert option in sentence
    assert words in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["nan", "inf", "1e400", "-Infinity"])
def test_a_parameter_of_a_reward_is_a_finite_number(store: Path, value: str) -> None:
    options = ("--reward", "linear", "--param", f"max={value}")
    assert "must be a finite number" in sentence_of("rescore", "--store", store, *options)


def test_a_demo_over_a_file_says_so_and_leaves_it_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    for place in ("notes", "notes/below"):
        assert "cannot be the demo's folder" in sentence_of("demo", tmp_path / place)
    assert (tmp_path / "notes").read_text() == "mine"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_full_device_is_one_sentence(store: Path, arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            command(*arguments),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(GEOSTORE_STORE=str(store)),
            timeout=60,
        )
    assert ended.returncode == 1
    assert ended.stderr == "geostore: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_pipe_that_was_closed_ends_a_command_in_silence(
    store: Path, arguments: tuple[str, ...]
) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as closed:
        ended = subprocess.run(
            command(*arguments),
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(GEOSTORE_STORE=str(store)),
            timeout=60,
        )
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"LC_ALL": "C"}, "東京"),
        ({"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "latin-1"}, r"\u6771\u4eac"),
    ],
)
def test_words_that_the_terminal_cannot_show_are_escaped(
    store: Path, variables: dict[str, str], shown: str
) -> None:
    arguments = ("query", "select '東京' as a", "--store", store, "--format", "csv")
    ended = subprocess.run(
        command(*arguments), capture_output=True, env=environment(**variables), timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.decode() == f"a\n{shown}\n"


def test_an_argument_that_is_no_text_here_is_named_with_the_locale(store: Path) -> None:
    variables = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = subprocess.run(
        command("query", "select 'é'", "--store", store),
        capture_output=True,
        env=environment(**variables),
        timeout=60,
    )
    assert ended.returncode == 1
    assert b"LC_ALL=C.UTF-8" in ended.stderr
    assert b"Traceback" not in ended.stderr
