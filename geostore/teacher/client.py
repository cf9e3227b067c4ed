"""Talks to the teacher: one request, one reply or one named failure.

Nothing is tried again here: a silent retry can be paid for twice and is recorded
nowhere. The rollout retries instead, and writes a row for each failed attempt. The HTTP
client (`http`) is imported and made for the first request, because that takes a third of
a second, and a run that finds nothing to do should not spend it.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version

from geostore.errors import TeacherError, TeacherUnusable
from geostore.records import Reply
from geostore.teacher.address import Address
from geostore.teacher.desync import SENT_TWICE, LastReplies
from geostore.teacher.http import (
    CONNECT_TIMEOUT,
    ConnectTimeout,
    HttpClient,
    NoConnection,
    NoResponse,
    Response,
    open_client,
    post,
)
from geostore.teacher.masking import Mask
from geostore.teacher.replies import BrokenReply, read_reply
from geostore.teacher.server_errors import error_of_response
from geostore.teacher.statuses import History, judge, status_of
from geostore.teacher.travel import Travel, put_beside
from geostore.teacher.waits import seconds_to_wait

_MESSAGE_LENGTH = 500


class Teacher:
    """A chat-completions endpoint.

    base_url: up to and including ``/v1``. A name, a password and a query in it are
    sent, and neither stored nor shown. api_key: sent, and neither stored nor shown;
    None for a server that asks for none. travel: what goes out with each request beside its
    body. request_timeout: seconds from sending to the last byte, even where bytes keep coming.
    Use as an async context manager.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None,
        travel: Travel | None = None,
        request_timeout: float = 600.0,
        max_connections: int = 64,
    ) -> None:
        address, travel = Address.of(base_url), travel or Travel()
        self.base_url = address.shown
        self._is_local = address.is_local
        self._url = address.shown.rstrip("/") + "/chat/completions"
        self._url += travel.query_string(address.query)
        self._beside = travel.beside()
        self._headers = {**_headers(address, api_key), **travel.request_headers()}
        self._mask = Mask([*([api_key] if api_key else []), *address.secrets, *travel.secrets])
        self._request_timeout = request_timeout
        self._history = History()
        self._max_connections = max_connections
        self._http: HttpClient | None = None
        self._last_replies = LastReplies()

    async def __aenter__(self) -> Teacher:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def ask(self, body: bytes) -> Reply:
        """Send a serialised chat-completions request and read the reply.

        body: what is asked; the members that say how it travels are put in front.
        Raises TeacherError where this request failed, TeacherUnusable where every
        other request would fail as well.
        """
        if self._http is None:
            self._http = self._open_client()
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._request_timeout):
                sent = put_beside(self._beside, body)
                response = await post(self._http, self._url, sent, headers=self._headers)
        # Not chained: a client's errors quote the server, which may repeat the key, and a
        # traceback would show it.
        except TimeoutError:
            raise self._timed_out() from None
        except NoResponse as error:
            raise self._no_response(error) from None
        latency_ms = round((time.monotonic() - started) * 1000)
        if not 200 <= response.status_code < 300:
            raise self._refusal(body, response)
        reply = self._read(response, latency_ms)
        if isinstance(reply, BrokenReply):
            raise self._refusal(body, response, reply)
        if self._last_replies.is_repeated(body, response, reply):
            await self._http.drop(response.connection)
            raise TeacherError(SENT_TWICE, error_class="connection")
        self._history.succeeded()
        return reply

    def _open_client(self) -> HttpClient:
        try:
            return open_client(
                self._url,
                is_local=self._is_local,
                connect_timeout=min(CONNECT_TIMEOUT, self._request_timeout),
                most=self._max_connections,
            )
        except (ImportError, OSError, ValueError) as error:
            raise TeacherUnusable(
                self._shown(
                    "a proxy (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) or certificate (SSL_CERT_FILE, "
                    f"SSL_CERT_DIR) of the environment cannot be used; correct or unset it: {error}"
                ),
                error_class="connection",
            ) from None

    def _read(self, response: Response, latency_ms: int) -> Reply | BrokenReply:
        try:
            return read_reply(response, latency_ms=latency_ms, shown=self._shown)
        except TeacherError as error:
            if self._history.answered or "html" not in response.headers.get("content-type", ""):
                raise
            raise TeacherUnusable(
                f"{self.base_url} answers with a web page, not with an API's JSON; "
                "a base URL mostly ends in /v1",
                error_class="refused",
                status=response.status_code,
            ) from error

    def _timed_out(self) -> TeacherError:
        return TeacherError(
            f"no complete answer within {self._request_timeout:g} s", error_class="timeout"
        )

    def _no_response(self, error: NoResponse) -> TeacherError:
        # A server that answered before may be restarting; one that never answered is more likely
        # not there.
        if isinstance(error, NoConnection) and not self._history.answered:
            return TeacherUnusable(
                self._shown(
                    f"no server answers at {self.base_url} ({error}); "
                    "start it, or name another with --base-url"
                ),
                error_class="connection",
            )
        if isinstance(error, ConnectTimeout):
            return TeacherError(str(error), error_class="timeout")
        return TeacherError(self._shown(str(error)), error_class="connection")

    def _refusal(
        self, body: bytes, response: Response, reply: BrokenReply | None = None
    ) -> TeacherError:
        """What a response means that is no answer. body: of the request. reply: inside a 200."""
        http_status = response.status_code
        if reply is None:
            kind = response.headers.get("content-type", "")
            error = error_of_response(response.content, kind, http_status)
        else:
            error = reply.error
        status = status_of(http_status, error)
        retry_after = seconds_to_wait(
            {**response.headers, **(error.headers or {})},
            message=error.message,
            limited=status == 429,
            now=datetime.now(UTC),
        )
        verdict = judge(status, error, told_to_wait=retry_after is not None)
        where = f"HTTP {http_status}" if reply is None else f"error {status} in HTTP {http_status}"
        message = self._shown(f"{where}: {error.message or 'no words'}")
        failure = TeacherError
        if self._history.ends_run(verdict, sha256(body).digest()):
            failure = TeacherUnusable
            message = verdict.sentence.format(message=message, base_url=self.base_url)
        return failure(
            message,
            error_class=verdict.error_class,
            status=http_status,
            retry_after=retry_after,
            usage=reply.usage if reply else None,
            response=reply.response if reply else None,
            retried=verdict.retried,
            tries=verdict.tries,
        )

    def _shown(self, message: str) -> str:
        """The message on one line, cut, and without the secrets that a server may repeat."""
        return " ".join(self._mask.hide(message).split())[:_MESSAGE_LENGTH]


def _headers(address: Address, api_key: str | None) -> dict[str, str]:
    """The headers of every request. Raises TeacherUnusable where the key cannot stand in one."""
    authorization = f"Bearer {api_key or 'none'}"
    if address.login is not None:
        authorization = "Basic " + b64encode(":".join(address.login).encode()).decode()
    if not authorization.isprintable():
        raise TeacherUnusable(
            "the API key holds a line break or another character that no header can have",
            error_class="refused",
        )
    return {
        "Accept": "application/json",
        # A reply is small beside its request, and what is packed comes later than what is not.
        "Accept-Encoding": "identity",
        "Authorization": authorization,
        "Content-Type": "application/json",
        "User-Agent": f"geostore/{version('geostore')}",
    }
