"""Talks to the teacher: one request, one reply or one named failure.

Nothing that may be paid for is tried again here: a silent retry can be paid for twice and
is recorded nowhere. The rollout retries instead, and writes a row for each failed attempt.
Only a request that was refused for its key, where there is a newer one, or for asking in
a way that the server does not take, is sent again at once in the mended form. The HTTP
client (`http`) is imported and made for the first request, because that takes a third of
a second, and a run that finds nothing to do should not spend it.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256

from geostore.conversation.request_form import USUAL_FORM, RequestForm
from geostore.errors import TeacherError, TeacherUnusable
from geostore.records import Reply
from geostore.teacher.address import Address
from geostore.teacher.azure import is_azure
from geostore.teacher.corrections import Correction, Corrections
from geostore.teacher.desync import SENT_TWICE, LastReplies
from geostore.teacher.event_stream import ArrivingReply, is_event_stream
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
from geostore.teacher.keys import KeyChoice
from geostore.teacher.masking import Mask, forms_of
from geostore.teacher.refusals import Refusal, read_refusal
from geostore.teacher.replies import BrokenReply, read_reply
from geostore.teacher.route import Route
from geostore.teacher.server_errors import ServerError
from geostore.teacher.statuses import KEY, History
from geostore.teacher.travel import Travel, merged_headers, put_beside
from geostore.version import VERSION

_MESSAGE_LENGTH = 500

_SECONDS_AFTER_DONE = 2.0
"""Some servers leave the connection open behind the last event of a stream."""

_HEADERS = {
    "Accept": "application/json",
    # A reply is small beside its request, and what is packed comes later than what is not.
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": f"geostore/{VERSION}",
}


class Teacher:
    """A chat-completions endpoint.

    base_url: up to and including ``/v1``. A name, a password and a query in it are
    sent, and neither stored nor shown. api_key: sent, and neither stored nor shown;
    None for a server that asks for none. travel: what goes out with each request beside its
    body. request_timeout: seconds from sending to the last byte, even where bytes keep coming.
    notice: called with a sentence for the user, once for each thing worth knowing.
    form: of the requests, until the server asks for another.
    Use as an async context manager.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | KeyChoice | None,
        travel: Travel | None = None,
        request_timeout: float = 600.0,
        max_connections: int = 64,
        notice: Callable[[str], None] = lambda sentence: None,
        form: RequestForm = USUAL_FORM,
    ) -> None:
        address, travel = Address.of(base_url), travel or Travel()
        self.base_url = address.shown
        self._address = address
        self._is_azure = is_azure(address)
        self._travel = travel
        self._url = address.shown.rstrip("/") + "/chat/completions"
        self._url += travel.query_string(address.query)
        self._beside = travel.beside()
        self._mask = Mask([*address.secrets, *travel.secrets])
        self._key_choice = api_key if isinstance(api_key, KeyChoice) else KeyChoice(api_key)
        self._keys = self._key_choice.source(lambda key: self._mask.add(forms_of(key)))
        self._request_timeout = request_timeout
        self._history = History()
        self._corrections = Corrections(form)
        self._max_connections = max_connections
        self._notice = notice
        self._http: HttpClient | None = None
        self._last_replies = LastReplies()

    async def __aenter__(self) -> Teacher:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._http is not None:
            await self._http.aclose()

    @property
    def form(self) -> RequestForm:
        """The form that requests should have, as far as the server has said."""
        return self._corrections.form

    async def ask(
        self,
        body: bytes,
        *,
        form: RequestForm = USUAL_FORM,
        is_other: Callable[[RequestForm], bool] = lambda form: False,
    ) -> Reply:
        """Send a serialised chat-completions request and read the reply.

        body: what is asked; the members that say how it travels are put in front.
        form: of the request. is_other: whether the request differs in another form.
        Raises TeacherError where this request failed, TeacherUnusable where every
        other request would fail as well.
        """
        correct = partial(self._corrections.correct, used=form, is_other=is_other)
        response, reply = await self._answer(body, correct)
        if self._last_replies.is_repeated(body, response, reply):
            await self._client().drop(response.connection)
            raise TeacherError(SENT_TWICE, error_class="connection")
        self._history.succeeded()
        return reply

    async def _answer(
        self, body: bytes, correct: Callable[[ServerError, int], Correction | None]
    ) -> tuple[Response, Reply]:
        """Send a request, and once more where what was refused is mended. Raises TeacherError."""
        is_last = False
        while True:
            beside, key, asked_at = self._beside, await self._keys.key(), time.monotonic()
            response, reply = await self._exchange(put_beside(beside, body), self._headers(key))
            if isinstance(reply, Reply):
                return response, reply
            refusal = read_refusal(response, reply, now=datetime.now(UTC))
            if is_last or not await self._is_mended(refusal, beside, key, asked_at=asked_at):
                # First, because what another form mends is no failure that the history counts.
                correction = correct(refusal.error, refusal.status)
                if correction is not None:
                    raise self._wrong_form(refusal, correction)
                raise self._failure(body, refusal)
            is_last = True

    async def _exchange(
        self, sent: bytes, headers: Mapping[str, str]
    ) -> tuple[Response, Reply | BrokenReply | None]:
        """Send one request. The second value is None where the status is no success's."""
        client, started = self._client(), time.monotonic()
        arriving = ArrivingReply(started) if self._travel.stream else None
        try:
            async with asyncio.timeout(self._request_timeout) as deadline:
                take = partial(_take, arriving, deadline) if arriving is not None else None
                response = await post(client, self._url, sent, headers=headers, on_bytes=take)
        # Not chained: a client's errors quote the server, which may repeat the key, and a
        # traceback would show it.
        except TimeoutError:
            response = self._what_came(arriving, self._timed_out())
        except NoResponse as error:
            response = self._what_came(arriving, self._no_response(error))
        latency_ms = round((time.monotonic() - started) * 1000)
        if not 200 <= response.status_code < 300:
            return response, None
        reply = self._read(response, latency_ms)
        if arriving is not None and isinstance(reply, Reply):
            reply = replace(reply, first_token_ms=arriving.first_token_ms)
        return response, reply

    async def _is_mended(
        self, refusal: Refusal, beside: bytes, key: str | None, *, asked_at: float
    ) -> bool:
        """Whether the same request may be sent again at once, because what was refused is mended.

        beside, key: what it was sent with. asked_at: when, as of `time.monotonic`.
        """
        if self._travel.asks_for_usage(beside) and refusal.is_of_stream_options:
            if self._beside == beside:
                self._beside = self._travel.beside(stream_options=False)
                self._notice(
                    "the server does not take stream_options, so it is not asked for the usage of "
                    "streamed replies; where it does not say it unasked, tokens stay unknown"
                )
            return True
        if refusal.verdict is not KEY:
            return False
        return await self._keys.is_renewed(key, asked_at=asked_at)

    def _what_came(self, arriving: ArrivingReply | None, failure: TeacherError) -> Response:
        """What had come of a streamed reply when the connection or the time ended.

        Raises the failure, with the words that were paid for, where it is not all of a reply.
        """
        content = b"" if arriving is None else arriving.content
        if not is_event_stream(content, ""):
            raise failure from None
        response = Response(status_code=200, headers={}, content=content, connection=None)
        try:
            reply = self._read(response, 0)
        except TeacherError:
            raise failure from None
        if isinstance(reply, BrokenReply):
            failure.response, failure.usage = reply.response, reply.usage
            raise failure from None
        return response

    def _client(self) -> HttpClient:
        if self._http is None:
            self._http = self._open_client()
        return self._http

    def _headers(self, key: str | None) -> dict[str, str]:
        """The headers of a request. Of several for one name, the user's own counts."""
        login = self._address.login
        basic = {}
        if login is not None:
            basic = {"Authorization": "Basic " + b64encode(":".join(login).encode()).decode()}
        return merged_headers(
            _HEADERS,
            self._key_choice.headers(key, azure=self._is_azure),
            basic,
            dict(self._travel.headers),
        )

    def _open_client(self) -> HttpClient:
        try:
            return open_client(
                self._url,
                is_local=self._address.is_local,
                connect_timeout=min(CONNECT_TIMEOUT, self._request_timeout),
                most=self._max_connections,
                route=self._travel.route,
            )
        except (ImportError, OSError, ValueError) as error:
            named = (
                "a proxy (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) or certificate (SSL_CERT_FILE, "
                "SSL_CERT_DIR) of the environment"
            )
            if self._travel.route != Route():
                named = f"the proxy or certificates of --proxy and --ca-file, or {named}"
            raise TeacherUnusable(
                self._shown(f"{named} cannot be used; correct or unset it: {error}"),
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

    def _failure(self, body: bytes, refusal: Refusal) -> TeacherError:
        """The error of a refused request. body: of the request."""
        verdict, reply = refusal.verdict, refusal.reply
        message = self._shown(refusal.sentence)
        failure = TeacherError
        if self._history.ends_run(verdict, sha256(body).digest()):
            failure = TeacherUnusable
            message = verdict.sentence.format(
                message=message, base_url=self.base_url, key_option=self._keys.option
            )
        return failure(
            message,
            error_class=verdict.error_class,
            status=refusal.http_status,
            retry_after=refusal.retry_after,
            usage=reply.usage if reply else None,
            response=reply.response if reply else None,
            retried=verdict.retried,
            tries=verdict.tries,
        )

    def _wrong_form(self, refusal: Refusal, correction: Correction) -> TeacherError:
        """The error of a request that the server takes in another form."""
        reply, message = refusal.reply, self._shown(refusal.sentence)
        if correction.what:
            self._notice(correction.sentence(message))
        return TeacherError(
            message,
            error_class="form",
            status=refusal.http_status,
            usage=reply.usage if reply else None,
            response=reply.response if reply else None,
            in_another_form=True,
        )

    def _shown(self, message: str) -> str:
        """The message on one line, cut, and without the secrets that a server may repeat."""
        return " ".join(self._mask.hide(message).split())[:_MESSAGE_LENGTH]


def _take(arriving: ArrivingReply, deadline: asyncio.Timeout, piece: bytes) -> None:
    """Take a piece of a streamed reply. The end of the stream brings the deadline nearer."""
    arriving.take(piece)
    if arriving.is_done:
        soon = asyncio.get_running_loop().time() + _SECONDS_AFTER_DONE
        deadline.reschedule(min(soon, deadline.when() or soon))
