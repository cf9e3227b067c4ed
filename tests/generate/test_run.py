"""Whole runs over a real server, store and dataset: nothing twice, nothing lost."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import signal
import sqlite3
import subprocess
import threading
import time
from base64 import b64decode
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from geostore.conversation.toolbench import ToolBench
from geostore.dataset import PhotoDataset
from geostore.errors import GaveUp, RewardError, TeacherUnusable
from geostore.generate.events import Event, TraceEnded
from geostore.rewards import ensure_spec, preset_spec, set_default
from geostore.store import Store
from geostore.tools import apply
from tests.conftest import photo_bytes, save_dataset
from tests.minds import ZOOM, text_call, turns_so_far, wanderer, zoom_then_answer
from tests.running import (
    AT_ONCE,
    Notes,
    command,
    contents,
    environment,
    geostore,
    run,
    start_geostore,
)
from tests.teacher_server import (
    Body,
    Fault,
    Reply,
    TeacherServer,
    free_address,
    teacher_server,
    wait_until,
)


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "geostore.db"


def rows(store_path: Path, query: str) -> list[tuple[Any, ...]]:
    with Store.open(store_path) as store:
        return [tuple(row) for row in store.db.connection.execute(query)]


def statuses(store_path: Path) -> list[str]:
    return [status for (status,) in rows(store_path, "select status from traces order by id")]


def test_a_run_stores_every_turn_call_answer_and_reward(
    photo_dataset: Path, store_path: Path
) -> None:
    with teacher_server(zoom_then_answer) as server:
        result = run(server.url, photo_dataset, store_path)
    assert (result.closed, result.done, result.stopped) == ({"answered": 6}, 0, False)
    assert statuses(store_path) == ["answered"] * 6
    counts = "select (select count(*) from turns), (select count(*) from tool_calls where success)"
    assert rows(store_path, counts) == [(12, 6)]
    scored = rows(store_path, "select count(*) from rewards where distance_km is not null")
    assert scored == [(6,)]
    assert len(server.requests) == 12


def test_nothing_is_asked_where_no_trace_could_be_closed(
    photo_dataset: Path, store_path: Path
) -> None:
    """The default reward is of another version of the gazetteer: said before a response is paid."""
    with Store.open(store_path, create=True) as store, store.db.transaction():
        older = preset_spec("geovista")
        older.parameters["gazetteer"] = 0
        ensure_spec(store.db, older)
        store.db.connection.execute("update reward_specs set is_default = 1")
    with teacher_server(zoom_then_answer) as server:
        with pytest.raises(RewardError, match=r"rescore --reward preset:geovista.*default"):
            run(server.url, photo_dataset, store_path)
        assert server.requests == []
        assert rows(store_path, "select * from traces") == []
        with Store.open(store_path) as store, store.db.transaction():
            set_default(store.db, "preset:geovista")
        assert run(server.url, photo_dataset, store_path).closed == {"answered": 6}


def test_a_second_run_asks_nothing_and_a_larger_one_only_what_is_new(
    photo_dataset: Path, store_path: Path
) -> None:
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store_path)
        before = contents(store_path)
        result = run(server.url, photo_dataset, store_path)
        assert (result.closed.total(), result.done) == (0, 6)
        assert len(server.requests) == 12
        assert contents(store_path) == before
        run(server.url, photo_dataset, store_path, num_samples=8)
        assert len(server.requests) == 16
        run(server.url, photo_dataset, store_path, num_samples=8, rollouts=2)
        assert len(server.requests) == 32


def test_every_request_hash_in_the_store_is_of_a_request_the_server_received(
    photo_dataset: Path, store_path: Path
) -> None:
    """Promise 4, seen from the server's side of the wire."""

    def named(match: re.Match[bytes]) -> bytes:
        digest = hashlib.sha256(b64decode(match.group(1))).hexdigest()
        return b'"url":"sha256:' + digest.encode() + b'"'

    with teacher_server(wanderer) as server:
        run(server.url, photo_dataset, store_path, num_samples=12)
    received = set()
    for body in server.asked:
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        named_images = re.sub(rb'"url":"data:image/jpeg;base64,([^"]+)"', named, canonical.encode())
        received.add(hashlib.sha256(named_images).hexdigest())
    kept = {sha for (sha,) in rows(store_path, "select request_sha256 from turns")}
    assert len(kept) == len(server.requests)
    assert kept == received


@pytest.mark.parametrize("protocol", ["text", "native"])
def test_whatever_the_teacher_does_every_trace_comes_to_an_end(
    photo_dataset: Path, store_path: Path, protocol: str
) -> None:
    with teacher_server(wanderer) as server:
        run(server.url, photo_dataset, store_path, num_samples=12, recipe={"protocol": protocol})
    assert "open" not in statuses(store_path)
    assert "failed" not in statuses(store_path)


def test_a_failed_request_is_a_row_and_is_tried_again(
    photo_dataset: Path, store_path: Path
) -> None:
    faults = [Fault(503), Fault(429, headers={"Retry-After": "900"}), Fault(hang_up=True)]

    def script(number: int, body: Body) -> Fault | None:
        return {1: faults[0], 3: faults[1], 5: faults[2]}.get(number)

    with teacher_server(zoom_then_answer, script=script) as server:
        run(server.url, photo_dataset, store_path, concurrency=1)
    assert set(statuses(store_path)) == {"answered"}
    classes = rows(store_path, "select error_class, http_status from attempts order by trace_id")
    assert sorted(classes, key=str) == [("connection", None), ("rate_limit", 429), ("server", 503)]


def test_a_trace_whose_attempts_are_used_up_has_failed_and_the_rest_goes_on(
    photo_dataset: Path, store_path: Path
) -> None:
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store_path, num_samples=1)
        unlucky = json.loads(server.requests[0])["messages"][1]

    def script(number: int, body: Body) -> Fault | None:
        return Fault(500) if unlucky in body["messages"] else None

    other = store_path.with_name("other.db")
    with teacher_server(zoom_then_answer, script=script) as server:
        run(server.url, photo_dataset, other)
    assert statuses(other).count("failed") == 1
    assert statuses(other).count("answered") == 5
    assert rows(other, "select stop_reason from traces where status = 'failed'") == [("refused",)]
    assert rows(other, "select count(*) from attempts where error_class <> 'probe'") == [(3,)]
    assert rows(other, "select count(*) from answers") == [(5,)]
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, other)
        assert server.requests == []
        run(server.url, photo_dataset, other, retry=("failed",))
    assert set(statuses(other)) == {"answered"}


def test_a_teacher_that_answers_garbage_ends_as_failed_traces_with_their_reason(
    photo_dataset: Path, store_path: Path
) -> None:
    garbage = [Fault(200, b'{"choices": []}'), Fault(200, b"gar"), Fault(200, b'{"choices":[{}]}')]
    with teacher_server(zoom_then_answer, script=lambda n, b: garbage[n % 3]) as server:
        run(server.url, photo_dataset, store_path, num_samples=2)
    found = rows(store_path, "select status, stop_reason from traces")
    assert found == [("failed", "bad_response")] * 2


def test_a_tool_that_crashes_is_a_failure_in_the_rows_and_the_trace_goes_on(
    photo_dataset: Path, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes = iter([MemoryError(), ValueError("a decoder's own words")])

    def crashing(*arguments: Any) -> Any:
        if (error := next(crashes, None)) is not None:
            raise error
        return apply(*arguments)

    monkeypatch.setattr("geostore.conversation.toolbench.apply", crashing)
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store_path, num_samples=3, concurrency=1)
    assert set(statuses(store_path)) == {"answered"}
    found = rows(store_path, "select turn, error_class, message from attempts order by trace_id")
    assert [row[:2] for row in found] == [(1, "tool_crash")] * 2
    assert "MemoryError" in found[0][2]
    kinds = rows(store_path, "select error_kind from tool_calls order by trace_id")
    assert kinds == [("tool_crash",), ("tool_crash",), (None,)]


def test_a_photo_that_always_takes_too_long_ends_its_trace_and_no_other(
    photo_dataset: Path, store_path: Path
) -> None:
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store_path.with_name("one.db"), num_samples=1)
        slow = server.bodies[0]["messages"][1]

    def script(number: int, body: Body) -> Fault | None:
        return Fault(silent_seconds=30) if slow in body["messages"] else None

    with teacher_server(zoom_then_answer, script=script) as server:
        run(server.url, photo_dataset, store_path, num_samples=2, request_timeout=0.5)
    ended = rows(store_path, "select status, stop_reason from traces order by id")
    assert ended == [("failed", "timeout"), ("answered", "answer")]


@pytest.mark.parametrize("status", [401, 404])
def test_a_wrong_key_or_model_stops_at_once_and_leaves_the_store_good(
    photo_dataset: Path, store_path: Path, status: int
) -> None:
    with teacher_server(zoom_then_answer, script=lambda n, b: Fault(status)) as server:
        with pytest.raises(TeacherUnusable):
            run(server.url, photo_dataset, store_path)
        assert len(server.requests) <= 4
    assert set(statuses(store_path)) == {"open"}
    assert rows(store_path, "select count(*) from traces where claimed_by is not null") == [(0,)]
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store_path)
    assert set(statuses(store_path)) == {"answered"}


def test_a_server_that_is_not_there_stops_at_once(photo_dataset: Path, store_path: Path) -> None:
    with pytest.raises(TeacherUnusable, match="no server answers"):
        run(free_address(), photo_dataset, store_path)
    assert rows(store_path, "select outcome from runs") == [("stopped: teacher unusable",)]


def test_raising_the_turn_limit_goes_on_with_traces_that_ran_out(
    photo_dataset: Path, store_path: Path
) -> None:
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store_path, turn_limit=1)
        assert set(statuses(store_path)) == {"exhausted"}
        run(server.url, photo_dataset, store_path, turn_limit=2)
        assert set(statuses(store_path)) == {"answered"}
        assert len(server.requests) == 12
    scored = rows(store_path, "select count(*) from rewards where distance_km is not null")
    assert scored == [(6,)]


def test_rows_that_cannot_be_used_are_kept_with_the_reason_and_others_take_their_place(
    tmp_path: Path, store_path: Path
) -> None:
    photos = [photo_bytes(0), b"no image", photo_bytes(0), photo_bytes(1), photo_bytes(2)]
    path = save_dataset(tmp_path / "odd", photos, lat=[1.0, 2.0, 3.0, None, 5.0])
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        result = run(server.url, path, store_path, num_samples=5, notes=notes)
        assert result.excluded == {"undecodable": 1, "duplicate": 1}
        assert result.closed.total() == 2
        run(server.url, path, store_path, num_samples=5)
        assert len(server.requests) == 4
    assert rows(store_path, "select sample_index, exclusion from samples order by 1") == [
        (0, None),
        (1, "undecodable"),
        (2, "duplicate"),
        (4, None),
    ]
    assert any("3" in notice for notice in notes.notices), "the row without coordinates is named"


def test_a_photo_in_several_rows_is_asked_about_once_unless_told_otherwise(
    tmp_path: Path, store_path: Path
) -> None:
    path = save_dataset(tmp_path / "twice", [photo_bytes(0), photo_bytes(0), photo_bytes(1)])
    with teacher_server(zoom_then_answer) as server:
        run(server.url, path, store_path)
        assert len(statuses(store_path)) == 2
        run(server.url, path, store_path, duplicates=True)
        assert len(statuses(store_path)) == 3
        result = run(server.url, path, store_path)
        assert (result.done, result.excluded) == (2, {"duplicate": 1})


def test_an_error_nobody_thought_of_fails_its_trace_and_no_other(
    photo_dataset: Path, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ToolBench.run

    def cursed(self: ToolBench, step: Any, recipe: Any, photo: bytes) -> Any:
        if len(photo) == smallest:
            raise KeyError("a bug")
        return real(self, step, recipe, photo)

    dataset = PhotoDataset.open(photo_dataset)
    smallest = min(len(dataset.photo_bytes(row)) for row in range(6))
    monkeypatch.setattr(ToolBench, "run", cursed)
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store_path)
    assert sorted(statuses(store_path)) == ["answered"] * 5 + ["failed"]
    assert rows(store_path, "select error_class, message from attempts") == [
        ("internal", "KeyError: 'a bug'")
    ]


def test_a_photo_that_was_changed_in_place_fails_its_trace_and_is_not_sent(
    tmp_path: Path, photo_dataset: Path, store_path: Path
) -> None:
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store_path, num_samples=1, turn_limit=1)
        with Store.open(store_path) as store:
            store.db.connection.execute("update samples set image_sha256 = 'other'")
        run(server.url, photo_dataset, store_path, num_samples=1)
        assert len(server.requests) == 1
    found = rows(store_path, "select status, stop_reason from traces")
    assert found == [("failed", "image")]


def test_two_runs_at_the_same_time_share_the_work(photo_dataset: Path, store_path: Path) -> None:
    """Promise 6: several processes on one store, none does another's."""
    with teacher_server(zoom_then_answer, latency=0.05) as server:
        options = generate_options(server, photo_dataset, store_path, "--num-samples", "12")
        both = [start_geostore(*options) for _ in range(2)]
        for process in both:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
        result = run(server.url, photo_dataset, store_path, num_samples=12)
    assert result.closed.total() == 0
    assert len(server.requests) == 24
    assert statuses(store_path) == ["answered"] * 12


def generate_options(
    server: TeacherServer, dataset_path: Path, store_path: Path, *more: str
) -> list[str | Path]:
    options = ["--base-url", server.url, "--model", "test", "--concurrency", "4", *more]
    return ["generate", "--dataset-path", dataset_path, "--store", store_path, *options]


def test_one_interrupt_finishes_what_is_in_flight_and_the_next_run_goes_on(
    photo_dataset: Path, store_path: Path
) -> None:
    with teacher_server(zoom_then_answer, latency=0.3) as server:
        options = generate_options(server, photo_dataset, store_path, "--num-samples", "12")
        process = start_geostore(*options)
        wait_until(lambda: len(server.requests) >= 4)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 3, errors
        assert "Traceback" not in errors
        paid = len(server.requests)
        assert rows(store_path, "select count(*) from turns") == [(paid,)]
        assert rows(store_path, "select outcome from runs") == [("interrupted",)]
        run(server.url, photo_dataset, store_path, num_samples=12)
        assert len(server.requests) == 24, "nothing was asked twice"
    assert statuses(store_path) == ["answered"] * 12


def test_a_second_interrupt_stops_without_waiting(photo_dataset: Path, store_path: Path) -> None:
    script = lambda number, body: Fault(silent_seconds=120)  # noqa: E731
    with teacher_server(zoom_then_answer, script=script) as server:
        process = start_geostore(*generate_options(server, photo_dataset, store_path))
        wait_until(lambda: len(server.requests) >= 4)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: process.poll() is not None or len(server.requests) >= 4)
        assert process.stderr is not None
        assert any("stopping" in line for line in iter(process.stderr.readline, ""))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 3, errors
    assert "Traceback" not in errors
    assert rows(store_path, "select count(*) from traces where claimed_by is not null") == [(0,)]


@pytest.mark.parametrize("protocol", ["text", "native"])
def test_after_kills_at_random_instants_the_store_is_as_if_there_had_been_none(
    photo_dataset: Path, store_path: Path, protocol: str
) -> None:
    """Promise 1: the rows are those of an uninterrupted run; lost are at most those in flight."""
    whole = store_path.with_name("whole.db")
    with teacher_server(wanderer) as server:
        run(server.url, photo_dataset, whole, num_samples=12, recipe={"protocol": protocol})
        needed = len(server.requests)
    chance = random.Random(protocol)
    kills, lost = 0, 0
    with teacher_server(wanderer, latency=0.03) as server:
        options = generate_options(
            server, photo_dataset, store_path, "--num-samples", "12", "--protocol", protocol
        )
        for _ in range(5):
            before = len(server.requests)
            process = start_geostore(*options)
            wanted = before + chance.randint(1, needed // 6)
            while process.poll() is None and len(server.requests) < wanted:
                time.sleep(0.01)
            process.kill()
            process.communicate()
            kills += process.returncode == -signal.SIGKILL
            wait_until(lambda: in_flight_is_over(server))
        lost = 4 * kills
        run(server.url, photo_dataset, store_path, num_samples=12, recipe={"protocol": protocol})
        assert needed <= len(server.requests) <= needed + lost
    assert kills > 0
    assert contents(store_path) == contents(whole)
    with closing(sqlite3.connect(store_path)) as connection, connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        assert connection.execute("pragma foreign_key_check").fetchall() == []
    connection.close()


def in_flight_is_over(server: TeacherServer) -> bool:
    before = len(server.requests)
    time.sleep(0.1)
    return len(server.requests) == before


def test_the_key_and_the_photos_metadata_never_reach_store_or_wire(
    tmp_path: Path, store_path: Path
) -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 14.0)})
    exif[0x010E] = "taken at SECRETPLACE"
    photo = Image.open(io.BytesIO(photo_bytes(3)))
    photo.save(out, "JPEG", exif=exif, comment=b"SECRETPLACE")
    path = save_dataset(tmp_path / "SECRETNAME", [out.getvalue()], city=["SECRETCITY"])
    with teacher_server(zoom_then_answer) as server:
        run(server.url, path, store_path)
    wire = b"".join(server.requests)
    for body in server.bodies:
        for message in body["messages"]:
            for part in message["content"] if isinstance(message["content"], list) else []:
                if part["type"] == "image_url":
                    wire += b64decode(part["image_url"]["url"].partition(",")[2])
    assert b"SECRET" in out.getvalue()
    for secret in (b"SECRETPLACE", b"SECRETNAME", b"SECRETCITY", b"Exif", b"sk-secret"):
        assert secret not in wire
    stored = b"".join(p.read_bytes() for p in store_path.parent.glob("geostore.db*"))
    assert b"sk-secret" not in stored
    assert b"SECRETPLACE" not in stored


def test_a_response_is_on_disk_before_its_tool_runs(
    photo_dataset: Path, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tool that kills its process must not cost the response it was asked for in."""
    seen: list[int] = []
    real = ToolBench.run

    def watched(self: ToolBench, step: Any, recipe: Any, photo: bytes) -> Any:
        with closing(sqlite3.connect(store_path)) as connection, connection:
            found = connection.execute("select count(*) from turns").fetchone()
        connection.close()
        seen.append(found[0])
        return real(self, step, recipe, photo)

    monkeypatch.setattr(ToolBench, "run", watched)
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store_path, num_samples=1)
    assert seen == [1]


def test_a_disk_that_fills_up_is_one_line_and_a_later_run_goes_on(
    photo_dataset: Path, store_path: Path
) -> None:
    def talkative(body: Body) -> Reply:
        return Reply("word " * 10_000 + "\\boxed{1, 2}")

    with teacher_server(talkative) as server:
        options = generate_options(server, photo_dataset, store_path, "--num-samples", "12")
        limited = subprocess.run(
            ["bash", "-c", 'ulimit -f 512; exec "$@"', "-", *command(*options)],
            capture_output=True,
            text=True,
            env=environment(),
        )
        assert limited.returncode == 1
        assert "what was committed is safe" in limited.stderr.strip().splitlines()[-1]
        assert "Traceback" not in limited.stderr
        assert rows(store_path, "pragma integrity_check") == [("ok",)]
        kept = rows(store_path, "select count(*) from turns")[0][0]
        before = len(server.requests)
        run(server.url, photo_dataset, store_path, num_samples=12)
        assert len(server.requests) == before + 12 - kept
    assert statuses(store_path) == ["answered"] * 12


REAL_PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "photos"


@pytest.mark.skipif(not REAL_PHOTOS.is_dir(), reason="no real photos beside the checkout")
def test_real_photos_go_through_and_their_place_does_not_reach_the_wire(
    store_path: Path,
) -> None:
    """Camera files with GPS in EXIF, of 1 and 8 megapixels."""
    with teacher_server(zoom_then_answer) as server:
        result = run(server.url, REAL_PHOTOS, store_path, num_samples=None)
    assert result.closed == {"answered": 13}
    seen = 0
    for body in server.bodies:
        assert "lund_" not in str(body["messages"][0])
        for message in body["messages"]:
            for part in message["content"] if isinstance(message["content"], list) else []:
                if part["type"] == "text":
                    assert not re.search(r"lund_|berlin_|\.jpg|52\.51|55\.69", part["text"])
                else:
                    data = b64decode(part["image_url"]["url"].partition(",")[2])
                    image = Image.open(io.BytesIO(data))
                    assert not image.getexif()
                    assert b"Exif" not in data
                    seen += 1
    assert seen == 13 * 3  # the photo in both requests of a trace, the zoom in the second


def test_reply_usage_that_is_missing_is_null(photo_dataset: Path, store_path: Path) -> None:
    def mind(body: Body) -> Reply:
        return Reply("\\boxed{1, 2}", usage=None)

    with teacher_server(mind) as server:
        run(server.url, photo_dataset, store_path, num_samples=1)
    assert rows(store_path, "select prompt_tokens, total_tokens from turns") == [(None, None)]


@pytest.mark.parametrize("kind", ["truncated", "exhausted"])
def test_a_trace_that_ended_without_an_answer_is_asked_once_more_on_request(
    photo_dataset: Path, store_path: Path, kind: Any
) -> None:
    """What was paid for stays: the conversation goes on after the response that ended it."""

    def mind(body: Body) -> Reply:
        if turns_so_far(body) >= 1 + 2 * (kind == "exhausted"):
            return Reply("\\boxed{1, 2}")
        return Reply("well", finish_reason="length" if kind == "truncated" else "stop")

    with teacher_server(mind) as server:
        run(server.url, photo_dataset, store_path)
        assert rows(store_path, "select distinct status from traces") == [("exhausted",)]
        paid = len(server.requests)
        run(server.url, photo_dataset, store_path)
        assert len(server.requests) == paid
        run(server.url, photo_dataset, store_path, retry=(kind,))
        assert len(server.requests) == paid + 6
    assert set(statuses(store_path)) == {"answered"}
    assert rows(store_path, "select count(*) from turns") == [(paid + 6,)]


def test_a_trace_that_takes_too_long_has_failed_and_the_others_go_on(
    photo_dataset: Path, store_path: Path
) -> None:
    def script(number: int, body: Body) -> Fault | None:
        return Fault(silent_seconds=30) if number == 0 else None

    retry_policy = replace(AT_ONCE, trace_timeout=3.0)
    with teacher_server(zoom_then_answer, script=script) as server:
        run(server.url, photo_dataset, store_path, retry_policy=retry_policy)
    assert sorted(statuses(store_path)) == ["answered"] * 5 + ["failed"]
    assert rows(store_path, "select error_class from attempts") == [("trace_timeout",)]


def test_what_is_in_flight_is_dropped_when_the_grace_is_over(
    photo_dataset: Path, store_path: Path
) -> None:
    script = lambda number, body: Fault(silent_seconds=120)  # noqa: E731
    with teacher_server(zoom_then_answer, script=script) as server:
        options = generate_options(server, photo_dataset, store_path, "--grace", "0.2")
        process = start_geostore(*options)
        wait_until(lambda: len(server.requests) >= 4)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 3, errors
    assert rows(store_path, "select outcome from runs") == [("interrupted",)]


def test_the_log_tells_each_event_and_no_secret(
    photo_dataset: Path, store_path: Path, tmp_path: Path
) -> None:
    log = tmp_path / "events.jsonl"
    script = lambda number, body: Fault(503, b"sk-secret") if number == 0 else None  # noqa: E731
    with teacher_server(zoom_then_answer, script=script) as server:
        options = generate_options(
            server, photo_dataset, store_path, "--log-file", str(log), "--quiet"
        )
        found = geostore(*options, "--num-samples", "3", OPENAI_API_KEY="sk-secret")
    assert found.returncode == 0, found.stderr
    assert found.stderr.startswith("3 traces closed"), "quiet shows only how it ended"
    text = log.read_text()
    events = [json.loads(line) for line in text.splitlines()]
    count = Counter(event["event"] for event in events)
    assert (count["turn"], count["failure"], count["trace_ended"]) == (6, 1, 3)
    assert (events[0]["event"], events[-1]["event"]) == ("run_started", "run_ended")
    assert "sk-secret" not in text
    assert "base64" not in text
    assert "Where was this photo" not in text


def test_a_log_that_cannot_be_written_is_one_line_before_anything_is_paid(
    photo_dataset: Path, store_path: Path, tmp_path: Path
) -> None:
    with teacher_server(zoom_then_answer) as server:
        options = generate_options(server, photo_dataset, store_path)
        found = geostore(*options, "--log-file", tmp_path / "none" / "log.jsonl")
        assert server.requests == []
    assert found.returncode == 1
    assert "cannot be written" in found.stderr


def test_a_server_that_is_overloaded_gets_fewer_requests_and_every_trace_its_answer(
    photo_dataset: Path, store_path: Path
) -> None:
    """More than three requests at a time are turned away; nobody watches."""
    at_once, most = 0, 3
    lock = threading.Lock()

    def script(number: int, body: Body) -> Fault | None:
        nonlocal at_once
        with lock:
            at_once += 1
            busy = at_once > most
        time.sleep(0.02)
        with lock:
            at_once -= 1
        return Fault(429) if busy else None

    retry_policy = replace(AT_ONCE, max_attempts=50)
    with teacher_server(zoom_then_answer, script=script) as server:
        result = run(
            server.url,
            photo_dataset,
            store_path,
            num_samples=12,
            concurrency=12,
            retry_policy=retry_policy,
        )
        assert len(server.requests) < 24 * 3
    assert result.closed == {"answered": 12}


def test_a_long_retry_after_holds_up_no_other_trace(photo_dataset: Path, store_path: Path) -> None:
    """With one seat: the trace that was told to wait gives it up until its time has come."""
    ended: list[str] = []

    class Order:
        def watch(self, event: Event) -> None:
            if isinstance(event, TraceEnded):
                ended.append(str(event.key))

    script = lambda n, b: Fault(429, headers={"Retry-After": "1.5"}) if n == 0 else None  # noqa: E731
    retry_policy = replace(AT_ONCE, longest_retry_after=30.0)
    with teacher_server(zoom_then_answer, script=script) as server:
        run(
            server.url,
            photo_dataset,
            store_path,
            num_samples=4,
            concurrency=1,
            retry_policy=retry_policy,
            notes=Order(),
        )
    assert set(statuses(store_path)) == {"answered"}
    assert ended[-1].startswith("0-"), "the first trace came last"


def test_a_server_that_fails_for_long_ends_the_run_cleanly_and_the_next_goes_on(
    photo_dataset: Path, store_path: Path
) -> None:
    quick = {"break_after_seconds": 0.05, "probe_seconds": 0.05, "give_up_after": 0.5}
    script = lambda number, body: Fault(503) if number > 2 else None  # noqa: E731
    retry_policy = replace(AT_ONCE, max_attempts=1000)
    with teacher_server(zoom_then_answer, script=script) as server:
        with pytest.raises(GaveUp):
            run(server.url, photo_dataset, store_path, pace=quick, retry_policy=retry_policy)
        assert rows(store_path, "select outcome from runs") == [("stopped: gave up",)]
        assert "failed" not in statuses(store_path), "no trace is to blame"
        paid = rows(store_path, "select count(*) from turns")[0][0]
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, store_path)
        assert len(server.requests) == 12 - paid
    assert set(statuses(store_path)) == {"answered"}


def test_a_conversation_that_shows_one_image_twice_goes_on_after_a_cut(
    photo_dataset: Path, store_path: Path
) -> None:
    """The same zoom again gives the same bytes: one name, in two messages."""

    def mind(body: Body) -> Reply:
        if turns_so_far(body) < 3:
            return Reply(text_call(ZOOM, {"bbox_2d": [100, 100, 600, 700]}))
        return Reply("\\boxed{1, 2}")

    with teacher_server(mind) as server:
        run(server.url, photo_dataset, store_path, num_samples=2, turn_limit=3)
        assert set(statuses(store_path)) == {"exhausted"}
        run(server.url, photo_dataset, store_path, num_samples=2, turn_limit=6)
        shown = [len(re.findall(rb"data:image", raw)) for raw in server.requests[-2:]]
    assert set(statuses(store_path)) == {"answered"}
    assert shown == [4, 4]


def test_a_run_that_is_dropped_ends_though_its_one_trace_waits_to_try_again(
    photo_dataset: Path, store_path: Path
) -> None:
    """With one seat, what is parked and what is in flight must both let go of it."""

    def script(number: int, body: Body) -> Fault:
        if number == 0:
            return Fault(429, headers={"Retry-After": "100"})
        return Fault(silent_seconds=120)

    with teacher_server(zoom_then_answer, script=script) as server:
        options = generate_options(server, photo_dataset, store_path, "--concurrency", "1")
        process = start_geostore(*options, "--grace", "0.2")
        wait_until(lambda: len(server.requests) >= 2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 3, errors
    assert rows(store_path, "select count(*) from traces where claimed_by is not null") == [(0,)]
