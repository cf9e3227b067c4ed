"""A real HTTP server on loopback that speaks the chat-completions API; only its mind is made up.

Faults are set per request: `script` is asked for each request, in the order of arrival, and
returns a `Reply`, a `Fault`, or None for the mind's own answer.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from geostore.generate.outages import PROBE_TEXT
from tests.event_streams import DONE, EVENTS, event, streamed

Body = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """A well-formed answer. twice: the same bytes are sent again after it."""

    content: str | None = ""
    finish_reason: str = "stop"
    tool_calls: list[dict[str, Any]] | None = None
    message: dict[str, Any] = field(default_factory=dict)
    twice: bool = False
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
        }
    )


@dataclass(frozen=True)
class Fault:
    """Anything else: a status with a body, or a connection that is cut, or silence.

    hang_up: closed before a byte is sent. reset: reset before a byte is sent.
    cut_after: reset after so many bytes of the body.
    drip_seconds: the wait before each byte of the body.
    """

    status: int = 500
    body: bytes = b'{"error": {"message": "out of order"}}'
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    hang_up: bool = False
    reset: bool = False
    cut_after: int | None = None
    drip_seconds: float = 0.0
    silent_seconds: float = 0.0


PROBED = Reply("Yes.", usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11})
"""What every mind says to a probe."""


def is_probe(body: Body) -> bool:
    """Whether a request only asks whether anybody is there."""
    return bool(body["messages"]) and body["messages"][-1].get("content") == PROBE_TEXT


Mind = Callable[[Body], Reply]
Script = Callable[[int, Body], Reply | Fault | None]


@dataclass
class TeacherServer:
    """The running server: its address and everything it received."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw_headers: list[list[str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def probes(self) -> list[Body]:
        """The requests that only asked whether anybody is there."""
        return [body for body in self.bodies if is_probe(body)]

    @property
    def bodies(self) -> list[Body]:
        return [json.loads(raw) for raw in self.requests]

    @property
    def asked(self) -> list[Body]:
        """The bodies without the members that say how a reply is to come."""
        travelling = ("stream", "stream_options")
        return [{k: v for k, v in body.items() if k not in travelling} for body in self.bodies]


@contextmanager
def teacher_server(
    mind: Mind,
    *,
    script: Script = lambda number, body: None,
    latency: float = 0.0,
    streams: Callable[[Body], bool] = lambda body: body.get("stream") is True,
    stream_gap: float = 0.0,
    stream_usage: bool = False,
) -> Iterator[TeacherServer]:
    """Serve until the block is left. latency: seconds before each answer.

    streams: whether the answer to a request goes out as events. stream_gap: seconds before each
    event but the first. stream_usage: send the usage also where nobody asks for it.
    """
    lock = threading.Lock()
    ending = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body leave in two writes; without this the second waits for an ACK.
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            body = json.loads(raw)
            with lock:
                number = len(server.requests)
                server.requests.append(raw)
                server.headers.append({k.lower(): v for k, v in self.headers.items()})
                server.raw_headers.append([name.lower() for name in self.headers])
                server.paths.append(self.path)
            ending.wait(latency)
            answer = script(number, body)
            if isinstance(answer, Fault):
                self._fail(answer)
            else:
                self._answer(body, answer or (PROBED if is_probe(body) else mind(body)))

        def _fail(self, fault: Fault) -> None:
            ending.wait(fault.silent_seconds)
            if fault.hang_up:
                self.close_connection = True
            elif fault.reset:
                self._reset()
            elif fault.cut_after is not None:
                self._send(fault.status, fault.body, fault.headers, cut_after=fault.cut_after)
            else:
                self._send(fault.status, fault.body, fault.headers, drip=fault.drip_seconds)

        def _answer(self, body: Body, reply: Reply) -> None:
            message = {"role": "assistant", "content": reply.content, **reply.message}
            if reply.tool_calls is not None:
                message["tool_calls"] = reply.tool_calls
            asked = [body.get("model"), body.get("messages")]
            value: dict[str, Any] = {
                # As unique as a real one's, and the same however often a run is cut and however
                # a request travels.
                "id": f"chatcmpl-{sha256(json.dumps(asked).encode()).hexdigest()[:16]}",
                "object": "chat.completion",
                "created": 0,
                "model": body.get("model"),
                "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
            }
            if reply.usage is not None:
                value["usage"] = reply.usage
            if streams(body):
                options = body.get("stream_options") or {}
                with_usage = stream_usage or bool(options.get("include_usage"))
                self._stream(streamed(value, with_usage=with_usage))
                return
            for _ in range(1 + reply.twice):
                self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _stream(self, chunks: Iterable[Body]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", EVENTS["Content-Type"])
            self.send_header("Transfer-Encoding", "chunked")
            try:
                self.end_headers()
                for number, text in enumerate([*map(event, chunks), DONE, ""]):
                    if number and text and ending.wait(stream_gap):
                        break
                    piece = text.encode()
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _send(
            self,
            status: int,
            body: bytes,
            headers: dict[str, str],
            *,
            cut_after: int | None = None,
            drip: float = 0.0,
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            try:
                self.end_headers()
                if drip:
                    for i in range(len(body)):
                        if ending.wait(drip):
                            break
                        self.wfile.write(body[i : i + 1])
                else:
                    self.wfile.write(body[:cut_after])
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            if cut_after is not None:
                self._reset()

        def _reset(self) -> None:
            """Cut the connection as a host that is gone does, without a farewell."""
            linger_no_time = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_no_time)
            self.close_connection = True
            os.close(self.connection.detach())

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that was killed is part of the tests

    http = Server(("127.0.0.1", 0), Handler)
    server = TeacherServer(url=f"http://127.0.0.1:{http.server_address[1]}/v1")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        ending.set()
        http.shutdown()
        thread.join()
        http.server_close()


def free_address() -> str:
    """A base URL on loopback at which nothing listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as http:
        return f"http://127.0.0.1:{http.server_address[1]}/v1"


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that another thread or process brings about."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)
