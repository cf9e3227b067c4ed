"""Copies of a dataset: photos that were answered in one are told, and attached where asked to."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from geostore import open as geostore_open
from geostore.conversation.images import PhotoSource
from geostore.dataset import PhotoDataset
from geostore.errors import DatasetError
from geostore.generate.events import Event, TraceEnded
from geostore.generate.plan import RunResult
from geostore.store import Store
from geostore.verify import verify
from tests.conftest import photo_bytes, save_dataset
from tests.minds import answer, zoom_then_answer
from tests.running import Notes, assert_whole, contents, geostore, run
from tests.teacher_server import Body, Reply, TeacherServer, teacher_server

PHOTOS = [photo_bytes(seed) for seed in range(8)]


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "geostore.db"


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """Photos 0 to 5."""
    return save_dataset(tmp_path / "original", PHOTOS[:6])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Photos 5 down to 2 with their own places, and two that are new: another fingerprint."""
    numbers: list[int] = [5, 4, 3, 2, 6, 7]
    return save_dataset(
        tmp_path / "copy",
        [PHOTOS[number] for number in numbers],
        lat=[10.0 + number for number in numbers],
        lon=[20.0 + number for number in numbers],
    )


def rows(store_path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store_path)) as connection:
        return connection.execute(query).fetchall()


def ask(server: TeacherServer, dataset: Path, store_path: Path, **plan: Any) -> RunResult:
    return run(server.url, dataset, store_path, **plan)


def test_a_copy_says_so_before_it_asks_again(original: Path, copy: Path, store_path: Path) -> None:
    """The sentence comes before the first request, and names both ways on."""
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path)
        asked = len(server.requests)
        result = ask(server, copy, store_path, notes=notes)
        assert len(server.requests) == 2 * asked
    assert result.closed == {"answered": 6}
    names = [type(event).__name__ for event in notes.events]
    assert names.index("Noticed") < names.index("TurnCommitted")
    assert notes.notices == [
        "4 of these 6 photos were answered already in dataset original. They are asked about "
        "again: Ctrl-C stops the run; --reuse attaches the answers instead"
    ]


def test_reuse_attaches_the_answers_and_asks_only_what_is_new(
    original: Path, copy: Path, store_path: Path
) -> None:
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path)
        traces = rows(store_path, "select * from traces")
        asked = len(server.requests)
        result = ask(server, copy, store_path, reuse=True, notes=notes)
        assert len(server.requests) == asked + 4  # two new photos, two turns each
        assert (result.done, result.closed, result.remaining) == (4, {"answered": 2}, 0)
        assert notes.notices == [
            "4 photos were answered already in dataset original: the traces there count for them"
        ]
        before = contents(store_path)
        again = ask(server, copy, store_path)  # what is attached stays so without the option
        assert (again.done, again.closed.total()) == (6, 0)
        assert contents(store_path) == before
    assert rows(store_path, "select * from traces")[: len(traces)] == traces
    attached = """
        select mine.sample_index, theirs.sample_index
        from samples as mine join samples as theirs on theirs.id = mine.same_as order by 1
    """
    assert rows(store_path, attached) == [(0, 5), (1, 4), (2, 3), (3, 2)]
    assert_whole(store_path)


def test_more_rollouts_of_an_attached_row_go_on_in_the_sample_that_holds_its_traces(
    original: Path, copy: Path, store_path: Path
) -> None:
    """The photo comes from the copy, and verify proves it from the original."""
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path)
        ask(server, copy, store_path, reuse=True)
        ask(server, copy, store_path, num_samples=4, rollouts=2, notes=notes)
        again = ask(server, copy, store_path, num_samples=4, rollouts=2)
    assert again.done == 8
    of_original = """
        select sample_index, max(rollout)
        from traces join samples on samples.id = sample_id
        where dataset_id = 1 group by sample_index order by sample_index
    """
    assert rows(store_path, of_original) == [(0, 1), (1, 1), (2, 2), (3, 2), (4, 2), (5, 2)]
    with Store.open(store_path) as store:
        ids = [row[0] for row in rows(store_path, "select id from traces")]
        names = {store.traces.get_trace(id).name for id in ids}
    ended = {str(event.key) for event in notes.all_of(TraceEnded)}
    assert len(ended) == 4
    assert ended <= names
    report = verify(store_path)
    assert [str(finding) for finding in report.findings] == []


def test_a_copy_stands_in_for_a_dataset_that_is_gone(
    original: Path, copy: Path, store_path: Path
) -> None:
    """Photos 2 to 5 are in the copy as well; only those of rows 0 and 1 are lost."""
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path)
        ask(server, copy, store_path, reuse=True)
    shutil.rmtree(original)
    report = verify(store_path)
    assert [finding.what for finding in report.findings] == ["dataset original"]
    with geostore_open(store_path) as store:
        traces = list(store.traces())
        there = [trace for trace in traces if trace.copies or trace.dataset.name == "copy"]
        assert len(there) == 6
        assert all(store.restore_image(trace) is not None for trace in there)
        lost = [trace for trace in traces if trace not in there]
        assert [trace.key.sample_index for trace in lost] == [0, 1]
        with pytest.raises(DatasetError, match="original"):
            store.restore_image(lost[0])


def test_another_true_place_is_another_sample(
    tmp_path: Path, original: Path, store_path: Path
) -> None:
    moved = save_dataset(tmp_path / "moved", PHOTOS[:2], lat=[10.00005, 11.5], lon=[20.0, 21.0])
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path)
        result = ask(server, moved, store_path, reuse=True, notes=notes)
    assert (result.done, result.closed) == (1, {"answered": 1})
    assert notes.notices == [
        "1 photo was answered already in dataset original: the traces there count for them",
        "1 photo was answered in dataset original with another true place; the answers there are "
        "not theirs",
    ]


def test_answers_to_another_recipe_are_no_answers_to_this_one(
    original: Path, copy: Path, store_path: Path
) -> None:
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path)
        result = ask(server, copy, store_path, reuse=True, recipe={"seed": 7}, notes=notes)
    assert (result.done, result.closed, notes.notices) == (0, {"answered": 6}, [])


def test_rows_that_a_stopped_run_left_unasked_are_attached_and_paid_ones_stay(
    original: Path, copy: Path, store_path: Path
) -> None:
    """As where a user reads the sentence, types Ctrl-C and adds --reuse."""
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path)
        ask(server, copy, store_path, num_samples=1)
        # Rows that were recorded, one with a trace in which nothing has happened yet.
        dataset = PhotoDataset.open(copy)
        with Store.open(store_path) as store, store.db.transaction():
            for index in (1, 2):
                row = store.samples.put_sample(2, dataset.read_sample(index))
            store.db.run("put_trace", sample_id=row.sample_id, recipe_id=1, rollout=1, now="")
        asked = len(server.requests)
        result = ask(server, copy, store_path, reuse=True)
        assert len(server.requests) == asked + 4
    assert (result.done, result.closed) == (4, {"answered": 2})
    own = "select sample_index, same_as is null from samples where dataset_id = 2 order by 1"
    assert rows(store_path, own) == [(0, 1), (1, 0), (2, 0), (3, 0), (4, 1), (5, 1)]
    assert rows(store_path, "select count(*) from traces where status = 'open'") == [(0,)]
    assert_whole(store_path)


def test_an_open_trace_of_an_attached_row_counts_as_open(
    original: Path, copy: Path, store_path: Path
) -> None:
    """One rollout is answered and another was cut: the copy's run finishes it, and pays no more."""
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path, rollouts=2)
        with closing(sqlite3.connect(store_path)) as connection, connection:
            cut = "(select id from traces where sample_id = 6 and rollout = 2)"
            for table in ("rewards", "answers"):
                connection.execute(f"delete from {table} where trace_id = {cut}")
            connection.execute(f"delete from turns where turn = 2 and trace_id = {cut}")
            connection.execute(
                "update traces set status = 'open', closed_at = null, stop_reason = null, "
                f"turn_limit = null where id = {cut}"
            )
        asked = len(server.requests)
        result = ask(server, copy, store_path, num_samples=4, rollouts=2, reuse=True)
        assert len(server.requests) == asked + 1
    assert (result.done, result.closed) == (7, {"answered": 1})


def test_two_rows_of_a_copy_never_share_one_sample(
    tmp_path: Path, original: Path, store_path: Path
) -> None:
    twice = save_dataset(
        tmp_path / "twice", [PHOTOS[0], PHOTOS[0]], lat=[10.0, 10.0], lon=[20.0, 20.0]
    )
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path)
        result = ask(server, twice, store_path, reuse=True, duplicates=True)
    assert (result.done, result.closed) == (1, {"answered": 1})


def test_the_command_line_reuses(original: Path, copy: Path, store_path: Path) -> None:
    def think(body: Body) -> Reply:
        return Reply(answer(10.0, 20.0))

    with teacher_server(think) as server:
        common = ("--store", store_path, "--model", "m", "--base-url", server.url)
        geostore("generate", "--dataset-path", original, *common)
        asked = len(server.requests)
        done = geostore("generate", "--dataset-path", copy, *common, "--reuse")
        assert len(server.requests) == asked + 2
    assert done.returncode == 0, done.stderr
    assert "4 photos were answered already in dataset original" in done.stderr


class _Between:
    """A watcher that does something once, as the first trace ends."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work: Callable[[], object] | None = work

    def watch(self, event: Event) -> None:
        if isinstance(event, TraceEnded) and self._work is not None:
            # In a thread, because a run has an event loop of its own.
            thread = threading.Thread(target=self._work)
            self._work = None
            thread.start()
            thread.join()


def test_a_row_that_another_run_attaches_meanwhile_is_not_asked(
    original: Path, copy: Path, store_path: Path
) -> None:
    """A run looks its rows up long before it claims their traces."""
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path)
        asked = len(server.requests)
        attach = lambda: ask(server, copy, store_path, reuse=True)  # noqa: E731
        ask(server, copy, store_path, notes=_Between(attach), concurrency=1)
        # The first row of the copy was asked by then, and two photos are new.
        assert len(server.requests) == asked + 2 * 3
    both = """
        select samples.id from samples join traces on sample_id = samples.id
        where same_as is not null
    """
    assert rows(store_path, both) == []
    assert_whole(store_path)


def test_the_id_of_a_trace_that_is_gone_is_not_given_out_again(
    original: Path, store_path: Path
) -> None:
    """A run that slept may still write by it, into what is then another photo's trace."""
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path)
    with closing(sqlite3.connect(store_path)) as connection, connection:
        key = "(sample_id, recipe_id, rollout, created_at) values (1, 1, 9, '2026')"
        gone = connection.execute(f"insert into traces {key}").lastrowid
        connection.execute("delete from traces where id = ?", (gone,))
        assert connection.execute(f"insert into traces {key}").lastrowid != gone


def test_a_dataset_that_is_gone_is_looked_for_once(
    original: Path, copy: Path, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening one reads all of it, and every trace of the store may be of it."""
    with teacher_server(zoom_then_answer) as server:
        ask(server, original, store_path)
        ask(server, copy, store_path, reuse=True)
    original.rename(original.with_name("away"))
    opened: list[object] = []
    real = PhotoDataset.open

    def counted(*arguments: Any, **options: Any) -> PhotoDataset:
        opened.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(PhotoDataset, "open", counted)
    with Store.open(store_path) as store:
        source = PhotoSource()
        for (trace_id,) in rows(
            store_path, "select id from traces where sample_id in (3, 4, 5, 6)"
        ):
            assert source.photo_bytes(store.traces.get_trace(trace_id))
    assert len(opened) == 2
