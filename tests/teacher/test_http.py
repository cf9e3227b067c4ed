"""The two clients alike: redirects, TLS, proxies, and what is seen of a response as it comes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from geostore.errors import TeacherError, TeacherUnusable
from geostore.records import Reply
from geostore.teacher.http import (
    ConnectionBroke,
    HttpClient,
    NoConnection,
    Response,
    open_client,
    post,
)
from tests.asking import BODY, ask
from tests.certificates import trusted_file
from tests.raw_server import (
    RawServer,
    completion,
    raw_server,
    read_request,
    response,
    tunnelling_proxy,
)
from tests.teacher_server import free_address

T = TypeVar("T")
HEADERS = {"Accept": "application/json", "Authorization": "Bearer sk-1", "Api-Key": "sk-2"}


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=["direct", "proxied"])
def is_direct(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "direct")


def with_client(work: Callable[[HttpClient], Awaitable[T]], *, is_direct: bool) -> T:
    """Do something with one of the clients, and close it."""

    async def run() -> T:
        client = open_client("http://h/v1", is_local=is_direct, connect_timeout=5, most=4)
        try:
            async with asyncio.timeout(5):
                return await work(client)
        finally:
            await client.aclose()

    with pytest.MonkeyPatch.context() as patch:
        if not is_direct:
            # A proxy for addresses that these tests do not ask: it makes the choice, and no more.
            patch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        return asyncio.run(run())


# --- which client asks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "host", "asks_itself"),
    [
        ({}, "h.example", True),
        ({"HTTP_PROXY": "http://p:1"}, "h.example", False),
        ({"https_proxy": "http://p:1"}, "h.example", False),
        ({"ALL_PROXY": "http://p:1"}, "h.example", False),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, "h.example", True),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "x, h.example"}, "h.example", True),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "H.Example"}, "h.example", True),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "example"}, "h.example", True),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": ".example"}, "h.example", True),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*.example"}, "h.example", True),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": ".h.example"}, "h.example", False),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "ample"}, "h.example", False),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": ",, "}, "h.example", False),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.7"}, "10.0.0.7", True),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.7"}, "10.0.0.70", False),
        # The client for proxies reads ranges, and then asks none.
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "10.0.0.7", False),
    ],
)
def test_the_lean_client_asks_wherever_no_proxy_is_meant(
    environment: dict[str, str], host: str, asks_itself: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def run() -> str:
        client = open_client(f"http://{host}/v1", is_local=False, connect_timeout=1, most=1)
        await client.aclose()
        return type(client).__name__

    assert asyncio.run(run()) == ("DirectClient" if asks_itself else "ProxiedClient")


def test_a_server_may_have_an_address_of_version_6() -> None:
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no ::1")

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            assert b"Host: [::1]:" in read_request(connection)
            connection.sendall(response(completion("over six")))
            connection.recv(1)

    with listening:
        thread = threading.Thread(target=serve)
        thread.start()
        (reply,) = ask(f"http://[::1]:{listening.getsockname()[1]}/v1")
        thread.join()
    assert reply.response == "over six"


# --- redirects ----------------------------------------------------------------------------------


class Redirecting:
    """Serves redirects to an address; `moved` is answered."""

    def __init__(self, status: str, location: str) -> None:
        self.requests: list[str] = []
        self._answer = response(b"{}", f"Location: {location}", status=status)

    def __call__(self, connection: socket.socket, number: int) -> None:
        while True:
            head, _, body = read_request(connection).partition(b"\r\n\r\n")
            self.requests.append(head.decode())
            assert body == BODY
            moved = b"/moved " in head or b"?moved" in head
            connection.sendall(response(b"fine") if moved else self._answer)


def sent_to(server: RawServer, *, is_direct: bool) -> Response:
    return with_client(
        lambda client: post(client, f"{server.url}/chat", BODY, headers=HEADERS),
        is_direct=is_direct,
    )


@pytest.mark.parametrize("status", ["307 Temporary", "308 Permanent"])
@pytest.mark.parametrize(
    ("location", "target"), [("/moved", "/moved"), ("moved", "/v1/moved"), ("?moved", "?moved")]
)
def test_the_same_request_goes_where_the_server_says_that_it_belongs(
    status: str, location: str, target: str, is_direct: bool
) -> None:
    serve = Redirecting(status, location)
    with raw_server(serve) as server:
        assert sent_to(server, is_direct=is_direct).content == b"fine"
    first, second = serve.requests
    assert f"{target} HTTP/1.1" in second.splitlines()[0]
    assert second.splitlines()[1:] == first.splitlines()[1:]


def test_another_host_gets_no_secret(is_direct: bool) -> None:
    elsewhere = Redirecting("500 No", "/")
    with raw_server(elsewhere) as other:
        here = Redirecting("307 Temporary", f"http://127.0.0.1:{other.port}/moved")
        with raw_server(here) as server:
            assert sent_to(server, is_direct=is_direct).content == b"fine"
    assert "sk-1" in here.requests[0]
    assert "sk-2" in here.requests[0]
    assert "sk-1" not in elsewhere.requests[0].replace("Bearer none", "")
    assert "sk-2" not in elsewhere.requests[0]
    assert "application/json" in elsewhere.requests[0]


@pytest.mark.parametrize(
    ("status", "location"),
    [
        ("301 Moved", "/moved"),
        ("302 Found", "/moved"),
        ("303 See Other", "/moved"),
        ("307 Temporary", "file:///etc/passwd"),
        ("307 Temporary", "ftp://127.0.0.1/moved"),
    ],
)
def test_any_other_redirect_is_the_response(status: str, location: str, is_direct: bool) -> None:
    serve = Redirecting(status, location)
    with raw_server(serve) as server:
        assert sent_to(server, is_direct=is_direct).status_code == int(status[:3])
    assert len(serve.requests) == 1


def test_certificates_are_checked_where_a_redirect_leads_from_http_to_https(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = Redirecting("500 No", "/")
    with raw_server(elsewhere, tls=True) as other:
        here = Redirecting("307 Temporary", f"https://127.0.0.1:{other.port}/moved")
        with raw_server(here) as server:
            with pytest.raises(NoConnection, match="certificate"):
                sent_to(server, is_direct=True)
            monkeypatch.setenv("SSL_CERT_FILE", str(trusted_file()))
            assert sent_to(server, is_direct=True).content == b"fine"
    assert len(elsewhere.requests) == 1


def test_certificates_that_cannot_be_read_are_said_where_a_redirect_needs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    with (
        raw_server(Redirecting("307 Temporary", "https://127.0.0.1:1/moved")) as server,
        pytest.raises(NoConnection, match="certificates to trust cannot be read"),
    ):
        sent_to(server, is_direct=True)


def test_a_ring_of_redirects_ends(is_direct: bool) -> None:
    serve = Redirecting("307 Temporary", "/again")
    with raw_server(serve) as server, pytest.raises(ConnectionBroke, match="redirects"):
        sent_to(server, is_direct=is_direct)
    assert len(serve.requests) == 5


# --- a response as it comes ---------------------------------------------------------------------


def test_the_body_is_seen_piece_by_piece_as_it_comes(is_direct: bool) -> None:
    """Each piece is sent only when the one before was seen."""
    seen: list[bytes] = []
    words = [b"one", b"two", b"three"]
    turn = threading.Semaphore(0)

    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for word in words:
            connection.sendall(b"%x\r\n%s\r\n" % (len(word), word))
            assert turn.acquire(timeout=5)
        connection.sendall(b"0\r\n\r\n")

    def on_bytes(piece: bytes) -> None:
        seen.append(piece)
        turn.release()

    with raw_server(serve) as server:
        found = with_client(
            lambda client: post(client, server.url, BODY, headers=HEADERS, on_bytes=on_bytes),
            is_direct=is_direct,
        )
    assert seen == words
    assert (found.content, found.headers["x-a"]) == (b"onetwothree", "1, 2")


def test_a_connection_is_known_again_and_can_be_dropped(is_direct: bool) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        while True:
            read_request(connection)
            connection.sendall(response(str(number).encode()))

    async def work(client: HttpClient) -> list[Response]:
        found = [await client.post(server.url, BODY, headers=HEADERS) for _ in range(2)]
        await client.drop(found[0].connection)
        return [*found, await client.post(server.url, BODY, headers=HEADERS)]

    with raw_server(serve) as server:
        first, second, third = with_client(work, is_direct=is_direct)
    assert [one.content for one in (first, second, third)] == [b"0", b"0", b"1"]
    assert first.connection is second.connection
    assert third.connection is not first.connection


# --- TLS and proxies ----------------------------------------------------------------------------


def answering(connection: socket.socket, number: int) -> None:
    while True:
        read_request(connection)
        connection.sendall(response(completion("by TLS")))


def test_a_certificate_of_the_environment_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted_file()))
    with raw_server(answering, tls=True) as server:
        found = ask(server.url.replace("http:", "https:"), times=3)
        assert [one.response for one in found] == ["by TLS"] * 3
        assert server.connections == 1


def test_any_other_certificate_is_refused_and_nothing_is_sent() -> None:
    requests: list[bytes] = []

    def serve(connection: socket.socket, number: int) -> None:
        requests.append(read_request(connection))

    with raw_server(serve, tls=True) as server:
        (error,) = ask(server.url.replace("http:", "https:"))
    assert isinstance(error, TeacherUnusable)
    assert "its certificate is not trusted, see --ca-file" in str(error)
    assert requests == []


def test_a_certificate_of_another_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted_file()))
    with raw_server(answering, tls=True) as server:
        (error,) = ask(f"https://127.0.0.2:{server.port}/v1")
    assert isinstance(error, TeacherUnusable)


def test_a_server_without_tls_is_no_answer_to_https() -> None:
    def serve(connection: socket.socket, number: int) -> None:
        connection.recv(1)
        connection.sendall(response(b"This is no TLS.", status="400 Bad Request"))
        connection.recv(1 << 16)

    with raw_server(serve) as server:
        (error,) = ask(server.url.replace("http:", "https:"))
    assert isinstance(error, TeacherUnusable)
    assert "speaks no TLS; perhaps it is asked by http://" in str(error)


def test_an_error_says_that_a_proxy_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy may be away, and not the server whose address the message names."""
    monkeypatch.setenv("HTTP_PROXY", free_address().removesuffix("/v1"))
    (error,) = ask("http://teacher.invalid/v1")
    assert isinstance(error, TeacherUnusable)
    assert "through a proxy, see --proxy: " in str(error)


@pytest.fixture
def tunnel() -> Iterator[tuple[RawServer, list[str]]]:
    with tunnelling_proxy() as (server, targets):
        yield server, targets


def test_a_teacher_behind_a_proxy_is_asked_by_tls_from_end_to_end(
    tunnel: tuple[RawServer, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, targets = tunnel
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted_file()))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    with raw_server(answering, tls=True) as server:
        found = ask(f"https://teacher.invalid:{server.port}/v1", times=2)
    assert [one.response for one in found if isinstance(one, Reply)] == ["by TLS"] * 2
    assert [head.split()[1] for head in targets] == [f"teacher.invalid:{server.port}"]


def test_a_proxy_that_refuses_sends_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(response(b"no", status="403 Forbidden"))

    with raw_server(serve) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        (error,) = ask("https://teacher.invalid/v1")
    assert isinstance(error, TeacherError)
    assert error.error_class == "connection"
