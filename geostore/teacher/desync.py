"""Keeps an answer from being taken for the answer to another request.

On a connection that is kept alive, a response belongs to a request only by its
place in the order. A server or a proxy that sends one response twice shifts all
that follow by one: each is well formed, and each is about another photo. HTTP
clients do not notice (RFC 9112, section 6.3, leaves it to them), so two things
are looked at here:

- a response whose head is there before the event loop has waited for the
  network lay in the client's buffer when the request was sent;
- a reply with the id and the very bytes of the one before it on the same
  connection, although the request was another, came late and again.

Either way the connection is closed and the request has failed as one that was
cut off; on a new connection it is asked again.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from weakref import WeakKeyDictionary

import httpx2

from geostore.records import Reply

_SAMPLE_BYTES = 256
"""Of a request: enough to tell two photos apart, and nothing beside hashing megabytes of them."""

SENT_TWICE = "the server sent a response twice, and what it sent next may be another request's"


class Arrival:
    """The ``trace`` extension of one request; it is told each step of the exchange.

    Raises httpx2.RemoteProtocolError where the response was there before the
    request, at which the client closes the connection.
    """

    def __init__(self, request: httpx2.Request) -> None:
        self._request = request
        self._waited = False

    async def __call__(self, step: str, info: object) -> None:
        """Compare two moments; reading from the network always gives the loop a turn."""
        if step == "http11.receive_response_headers.started":
            asyncio.get_running_loop().call_soon(self._wait_over)
        elif step == "http11.receive_response_headers.complete" and not self._waited:
            raise httpx2.RemoteProtocolError(SENT_TWICE, request=self._request)

    def _wait_over(self) -> None:
        self._waited = True


async def watch_arrival(request: httpx2.Request) -> None:
    """An event hook for requests: each is given its own `Arrival`."""
    request.extensions["trace"] = Arrival(request)


class LastReplies:
    """What was last asked and replied on each connection that is still open."""

    def __init__(self) -> None:
        self._last: WeakKeyDictionary[object, tuple[bytes, str, bytes]] = WeakKeyDictionary()

    async def is_repeated(self, body: bytes, response: httpx2.Response, reply: Reply) -> bool:
        """Note a reply; whether it is that to another request. If so, the connection is closed.

        body: of the request. A reply without an id is not looked at: a server that
        gives none may say the same of two photos.
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
    """A short text that differs where requests do: bytes from all over it, and its length."""
    step = len(body) // _SAMPLE_BYTES + 1
    return sha256(body[::step] + len(body).to_bytes(8)).digest()
