"""Serve the offline teacher on loopback as an OpenAI-compatible chat-completions API.

It runs in a child process that ends with the process that started it. The same
request always gets the same response.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from geostore.children import Child
from geostore.demo.conversation import parse_conversation
from geostore.demo.gazetteer import load_cities
from geostore.demo.reader import make_reader
from geostore.demo.sight import Sight
from geostore.demo.teacher import Reply, Teacher
from geostore.errors import ChildEnded, DemoError

MODEL = "offline-teacher"

_MOST_BYTES = 200_000_000  # of a request; enough for dozens of full-size photos
_LETTERS_PER_TOKEN, _PIXELS_PER_TOKEN = 4, 784


class OfflineServer(ThreadingHTTPServer):
    """Serves each connection in a thread, and waits `latency_s` seconds before each response."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, teacher: Teacher, sight: Sight, *, latency_s: float) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.teacher = teacher
        self.sight = sight
        self.latency_s = latency_s

    @property
    def base_url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self.server_port}/v1"


def make_server(*, port: int = 0, reader: str = "template", latency_ms: int = 0) -> OfflineServer:
    """A server bound to loopback, not yet serving. port: 0 for any free one.

    Raises DemoError if the reader is unknown or not installed, or the port is taken.
    """
    gazetteer = load_cities()
    sight = Sight(make_reader(reader), gazetteer)
    teacher = Teacher(sight, gazetteer)
    try:
        return OfflineServer(port, teacher, sight, latency_s=latency_ms / 1000)
    except OSError as error:
        raise DemoError(f"the offline teacher cannot listen on port {port}: {error}") from error


class _Handler(BaseHTTPRequestHandler):
    """POST /v1/chat/completions and GET /v1/models; connections are kept alive."""

    server: OfflineServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 600

    def do_GET(self) -> None:
        """List the one model."""
        if self.path.rstrip("/") != "/v1/models":
            self._fail(404, f"there is no {self.path} here")
            return
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "geostore"}
        self._send(200, {"object": "list", "data": [model]})

    def do_POST(self) -> None:
        """Answer one chat-completions request."""
        try:
            raw = self._body()
            if self.path.rstrip("/") != "/v1/chat/completions":
                self._fail(404, f"there is no {self.path} here")
                return
            body = _json_object(raw)
            completion = self._completion(body)
        except DemoError as error:
            self._fail(400, str(error))
            return
        except Exception as error:  # the server has to answer, whatever fails inside
            self._fail(500, f"{type(error).__name__}: {error}", kind="server_error")
            return
        if self.server.latency_s > 0:
            time.sleep(self.server.latency_s)
        if body.get("stream"):
            self._send_events(completion, body.get("stream_options"))
        else:
            self._send(200, completion)

    def _body(self) -> bytes:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError as error:
            self.close_connection = True
            raise DemoError("the request has no Content-Length") from error
        if not 0 <= length <= _MOST_BYTES:
            self.close_connection = True
            raise DemoError(f"a request may have at most {_MOST_BYTES} bytes")
        return self.rfile.read(length)

    def _completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        talk = parse_conversation(body)
        reply = self.server.teacher.reply(talk)
        pictures = [talk.photo, *(step.picture for step in talk.steps)]
        sizes = [self.server.sight.look(picture).size for picture in pictures if picture]
        pixels = sum(width * height for width, height in sizes)
        prompt_tokens = _text_length(body["messages"]) // _LETTERS_PER_TOKEN
        prompt_tokens += pixels // _PIXELS_PER_TOKEN
        asked = {name: body[name] for name in body if name not in ("stream", "stream_options")}
        identity = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:24]
        return completion(body, reply, talk.protocol, identity, prompt_tokens)

    def _fail(self, status: int, message: str, *, kind: str = "invalid_request_error") -> None:
        error = {"message": message, "type": kind, "param": None, "code": None}
        self._send(status, {"error": error})

    def _send(self, status: int, value: Mapping[str, Any]) -> None:
        data = json.dumps(value, ensure_ascii=False).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):  # the client gave up waiting
            self.close_connection = True

    def _send_events(self, completion: Mapping[str, Any], options: Any) -> None:
        with_usage = isinstance(options, Mapping) and bool(options.get("include_usage"))
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in (*map(json.dumps, chunks(completion, with_usage=with_usage)), "[DONE]"):
                data = f"data: {event}\n\n".encode()
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):  # the client gave up waiting
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: standard error belongs to the process that started the server."""


def completion(
    body: Mapping[str, Any], reply: Reply, protocol: str, identity: str, prompt_tokens: int
) -> dict[str, Any]:
    """A reply as a chat completion.

    A reply longer than the request's max_tokens is cut, with finish_reason length.
    identity: follows from the request, so that the ids are the same every time.
    """
    text, finish = reply.text, "stop"
    message: dict[str, Any] = {"role": "assistant", "content": text}
    full_text = text
    if reply.call is not None:
        arguments = json.dumps(reply.call.arguments)
        if protocol == "native":
            function = {"name": reply.call.tool, "arguments": arguments}
            call = {"id": f"call_{identity}", "type": "function", "function": function}
            message["tool_calls"], finish = [call], "tool_calls"
            full_text = text + arguments
        else:
            block = f'{{"name": "{reply.call.tool}", "arguments": {arguments}}}'
            full_text = f"{text}\n\n<tool_call>\n{block}\n</tool_call>"
            message["content"] = full_text
    tokens = -(-len(full_text) // _LETTERS_PER_TOKEN)
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(limit, int) and 0 < limit < tokens:
        cut = full_text[: limit * _LETTERS_PER_TOKEN]
        message, finish, tokens = {"role": "assistant", "content": cut}, "length", limit
    return {
        "id": f"chatcmpl-{identity}",
        "object": "chat.completion",
        "created": 0,
        "model": str(body.get("model") or MODEL),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": tokens,
            "total_tokens": prompt_tokens + tokens,
        },
    }


def chunks(completion: Mapping[str, Any], *, with_usage: bool) -> Iterator[dict[str, Any]]:
    """A chat completion piece by piece, a word at a time."""
    top = {name: completion[name] for name in ("id", "created", "model")}
    top["object"] = "chat.completion.chunk"
    (choice,) = completion["choices"]
    message = choice["message"]
    deltas = [{"role": message["role"], "content": ""}]
    deltas += [{"content": word} for word in re.findall(r"\s*\S+|\s+", message["content"])]
    for index, call in enumerate(message.get("tool_calls", ())):
        deltas.append({"tool_calls": [{"index": index, **call}]})
    for delta in deltas:
        yield {**top, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    yield {**top, "choices": [end]}
    if with_usage:
        yield {**top, "choices": [], "usage": completion["usage"]}


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise DemoError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise DemoError("the body must be an object")
    return body


def _text_length(value: Any) -> int:
    """The number of letters of all text in the messages, without image data."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, Mapping):
        return sum(_text_length(item) for item in value.values())
    return sum(_text_length(item) for item in value) if isinstance(value, list) else 0


@contextmanager
def offline_teacher(*, reader: str = "template", latency_ms: int = 0) -> Iterator[str]:
    """Run the offline teacher as a child process, and give its base URL.

    Raises DemoError if it does not start.
    """
    start = partial(_start, reader, latency_ms)
    # Two threads look at pictures; more threads inside numpy would only slow them down.
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    child: Child[None, str] = Child(start, environment=environment)
    try:
        try:
            url = child.ask(None)
        except ChildEnded as error:
            raise DemoError(f"the offline teacher did not start: {error}") from error
        yield url
    finally:
        child.kill()  # nothing is lost: it keeps nothing between requests


def _start(reader: str, latency_ms: int) -> Callable[[None], str]:
    """Serve in a thread; a function that gives the base URL."""
    server = make_server(reader=reader, latency_ms=latency_ms)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Libraries that read pictures write warnings there, into the run's progress line.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return lambda _: server.base_url
