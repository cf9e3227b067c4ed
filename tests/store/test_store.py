"""The SQLite file: opened safely, migrated whole, and the same after writing twice."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from geostore.cli import main
from geostore.errors import (
    NotFoundError,
    StoreError,
    StoreLockedError,
    StoreVersionError,
)
from geostore.records import (
    Answer,
    Closing,
    FailedAttempt,
    ImageFacts,
    Sample,
    Turn,
)
from geostore.sqlfiles import load_sql, sql_names
from geostore.store import ClaimedTrace, Store, migrations
from geostore.store.claims import NotClaimed
from geostore.store.requirements import native_functions, require_sqlite
from tests.trace_parts import BAD_CALL, CALL, DATASET, RECIPE, SAMPLE, SENT, TURN, start_run

KNOWN = sql_names("schema")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "geostore.db", create=True) as opened:
        yield opened


def claim(
    store: Store, *, sample: Sample = SAMPLE, run_id: int | None = None, **options: Any
) -> ClaimedTrace | NotClaimed:
    sample_id = store.samples.put_sample(store.samples.put_dataset(DATASET), sample).sample_id
    values: dict[str, Any] = {"rollout": 1, "turn_limit": 10, "seconds": 60.0, **options}
    return store.claims.claim(
        sample_id=sample_id,
        recipe_id=store.recipes.put_recipe(RECIPE),
        run_id=start_run(store) if run_id is None else run_id,
        **values,
    )


def claimed_trace(store: Store, *, run_id: int, **options: Any) -> ClaimedTrace:
    claimed = claim(store, run_id=run_id, **options)
    assert isinstance(claimed, ClaimedTrace), claimed
    return claimed


BROKEN_OFF = FailedAttempt(2, "server", "gone", 200, '{"total_tokens":9}', "It is in")


def dump(store: Store) -> list[str]:
    """The whole file as SQL, but for when its rows were made."""
    lines = store.db.connection.iterdump()
    return [line for line in lines if "created_at" in line or "insert" in line.lower()]


def played_trace(store: Store) -> int:
    run_id = start_run(store)
    claimed = claimed_trace(store, run_id=run_id)
    store.traces.put_turn(claimed.trace_id, TURN, run_id=run_id, photo=SENT)
    store.traces.put_call(claimed.trace_id, CALL)
    store.traces.put_call(claimed.trace_id, BAD_CALL)
    store.traces.put_attempt(claimed.trace_id, BROKEN_OFF, run_id=run_id)
    store.traces.close_trace(claimed.trace_id, Closing("answered", "answer"), turn_limit=10)
    store.traces.put_answer(claimed.trace_id, 1, Answer(1.5, 2.5, "boxed", None, ("swapped",)))
    return claimed.trace_id


def test_what_was_put_comes_back_as_it_was(store: Store) -> None:
    found = store.traces.get_trace(played_trace(store))
    assert found.sample == SAMPLE
    assert found.dataset == DATASET
    assert found.recipe == RECIPE
    assert found.turns == (TURN,)
    assert found.calls == (CALL, BAD_CALL)
    assert found.photo == SENT
    assert found.failures == (BROKEN_OFF,)
    assert found.answer == Answer(1.5, 2.5, "boxed", None, ("swapped",))
    assert (found.status, found.stop_reason) == ("answered", "answer")
    assert found.final_response == TURN.response


def test_writing_twice_changes_nothing(store: Store) -> None:
    """Promise 2, for every row that has a natural key; the first write stays."""
    trace_id = played_trace(store)
    before = dump(store)
    store.samples.put_dataset(DATASET)
    store.samples.put_sample(1, replace(SAMPLE, lat=1.0))
    store.recipes.put_recipe(RECIPE)
    store.traces.put_turn(trace_id, replace(TURN, response="other"), run_id=1, photo=SENT)
    store.traces.put_call(trace_id, replace(CALL, observation="other"))
    store.traces.close_trace(trace_id, Closing("failed", "server"), turn_limit=3)
    store.traces.put_answer(trace_id, 1, Answer(None, None, None, "no_coordinates", ()))
    assert dump(store) == before


def test_a_dataset_that_moved_is_the_same_dataset(store: Store) -> None:
    first = store.samples.put_dataset(DATASET)
    assert store.samples.put_dataset(replace(DATASET, path="/elsewhere/photos")) == first
    assert store.samples.get_dataset(first).path == "/elsewhere/photos"


def test_a_photo_that_stands_in_two_rows_is_marked_in_the_second(store: Store) -> None:
    dataset_id = store.samples.put_dataset(DATASET)
    first = store.samples.put_sample(dataset_id, SAMPLE)
    second = store.samples.put_sample(dataset_id, replace(SAMPLE, sample_index=4))
    again = store.samples.put_sample(dataset_id, SAMPLE)
    assert [first.exclusion, second.exclusion, again.exclusion] == [None, "duplicate", None]


def test_a_claim_keeps_others_away_until_it_is_released_or_expires(store: Store) -> None:
    mine = start_run(store)
    assert isinstance(claim(store, run_id=mine), ClaimedTrace)
    assert claim(store) == "claimed"
    store.claims.release_claims(mine)
    assert isinstance(claim(store, seconds=-1.0), ClaimedTrace)
    assert isinstance(claim(store), ClaimedTrace)


def test_the_end_of_a_run_gives_back_its_claims_and_the_first_outcome_stays(store: Store) -> None:
    mine = start_run(store)
    claim(store, run_id=mine)
    store.runs.end_run(mine, "interrupted")
    store.runs.end_run(mine, "killed")
    assert isinstance(claim(store), ClaimedTrace)
    row = store.db.connection.execute("select outcome from runs where id = ?", (mine,)).fetchone()
    assert row["outcome"] == "interrupted"


def test_a_claimed_trace_comes_with_all_its_rows(store: Store) -> None:
    run_id = start_run(store)
    first = claimed_trace(store, run_id=run_id)
    store.traces.put_turn(first.trace_id, TURN, run_id=run_id, photo=SENT)
    store.traces.put_call(first.trace_id, CALL)
    store.claims.release_claims(run_id)
    again = claimed_trace(store, run_id=run_id)
    assert (again.photo, again.turns, again.calls) == (SENT, (TURN,), (CALL,))


def test_a_closed_trace_is_not_claimed_again(store: Store) -> None:
    played_trace(store)
    assert claim(store) == "closed"


@pytest.mark.parametrize(
    ("closing", "options", "opens"),
    [
        (Closing("exhausted", "turn_limit"), {"turn_limit": 11}, True),
        (Closing("exhausted", "turn_limit"), {"turn_limit": 10}, False),
        (Closing("exhausted", "no_answer"), {"turn_limit": 11}, False),
        (Closing("exhausted", "no_answer"), {"retry": ["exhausted"]}, True),
        (Closing("exhausted", "truncated"), {"retry": ["exhausted", "failed"]}, False),
        (Closing("exhausted", "truncated"), {"retry": ["truncated"]}, True),
        (Closing("failed", "server"), {}, False),
        (Closing("failed", "server"), {"retry": ["failed"]}, True),
        (Closing("failed", "server"), {"retry": ["refused"]}, False),
        *[
            (closing, {"retry": [kind]}, opens)
            for closing, kinds in {
                Closing("failed", "refused"): ("failed", "refused"),
                Closing("failed", "size_limit"): ("failed", "refused"),
                Closing("exhausted", "image_limit"): ("exhausted", "refused"),
                Closing("exhausted", "context_limit"): ("exhausted", "refused"),
                Closing("exhausted", "refused"): ("exhausted",),  # by the teacher itself
            }.items()
            for kind in ("failed", "exhausted", "truncated", "refused")
            for opens in (kind in kinds,)
        ],
    ],
)
def test_only_what_a_new_run_can_change_is_opened_again(
    store: Store, closing: Closing, options: dict[str, Any], opens: bool
) -> None:
    run_id = start_run(store)
    first = claimed_trace(store, run_id=run_id)
    store.traces.put_turn(first.trace_id, TURN, run_id=run_id, photo=SENT)
    store.traces.close_trace(first.trace_id, closing, turn_limit=10)
    store.traces.put_answer(first.trace_id, 1, Answer(1.0, 1.0, "boxed", None, ()))
    finished = store.samples.finished_samples(
        dataset_id=1, recipe_id=1, rollouts=1, **{"turn_limit": 10, **options}
    )
    assert list(finished) == ([] if opens else [3])
    again = claim(store, **options)
    assert isinstance(again, ClaimedTrace) == opens
    if opens:
        # What was read in a response that is no longer the last must not stay.
        assert store.traces.get_trace(first.trace_id).answer is None


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(StoreError), store.db.transaction():
        store.samples.put_dataset(DATASET)
        store.traces.put_turn(99, TURN, run_id=1)
    assert store.db.connection.execute("select count(*) from datasets").fetchone()[0] == 0


def test_foreign_keys_are_held(store: Store) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"), store.db.transaction():
        store.traces.put_turn(99, TURN, run_id=1)


def test_a_trace_is_found_by_its_name_with_or_without_the_dataset(store: Store) -> None:
    trace_id = played_trace(store)
    name = store.traces.get_trace(trace_id).name
    assert store.traces.find_trace(name) == trace_id
    assert store.traces.find_trace(f"photos:{name}") == trace_id
    store.samples.put_dataset(replace(DATASET, fingerprint="beef", name="others"))
    assert store.traces.get_trace(trace_id).name == name


@pytest.mark.parametrize("name", ["", "4", "3-0", "x-abcdef12-1", "3-abcdef12-1", "4-00000000-1"])
def test_a_name_that_means_no_trace_says_how_names_look_or_how_to_list_them(
    store: Store, name: str
) -> None:
    played_trace(store)
    with pytest.raises(NotFoundError, match=r"look like|list them"):
        store.traces.find_trace(name)


# --- opening --------------------------------------------------------------------------------


def not_sqlite(path: Path) -> None:
    path.write_bytes(b"this is no database, and longer than a page header " * 20)


def foreign_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table notes (text)")
    connection.close()


def newer_geostore(path: Path) -> None:
    Store.open(path, create=True).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at)"
            " values ('geostore', '9999_later', '2030')"
        )
    connection.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (not_sqlite, "not a SQLite file"),
        (foreign_program, "another program"),
        (newer_geostore, "newer than this geostore"),
        (Path.mkdir, "is a folder"),
    ],
)
def test_a_file_that_is_no_store_of_ours_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "file.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=words):
        Store.open(path, create=True)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_newer_store_is_an_error_of_its_own(tmp_path: Path) -> None:
    newer_geostore(tmp_path / "file.db")
    with pytest.raises(StoreVersionError, match="upgrade"):
        Store.open(tmp_path / "file.db")


def test_a_store_whose_steps_are_not_the_first_ones_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.db"
    Store.open(path, create=True).close()
    before = path.read_bytes()
    monkeypatch.setattr(migrations, "sql_names", lambda folder: ("0000_before", *KNOWN))
    with pytest.raises(StoreVersionError, match=r"of no geostore.*name another store"):
        Store.open(path)
    assert path.read_bytes() == before


def test_windows_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a store is opened, and at the start of every command."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(StoreError, match=r"Windows.*Linux or macOS"):
        Store.open(tmp_path / "geostore.db", create=True)
    monkeypatch.setattr(sys, "argv", ["geostore", "--version"])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "Windows" in capsys.readouterr().err


@pytest.mark.parametrize("version", [(3, 34, 1), (3, 37, 2)])
def test_a_sqlite_that_is_too_old_is_named_with_what_to_do(version: tuple[int, ...]) -> None:
    with pytest.raises(StoreError, match=r"SQLite 3\.3\d\.\d, .* needs 3\.38 .*Python that comes"):
        require_sqlite(frozenset({"json_valid"}), version)


def test_a_sqlite_without_json_is_named_with_what_to_do(store: Store) -> None:
    functions = native_functions(store.db.connection)
    require_sqlite(functions)
    with pytest.raises(StoreError, match=r"without JSON functions.*Python that comes"):
        require_sqlite(functions - {"json_valid"})


@pytest.mark.parametrize(("platform", "synced"), [("darwin", 1), ("linux", 0)])
def test_macos_is_asked_to_sync_through_to_the_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, synced: int
) -> None:
    monkeypatch.setattr("geostore.store.opening.sys.platform", platform)
    with Store.open(tmp_path / "geostore.db", create=True) as opened:
        for pragma in ("fullfsync", "checkpoint_fullfsync"):
            assert opened.db.connection.execute(f"pragma {pragma}").fetchone()[0] == synced


def test_reading_never_makes_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="geostore generate makes one"):
        Store.open(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no folder"):
        Store.open(tmp_path / "none" / "geostore.db", create=True)


def test_a_locked_store_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "geostore.db"
    with (
        Store.open(path, create=True) as holder,
        holder.db.transaction(),
        Store.open(path, busy_timeout=0.05) as other,
        pytest.raises(StoreLockedError, match="locked by another process"),
        other.db.transaction(),
    ):
        pass


WRITE_AS_NOBODY = """
import os, sys
from pathlib import Path
from geostore.errors import StoreError
from geostore.store import Store
from tests.trace_parts import DATASET
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write to a read-only file
try:
    with Store.open(Path(sys.argv[1])) as store, store.db.transaction():
        store.samples.put_dataset(DATASET)
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o444, 0o755), (0o444, 0o555)])
def test_a_read_only_store_is_named(file_mode: int, folder_mode: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "geostore.db"
        Store.open(path, create=True).close()
        path.chmod(file_mode)
        folder.chmod(folder_mode)
        found = subprocess.run(
            [sys.executable, "-c", WRITE_AS_NOBODY, str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        folder.chmod(0o755)
    assert "read-only" in found.stdout


def test_a_store_on_a_read_only_connection_says_so(tmp_path: Path) -> None:
    """The same sentence for every user, root included."""
    path = tmp_path / "geostore.db"
    Store.open(path, create=True).close()
    with Store.open(path) as opened:
        opened.db.connection.execute("pragma query_only = on")
        with pytest.raises(StoreError, match="read-only"), opened.db.transaction():
            opened.samples.put_dataset(DATASET)


FILL = """
import resource, signal, sys
from dataclasses import fields, replace
from geostore.errors import StoreError
from geostore.store import Store
from tests.trace_parts import DATASET
store = Store.open(sys.argv[1], create=True)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
put = 0
try:
    while put < 10_000:
        with store.db.transaction():
            store.samples.put_dataset(replace(DATASET, fingerprint=str(put), name="x" * 2000))
        put += 1
except StoreError as error:
    print(put, error)
"""


def test_a_full_disk_is_named_and_what_was_committed_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "geostore.db"
    found = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, check=True
    )
    put, _, message = found.stdout.partition(" ")
    assert "what was committed is safe" in message
    with Store.open(path) as opened:
        assert opened.db.connection.execute("pragma integrity_check").fetchone()[0] == "ok"
        count = opened.db.connection.execute("select count(*) from datasets").fetchone()[0]
        assert count == int(put) > 0


def test_processes_that_open_a_new_store_at_once_all_get_it(tmp_path: Path) -> None:
    """Each would make the tables; one does, and the others wait for it."""
    script = (
        "import sys, time\n"
        "from geostore.store import Store\n"
        "import sqlite_utils\n"
        "time.sleep(max(0, float(sys.argv[2]) - time.time()))\n"
        "for number in range(10):\n"
        "    Store.open(f'{sys.argv[1]}/{number}.db', create=True).close()\n"
    )
    start = str(time.time() + 2.5)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), start], stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors


def test_a_kill_while_a_store_is_made_leaves_none_or_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the store's name there is never a file that is not whole."""
    path = tmp_path / "geostore.db"
    links: list[bytes] = []
    link = os.link

    def killed(source: Path, target: Path) -> None:
        links.append(Path(source).read_bytes())
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", killed)
    with pytest.raises(KeyboardInterrupt):
        Store.open(path, create=True)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(os, "link", link)
    path.write_bytes(links[0])
    with Store.open(path) as opened:
        assert list(opened.db.connection.execute("pragma integrity_check").fetchone()) == ["ok"]
        opened.samples.put_dataset(DATASET)


def test_a_store_is_made_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with Store.open(tmp_path / "geostore.db", create=True) as opened:
        opened.samples.put_dataset(DATASET)
    assert [entry.name for entry in tmp_path.iterdir()] == ["geostore.db"]


def test_a_store_is_made_where_a_link_points(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "geostore.db").symlink_to(tmp_path / "disk" / "store.db")
    Store.open(tmp_path / "geostore.db", create=True).close()
    assert [entry.name for entry in (tmp_path / "disk").iterdir()] == ["store.db"]
    Store.open(tmp_path / "geostore.db").close()


# --- migrations -------------------------------------------------------------------------------


def test_a_migration_that_fails_half_way_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "geostore.db"
    Store.open(path, create=True).close()
    texts = {"9999_half": "create table half (id integer) strict;\nselect no_such_function();\n"}
    real = load_sql
    monkeypatch.setattr(migrations, "sql_names", lambda folder: (*KNOWN, "9999_half"))
    monkeypatch.setattr(
        migrations, "load_sql", lambda folder, name: texts.get(name) or real(folder, name)
    )
    with pytest.raises(StoreError, match="no_such_function"):
        Store.open(path)
    monkeypatch.undo()
    with Store.open(path) as opened:
        tables = opened.db.connection.execute("select name from sqlite_master").fetchall()
        assert "half" not in {row["name"] for row in tables}


def test_a_step_that_is_missing_is_taken_when_a_store_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True) as opened:
        trace_id = played_trace(opened)
    real = load_sql
    step = "-- adds a column\nalter table traces add column note text;\n"
    monkeypatch.setattr(migrations, "sql_names", lambda folder: (*KNOWN, "9999_note"))
    monkeypatch.setattr(
        migrations,
        "load_sql",
        lambda folder, name: step if name == "9999_note" else real(folder, name),
    )
    with Store.open(path) as opened:
        assert opened.traces.get_trace(trace_id).turns == (TURN,)
        assert opened.db.connection.execute("select note from traces").fetchone()[0] is None


def test_rows_of_turns_and_images_have_the_fields_of_their_records_in_order(store: Store) -> None:
    """Records of them are made by place, so another order would mix their values up."""

    def columns(statement: str) -> list[str]:
        return [column[0] for column in store.db.run(statement, trace_ids="[]").description]

    assert columns("turns_of_traces") == ["trace_id", *(field.name for field in fields(Turn))]
    image = [field.name for field in fields(ImageFacts)]
    of_call = columns("tool_calls_of_traces")[-len(image) :]
    assert [name.removeprefix("image_") for name in of_call] == image
