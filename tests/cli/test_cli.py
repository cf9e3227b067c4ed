"""The command line as a stranger meets it: one clear line for whatever is wrong."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import typer.main

from geostore.cli import app
from tests.cli.commands import commands
from tests.conftest import photo_bytes, save_dataset
from tests.minds import zoom_then_answer
from tests.running import geostore, run
from tests.teacher_server import Fault, free_address, teacher_server

ROOT = Path(__file__).parents[2]
GROUP = typer.main.get_command(app)
assert isinstance(GROUP, typer.core.TyperGroup)
BY_NAME = GROUP.commands
COMMANDS = sorted(BY_NAME)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, photo_dataset: Path) -> Path:
    """A store with six answered traces; only for reading."""
    path = tmp_path_factory.mktemp("played") / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, path)
    return path


def one_line(found: subprocess.CompletedProcess[str], *, code: int = 1) -> str:
    """The one line that an error is."""
    assert found.returncode == code, found.stdout + found.stderr
    assert "Traceback" not in found.stderr
    if code == 1:
        lines = found.stderr.strip().splitlines()
        assert len(lines) == 1, found.stderr
        assert lines[0].startswith("geostore: ")
    return found.stderr


def generate(dataset: Path, store: Path, *more: str, **environment: str) -> str:
    arguments = ["generate", "--dataset-path", str(dataset), "--store", str(store), *more]
    return one_line(geostore(*arguments, **environment))


# --- help -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_every_option_of_it_a_sentence(command: str) -> None:
    found = BY_NAME[command]
    assert found.help
    for parameter in found.params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), f"{command} {parameter.name}"
    assert geostore(command, "--help").returncode == 0


@pytest.mark.parametrize("page", ["schema.md", "commands.md", "queries.md"])
def test_the_generated_pages_are_not_stale(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import write_docs

    made = write_docs.PAGES[page]()
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == made, "run: make docs"


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"geostore {command}" in readme


def test_every_option_that_a_page_of_ours_names_is_there() -> None:
    """A README that shows an option of yesterday sends its reader into a wall."""
    known = {
        option
        for command in commands().values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help", "--version", "--debug"}
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for line in page.read_text(encoding="utf-8").splitlines():
            if found := re.search(rf"\bgeostore (?:{'|'.join(COMMANDS)})\b(.*)", line):
                for option in re.findall(r"(?<![\w-])--[a-z][a-z_-]*", found.group(1)):
                    assert option in known, f"{page.name}: {option}"


def test_the_underscored_spellings_of_the_older_scripts_are_taken(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        found = geostore(
            *("generate", "--dataset_path", str(photo_dataset), "--store", str(store)),
            *("--num_samples", "2", "--max_turns", "3", "--max_tokens", "99"),
            *("--model", "m", "--base-url", server.url),
        )
    assert found.returncode == 0, found.stderr
    assert {body["max_tokens"] for body in server.bodies} == {99}


# --- generate -------------------------------------------------------------------------------


def test_without_a_teacher_both_ways_on_are_named(photo_dataset: Path, tmp_path: Path) -> None:
    said = generate(photo_dataset, tmp_path / "geostore.db")
    assert "--teacher offline" in said
    assert "--base-url" in said
    assert "OPENAI_API_KEY" in said
    assert not (tmp_path / "geostore.db").exists()


def test_a_server_without_a_model_asks_for_its_name(photo_dataset: Path, tmp_path: Path) -> None:
    assert "--model" in generate(photo_dataset, tmp_path / "g.db", "--base-url", free_address())


TEACHER = ("--base-url", "http://127.0.0.1:9/v1", "--model", "m")


def test_a_dataset_that_is_not_there_is_named_with_what_is(tmp_path: Path) -> None:
    (tmp_path / "photos_2024").mkdir()
    said = generate(tmp_path / "photos_2025", tmp_path / "g.db", *TEACHER)
    assert "photos_2025" in said
    assert "photos_2024" in said


def test_a_folder_that_is_no_dataset_is_named_with_what_it_holds(tmp_path: Path) -> None:
    folder = tmp_path / "things"
    folder.mkdir()
    (folder / "notes.txt").write_text("x")
    assert "notes.txt" in generate(folder, tmp_path / "g.db", *TEACHER)


def test_missing_columns_are_named_with_those_there_are(tmp_path: Path) -> None:
    import datasets

    rows = {"picture": [{"bytes": photo_bytes(1), "path": None}], "latitude": [1.0], "y": [2.0]}
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "odd"))
    said = generate(tmp_path / "odd", tmp_path / "g.db", *TEACHER)
    assert "picture" in said
    assert "--column" in said


def test_columns_can_be_named(tmp_path: Path) -> None:
    import datasets

    rows = {"picture": [{"bytes": photo_bytes(1), "path": None}], "y": [1.0], "x": [2.0]}
    datasets.Dataset.from_dict(rows).cast_column("picture", datasets.Image()).save_to_disk(
        str(tmp_path / "odd")
    )
    columns = ("--column", "image=picture", "--column", "lat=y", "--column", "lon=x")
    with teacher_server(zoom_then_answer) as server:
        found = geostore(
            *("generate", "--dataset-path", tmp_path / "odd", "--store", tmp_path / "g.db"),
            *("--base-url", server.url, "--model", "m", *columns),
        )
    assert found.returncode == 0, found.stderr


def test_rows_without_usable_coordinates_are_counted_and_named(tmp_path: Path) -> None:
    photos = [photo_bytes(i) for i in range(4)]
    lat: list[object] = [None, 95.0, 0.0, 4.0]
    lon: list[object] = [1.0, 1.0, 0.0, 4.0]
    path = save_dataset(tmp_path / "odd", photos, lat=lat, lon=lon)
    with teacher_server(zoom_then_answer) as server:
        found = geostore(
            *("generate", "--dataset-path", path, "--store", tmp_path / "g.db"),
            *("--base-url", server.url, "--model", "m"),
        )
    assert found.returncode == 0
    assert "1 trace closed" in found.stderr
    for row in ("0", "1", "2"):
        assert re.search(rf"\b{row}\b", found.stderr)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(401, b'{"error": {"message": "bad key sk-secret"}}'), "--api-key-env"),
        (Fault(404, b'{"error": {"message": "no such model"}}'), "--model"),
        (Fault(200, b"<html>hello</html>", {"Content-Type": "text/html"}), "web page"),
        (Fault(400, b'{"error": {"message": "bad temperature"}}'), "bad temperature"),
    ],
)
def test_a_teacher_that_cannot_be_used_is_one_line_and_the_store_stays_good(
    photo_dataset: Path, tmp_path: Path, fault: Fault, words: str
) -> None:
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer, script=lambda n, b: fault) as server:
        found = geostore(
            *("generate", "--dataset-path", photo_dataset, "--store", store),
            *("--base-url", server.url, "--model", "m"),
            OPENAI_API_KEY="sk-secret",
        )
    assert found.returncode == 1
    assert words in found.stderr.strip().splitlines()[-1]
    assert "sk-secret" not in found.stderr
    assert "Traceback" not in found.stderr
    with closing(sqlite3.connect(store)) as connection, connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    connection.close()
    assert b"sk-secret" not in store.read_bytes()


def test_a_server_that_is_not_there_is_one_line(photo_dataset: Path, tmp_path: Path) -> None:
    options = ("--base-url", free_address(), "--model", "m")
    found = geostore(
        "generate", "--dataset-path", photo_dataset, "--store", tmp_path / "g.db", *options
    )
    assert found.returncode == 1
    assert "no server answers" in found.stderr.strip().splitlines()[-1]


def test_credentials_in_an_address_are_not_stored(photo_dataset: Path, tmp_path: Path) -> None:
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        url = server.url.replace("http://", "http://me:hunter2@")
        geostore(
            *("generate", "--dataset-path", photo_dataset, "--store", store),
            *("--base-url", url, "--model", "m", "--num-samples", "1"),
        )
    assert b"hunter2" not in b"".join(p.read_bytes() for p in tmp_path.glob("geostore.db*"))


@pytest.mark.parametrize(
    "options",
    [
        ("--protocol", "morse"),
        ("--bbox-frame", "inches"),
        ("--max-turns", "0"),
        ("--concurrency", "-1"),
        ("--temperature", "3"),
        ("--teacher", "nobody"),
        ("--column", "lat"),
        ("--no-such-option",),
        ("--max-pixels", "10"),
        ("--extra-body", "{"),
        ("--extra-body", "[]"),
    ],
)
def test_an_unknown_value_of_an_option_is_a_usage_error(
    photo_dataset: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    arguments = ("generate", "--dataset-path", photo_dataset, "--store", tmp_path / "g.db")
    said = one_line(geostore(*arguments, *TEACHER, *options), code=2)
    assert options[0] in said


# --- the store ------------------------------------------------------------------------------


def not_sqlite(path: Path) -> None:
    path.write_bytes(b"no database " * 100)


def no_folder(path: Path) -> None:
    path.parent.rmdir()


def nothing(path: Path) -> None:
    pass


READERS = (
    ("query", "summary"),
    ("stats",),
    ("show", "0-abcdef12-1"),
    ("export", "out"),
    ("rescore",),
)


@pytest.mark.parametrize("make", [not_sqlite, no_folder, nothing])
@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
def test_a_store_that_is_none_is_one_line_for_every_command_and_nothing_is_made(
    tmp_path: Path, make: Callable[[Path], None], command: tuple[str, ...]
) -> None:
    path = tmp_path / "folder" / "geostore.db"
    path.parent.mkdir()
    make(path)
    before = sorted(tmp_path.rglob("*"))
    said = one_line(geostore(*command, "--store", path))
    assert "geostore.db" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_generate_names_a_folder_that_is_not_there(photo_dataset: Path, tmp_path: Path) -> None:
    said = generate(photo_dataset, tmp_path / "no" / "geostore.db", *TEACHER)
    assert "there is no folder" in said


# --- what a store answers -------------------------------------------------------------------


def test_rescore_computes_what_is_missing_and_says_what_it_found(
    played: Path, tmp_path: Path
) -> None:
    path = shutil.copy(played, tmp_path / "geostore.db")
    first = geostore("rescore", "--store", path, "--reward", "linear", "--param", "max=10000")
    again = geostore("rescore", "--store", path, "--reward", "linear", "--param", "max=10000")
    assert "computed 6, found done 0" in first.stdout
    assert "computed 0, found done 6" in again.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--reward", "golf"), "exponential"),
        (("--param", "scales=2"), "scale"),
        (("--param", "scale=far"), "number"),
    ],
)
def test_a_reward_that_is_none_is_one_line_that_says_what_is_allowed(
    played: Path, options: tuple[str, ...], words: str
) -> None:
    assert words in one_line(geostore("rescore", "--store", played, *options))


def test_every_named_query_and_every_format_is_answered(played: Path) -> None:
    listed = geostore("query", "--list")
    names = [line for line in listed.stdout.splitlines() if not line.startswith(" ")]
    needed = {"summary", "tool_lift", "tool_use_by_difficulty", "tokens_per_turn", "accuracy"}
    assert needed <= set(names)
    # Each query once and each format several times; tests of the formats themselves give each of
    # them every query's result.
    for name, form in zip(names, itertools.cycle(("table", "csv", "json")), strict=False):
        found = geostore("query", name, "--store", played, "--format", form)
        assert found.returncode == 0, found.stderr
        if form == "json":
            assert isinstance(json.loads(found.stdout), list)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("no_such_query", "summary"),
        ("select * from nowhere", "nowhere"),
        ("delete from turns", "read"),
        ("select 1; select 2", "one"),
        ("copy (select 1) to 'out.csv'", "read"),
        ("select * from read_csv('/etc/passwd')", ""),
        ("attach 'other.db'", "read"),
    ],
)
def test_a_query_that_is_wrong_or_would_do_more_than_read_is_one_line(
    played: Path, statement: str, words: str
) -> None:
    said = one_line(geostore("query", statement, "--store", played))
    assert words.lower() in said.lower()


def test_stats_as_json_is_json(played: Path) -> None:
    found = json.loads(geostore("stats", "--json", "--store", played).stdout)
    assert "6" in json.dumps(found)


def test_show_prints_a_trace_and_image_writes_what_the_teacher_saw(
    played: Path, tmp_path: Path
) -> None:
    rows = json.loads(
        geostore(
            *("query", "select trace from trace_results order by sample_index"),
            *("--store", played, "--format", "json"),
        ).stdout
    )
    name = rows[0]["trace"]
    shown = geostore("show", name, "--store", played)
    assert shown.returncode == 0, shown.stderr
    assert "image_zoom_in_tool" in shown.stdout
    written = geostore("image", name, "--store", played, "--all", "--out", tmp_path / "seen")
    assert written.returncode == 0, written.stderr
    assert len(list((tmp_path / "seen").iterdir())) == 2
    assert "list them" in one_line(geostore("show", "99-00000000-1", "--store", played))


def test_an_export_into_a_folder_of_somebody_elses_is_refused(played: Path, tmp_path: Path) -> None:
    store = shutil.copy(played, tmp_path / "geostore.db")
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    one_line(geostore("export", out, "--store", store))
    assert (out / "thesis.tex").read_text() == "years of work"


def test_an_error_has_a_traceback_under_debug(tmp_path: Path) -> None:
    found = geostore("--debug", "stats", "--store", tmp_path / "none.db")
    assert found.returncode == 1
    assert "Traceback" in found.stderr
