"""Asks a server over connections of this process's own, by aiohttp; `http` tells why by that.

Before a kept connection is used again, this looks whether bytes came on it that nobody asked
for, and a success that is there before its request was sent is not taken (`desync`).
"""

from __future__ import annotations

import os
import select
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from weakref import WeakSet

import aiohttp
import httpx2
from yarl import URL

from geostore.teacher.desync import SENT_TWICE
from geostore.teacher.http import (
    IDLE_SECONDS,
    ConnectionBroke,
    ConnectTimeout,
    NoConnection,
    NoResponse,
    Response,
)

_PIECE = 1 << 20
"""Bytes of a body that are handed over at a time; the next ones wait until they have left."""

_LONGEST_HEADER = 1 << 16
_MOST_HEADERS = 512
_LONGEST_REASON = 160


class DirectClient:
    """`HttpClient` for a server that is asked without a proxy.

    most: connections at a time; further requests wait for one. tls: gives what a server's
    certificate is checked against; called for https:// alone, because reading the certificates
    takes as long as several requests. It may raise OSError.
    """

    def __init__(
        self, *, connect_timeout: float, most: int, tls: Callable[[], ssl.SSLContext]
    ) -> None:
        self._connect_timeout = connect_timeout
        self._most = most
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        on_bytes: Callable[[bytes], None] | None = None,
    ) -> Response:
        """See `HttpClient.post`."""
        if self._session is None:
            self._session = self._open_session()
        exchange = _Exchange(body)
        _current.set(exchange)
        try:
            response = await self._session.post(
                _target(url),
                # The length is known, so the pieces are not sent as chunks.
                headers={**headers, "Content-Length": str(len(body))},
                data=exchange.pieces(),
                allow_redirects=False,
                ssl=self._tls_for(url),
            )
            try:
                # Whoever answers with a failure may do so before it has read the whole request.
                if exchange.is_being_sent and (response.ok or not exchange.is_begun):
                    raise ConnectionBroke(SENT_TWICE)
                if response.status < 200:
                    raise ConnectionBroke(f"the server answered HTTP {response.status}")
                content = await _read(response.content, on_bytes)
            finally:
                if exchange.is_being_sent:
                    exchange.abort()
                    response.close()
                else:
                    response.release()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            exchange.abort()
            raise _failure(error) from error
        except BaseException:
            exchange.abort()
            raise
        return Response(
            status_code=response.status,
            headers=_joined(response.headers.items()),
            content=content,
            connection=exchange.connection,
        )

    async def drop(self, connection: object) -> None:
        """See `HttpClient.drop`."""
        if isinstance(connection, aiohttp.client_proto.ResponseHandler):
            connection.close()

    async def aclose(self) -> None:
        """See `HttpClient.aclose`."""
        if self._session is not None:
            await self._session.close()

    def _tls_for(self, url: str) -> ssl.SSLContext | bool:
        """What aiohttp checks the server's certificate against; for http:// it checks none."""
        if not url.lower().startswith("https:"):
            return True
        if self._context is None:
            try:
                self._context = self._tls()
            except OSError as error:
                raise NoConnection(f"the certificates to trust cannot be read: {error}") from error
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context

    def _open_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=_Connector(limit=self._most, keepalive_timeout=IDLE_SECONDS),
            # The caller has the deadline of the whole request.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            max_headers=_MOST_HEADERS,
        )


class _Exchange:
    """One request on its way: how much of it has left, and on which connection."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._is_handed_over = False
        self.is_begun = False
        self.connection: Any = None

    async def pieces(self) -> AsyncIterator[bytes | memoryview]:
        """The body; what is behind a piece is asked for when that has left."""
        self.is_begun = True
        view = memoryview(self._body)
        starts = range(0, len(view), _PIECE)
        for start in starts:
            self._is_handed_over = start == starts[-1]
            yield view[start : start + _PIECE]

    @property
    def is_being_sent(self) -> bool:
        """Whether some of the request is still here."""
        transport = self.connection.transport
        waiting = transport is not None and transport.get_write_buffer_size() > 0
        return waiting or not self._is_handed_over

    def abort(self) -> None:
        """Close the connection at once.

        A connection that is only closed sends what is left of the request first, for ever
        where the server does not read it.
        """
        if self.connection is not None:
            self.connection.abort()


_current: ContextVar[_Exchange] = ContextVar("_current")


class _Connector(aiohttp.TCPConnector):
    """Gives no connection on which something came that was not asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._seen: WeakSet[Any] = WeakSet()

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        """A connection for a request, and a note for the request of which."""
        while True:
            connection = await super().connect(req, traces, timeout)
            # A new connection may have bytes waiting: tickets of TLS.
            if connection.protocol in self._seen and _holds_unasked(connection.protocol):
                connection.close()
                continue
            self._seen.add(connection.protocol)
            _current.get().connection = connection.protocol
            return connection


def _holds_unasked(protocol: Any) -> bool:
    """Whether an idle connection was closed or holds bytes, in aiohttp's hands or the kernel's."""
    if protocol.should_close or protocol.transport is None:
        return True
    poll = select.poll()
    poll.register(protocol.transport.get_extra_info("socket"), select.POLLIN)
    return bool(poll.poll(0))


@lru_cache(maxsize=16)
def _target(url: str) -> URL:
    """The url as it is sent: only what a url may not hold is escaped, and its host as by IDNA."""
    return URL(str(httpx2.URL(url)), encoded=True)


_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
"""OpenSSL's reasons, by its version, for an answer that is none of TLS."""


async def _read(content: aiohttp.StreamReader, on_bytes: Callable[[bytes], None] | None) -> bytes:
    if on_bytes is None:
        return await content.read()
    pieces = []
    async for piece in content.iter_any():
        on_bytes(piece)
        pieces.append(piece)
    return b"".join(pieces)


def _joined(headers: Any) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, text in headers:
        name = name.lower()
        joined[name] = f"{joined[name]}, {text}" if name in joined else text
    return joined


def _failure(error: Exception) -> NoResponse:
    """What a failed request means, in words for the user."""
    if isinstance(error, NoResponse):
        return error
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ConnectTimeout("no connection in time")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        mistrust = error.certificate_error
        return NoConnection(f"its certificate is not trusted, see --ca-file: {mistrust}")
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = getattr(error.os_error, "reason", None)
        if reason in _NO_TLS:
            return NoConnection("what is there speaks no TLS; perhaps it is asked by http://")
        return NoConnection(_words(error.os_error))
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return ConnectionBroke("the server closed the connection without an answer")
    if isinstance(error, aiohttp.ClientPayloadError):
        return ConnectionBroke(f"the response broke off: {_reason(error.__cause__ or error)}")
    if isinstance(error, aiohttp.ClientResponseError):
        return ConnectionBroke(f"what came is no HTTP response: {_reason(error)}")
    if isinstance(error, OSError):
        return ConnectionBroke(f"the connection broke: {_words(error)}")
    return ConnectionBroke(f"{type(error).__name__}: {error}")


def _reason(error: BaseException) -> str:
    """What aiohttp says of bytes that it cannot read. It quotes them at length and draws marks."""
    message = " ".join(str(getattr(error, "message", error)).split()).removesuffix(" ^")
    return message if len(message) <= _LONGEST_REASON else f"{message[:_LONGEST_REASON]}..."


def _words(error: OSError) -> str:
    """Why a connection failed: in the system's words, to which asyncio adds the address."""
    if isinstance(error, socket.gaierror | ssl.SSLError) or not error.errno:
        return str(error) or type(error).__name__
    return os.strerror(error.errno)
