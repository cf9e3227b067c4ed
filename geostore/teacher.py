"""Talks to the teacher: one request, one reply or one named failure.

The only module that knows the API's client. The client's own retries are off,
because a retry it makes silently can be paid for twice and is nowhere recorded;
whether to try again is decided where attempts are rows.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, TypeGuard
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx2
import openai
import orjson

from geostore.errors import TeacherError, TeacherUnusable
from geostore.identity import canonical_text
from geostore.protocol import split_reasoning
from geostore.records import ReasoningSource, Reply

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection; a server that is there answers at once."""

REFUSALS_BEFORE_GIVING_UP = 3
"""So many requests refused and none answered: the next ones will be refused as well."""

_MESSAGE_LENGTH = 500


class Teacher:
    """A chat-completions endpoint.

    base_url: up to and including ``/v1``; its name and password, if it has them,
    are sent and not kept. api_key: sent, and nowhere kept or
    shown; None for a server that asks for none. request_timeout: seconds from
    sending to the last byte, whatever the server does in between.
    Use as an async context manager.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None,
        request_timeout: float = 600.0,
        max_connections: int = 64,
    ) -> None:
        self.base_url = without_credentials(base_url)
        password = urlsplit(base_url).password
        secrets = (api_key, password, password and unquote(password))
        self._secrets = [secret for secret in secrets if secret]
        self._request_timeout = request_timeout
        self._answered = 0
        self._refused = 0
        limits = httpx2.Limits(
            max_connections=max_connections, max_keepalive_connections=max_connections
        )
        # The pool's own wait is bounded by the request's deadline.
        timeout = httpx2.Timeout(request_timeout, connect=min(CONNECT_TIMEOUT, request_timeout))
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or "none",
            max_retries=0,
            timeout=timeout,
            http_client=openai.DefaultAsyncHttpxClient(limits=limits, timeout=timeout),
        )

    async def __aenter__(self) -> Teacher:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._client.close()

    async def ask(self, body: bytes) -> Reply:
        """Send a serialised chat-completions request and read the reply.

        Raises TeacherError for a failure of this request, TeacherUnusable where
        no other request can fare better.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._request_timeout):
                response = await self._client.post(
                    "/chat/completions",
                    content=body,
                    cast_to=httpx2.Response,
                    options={"headers": {"Content-Type": "application/json"}},
                )
        # Not chained: the client's errors carry the server's words, and in them perhaps the key,
        # which a traceback would show.
        except TimeoutError:
            raise self._timed_out() from None
        except openai.APIError as error:
            raise self._failure(error) from None
        latency_ms = round((time.monotonic() - started) * 1000)
        reply = self._read(response, latency_ms)
        self._answered += 1
        return reply

    def _timed_out(self) -> TeacherError:
        return TeacherError(
            f"no complete answer within {self._request_timeout:g} s", error_class="timeout"
        )

    def _failure(self, error: openai.APIError) -> TeacherError:
        if isinstance(error, openai.APITimeoutError):
            if self._answered == 0 and isinstance(error.__cause__, httpx2.ConnectTimeout):
                return self._unreachable(error)
            return self._timed_out()
        if isinstance(error, openai.APIStatusError):
            return self._status_failure(error)
        # A server that answered before and is away now may be restarting; one that never
        # answered is more likely not there.
        if self._answered == 0 and isinstance(error.__cause__, httpx2.ConnectError):
            return self._unreachable(error)
        cause = error.__cause__ or error
        return TeacherError(
            self._shown(f"{type(cause).__name__}: {cause}"), error_class="connection"
        )

    def _unreachable(self, error: openai.APIError) -> TeacherUnusable:
        return TeacherUnusable(
            self._shown(
                f"no server answers at {self.base_url} ({error.__cause__}); "
                "start it, or name another with --base-url"
            ),
            error_class="connection",
        )

    def _status_failure(self, error: openai.APIStatusError) -> TeacherError:
        status = error.status_code
        said = self._shown(_said(error))
        retry_after = _retry_after(error.response)
        if status == 429:
            if "insufficient_quota" in said:
                return self._unusable(f"the account has no credit left: {said}", status)
            return TeacherError(
                said, error_class="rate_limit", status=status, retry_after=retry_after
            )
        if status in (408, 409) or status >= 500:
            return TeacherError(said, error_class="server", status=status, retry_after=retry_after)
        if status == 401:
            return self._unusable(
                f"the key is missing or wrong (see --api-key-env): {said}", status
            )
        if status == 403:
            return self._unusable(f"the key may not use this: {said}", status)
        if status == 404:
            return self._unusable(
                f"no such model or path at {self.base_url} "
                f"(see --model; a base URL mostly ends in /v1): {said}",
                status,
            )
        self._refused += 1
        if self._answered == 0 and self._refused >= REFUSALS_BEFORE_GIVING_UP:
            return self._unusable(f"every request was refused: {said}", status)
        return TeacherError(said, error_class="refused", status=status)

    def _unusable(self, message: str, status: int) -> TeacherUnusable:
        return TeacherUnusable(message, error_class="refused", status=status)

    def _shown(self, message: str) -> str:
        """The message on one line, cut, and without the secrets that it may repeat."""
        for secret in self._secrets:
            message = message.replace(secret, "[key]")
        return " ".join(message.split())[:_MESSAGE_LENGTH]

    def _read(self, response: httpx2.Response, latency_ms: int) -> Reply:
        kind = response.headers.get("content-type", "")
        try:
            body = _loads(response.content)
        except ValueError as error:
            if "html" in kind and self._answered == 0:
                raise self._unusable(
                    f"{self.base_url} answers with a web page, not with an API's JSON; "
                    "a base URL mostly ends in /v1",
                    response.status_code,
                ) from error
            start = self._shown(response.text)[:80]
            raise self._bad(f"the response is not JSON ({kind}): {start!r}", response) from error
        if not isinstance(body, dict):
            raise self._bad("the response is not a JSON object", response)
        usage = _dict(body.get("usage"))
        choices = body.get("choices")
        choice = choices[0] if _is_list_of_dicts(choices) else {}
        message = choice.get("message")
        if not isinstance(message, dict):
            said = f": {body['error']}" if body.get("error") else ""
            raise self._bad(f"the response holds no message{said}", response, usage)
        content, calls = message.get("content"), message.get("tool_calls")
        if not isinstance(content, str | None) or not (not calls or _is_list_of_dicts(calls)):
            raise self._bad("the message's content or calls have an unknown form", response, usage)
        text, reasoning, source = _parted(message, _clean(content or ""))
        finish_reason = choice.get("finish_reason")
        if not text and not calls and reasoning is None and finish_reason != "content_filter":
            raise self._bad("the message is empty", response, usage)
        return Reply(
            response=text,
            reasoning=reasoning,
            reasoning_source=source,
            native_calls=_native_calls(calls) if calls else None,
            finish_reason=str(finish_reason) if finish_reason is not None else None,
            prompt_tokens=_count(usage, "prompt_tokens"),
            completion_tokens=_count(usage, "completion_tokens"),
            total_tokens=_count(usage, "total_tokens"),
            cached_tokens=_count(_dict(usage.get("prompt_tokens_details")), "cached_tokens"),
            reasoning_tokens=_count(
                _dict(usage.get("completion_tokens_details")), "reasoning_tokens"
            ),
            latency_ms=latency_ms,
            served_model=_optional_text(body.get("model")),
            request_id=response.headers.get("x-request-id") or _optional_text(body.get("id")),
        )

    def _bad(
        self, message: str, response: httpx2.Response, usage: dict[str, Any] | None = None
    ) -> TeacherError:
        return TeacherError(
            self._shown(message),
            error_class="bad_response",
            status=response.status_code,
            usage_json=canonical_text(usage) if usage else None,
        )


def without_credentials(url: str) -> str:
    """A URL without the name and password that may stand before its host."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _parted(
    message: dict[str, Any], content: str
) -> tuple[str, str | None, ReasoningSource | None]:
    """Response, reasoning and where it stood: a field by either name, or <think> tags."""
    fields: tuple[ReasoningSource, ...] = ("reasoning", "reasoning_content")
    for name in fields:
        if isinstance(message.get(name), str) and message[name]:
            return content, _clean(message[name]), name
    return split_reasoning(content)


def _native_calls(calls: list[dict[str, Any]]) -> str:
    """Canonical JSON of the calls; one that a server sent without an id gets one.

    The id ties a result to its call, so without it the call cannot be answered.
    """
    named = [{**call, "id": call.get("id") or f"call_{i}"} for i, call in enumerate(calls)]
    return canonical_text(named)


def _loads(content: bytes) -> Any:
    """The JSON value; half of a surrogate pair, which some servers send, is replaced.

    Raises ValueError where it is no JSON.
    """
    try:
        return orjson.loads(content)
    except ValueError:
        # The strict parser refuses lone surrogates, but the response is paid for.
        return _whole_characters(json.loads(content))


def _whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {_whole_characters(k): _whole_characters(v) for k, v in value.items()}
    return value


def _clean(text: str) -> str:
    """Without NUL, at which other readers of the file would end the text."""
    return text.replace("\x00", "�")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_list_of_dicts(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _count(usage: dict[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _optional_text(value: Any) -> str | None:
    return _clean(value) if isinstance(value, str) else None


def _said(error: openai.APIStatusError) -> str:
    """The server's own sentence, whichever way it puts it."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            code = inner.get("code")
            said = f"{inner['message']} ({code})" if code else str(inner["message"])
            return f"HTTP {error.status_code}: {said}"
    if "html" in error.response.headers.get("content-type", ""):
        return f"HTTP {error.status_code}: a web page"
    return f"HTTP {error.status_code}: {error.message}"


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds from a Retry-After header; its date form is rare here and taken as unsaid."""
    try:
        seconds = float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if 0 <= seconds < float("inf") else None
