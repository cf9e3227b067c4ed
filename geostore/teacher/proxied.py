"""Asks a server through a proxy, by the openai client on httpx2."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from typing import Any

import httpx2
import openai

from geostore.teacher.desync import SENT_TWICE
from geostore.teacher.http import (
    IDLE_SECONDS,
    ConnectionBroke,
    ConnectTimeout,
    NoConnection,
    NoResponse,
    Response,
)


class ProxiedClient:
    """`HttpClient` for a server behind a proxy.

    most: connections at a time; further requests wait for one. proxy: its URL; None: those of
    the environment. tls: what certificates are checked against, the server's and the proxy's.
    Raises ImportError, OSError or ValueError where a proxy is named that cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float,
        most: int,
        proxy: str | None = None,
        tls: ssl.SSLContext,
    ) -> None:
        limits = httpx2.Limits(
            max_connections=most, max_keepalive_connections=most, keepalive_expiry=IDLE_SECONDS
        )
        # The caller has the deadline of the whole request.
        timeout = httpx2.Timeout(None, connect=connect_timeout)
        hooks: dict[str, Any] = {"request": [_watch_arrival], "response": [_watch_body]}
        try:
            asked = (
                None if proxy is None else httpx2.Proxy(proxy, ssl_context=_for_proxy(proxy, tls))
            )
            http_client = openai.DefaultAsyncHttpxClient(
                limits=limits,
                timeout=timeout,
                event_hooks=hooks,
                follow_redirects=False,
                proxy=asked,
                verify=tls,
            )
        except httpx2.InvalidURL as error:
            raise ValueError(str(error)) from error
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key="none",  # the headers of each request hold the key
            max_retries=0,  # the rollout retries, because each failed request becomes a row
            timeout=timeout,
            http_client=http_client,
        )

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        on_bytes: Callable[[bytes], None] | None = None,
    ) -> Response:
        """See `HttpClient.post`. A body that came compressed unasked is so given to `on_bytes`."""
        _on_bytes.set(on_bytes)
        try:
            response = await self._client.post(
                url, content=body, cast_to=httpx2.Response, options={"headers": headers}
            )
        except openai.APIStatusError as error:
            response = error.response
        except openai.APIError as error:
            raise _failure(error) from error
        return Response(
            status_code=response.status_code,
            headers={name.lower(): text for name, text in response.headers.items()},
            content=response.content,
            connection=response.extensions.get("network_stream"),
        )

    async def drop(self, connection: object) -> None:
        """See `HttpClient.drop`."""
        close = getattr(connection, "aclose", None)
        if close is not None:
            await close()

    async def aclose(self) -> None:
        """See `HttpClient.aclose`."""
        await self._client.close()


def _for_proxy(proxy: str, tls: ssl.SSLContext) -> ssl.SSLContext | None:
    return tls if proxy.lower().startswith("https://") else None


class _Arrival:
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


async def _watch_arrival(request: httpx2.Request) -> None:
    """An event hook that gives each request its own `_Arrival`."""
    request.extensions["trace"] = _Arrival(request)


_on_bytes: ContextVar[Callable[[bytes], None] | None] = ContextVar("_on_bytes")


class _Watched(httpx2.AsyncByteStream):
    """A body that is given to a function piece by piece as it is read."""

    def __init__(self, stream: httpx2.AsyncByteStream, on_bytes: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._on_bytes = on_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._on_bytes(piece)
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _watch_body(response: httpx2.Response) -> None:
    on_bytes = _on_bytes.get()
    if on_bytes is not None:
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Watched(response.stream, on_bytes)


def _failure(error: openai.APIError) -> NoResponse:
    """What a failed request means, in words for the user."""
    cause = error.__cause__ or error
    if isinstance(cause, httpx2.ConnectTimeout):
        return ConnectTimeout("no connection in time")
    if isinstance(cause, httpx2.ConnectError | httpx2.ProxyError):
        reason = str(cause) or type(cause).__name__
        # The proxy itself may be the one that is away.
        return NoConnection(f"through a proxy, see --proxy: {reason}")
    return ConnectionBroke(f"{type(cause).__name__}: {cause}")
