"""Exports that are killed or fail at any point: what stands at the target, and what is left."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from geostore.errors import ExportError, StoreError
from geostore.export import ExportOptions, Filter, export
from geostore.export.files.folder import partial_folder
from geostore.store import Store
from geostore.store.db import Db, Rows
from tests.builders import ZOOM_IN, StoreBuilder, make_dataset
from tests.dying_exports import DyingExports
from tests.minds import answer


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    path = folder / "geostore.db"
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        builder.play(0, [ZOOM_IN, answer(10.0, 20.0)])
        builder.play(1, [answer(1.0, 2.0)])
    return path


@pytest.fixture(scope="module")
def dying() -> Iterator[DyingExports]:
    with DyingExports() as exports:
        yield exports


def whole(folder: Path) -> str:
    """The hash of an export, of which every file is there and as it was written."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    sums = (folder / "SHA256SUMS").read_bytes()
    assert hashlib.sha256(sums).hexdigest() == manifest["sha256"]
    lines = (line.split("  ") for line in sums.decode().splitlines())
    listed = {name: sha256 for sha256, name in lines}
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    assert set(files) == {*listed, "manifest.json", "SHA256SUMS"}
    for name, sha256 in listed.items():
        assert hashlib.sha256(files[name].read_bytes()).hexdigest() == sha256
    return str(manifest["sha256"])


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_an_export_killed_anywhere_leaves_one_whole_and_the_next_cleans_up(
    filled: Path, dying: DyingExports, tmp_path: Path, by: signal.Signals
) -> None:
    """At each point in turn: the target holds the old export or the new one, or, between two
    renames, none, and the next export leaves nothing but itself."""
    with Store.open(filled) as store:
        export(store, tmp_path / "old")
    old = whole(tmp_path / "old")
    out = tmp_path / "here" / "out"
    seen = set()
    for point in itertools.count(1):
        shutil.rmtree(out.parent, ignore_errors=True)
        shutil.copytree(tmp_path / "old", out)
        ended = dying.export(filled, out, at=point, by=by)
        if ended == 0:
            break
        assert ended == by, point
        if out.exists():
            seen.add("old" if whole(out) == old else "new")
        else:
            assert by == signal.SIGKILL, "an interrupt is time enough to put the old one back"
            (aside,) = out.parent.glob(".out.replaced-*")
            assert whole(aside) == old
            seen.add("none")
        if by == signal.SIGINT and point % 4:
            continue
        assert dying.export(filled, out) == 0
        new = whole(out)
        assert new != old
        assert [path.name for path in out.parent.iterdir()] == ["out"], point
    assert point > 30
    assert seen == ({"old", "new", "none"} if by == signal.SIGKILL else {"old", "new"})


def test_an_export_killed_between_its_renames_is_put_back_even_where_the_next_one_fails(
    filled: Path, tmp_path: Path
) -> None:
    with Store.open(filled) as store:
        export(store, tmp_path / "out")
        before = whole(tmp_path / "out")
        (tmp_path / "out").rename(tmp_path / ".out.replaced-0123abcd")
        with pytest.raises(ExportError, match="no format"):
            export(store, tmp_path / "out", options=ExportOptions(format="csv"))  # type: ignore[arg-type]
        with pytest.raises(ExportError, match="no trace is left"):
            export(store, tmp_path / "out", filters=Filter(min_score=2.0))
    assert whole(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_living_process_writes_is_left_alone(filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with partial_folder(out) as folder, Store.open(filled) as store:
        folder.add("a", b"a")
        export(store, out)
        assert (folder.path / "a").read_bytes() == b"a"
        assert {path.name for path in tmp_path.iterdir()} == {"out", folder.path.name}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_folders_that_no_export_left_are_not_removed(filled: Path, tmp_path: Path) -> None:
    """Other names, other targets, and what holds no SHA256SUMS."""
    names = [".out.partial-notes", ".other.partial-0123abcd", ".out.partial-0123abcd"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("do not lose this")
    (tmp_path / names[1] / "SHA256SUMS").write_text("")
    with Store.open(filled) as store:
        export(store, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"out", *names}
    assert {(tmp_path / name / "notes.txt").read_text() for name in names} == {"do not lose this"}


def test_a_commit_that_fails_after_publishing_puts_the_earlier_export_back(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of the store is full: neither a row nor a folder of the new export stays."""
    out = tmp_path / "out"
    execute = Db.execute

    def full(db: Db, statement: str, values: object = None) -> Rows:
        if statement == "commit":
            assert whole(out) != before
            raise StoreError("the disk is full")
        return execute(db, statement, values)  # type: ignore[arg-type]

    with Store.open(filled) as store:
        export(store, out)
        before = whole(out)
        monkeypatch.setattr(Db, "execute", full)
        with pytest.raises(StoreError, match="the disk is full"):
            export(store, out, options=ExportOptions(format="jsonl"))
        monkeypatch.undo()
        assert whole(out) == before
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with sqlite3.connect(filled) as connection:
        rows = connection.execute("select count(*) from exports where path = ?", (str(out),))
        assert rows.fetchone()[0] == 1
    connection.close()


def test_a_file_that_is_put_into_the_target_meanwhile_is_not_lost(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with Store.open(filled) as store:
        export(store, out)
        put_export = type(store.exports).put_export

        def note(*arguments: object, **more: object) -> None:
            (out / "notes.txt").write_text("do not lose this")
            put_export(*arguments, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(type(store.exports), "put_export", note)
        with pytest.raises(ExportError, match=r"holds files that no export wrote \(notes\.txt\)"):
            export(store, out, options=ExportOptions(format="jsonl"))
    assert (out / "notes.txt").read_text() == "do not lose this"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_export_that_fails_leaves_no_folder_above_it(filled: Path, tmp_path: Path) -> None:
    with Store.open(filled) as store:
        with pytest.raises(ExportError, match="no trace is left"):
            export(store, tmp_path / "a" / "b" / "out", filters=Filter(min_score=2.0))
        assert list(tmp_path.iterdir()) == []
        export(store, tmp_path / "a" / "b" / "out")
    whole(tmp_path / "a" / "b" / "out")
