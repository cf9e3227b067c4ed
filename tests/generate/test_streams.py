"""Whole runs against servers that send their replies piece by piece."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import pytest

from geostore.store import Store
from geostore.teacher import Travel
from tests.event_streams import EVENTS, chunk, pieces_of, stream, streamed
from tests.minds import answer, wanderer
from tests.raw_server import completion, raw_server, read_request, response
from tests.running import AT_ONCE, contents, geostore, run
from tests.teacher_server import Body, Fault, Reply, teacher_server

STREAMED = {"travel": Travel(stream=True)}
ANSWER = answer(48.8566, 2.3522)


def rows(store_path: Path, query: str) -> list[tuple[object, ...]]:
    with Store.open(store_path) as store:
        return [tuple(row) for row in store.db.connection.execute(query)]


def always(body: Body) -> bool:
    return True


def never(body: Body) -> bool:
    return False


@pytest.mark.parametrize("protocol", ["text", "native"])
def test_a_server_that_streams_whatever_it_is_asked_for_gives_the_same_rows(
    protocol: str, photo_dataset: Path, tmp_path: Path
) -> None:
    """It leaves out the usage, which nobody could ask it for."""
    found = []
    for name, streams in (("plain", never), ("events", always)):
        store = tmp_path / f"{name}.db"
        mind = lambda body: Reply(**{**vars(wanderer(body)), "usage": None})  # noqa: E731
        with teacher_server(mind, streams=streams) as server:
            run(server.url, photo_dataset, store, recipe={"protocol": protocol})
            assert all(body["stream"] is False for body in server.bodies)
        found.append(contents(store))
    assert found[0] == found[1]
    assert len(found[0]["turns"]) > 6


def test_a_server_that_streams_unless_it_is_told_not_to_is_told(
    photo_dataset: Path, tmp_path: Path
) -> None:
    streams = lambda body: body.get("stream") is not False  # noqa: E731
    with teacher_server(lambda body: Reply(ANSWER), streams=streams) as server:
        run(server.url, photo_dataset, tmp_path / "g.db", num_samples=2)
        assert len(server.requests) == 2
    # A plain reply has its usage.
    assert rows(tmp_path / "g.db", "select total_tokens from turns") == [(120,)] * 2


def test_half_a_stream_is_no_answer_and_its_words_are_kept(
    photo_dataset: Path, tmp_path: Path
) -> None:
    half = "\\boxed{48.8566, 2.3522} comes to mind first, but the plates are Belg"
    store = tmp_path / "g.db"
    body = stream(*[chunk({"content": piece}) for piece in pieces_of(half)], done=False)

    def script(number: int, _: Body) -> Fault | None:
        return None if number else Fault(200, body, EVENTS)

    with teacher_server(lambda body: Reply(ANSWER), script=script) as server:
        run(server.url, photo_dataset, store, num_samples=1, retry_policy=AT_ONCE)
        assert len(server.requests) == 2
    assert rows(store, "select response from turns") == [(ANSWER,)]
    query = "select error_class, http_status, response from attempts"
    assert rows(store, query) == [("server", 200, half)]


@pytest.mark.parametrize("protocol", ["text", "native"])
def test_replies_that_are_asked_for_in_pieces_give_the_same_rows_but_for_times(
    protocol: str, photo_dataset: Path, tmp_path: Path
) -> None:
    found = []
    for stream_it in (False, True):
        store = tmp_path / f"{stream_it}.db"
        with teacher_server(wanderer) as server:
            teacher = {"travel": Travel(stream=stream_it)}
            run(server.url, photo_dataset, store, recipe={"protocol": protocol}, teacher=teacher)
            assert all(body["stream"] is stream_it for body in server.bodies)
        found.append(contents(store))
        times = [time for (time,) in rows(store, "select first_token_ms from turns")]
        assert all((time is not None) is stream_it for time in times)
    assert found[0] == found[1]
    assert len(found[0]["turns"]) > 6


def test_the_usage_of_a_streamed_reply_is_asked_for(photo_dataset: Path, tmp_path: Path) -> None:
    with teacher_server(lambda body: Reply(ANSWER)) as server:
        run(server.url, photo_dataset, tmp_path / "g.db", num_samples=1, teacher=STREAMED)
    assert server.bodies[0]["stream_options"] == {"include_usage": True}
    assert rows(tmp_path / "g.db", "select total_tokens from turns") == [(120,)]


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("Unrecognized request argument supplied: stream_options", 400),
        ("[{'loc': ['body', 'stream_options'], 'msg': 'Extra inputs are not permitted'}]", 422),
        ("unknown field include_usage", 400),
    ],
)
def test_a_server_that_refuses_to_be_asked_for_usage_is_asked_without(
    message: str, status: int, photo_dataset: Path, tmp_path: Path
) -> None:
    """Said once, however many requests were in flight; no trace is blamed and no attempt noted."""
    refusal = Fault(status, json.dumps({"error": {"message": message}}).encode())

    def script(number: int, body: Body) -> Fault | None:
        return refusal if "stream_options" in body else None

    store, notes = tmp_path / "g.db", list[str]()
    with teacher_server(lambda body: Reply(ANSWER), script=script, latency=0.05) as server:
        run(
            server.url,
            photo_dataset,
            store,
            teacher={**STREAMED, "notice": notes.append},
        )
        refused = sum("stream_options" in body for body in server.bodies)
        assert 1 <= refused <= 4
        assert len(server.requests) == 6 + refused
    assert len(notes) == 1
    assert "stream_options" in notes[0]
    assert rows(store, "select count(*), max(total_tokens) from turns") == [(6, None)]
    assert rows(store, "select * from attempts") == []


def test_stream_options_of_the_users_own_are_not_left_out(
    photo_dataset: Path, tmp_path: Path
) -> None:
    refusal = Fault(400, b'{"error": {"message": "no stream_options"}}')
    options = {"include_usage": True, "x": 1}
    teacher = {"travel": Travel({"stream_options": options}, stream=True)}
    store = tmp_path / "g.db"
    with teacher_server(lambda body: Reply(), script=lambda n, b: refusal) as server:
        run(server.url, photo_dataset, store, num_samples=1, teacher=teacher)
        assert len(server.requests) == 1
        assert server.bodies[0]["stream_options"] == options
    teacher = {"travel": Travel({"stream_options": None}, stream=True)}
    with teacher_server(lambda body: Reply(ANSWER)) as server:
        run(server.url, photo_dataset, tmp_path / "h.db", num_samples=1, teacher=teacher)
        assert "stream_options" not in server.bodies[0]


def test_the_time_limit_covers_the_whole_stream_and_its_words_are_kept(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    with teacher_server(lambda body: Reply("slow words"), stream_gap=0.4) as server:
        run(
            server.url,
            photo_dataset,
            store,
            num_samples=1,
            teacher=STREAMED,
            request_timeout=1.4,
            retry_policy=AT_ONCE,
        )
        assert len(server.requests) == AT_ONCE.max_attempts
    assert rows(store, "select status, stop_reason from traces") == [("failed", "timeout")]
    words = {str(text) for (text,) in rows(store, "select response from attempts")}
    assert words
    assert all("slow words".startswith(text) and text for text in words)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_a_connection_that_breaks_in_a_stream_loses_no_paid_words(
    count: int, photo_dataset: Path, tmp_path: Path
) -> None:
    half = "\\boxed{48.8566, 2.3522} comes to mind first, but the plates are Belg"
    pieces = pieces_of(half, 9)[:count]
    body = stream(*[chunk({"content": piece}) for piece in ["", *pieces]], done=False)

    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        if number:
            connection.sendall(response(completion(ANSWER)))
            return
        whole = response(body + b" " * 1000, "Content-Type: text/event-stream")
        connection.sendall(whole[:-1000])

    store = tmp_path / "g.db"
    with raw_server(serve) as server:
        run(server.url, photo_dataset, store, num_samples=1, teacher=STREAMED)
    assert rows(store, "select response from turns") == [(ANSWER,)]
    query = "select error_class, response from attempts"
    assert rows(store, query) == [("connection", "".join(pieces) or None)]


@pytest.mark.parametrize("ending", ["cut", "open"])
def test_a_stream_that_is_whole_is_taken_whatever_becomes_of_its_connection(
    ending: str, photo_dataset: Path, tmp_path: Path
) -> None:
    """Some servers leave the connection open behind the last event; others cut it."""
    choice = {"index": 0, "message": {"content": ANSWER}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    body = stream(*streamed({"id": "r1", "choices": [choice], "usage": usage}))

    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        whole = response(body + b" " * 1000, "Content-Type: text/event-stream")
        connection.sendall(whole[:-1000])
        ended.wait(0.5 if ending == "cut" else 20)

    store, ended = tmp_path / "g.db", threading.Event()
    begun = time.monotonic()
    with raw_server(serve) as server:
        run(server.url, photo_dataset, store, num_samples=1, teacher=STREAMED)
        ended.set()
    assert time.monotonic() - begun < 9
    assert rows(store, "select response, total_tokens from turns") == [(ANSWER, 120)]
    assert rows(store, "select * from attempts") == []


def test_the_offline_teacher_streams_where_asked(photo_dataset: Path, tmp_path: Path) -> None:
    found = []
    for options in ([], ["--stream"]):
        store = tmp_path / f"{len(options)}.db"
        ended = geostore(
            *("generate", "--dataset-path", photo_dataset, "--store", store, "--num-samples", "3"),
            *("--teacher", "offline", *options),
        )
        assert ended.returncode == 0, ended.stderr
        found.append(contents(store))
        times = [time for (time,) in rows(store, "select first_token_ms from turns")]
        assert all((time is not None) is bool(options) for time in times)
    assert found[0] == found[1]
    assert len(found[0]["turns"]) >= 3


@pytest.mark.parametrize("late", [False, True])
def test_a_stream_that_comes_twice_is_not_taken_for_the_next_photos_reply(
    late: bool, photo_dataset: Path, tmp_path: Path
) -> None:
    """Late, it comes only after the next request was sent, and its id and bytes alone tell."""
    choice = {"index": 0, "message": {"content": ANSWER}, "finish_reason": "stop"}
    copies = [
        stream(*streamed({"id": f"chatcmpl-9f2c41d07be{n}", "choices": [choice]})) for n in range(9)
    ]
    sent: list[int] = []

    def serve(connection: socket.socket, number: int) -> None:
        while True:
            read_request(connection)
            sent.append(len(sent))
            copy = sent[-1] - 1 if late and sent[-1] == 3 else sent[-1]
            whole = response(copies[copy], "Content-Type: text/event-stream")
            connection.sendall(whole * (2 if sent[-1] == 0 and not late else 1))

    store = tmp_path / "g.db"
    with raw_server(serve) as server:
        run(server.url, photo_dataset, store, num_samples=5, concurrency=1, teacher=STREAMED)
    ids = [text for (text,) in rows(store, "select request_id from turns")]
    assert len(ids) == len(set(ids)) == 5
    assert {error for (error,) in rows(store, "select error_class from attempts")} <= {"connection"}
    assert len(rows(store, "select * from attempts")) == late
