"""Keeps the answer to one request from being taken for the answer to another.

On a connection that is kept alive, only the order says which response belongs to
which request. When a server or a proxy sends one response twice, all that follow
are shifted by one: each is well formed, and each is about another photo. HTTP
clients do not notice (RFC 9112, section 6.3, leaves it to them). This module and the
two clients look for three signs:

- Bytes came on a connection that was not in use. It is closed, and the request goes
  out on another one (`direct`).
- A response is there before its request was sent (`direct`), or before the event loop
  has waited for the network (`proxied`). Then it answers an earlier request.
- A reply has the same id and the same bytes as the one before it on the same
  connection, although the request was another. Then it is the repeated response,
  unless the server gives that id to several replies (`reply_ids`).

In the last two cases the connection is closed and the request counts as cut off, so it
is sent again on a new connection.
"""

from __future__ import annotations

from hashlib import sha256
from weakref import WeakKeyDictionary

from geostore.records import Reply
from geostore.teacher.http import Response
from geostore.teacher.reply_ids import ReplyIds

_SAMPLE_BYTES = 256
"""Bytes of a request that are hashed: enough to tell two photos apart, and much faster than
hashing megabytes."""

SENT_TWICE = "the server sent a response twice, and what it sent next may be another request's"


class LastReplies:
    """The last request and reply of each connection that is still open."""

    def __init__(self) -> None:
        self._last: WeakKeyDictionary[object, tuple[bytes, str, bytes]] = WeakKeyDictionary()
        self._ids = ReplyIds()

    def is_repeated(self, body: bytes, response: Response, reply: Reply) -> bool:
        """Note a reply. True where it repeats the one before on its connection.

        body: of the request. A reply without an id, or with one that other replies have
        too, is never taken for a repeated one, because a teacher may well give the same
        answer to two photos.
        """
        if reply.request_id is None or response.connection is None:
            return False
        asked, answered = _sample(body), sha256(response.content).digest()
        is_own_id = self._ids.note(
            reply.request_id, asked=asked, answered=answered, connection=response.connection
        )
        before = self._last.get(response.connection)
        self._last[response.connection] = (asked, reply.request_id, answered)
        if before is None or before[0] == asked or not is_own_id:
            return False
        return before[1:] == (reply.request_id, answered)


def _sample(body: bytes) -> bytes:
    """A hash that differs where requests do: of bytes from all over the body, and its length."""
    step = len(body) // _SAMPLE_BYTES + 1
    return sha256(body[::step] + len(body).to_bytes(8)).digest()
