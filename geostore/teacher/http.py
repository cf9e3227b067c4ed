"""What carries a request: the interface that `Teacher` knows, and the choice of who implements it.

`direct.DirectClient` (aiohttp) asks a server itself, which is the usual case. Where an option
or the environment names a proxy, `proxied.ProxiedClient` (the openai client on httpx2) asks through
it. Both send the bytes they are given, wait as long as the caller does, try nothing again,
and follow no redirect.

Why two: the openai client, httpx2 and httpcore2 take three quarters of the event loop's
thread. `benchmarks/generate_cpu.py`, CPU per turn beside a bare loop on AsyncOpenAI, one run
of three rounds, everything else alike:

=================================  ============  ============
client                             16 in flight  64 in flight
=================================  ============  ============
openai, httpx2                     1.00          1.05
aiohttp                            0.85          0.81
a protocol of our own around h11   0.83          0.80
a protocol that checks nothing     0.77          0.78
=================================  ============  ============

A protocol of our own would save two hundredths and would have to be kept safe by us.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies

from geostore.teacher.route import Route

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection; a running server accepts one at once."""

IDLE_SECONDS = 4.0
"""Seconds that an unused connection is kept.

A server that closes one just as a request is sent on it fails that request; uvicorn, under
vLLM and others, closes after 5 seconds.
"""

_MOST_REDIRECTS = 5
_SAME_REQUEST_ELSEWHERE = frozenset({307, 308})
_SECRET_FREE = frozenset({"accept", "accept-encoding", "content-type", "user-agent"})


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response, whatever its status."""

    status_code: int
    """HTTP's."""

    headers: Mapping[str, str]
    """By lower-case name; values of one name are joined by a comma and a space."""

    content: bytes
    """The body, without chunks and compression."""

    connection: object = field(compare=False, repr=False)
    """The connection it came on, to be compared with another's; None where it is not known."""


class NoResponse(Exception):
    """No whole response came; says why in words for the user, which may quote the server."""


class NoConnection(NoResponse):
    """There is no connection, so nothing was sent."""


class ConnectTimeout(NoConnection):
    """There is no connection within `CONNECT_TIMEOUT`."""


class ConnectionBroke(NoResponse):
    """The connection ended too early, or what came is no HTTP response.

    The server may have worked on the request.
    """


class HttpClient(Protocol):
    """Sends requests over connections that are kept for the next ones."""

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        on_bytes: Callable[[bytes], None] | None = None,
    ) -> Response:
        """Send one request, and read its response to the end. Cancelled, it closes the connection.

        url: without name and password. on_bytes: called with each piece of the response's
        body as it comes, whatever its status. Raises NoResponse.
        """

    async def drop(self, connection: object) -> None:
        """Close the connection of a `Response`, whose next response could not be trusted."""

    async def aclose(self) -> None:
        """Close all connections."""


def open_client(
    url: str,
    *,
    is_local: bool,
    connect_timeout: float,
    most: int,
    route: Route | None = None,
) -> HttpClient:
    """A client for requests to `url` and to where its server redirects.

    is_local: whether the url names this machine; a proxy would look for it on its own. most:
    connections at a time. route: None: as the environment says. Raises ImportError, OSError
    or ValueError where a proxy or certificates are named that cannot be used.
    """
    route = route or Route()
    is_direct = is_local or route.is_direct
    if is_direct or (route.proxy is None and not _may_need_proxy(url)):
        from geostore.teacher.direct import DirectClient

        tls = cache(route.tls)  # not read twice: here and at the first request
        if urlsplit(url).scheme.lower() == "https":
            tls()  # Certificates that cannot be read are said before the first request.
        return DirectClient(connect_timeout=connect_timeout, most=most, tls=tls)
    from geostore.teacher.proxied import ProxiedClient

    return ProxiedClient(
        url, connect_timeout=connect_timeout, most=most, proxy=route.proxy, tls=route.tls()
    )


async def post(
    client: HttpClient,
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    on_bytes: Callable[[bytes], None] | None = None,
) -> Response:
    """`HttpClient.post`, sent again to where the server says that this same request belongs.

    Statuses 307 and 308 say so. After the others (301, 302, 303) a client would ask by GET,
    which no teacher answers, so they are returned. Another host gets no secret, whichever
    header it is in. Raises NoResponse.
    """
    for _ in range(_MOST_REDIRECTS):
        response = await client.post(url, body, headers=headers, on_bytes=on_bytes)
        location = response.headers.get("location")
        if response.status_code not in _SAME_REQUEST_ELSEWHERE or location is None:
            return response
        target = urljoin(url, location)
        if not _may_follow(url, target):
            return response
        if urlsplit(target).netloc != urlsplit(url).netloc:
            headers = {name: text for name, text in headers.items() if name.lower() in _SECRET_FREE}
        url = target
    raise ConnectionBroke(f"the server redirects more than {_MOST_REDIRECTS} times")


def _may_follow(url: str, target: str) -> bool:
    schemes = (urlsplit(url).scheme.lower(), urlsplit(target).scheme.lower())
    # The key would travel in the clear.
    return schemes in {("http", "http"), ("http", "https"), ("https", "https")}


def _may_need_proxy(url: str) -> bool:
    """Whether the environment names a proxy that may be meant for this url.

    True where NO_PROXY names ranges of addresses: the client for proxies reads those.
    """
    proxies = getproxies()
    # A redirect may lead from http to https, so the proxy of either counts.
    if not any(proxies.get(scheme) for scheme in ("http", "https", "all")):
        return False
    host = urlsplit(url).hostname or ""
    names = [name.strip().lower() for name in proxies.get("no", "").split(",")]
    return not any(_excepts(name, host) for name in names)


def _excepts(name: str, host: str) -> bool:
    """Whether a name in NO_PROXY stands for this host: itself, or one above it."""
    if name in ("*", host):
        return True
    above = name.removeprefix("*").removeprefix(".")
    return bool(above) and host.endswith("." + above)
