"""Disks that go away under a run, and come back: nothing is excluded, and all is asked."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import MachineError
from geostore.generate.events import AskingStarted, Event
from tests.conftest import photo_bytes, save_dataset
from tests.minds import zoom_then_answer
from tests.photo_folders import EIO_FILE, no_more_open_files, photos_on_a_disk
from tests.running import Notes, assert_whole, geostore, run, start_geostore
from tests.teacher_server import Body, Reply, teacher_server
from tests.trace_files import history, write

GOING_ON = "then run the same command again"


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(query).fetchall()


def exclusions(store: Path) -> list[tuple[Any, ...]]:
    excluded = "select sample_index, exclusion from samples where exclusion is not null order by 1"
    return rows(store, excluded)


def generate(dataset: Path, store: Path, *more: str) -> tuple[int, str]:
    """A run of the command line with the offline teacher: exit code and all it said."""
    ended = geostore(
        *("generate", "--teacher", "offline", "--dataset-path", dataset, "--store", store),
        *("--num-samples", "0", "--quiet", *more),
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, " ".join((ended.stdout + ended.stderr).split())


def test_a_disk_that_is_not_mounted_stops_the_run_and_shuts_out_nothing(tmp_path: Path) -> None:
    dataset, disk = photos_on_a_disk(tmp_path, 6)
    store = tmp_path / "s.db"
    disk.rename(tmp_path / "away")
    code, text = generate(dataset, store)
    assert code == 1
    assert f"the photo of row 0 cannot be read: its folder {disk} is not there" in text
    assert "mount its disk" in text
    assert GOING_ON in text
    assert "--skip-missing" in text
    assert rows(store, "select count(*) from samples") == [(0,)]

    (tmp_path / "away").rename(disk)
    code, text = generate(dataset, store)
    assert code == 0
    assert exclusions(store) == []
    assert rows(store, "select status, count(*) from traces group by 1") == [("answered", 6)]


def test_a_disk_that_goes_away_under_a_run_ends_it_gently(tmp_path: Path) -> None:
    """What is in flight finishes; open traces go on once the disk is back."""
    dataset, disk = photos_on_a_disk(tmp_path, 40)
    store = tmp_path / "s.db"
    lock, gone = threading.Lock(), threading.Event()

    def mind(body: Body) -> Reply:
        with lock:
            if len(server.requests) >= 6 and not gone.is_set():
                disk.rename(tmp_path / "away")
                gone.set()
        return zoom_then_answer(body)

    with teacher_server(mind) as server:
        with pytest.raises(MachineError, match="is not there; mount its disk"):
            run(server.url, dataset, store, num_samples=None)
        paid = rows(store, "select count(*) from turns")[0][0]
        assert paid == len(server.requests) < 80, "every reply is stored"
        assert rows(store, "select count(*) from attempts") == [(0,)]
        assert rows(store, "select outcome from runs") == [("stopped: error",)]
        assert rows(store, "select count(*) from traces where claimed_by is not null") == [(0,)]

        (tmp_path / "away").rename(disk)
        result = run(server.url, dataset, store, num_samples=None)
        assert len(server.requests) == 80, "nothing is asked twice"
    assert (result.remaining, result.excluded) == (0, {})
    assert rows(store, "select status, count(*) from traces group by 1") == [("answered", 40)]
    assert exclusions(store) == []
    assert_whole(store)


def test_too_many_open_files_stop_the_run_and_shut_out_nothing(tmp_path: Path) -> None:
    dataset, _ = photos_on_a_disk(tmp_path, 5)
    store = tmp_path / "s.db"
    limited = no_more_open_files()

    class Limits:
        def watch(self, event: Event) -> None:
            if isinstance(event, AskingStarted):
                limited.__enter__()

    with teacher_server(zoom_then_answer) as server:
        try:
            with pytest.raises(MachineError, match=r"raise the limit \(ulimit -n\)"):
                run(server.url, dataset, store, notes=Limits())
        finally:
            limited.__exit__(None, None, None)
        assert server.requests == []
        result = run(server.url, dataset, store)
    assert (result.closed, result.excluded) == ({"answered": 5}, {})
    assert exclusions(store) == []


def test_one_bad_sector_costs_one_photo_and_only_for_now(tmp_path: Path) -> None:
    dataset, disk = photos_on_a_disk(tmp_path, 6)
    store = tmp_path / "s.db"
    photo = (disk / "2.jpg").read_bytes()
    (disk / "2.jpg").unlink()
    (disk / "2.jpg").symlink_to(EIO_FILE)
    code, text = generate(dataset, store)
    assert code == 3
    assert "1 photo set aside for this run:" in text
    assert f"Input/output error: {disk / '2.jpg'}; check its disk" in text
    assert GOING_ON in text
    assert rows(store, "select sample_index from samples order by 1") == [
        (row,) for row in (0, 1, 3, 4, 5)
    ]
    (disk / "2.jpg").unlink()
    (disk / "2.jpg").write_bytes(photo)
    code, text = generate(dataset, store)
    assert (code, exclusions(store)) == (0, [])
    assert rows(store, "select count(*) from traces where status = 'answered'") == [(6,)]


def test_another_row_takes_the_place_of_a_bad_sector(tmp_path: Path) -> None:
    dataset, disk = photos_on_a_disk(tmp_path, 6)
    (disk / "0.jpg").unlink()
    (disk / "0.jpg").symlink_to(EIO_FILE)
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        result = run(server.url, dataset, tmp_path / "s.db", num_samples=3, notes=notes)
    assert (result.closed, result.remaining, result.has_work_left) == ({"answered": 3}, 0, False)
    assert result.set_aside.counts == {"disk": 1}
    assert sum("Input/output error" in notice for notice in notes.notices) == 1


def test_a_disk_with_ever_more_bad_sectors_stops_the_run(tmp_path: Path) -> None:
    """A readable neighbour is no excuse for all the others. The run's last words say why, and no
    notice before them says the same."""
    notes = Notes()
    dataset, disk = photos_on_a_disk(tmp_path, 20)
    for row in range(19):
        (disk / f"{row}.jpg").unlink()
        (disk / f"{row}.jpg").symlink_to(EIO_FILE)
    with (
        teacher_server(zoom_then_answer) as server,
        pytest.raises(MachineError, match="Input/output error"),
    ):
        run(server.url, dataset, tmp_path / "s.db", num_samples=None, notes=notes)
    assert server.requests == []
    assert rows(tmp_path / "s.db", "select count(*) from samples") == [(0,)]
    assert not any("Input/output error" in notice for notice in notes.notices)


def test_an_open_trace_whose_photo_cannot_be_read_stays_open(tmp_path: Path) -> None:
    """It was begun with a healthy photo; its sector went bad before it could go on."""
    dataset, disk = photos_on_a_disk(tmp_path, 3)
    store = tmp_path / "s.db"
    with teacher_server(zoom_then_answer) as server:
        run(server.url, dataset, store, turn_limit=1)
        photo = (disk / "1.jpg").read_bytes()
        (disk / "1.jpg").unlink()
        (disk / "1.jpg").symlink_to(EIO_FILE)
        result = run(server.url, dataset, store, turn_limit=3)
        assert (result.closed, result.interrupted) == ({"answered": 2}, 1)
        assert (result.set_aside.counts, result.has_work_left) == ({"disk": 1}, True)
        assert rows(store, "select count(*) from attempts") == [(0,)]
        (disk / "1.jpg").unlink()
        (disk / "1.jpg").write_bytes(photo)
        result = run(server.url, dataset, store, turn_limit=3)
        assert (result.closed, len(server.requests)) == ({"answered": 1}, 6)


def test_photos_that_are_gone_for_good_are_left_out_by_who_says_so(tmp_path: Path) -> None:
    dataset, disk = photos_on_a_disk(tmp_path, 4)
    store = tmp_path / "s.db"
    disk.rename(tmp_path / "away")
    code, text = generate(dataset, store, "--skip-missing")
    assert code == 1
    assert "no photo can be asked about: 4 rows missing" in text
    assert exclusions(store) == [(row, "missing") for row in range(4)]
    assert "4 photos skipped as missing or damaged" in text
    assert "--retry skipped" in text


def test_photos_that_are_gone_for_good_end_their_traces_where_they_were_known(
    tmp_path: Path,
) -> None:
    """Their rows are recorded, so they are not read as new ones are."""
    dataset, disk = photos_on_a_disk(tmp_path, 4)
    store = tmp_path / "s.db"
    assert generate(dataset, store)[0] == 0
    disk.rename(tmp_path / "away")
    assert generate(dataset, store, "--rollouts", "2")[0] == 1
    code, text = generate(dataset, store, "--rollouts", "2", "--skip-missing")
    assert code == 4, text
    closed = "select rollout, status, stop_reason, count(*) from traces group by 1, 2, 3"
    assert rows(store, closed) == [
        (1, "answered", "answer", 4),
        (2, "failed", "image", 4),
    ]


def test_a_photo_that_is_put_back_into_an_image_folder_is_the_only_one_that_is_asked(
    tmp_path: Path,
) -> None:
    """The folder is another dataset then; its other photos are paid for."""
    folder, store = tmp_path / "photos", tmp_path / "s.db"
    folder.mkdir()
    names = [f"{row}.jpg" for row in range(4)]
    for row, name in enumerate(names):
        (folder / name).write_bytes(photo_bytes(row, size=(64, 48)))
    lines = [f"{name},{10 + row},20" for row, name in enumerate(names)]
    (folder / "metadata.csv").write_text("\n".join(["file_name,lat,lon", *lines]))
    (folder / "1.jpg").rename(tmp_path / "lost.jpg")
    code, text = generate(folder, store)
    assert code == 0, text
    assert "once that is mended, run the same command with --retry skipped" in text
    (tmp_path / "lost.jpg").rename(folder / "1.jpg")
    code, text = generate(folder, store, "--retry", "skipped")
    assert code == 0, text
    assert "1 trace closed" in text
    assert rows(store, "select count(*) from traces") == [(4,)]


def test_skipped_rows_are_read_again_where_asked_for(tmp_path: Path) -> None:
    """Good ones are asked about, others stay out, for the reason that holds now."""
    dataset, disk = photos_on_a_disk(tmp_path, 6)
    store = tmp_path / "s.db"
    whole = {row: (disk / f"{row}.jpg").read_bytes() for row in range(6)}
    (disk / "1.jpg").unlink()
    (disk / "2.jpg").write_bytes(b"half of it")
    (disk / "3.jpg").unlink()
    (disk / "5.jpg").write_bytes(whole[0])
    code, text = generate(dataset, store)
    assert code == 0
    assert "3 photos skipped as missing or damaged; once that is mended" in text
    before = [(1, "missing"), (2, "undecodable"), (3, "missing"), (5, "duplicate")]
    assert exclusions(store) == before

    assert generate(dataset, store, "--retry", "skipped")[0] == 0
    assert exclusions(store) == before, "nothing was mended, so nothing changes"

    (disk / "1.jpg").write_bytes(whole[1])
    (disk / "2.jpg").write_bytes(whole[4])
    (disk / "3.jpg").write_bytes(b"no image")
    code, text = generate(dataset, store)
    assert exclusions(store) == before, "nobody asked to look again"
    code, text = generate(dataset, store, "--retry", "skipped")
    assert code == 0
    assert "--retry skipped" not in text
    assert exclusions(store) == [(2, "duplicate"), (3, "undecodable"), (5, "duplicate")]
    asked = "select sample_index from traces join samples as s on s.id = sample_id order by 1"
    assert rows(store, asked) == [(0,), (1,), (4,)]
    assert_whole(store)


def test_processes_that_read_again_at_the_same_time_agree(tmp_path: Path) -> None:
    """Each row is asked about once, and of photos that stand twice only one is used."""
    dataset, disk = photos_on_a_disk(tmp_path, 24)
    store = tmp_path / "s.db"
    disk.rename(tmp_path / "away")
    assert generate(dataset, store, "--skip-missing")[0] == 1
    assert len(exclusions(store)) == 24
    (tmp_path / "away").rename(disk)
    for row in range(0, 24, 4):
        (disk / f"{row + 1}.jpg").write_bytes((disk / f"{row}.jpg").read_bytes())
    with teacher_server(zoom_then_answer, latency=0.02) as server:
        options = (
            *("generate", "--base-url", server.url, "--model", "test", "--num-samples", "0"),
            *("--dataset-path", dataset, "--store", store, "--retry", "skipped", "--quiet"),
        )
        started = [start_geostore(*options) for _ in range(3)]
        for process in started:
            with process:
                out, err = process.communicate(timeout=60)
                assert process.wait() in (0, 3), out + err
        assert geostore(*options).returncode == 0
        asked = [json.dumps(body["messages"]) for body in server.bodies]
    assert len(asked) == len(set(asked)) == 36, "18 photos, two turns each"
    assert rows(store, "select exclusion, count(*) from samples group by 1 order by 1") == [
        (None, 18),
        ("duplicate", 6),
    ]
    assert_whole(store)


def test_a_photo_that_is_lost_under_a_run_is_not_confused_with_its_disk(tmp_path: Path) -> None:
    """One file goes, its neighbours stay: the trace fails by name and the others are asked."""
    dataset, disk = photos_on_a_disk(tmp_path, 3)
    store = tmp_path / "s.db"
    with teacher_server(zoom_then_answer) as server:
        run(server.url, dataset, store, turn_limit=1)
        (disk / "1.jpg").unlink()
        result = run(server.url, dataset, store, turn_limit=3)
        assert result.closed == {"answered": 2, "failed": 1}
        ((message,),) = rows(store, "select message from attempts")
        assert f"the photo of row 1 is missing: No such file or directory: {disk}" in message
        (disk / "1.jpg").write_bytes(photo_bytes(1, size=(64, 48)))
        assert run(server.url, dataset, store, turn_limit=3, retry=("failed",)).closed == {
            "answered": 1
        }


def test_verify_and_export_stop_for_a_disk_that_is_away_and_blame_no_photo(tmp_path: Path) -> None:
    dataset, disk = photos_on_a_disk(tmp_path, 3)
    store = tmp_path / "s.db"
    assert generate(dataset, store)[0] == 0
    disk.rename(tmp_path / "away")
    for command in (
        ("verify", "--store", store),
        ("export", tmp_path / "out", "--store", store, "--images", "files"),
    ):
        ended = geostore(*command)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert f"its folder {disk} is not there; mount its disk" in ended.stderr
    assert not (tmp_path / "out").exists()
    (tmp_path / "away").rename(disk)
    (disk / "1.jpg").unlink()
    ended = geostore("verify", "--store", store)
    assert ended.returncode == 1
    assert "stored photo of row 1" in " ".join(ended.stdout.split())


def test_an_import_stops_for_a_disk_that_is_away(tmp_path: Path) -> None:
    """The rows of imported traces would be excluded by it, and `generate` would skip them."""
    dataset, disk = photos_on_a_disk(tmp_path, 3)
    store = tmp_path / "s.db"
    for row in range(3):
        write(tmp_path / "old", history(row, lat=10.0 + row, lon=20.0 + row))
    bring = ("import", tmp_path / "old", "--dataset-path", dataset, "--store", store)
    disk.rename(tmp_path / "away")
    ended = geostore(*bring)
    assert ended.returncode == 1
    assert f"its folder {disk} is not there; mount its disk" in ended.stderr
    (tmp_path / "away").rename(disk)
    ended = geostore(*bring)
    assert ended.returncode == 0, ended.stderr
    assert rows(store, "select count(*) from traces") == [(3,)]
    assert exclusions(store) == []


def test_an_image_folder_without_one_of_its_disks_is_no_other_dataset(tmp_path: Path) -> None:
    """Its fingerprint covers its photos, so what is still there would be asked about again."""
    folder, store = tmp_path / "photos", tmp_path / "s.db"
    lines = ["file_name,lat,lon"]
    for row in range(6):
        file = folder / f"disk{row // 3}" / f"{row}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(photo_bytes(row, size=(64, 48)))
        lines.append(f"{file.relative_to(folder)},{10 + row},20")
    (folder / "metadata.csv").write_text("\n".join(lines))
    assert generate(folder, store)[0] == 0
    (folder / "disk1").rename(tmp_path / "away")
    states: list[tuple[str, Callable[[], object]]] = [
        ("is not there", lambda: (folder / "disk1").mkdir()),
        ("is empty", lambda: (folder / "disk1" / ".keep").touch()),
        ("has none of its 3 photos", lambda: shutil.rmtree(folder / "disk1")),
    ]
    for state, go_on in states:
        code, text = generate(folder, store)
        assert code == 1
        assert f"its folder {folder / 'disk1'} {state}; mount its disk or put it back" in text
        assert rows(store, "select count(*) from datasets") == [(1,)]
        go_on()
    (tmp_path / "away").rename(folder / "disk1")
    assert generate(folder, store)[0] == 0
    assert rows(store, "select count(*) from traces") == [(6,)]

    (folder / "disk1").rename(tmp_path / "away")
    new = tmp_path / "new.db"
    assert generate(folder, new, "--skip-missing")[0] == 0
    assert exclusions(new) == [(row, "missing") for row in (3, 4, 5)]


def test_parquet_that_goes_away_under_a_run_ends_it_and_fails_no_trace(tmp_path: Path) -> None:
    import datasets

    saved = save_dataset(tmp_path / "d", [photo_bytes(row, size=(64, 48)) for row in range(40)])
    every = datasets.load_from_disk(str(saved))
    shards, store = tmp_path / "shards", tmp_path / "s.db"
    shards.mkdir()
    for number in range(4):
        every.shard(4, number, contiguous=True).to_parquet(str(shards / f"{number}.parquet"))
    gone = threading.Event()

    def mind(body: Body) -> Reply:
        if not gone.is_set():
            gone.set()
            shards.rename(tmp_path / "away")
        return zoom_then_answer(body)

    with teacher_server(mind) as server:
        with pytest.raises(MachineError, match=r"parquet cannot be read: .*mount its disk"):
            run(server.url, shards, store, num_samples=None)
        assert rows(store, "select count(*) from traces where status = 'failed'") == [(0,)]
        (tmp_path / "away").rename(shards)
        assert run(server.url, shards, store, num_samples=None).remaining == 0
        assert len(server.requests) == 80, "nothing is asked twice"
    assert rows(store, "select status, count(*) from traces group by 1") == [("answered", 40)]
    assert exclusions(store) == []


def test_an_arrow_file_that_shrinks_under_a_run_loses_nothing(tmp_path: Path) -> None:
    """It is mapped into memory, so the process dies of it; the next one goes on."""
    photos = [photo_bytes(row, size=(640, 480)) for row in range(60)]
    dataset, store = save_dataset(tmp_path / "d", photos), tmp_path / "s.db"
    (shard,) = dataset.glob("*.arrow")
    whole = shard.read_bytes()
    shrunk = threading.Event()

    def mind(body: Body) -> Reply:
        if not shrunk.is_set():
            shrunk.set()
            os.truncate(shard, 4096)
        return zoom_then_answer(body)

    with teacher_server(mind) as server:
        options = (
            *("generate", "--base-url", server.url, "--model", "test", "--num-samples", "0"),
            *("--dataset-path", dataset, "--store", store, "--concurrency", "2", "--quiet"),
        )
        assert geostore(*options).returncode == -signal.SIGBUS
        shard.write_bytes(whole)
        assert geostore(*options).returncode == 0
    assert rows(store, "select status, count(*) from traces group by 1") == [("answered", 60)]
    assert exclusions(store) == []
    assert_whole(store)


def test_bad_sectors_far_apart_do_not_add_up(tmp_path: Path) -> None:
    """Traces that were begun before; more of them than may fail in a row."""
    dataset, disk = photos_on_a_disk(tmp_path, 30)
    store = tmp_path / "s.db"
    with teacher_server(zoom_then_answer) as server:
        run(server.url, dataset, store, num_samples=None, turn_limit=1)
        for row in range(0, 30, 3):
            (disk / f"{row}.jpg").unlink()
            (disk / f"{row}.jpg").symlink_to(EIO_FILE)
        result = run(server.url, dataset, store, num_samples=None, turn_limit=2, concurrency=1)
    assert result.set_aside.counts == {"disk": 10}
    assert result.closed == {"answered": 20}
