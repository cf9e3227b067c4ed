"""`--store`, for every command that has it: what is no store, where one is, and its name."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from geostore.store import Store
from tests.cli.commands import commands, needed, options_of
from tests.running import geostore

COMMANDS = {name: found for name, found in commands().items() if "--store" in options_of(found)}


def text(path: Path) -> None:
    path.write_text("trace,lat,lon\n" * 500)


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("create table notes (text)")


def without_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("pragma user_version = 1")


def of_duckdb(path: Path) -> None:
    duckdb.connect(str(path)).close()


def cut_off(path: Path) -> None:
    Store.open(path, create=True).close()
    os.truncate(path, path.stat().st_size // 2)


def overwritten(path: Path) -> None:
    Store.open(path, create=True).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xaa" * 3996)


KINDS: dict[Callable[[Path], None], str] = {
    text: "is not a SQLite file, so it is no store; name another",
    Path.touch: "is empty (0 bytes), so it is no store; delete it, or name another",
    of_another_program: "is a SQLite file of another program (tables: notes); name",
    without_tables: "is a SQLite file without tables, so it is no store; delete it",
    of_duckdb: "is not a SQLite file, so it is no store; name another",
    cut_off: "is damaged (database disk image is malformed); restore it from a copy",
    overwritten: "is damaged (database disk image is malformed); restore it from a copy",
    Path.mkdir: "is a folder; a store is one file, such as geostore.db",
    os.mkfifo: "is a device or a pipe, so it is no store; name a file",
}


def files_below(folder: Path) -> set[Path]:
    """All but what SQLite puts beside a file that it reads."""
    return {f for f in folder.rglob("*") if not f.name.endswith(("-shm", "-wal"))}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_no_store_gets_the_same_sentence_from_every_command_and_stays_as_it_is(
    name: str, tmp_path: Path, photo_dataset: Path
) -> None:
    (tmp_path / "files").mkdir()
    arguments = needed(COMMANDS[name], tmp_path, photo_dataset)
    if name == "export":
        arguments[0] += "/out"
    for number, (make, words) in enumerate(KINDS.items()):
        path = tmp_path / f"{number}.db"
        make(path)
        before = path.read_bytes() if path.is_file() else b""
        folder = files_below(tmp_path)
        refused = geostore(*name.split(), *arguments, "--store", path)
        assert (refused.returncode, refused.stdout) == (1, ""), refused.stderr
        assert refused.stderr.splitlines()[-1].startswith(f"geostore: {path} {words}")
        assert "Traceback" not in refused.stderr
        assert (path.read_bytes() if path.is_file() else b"") == before
        assert files_below(tmp_path) == folder


def test_the_store_may_come_from_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    Store.open(path, create=True).close()
    for name, command in COMMANDS.items():
        assert options_of(command)["--store"].envvar == "GEOSTORE_STORE", name
    assert geostore("stats", GEOSTORE_STORE=str(path)).returncode == 0
    other = geostore("stats", "--store", tmp_path / "other.db", GEOSTORE_STORE=str(path))
    assert "no store at" in other.stderr
    assert "GEOSTORE_STORE" in geostore("stats", "--help").stdout


def test_where_no_store_is_those_that_lie_near_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = "geostore: no store at geostore.db; geostore generate makes one\n"
    text(tmp_path / "notes.db")
    os.mkfifo(tmp_path / "pipe.db")
    of_another_program(tmp_path / "other.db")
    for command in (("stats",), ("show", "0-abcdef12-1")):
        assert geostore(*command).stderr == first
    (tmp_path / "runs" / "old").mkdir(parents=True)
    for place, day in (("mine.db", 1), ("runs/a.db", 2), ("runs/old/deep.db", 3)):
        Store.open(tmp_path / place, create=True).close()
        os.utime(tmp_path / place, (day, day))
    files = sorted(tmp_path.rglob("*"))
    for command in (("stats",), ("show", "0-abcdef12-1")):
        refused = geostore(*command)
        assert refused.returncode == 1
        assert "no store at geostore.db, but near it: runs/a.db, mine.db; name" in refused.stderr
        assert "--store" in refused.stderr
    assert sorted(tmp_path.rglob("*")) == files


@pytest.mark.parametrize(
    "name",
    [
        "file:x.db",
        "file:x.db?mode=memory",
        "sqlite:x.db",
        "a b?c#d%41'\".db",
        "été 東京.db",
        ":memory:",
    ],
)
def test_a_name_means_one_file_for_every_command(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite and DuckDB each read some names as addresses; neither does so here."""
    monkeypatch.chdir(tmp_path)
    Store.open(name, create=True).close()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    with closing(sqlite3.connect(tmp_path / name)) as plain, plain:
        plain.execute(
            "insert into datasets (fingerprint, path, name, num_rows, columns, column_map,"
            " created_at) values ('f', '/', 'mine', 1, '[]', '{}', 'now')"
        )
    counted = geostore("query", "select name from datasets", "--store", name, "--format", "csv")
    assert counted.stdout == "name\nmine\n", counted.stderr
    assert geostore("verify", "--store", name).returncode == 0
    assert geostore("export", "out", "--store", name).returncode in (0, 1)
    assert {entry.name for entry in tmp_path.iterdir()} - {"out"} == {name}


def test_a_name_that_is_not_utf_8_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.db")
    for command in (("stats",), ("rescore",)):
        refused = geostore(*command, GEOSTORE_STORE=str(path))
        assert refused.returncode == 1
        assert "is not UTF-8" in refused.stderr


def test_a_page_that_is_damaged_is_named_when_a_question_meets_it(tmp_path: Path) -> None:
    path = tmp_path / "geostore.db"
    Store.open(path, create=True).close()
    with closing(sqlite3.connect(path)) as plain:
        root = plain.execute("select rootpage from sqlite_master where name = 'turns'").fetchone()[
            0
        ]
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\x55" * 4096)
    asked = geostore("query", "select count(response) from turns", "--store", path)
    assert asked.returncode == 1
    assert asked.stderr == (
        f"geostore: {path} is damaged (database disk image is malformed); restore it from a copy\n"
    )
