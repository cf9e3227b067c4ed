"""Reads a response that is no answer: the server's words, their status, and what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from geostore.teacher.http import Response
from geostore.teacher.replies import BrokenReply
from geostore.teacher.server_errors import ServerError, error_of_response
from geostore.teacher.statuses import Verdict, judge, status_of
from geostore.teacher.waits import seconds_to_wait

_STREAM_OPTIONS = re.compile(r"stream_?options|include_usage", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that is no answer, and what it means."""

    http_status: int
    """Of the response."""

    status: int
    """The one that counts: of the response, or of an error inside it."""

    error: ServerError
    """The server's words."""

    verdict: Verdict
    """What it means for the request, its trace and the run."""

    retry_after: float | None
    """Seconds that the server asks to wait; None where it does not say."""

    reply: BrokenReply | None
    """The reply inside a response of status 200; None without."""

    @property
    def sentence(self) -> str:
        """The statuses and the server's words, which may hold secrets."""
        where = f"HTTP {self.http_status}"
        if self.reply is not None:
            where = f"error {self.status} in {where}"
        return f"{where}: {self.error.message or 'no words'}"

    @property
    def is_of_stream_options(self) -> bool:
        """Whether the server does not take stream_options, which ask for the usage."""
        words = self.error.words
        return self.status in (400, 422) and _STREAM_OPTIONS.search(words) is not None


def read_refusal(response: Response, reply: BrokenReply | None, *, now: datetime) -> Refusal:
    """What a response means that is no answer. reply: inside a response of status 200."""
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
        now=now,
    )
    verdict = judge(status, error, told_to_wait=retry_after is not None)
    return Refusal(http_status, status, error, verdict, retry_after, reply)
