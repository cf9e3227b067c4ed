"""Every command on terminals of 60, 80 and 200 columns and in a pipe.

Nothing is too wide and no word is broken, on a real store with six recipes that a teacher
on loopback made. COLUMNS stands for a terminal's width, as in a shell; one test looks at a
real terminal.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from geostore.query.headers import question_names
from geostore.query.reader import ask, open_reader
from geostore.text.tables import format_table
from geostore.text.terminal import text_width
from tests.conftest import photo_bytes, save_dataset
from tests.minds import wanderer
from tests.running import geostore, run
from tests.teacher_server import teacher_server
from tests.terminals import on_terminal

MODELS = (
    *("Qwen/Qwen2.5-VL-72B-Instruct-AWQ", "gpt-4o-mini", "google/gemini-2.5-flash"),
    *("claude-opus-4-5", "THUDM/GLM-4.5V", "OpenGVLab/InternVL3_5-241B-A28B"),
)
WIDTHS = (60, 80, 200)
LONG = "it was a bright cold day in April, and the clocks were striking thirteen; " * 6
SQL = f"select trace, '{LONG}' as opening, score, distance_km from trace_results order by trace"

COMMANDS: dict[str, list[str]] = {
    "stats": ["stats"],
    "status": ["status"],
    "traces": ["traces"],
    "best traces": ["traces", "--best"],
    "show": ["show", "--best"],
    "show whole": ["show", "--worst", "--verbose"],
    "list of queries": ["query", "--list"],
    "long text": ["query", SQL],
    "long text of one trace": ["query", f"{SQL} limit 1"],
    "many columns": ["query", "select * from trace_results order by trace limit 3"],
    "no rows": ["query", "select * from trace_results where trace = 'none'"],
    "rewards": ["rewards", "list"],
    "reward": ["rewards", "show", "steps"],
    "rescore": ["rescore", "--reward", "steps", "--compare", "geoguessr"],
    "rewards compared": ["rewards", "compare"],
    "audit": ["audit"],
    "checks": ["audit", "--list"],
    "verify": ["verify", "--sample", "3"],
}


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with six recipes, seven traces each."""
    folder = tmp_path_factory.mktemp("six")
    countries = ["Papua New Guinea", "France", "Japan", "Côte d'Ivoire", "Mali", "Peru", "Chad"]
    photos = [photo_bytes(seed) for seed in range(len(countries))]
    dataset = save_dataset(folder / "photos", photos, country=list(countries))
    path = folder / "geostore.db"
    with teacher_server(wanderer) as server:
        for number, model in enumerate(MODELS):
            run(
                server.url,
                dataset,
                path,
                num_samples=7,
                recipe={"model": model, "tools": number != 1},
            )
    for more in (["audit"], ["rescore", "--reward", "steps"]):
        assert geostore(*more, "--store", path).returncode == 0
    return path


def printed(arguments: list[str], store: Path, *, columns: int | None) -> str:
    """What a command prints. columns: of a terminal; None for a pipe."""
    at = [] if "--list" in arguments else ["--store", str(store)]
    found = geostore(*arguments, *at, COLUMNS="" if columns is None else str(columns))
    assert found.returncode == 0, found.stderr
    return found.stdout


def words(text: str) -> set[str]:
    """All words but rules and figures, which may be times and differ from run to run."""
    parts = set(text.replace(":", " ").replace(",", " ").split())
    return {part for part in parts if not re.fullmatch(r"-+|…|[-\d.]+(s|/s|/min)?", part)}


def assert_fits(texts: dict[int, str]) -> None:
    """What was printed at several widths has no line too wide, and at all of them the same words.

    Only a word that is longer than the terminal may stand out.
    """
    widest = texts[max(texts)]
    longest = max(map(text_width, widest.split()))
    for width, text in texts.items():
        for line in text.splitlines():
            assert text_width(line) <= width or text_width(line.strip()) <= longest, line
            assert line == line.rstrip()
        assert words(text) <= words(widest), words(text) - words(widest)


@pytest.mark.parametrize("case", COMMANDS)
def test_what_a_command_prints_fits_the_terminal_and_breaks_no_word(case: str, six: Path) -> None:
    assert_fits({width: printed(COMMANDS[case], six, columns=width) for width in WIDTHS})


def test_the_answer_to_every_question_fits_the_terminal(six: Path) -> None:
    with open_reader(six) as reader:
        for name in question_names():
            result = ask(reader, name)
            assert_fits({width: format_table(result, width) for width in WIDTHS})


def test_in_a_pipe_a_row_is_a_line_however_wide(six: Path) -> None:
    lines = printed(["query", "summary"], six, columns=None).splitlines()
    assert len(lines) == 2 + len(MODELS) + 1
    assert max(map(len, lines)) > 200


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_programs_read_never_folds(form: str, six: Path) -> None:
    statement = [*COMMANDS["long text of one trace"], "--format", form]
    text = printed(statement, six, columns=60)
    rows = json.loads(text) if form == "json" else list(csv.DictReader(io.StringIO(text)))
    assert [row["opening"] for row in rows] == [LONG]


def test_a_result_is_as_wide_as_the_terminal_it_goes_to(six: Path) -> None:
    code, lines = on_terminal("query", "summary", "--store", six, columns=60)
    assert code == 0
    assert 50 < max(map(len, lines)) <= 60
    assert sum(line.startswith("recipe ") for line in lines) > 1, "what does not fit is below"


def test_an_error_is_as_wide_as_the_terminal_too(six: Path) -> None:
    """An error of geostore's, and one about an option; in a pipe each is one line."""
    for code, *arguments in (
        (1, "rewards", "default", "no-reward-of-this-name", "--store", str(six)),
        (2, "rescore", "--reward", "steps", "--custom", "file.py:function", "--store", str(six)),
        (2, "query", "--format", "yaml", "--store", str(six)),
        (2, "no-command-of-this-name-which-is-a-very-long-name-for-one"),
    ):
        found, lines = on_terminal(*arguments, columns=60)
        whole = geostore(*arguments)
        assert (found, whole.returncode) == (code, code)
        assert max(len(line) for line in lines if " " in line) <= 60
        assert " ".join(lines).split() == whole.stderr.split()
        assert max(map(len, whole.stderr.splitlines())) > 60


def test_counts_have_their_plurals(six: Path, tmp_path: Path) -> None:
    one = geostore("export", tmp_path / "one", "--store", six, "--where", "trace_id = 1")
    assert one.stdout.startswith("wrote 1 trace to ")
    assert "(1 row)" in printed(["query", "select 1 as one"], six, columns=80)
    checked = printed(["verify", "--sample", "1"], six, columns=80)
    assert checked.startswith("1 trace: ")
    assert "derived from 1 photo," in " ".join(checked.split())
