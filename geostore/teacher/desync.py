"""Keeps the answer to one request from being taken for the answer to another.

On a connection that is kept alive, only the order says which response belongs to
which request. When a server or a proxy sends one response twice, all that follow
are shifted by one: each is well formed, and each is about another photo. HTTP
clients do not notice (RFC 9112, section 6.3, leaves it to them). This module
checks for two signs:

- The head of a response is there before the event loop has waited for the
  network. Then it lay in the client's buffer when the request was sent.
- A reply has the same id and the same bytes as the one before it on the same
  connection, although the request was another. Then it is the repeated response.

In both cases the connection is closed and the request counts as cut off, so it is
sent again on a new connection.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from weakref import WeakKeyDictionary

import httpx2

from geostore.records import Reply

_SAMPLE_BYTES = 256
"""Bytes of a request that are hashed: enough to tell two photos apart, and much faster than
hashing megabytes."""

SENT_TWICE = "the server sent a response twice, and what it sent next may be another request's"


class Arrival:
    """The ``trace`` extension of one request: the client calls it at each step of the exchange.

    Raises httpx2.RemoteProtocolError where the response was there before the
    request; the client then closes the connection.
    """

    def __init__(self, request: httpx2.Request) -> None:
        self._request = request
        self._waited = False

    async def __call__(self, step: str, info: object) -> None:
        """Notice a head that came without waiting; a real read always gives the loop a turn."""
        if step == "http11.receive_response_headers.started":
            asyncio.get_running_loop().call_soon(self._wait_over)
        elif step == "http11.receive_response_headers.complete" and not self._waited:
            raise httpx2.RemoteProtocolError(SENT_TWICE, request=self._request)

    def _wait_over(self) -> None:
        self._waited = True


async def watch_arrival(request: httpx2.Request) -> None:
    """An event hook that gives each request its own `Arrival`."""
    request.extensions["trace"] = Arrival(request)


class LastReplies:
    """The last request and reply of each connection that is still open."""

    def __init__(self) -> None:
        self._last: WeakKeyDictionary[object, tuple[bytes, str, bytes]] = WeakKeyDictionary()

    async def is_repeated(self, body: bytes, response: httpx2.Response, reply: Reply) -> bool:
        """Note a reply. True where it repeats the one before; then the connection is closed.

        body: of the request. A reply without an id is never taken for a repeated
        one, because a teacher may well give the same answer to two photos.
        """
        stream = response.extensions.get("network_stream")
        if reply.request_id is None or stream is None:
            return False
        asked, answered = _sample(body), sha256(response.content).digest()
        before = self._last.get(stream)
        self._last[stream] = (asked, reply.request_id, answered)
        if before is None or before[0] == asked or before[1:] != (reply.request_id, answered):
            return False
        await stream.aclose()
        return True


def _sample(body: bytes) -> bytes:
    """A hash that differs where requests do: of bytes from all over the body, and its length."""
    step = len(body) // _SAMPLE_BYTES + 1
    return sha256(body[::step] + len(body).to_bytes(8)).digest()
