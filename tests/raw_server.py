"""A server on loopback that writes bytes instead of HTTP: what it sends is up to the test."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.certificates import server_context

Serve = Callable[[socket.socket, int], None]


@dataclass
class RawServer:
    """The running server."""

    port: int
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@contextmanager
def raw_server(serve: Serve, *, tls: bool = False) -> Iterator[RawServer]:
    """Call `serve` with each connection and its number, in a thread of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = RawServer(listening.getsockname()[1])
    opened: list[socket.socket] = []

    def one(connection: socket.socket, number: int) -> None:
        with suppress(OSError):
            if tls:
                connection = server_context().wrap_socket(connection, server_side=True)
            with connection:
                serve(connection, number)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connection.settimeout(10)
                opened.append(connection)
                threading.Thread(
                    target=one, args=(connection, server.connections), daemon=True
                ).start()
                server.connections += 1

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        # Closing alone would not end an accept that another thread waits in.
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for connection in opened:
            with suppress(OSError):
                connection.close()


@contextmanager
def tunnelling_proxy() -> Iterator[tuple[RawServer, list[str]]]:
    """A proxy that tunnels to the port that is asked for, on this machine, whatever the host.

    Gives the server, and the heads of the requests for a tunnel.
    """
    heads: list[str] = []

    def serve(connection: socket.socket, number: int) -> None:
        head = read_request(connection)
        match = re.match(rb"CONNECT (\S+):(\d+) ", head)
        assert match is not None
        heads.append(head.decode())
        with socket.create_connection(("127.0.0.1", int(match[2]))) as there:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(there, connection), daemon=True)
            back.start()
            _pump(connection, there)
            back.join()

    with raw_server(serve) as server:
        yield server, heads


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def read_request(connection: socket.socket) -> bytes:
    """Head and body of the next request. Raises ConnectionError where the client has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    match = re.search(rb"(?i)content-length: *(\d+)", head)
    missing = (int(match[1]) if match else 0) - len(body)
    while missing > 0:
        more = _some(connection)
        data += more
        missing -= len(more)
    return data


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    if not data:
        raise ConnectionError
    return data


def completion(words: str) -> bytes:
    """A chat completion that says these words."""
    choice = {"message": {"role": "assistant", "content": words}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice]}).encode()


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A response with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def reset(connection: socket.socket) -> None:
    """Cut the connection as a host that is gone does, without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
