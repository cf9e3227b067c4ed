"""Whatever a server writes, a request is answered or fails with its name, and in time."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import socket
import threading
import time
from contextlib import suppress

import pytest

from geostore.errors import TeacherError, TeacherUnusable
from geostore.records import Reply
from geostore.teacher import Teacher
from tests.asking import BODY, ask
from tests.raw_server import completion, raw_server, read_request, reset, response
from tests.teacher_server import wait_until

FINE = completion("fine")
LARGE = json.dumps({"model": "test", "messages": ["x" * (12 << 20)]}).encode()
CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = f"HTTP/1.1 200 OK\r\nContent-Length: {len(FINE)}\r\n"


def chunks(*pieces: bytes) -> bytes:
    return CHUNKED.encode() + b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces)


def outcome(found: object) -> str:
    """What a reply says, or the class of an error."""
    if isinstance(found, Reply):
        return found.response
    assert isinstance(found, TeacherError), found
    return found.error_class


def asked(
    sent: bytes, *, keeps_open: bool = False, times: int = 1, timeout: float = 5.0
) -> list[str]:
    """The outcomes of requests that are answered with these bytes, one on each connection."""

    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(sent)
        if keeps_open:
            connection.recv(1)

    with raw_server(serve) as server:
        return [outcome(found) for found in ask(server.url, times=times, timeout=timeout)]


@pytest.mark.parametrize(
    "sent",
    [
        response(FINE),
        response(FINE, "Connection: close"),
        response(FINE, "X-Long: " + "x" * 20_000),
        response(FINE, *(f"X-{n}: {n}" for n in range(200))),
        response(FINE).replace(b"HTTP/1.1", b"HTTP/1.0"),
        response(gzip.compress(FINE), "Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\n\r\n" + FINE,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + FINE,
        b"HTTP/1.1 200\r\nContent-Length: %d\r\n\r\n" % len(FINE) + FINE,
        b"HTTP/1.1 100 Continue\r\n\r\n" + response(FINE),
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 20 + response(FINE),
        chunks(FINE[:3], FINE[3:], b""),
        chunks(FINE)[:-2] + b"\r\n0\r\nX-After: 1\r\n\r\n",
    ],
    ids=lambda sent: sent[:60].decode(),
)
def test_every_form_of_a_whole_response_is_read(sent: bytes) -> None:
    assert asked(sent) == ["fine"]


BROKEN = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
    "zeros": bytes(4096),
    "half a status line": b"HTTP/1.1 2",
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    "less than its length": response(FINE)[:-5],
    "a length that is none": response(FINE).replace(b"Length: ", b"Length: x"),
    "a negative length": response(FINE).replace(b"Length: ", b"Length: -"),
    "two lengths": (LENGTH + "Content-Length: 2\r\n\r\n").encode() + FINE,
    "a length and chunks": (LENGTH + "Transfer-Encoding: chunked\r\n\r\n").encode() + FINE,
    "a chunk without a size": CHUNKED.encode() + b"zz\r\n" + FINE,
    "a chunk that is longer than it says": CHUNKED.encode() + b"3\r\n" + FINE + b"\r\n0\r\n\r\n",
    "a chunk that is cut": chunks(FINE)[:-9],
    "no last chunk": chunks(FINE),
    "a size of a chunk that is huge": CHUNKED.encode() + b"f" * 40 + b"\r\n" + FINE,
    "half a packed body": response(gzip.compress(FINE)[:-12], "Content-Encoding: gzip"),
    "no packed body": response(FINE, "Content-Encoding: gzip"),
    "a change of protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_response_is_a_failed_request_that_another_may_mend(sent: bytes) -> None:
    assert set(asked(sent, times=2)) <= {"connection", "bad_response"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "the server closed the connection without an answer"),
        ("no HTTP", "what came is no HTTP response: Bad status line: Expected HTTP/"),
        ("zeros", "what came is no HTTP response: Bad status line: Expected HTTP/"),
        ("less than its length", "the response broke off: Not enough data"),
        ("no packed body", "the response broke off: Can not decode content-encoding: gzip"),
        ("a change of protocol", "the server answered HTTP 101"),
    ],
)
def test_a_broken_response_is_told_in_a_short_sentence(name: str, words: str) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(BROKEN[name])

    with raw_server(serve) as server:
        (error,) = ask(server.url)
    assert words in str(error)
    assert len(str(error)) < 220


@pytest.mark.parametrize("name", ["half a header", "less than its length", "no last chunk"])
def test_a_response_that_stops_halfway_ends_with_the_time_of_the_request(name: str) -> None:
    began = time.monotonic()
    assert asked(BROKEN[name], keeps_open=True, timeout=0.3) == ["timeout"]
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("piece", [b"X: 1\r\n", b"x" * 1000], ids=["headers", "one header"])
def test_headers_without_an_end_are_not_read_without_an_end(piece: bytes) -> None:
    sent = 0

    def serve(connection: socket.socket, number: int) -> None:
        nonlocal sent
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-First: ")
        while True:
            connection.sendall(piece * 100)
            sent += 100 * len(piece)

    with raw_server(serve) as server:
        (error,) = ask(server.url)
    assert outcome(error) == "connection"
    assert sent < 50 << 20


def test_what_is_behind_the_length_is_the_answer_to_nothing() -> None:
    """Nor is it read as the answer to the next request, which goes out on a new connection."""
    answers = itertools.count()

    def serve(connection: socket.socket, number: int) -> None:
        while True:
            read_request(connection)
            own = response(completion(f"answer {next(answers)}"))
            connection.sendall(own + response(completion("another request's")))

    with raw_server(serve) as server:
        found = ask(server.url, times=3)
    assert [outcome(one) for one in found] == ["answer 0", "answer 1", "answer 2"]


def test_what_comes_while_nothing_was_asked_is_the_answer_to_nothing() -> None:
    came = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(response(completion(f"answer {number}")))
        if number == 0:
            connection.sendall(response(completion("another request's")))
            came.set()
            read_request(connection)

    async def run(url: str) -> list[str]:
        async with Teacher(base_url=url, api_key=None, request_timeout=5) as teacher:
            first = await teacher.ask(BODY)
            # Long enough to arrive, and so that the loop cannot have looked at the network.
            came.wait(5)
            time.sleep(0.1)
            return [first.response, (await teacher.ask(BODY)).response]

    with raw_server(serve) as server:
        assert asyncio.run(run(server.url)) == ["answer 0", "answer 1"]


def test_a_connection_that_the_server_closed_meanwhile_costs_no_request() -> None:
    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(response(FINE))

    async def run(url: str) -> list[str]:
        words = []
        async with Teacher(base_url=url, api_key=None, request_timeout=5) as teacher:
            for wait in (0.0, 0.05, 0.0):
                words.append((await teacher.ask(BODY)).response)
                time.sleep(0.05)  # the loop looks at no connection meanwhile
                await asyncio.sleep(wait)
        return words

    with raw_server(serve) as server:
        assert asyncio.run(run(server.url)) == ["fine"] * 3


def test_a_request_is_sent_once_also_on_a_connection_that_breaks() -> None:
    """The server may have worked on it and be paid for it."""
    requests = []

    def serve(connection: socket.socket, number: int) -> None:
        for turn in itertools.count():
            requests.append(read_request(connection))
            if number == 0 and turn == 1:
                reset(connection)
                return
            connection.sendall(response(FINE))

    with raw_server(serve) as server:
        found = ask(server.url, times=3)
    assert [outcome(one) for one in found] == ["fine", "connection", "fine"]
    assert len(requests) == 3


@pytest.mark.parametrize("reads", [0, 100_000])
@pytest.mark.parametrize("keeps_open", [False, True])
def test_a_refusal_that_comes_before_the_whole_request_was_read_is_read(
    reads: int, keeps_open: bool
) -> None:
    """As a proxy refuses a request that is too large."""

    def serve(connection: socket.socket, number: int) -> None:
        if reads:
            connection.recv(reads)
        connection.sendall(response(b'{"detail": "too large"}', status="413 Too Large"))
        if keeps_open:
            time.sleep(3)
        else:
            connection.shutdown(socket.SHUT_WR)
            with suppress(OSError):
                while connection.recv(1 << 16):
                    pass

    with raw_server(serve) as server:
        began = time.monotonic()
        (error,) = ask(server.url, bodies=(LARGE,))
    assert error.status == 413
    assert "too large" in str(error)
    assert time.monotonic() - began < 2


def test_an_answer_that_comes_before_the_whole_request_was_sent_is_not_taken() -> None:
    def serve(connection: socket.socket, number: int) -> None:
        connection.recv(1000)
        connection.sendall(response(completion("another request's")))
        time.sleep(1)

    with raw_server(serve) as server:
        (error,) = ask(server.url, bodies=(LARGE,))
    assert outcome(error) == "connection"
    assert "twice" in str(error)


def test_a_connection_that_breaks_while_a_request_is_sent_fails_that_request() -> None:
    def serve(connection: socket.socket, number: int) -> None:
        connection.recv(1000)
        reset(connection)

    with raw_server(serve) as server:
        (error,) = ask(server.url, bodies=(LARGE,))
    assert outcome(error) == "connection"


def test_a_large_request_arrives_as_it_is() -> None:
    requests = []

    def serve(connection: socket.socket, number: int) -> None:
        requests.append(read_request(connection))
        connection.sendall(response(FINE))

    with raw_server(serve) as server:
        assert [outcome(one) for one in ask(server.url, bodies=(LARGE,))] == ["fine"]
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert body == b'{"stream":false,' + LARGE[1:]
    assert b"chunked" not in head


def test_a_request_that_is_dropped_closes_its_connection_and_no_other() -> None:
    closed = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        if number == 0:
            try:
                read_request(connection)
            except ConnectionError:
                closed.set()
        connection.sendall(response(FINE))

    async def run(url: str) -> str:
        async with Teacher(base_url=url, api_key=None, request_timeout=5) as teacher:
            dropped = asyncio.create_task(teacher.ask(BODY))
            await asyncio.sleep(0.2)
            dropped.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dropped
            answered = (await teacher.ask(BODY)).response
            await asyncio.to_thread(wait_until, closed.is_set, 5)
            return answered

    with raw_server(serve) as server:
        assert asyncio.run(run(server.url)) == "fine"


def test_no_more_connections_are_open_at_a_time_than_there_may_be() -> None:
    now = most = 0
    lock = threading.Lock()

    def serve(connection: socket.socket, number: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        try:
            while True:
                read_request(connection)
                time.sleep(0.01)
                connection.sendall(response(FINE))
        finally:
            with lock:
                now -= 1

    async def run(url: str) -> list[Reply]:
        async with Teacher(base_url=url, api_key=None, max_connections=3) as teacher:
            return await asyncio.gather(*(teacher.ask(BODY) for _ in range(12)))

    with raw_server(serve) as server:
        assert [reply.response for reply in asyncio.run(run(server.url))] == ["fine"] * 12
    assert most == 3


@pytest.mark.parametrize("key", ["sk-1\r\nX-Evil: 1", "sk\n1", "sk\x001"])
def test_a_key_that_no_header_can_hold_is_refused_before_anything_is_sent(key: str) -> None:
    with pytest.raises(TeacherUnusable, match="line break"):
        Teacher(base_url="http://127.0.0.1:1/v1", api_key=key)
