"""Reads how long a server asks to wait before the next request."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)")
_SAID = re.compile(
    r"(?:try again|retry|wait)(?: in| after|ing)?:?\s+(?:for |about |at least )*"
    r"((?:\d+(?:\.\d+)?(?:h|ms|m|s))+\b|\d+(?:\.\d+)? ?(?:s\b|sec|min|hour|milli))",
    re.IGNORECASE,
)
_UNIT_WORDS = {"s": 1.0, "sec": 1.0, "min": 60.0, "hour": 3600.0, "milli": 1e-3}
_RETRY_AFTER = ("retry-after", "x-retry-after", "x-ratelimit-retry-after")
_LEFT_AND_RESET = re.compile(r"\br=0\b.*?\bt=(\d+)")
"""A used-up limit in the header ``ratelimit``, as of the IETF's draft."""

_LIMITS = (
    # The headers of one limit: when it is full again, and what is left of it.
    *(
        (f"x-ratelimit-reset-{of}", f"x-ratelimit-remaining-{of}")
        for of in (
            *("requests", "requests-minute", "requests-day", "project-requests"),
            *("tokens", "tokens-minute", "tokens-day", "project-tokens"),
        )
    ),
    *(
        (f"anthropic-ratelimit-{of}-reset", f"anthropic-ratelimit-{of}-remaining")
        for of in ("requests", "tokens", "input-tokens", "output-tokens")
    ),
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
    ("x-ratelimit-reset-after", "x-ratelimit-remaining"),
    ("ratelimit-reset", "ratelimit-remaining"),
)
_FIRST_EPOCH = 1e9
"""Smaller numbers count seconds from now; larger ones count them from 1970 (this is in 2001)."""
_FIRST_EPOCH_MS = 1e11
_LONGEST = 366 * 86400.0
"""What asks for more, up to infinity, is as good as for ever."""


def seconds_to_wait(
    headers: Mapping[str, str], *, message: str = "", limited: bool, now: datetime
) -> float | None:
    """Seconds that a server asks to wait, from its headers or its sentence; None: it does not say.

    headers: by lower-case name. limited: whether a rate limit refused the request; only
    then do headers that describe the limits count. Where several limits are named, the
    used-up ones decide, and of these the one that takes longest. Never more than a year.
    """
    wait = _asked_for(headers, message, limited, now)
    return None if wait is None else min(wait, _LONGEST)


def _asked_for(
    headers: Mapping[str, str], message: str, limited: bool, now: datetime
) -> float | None:
    now = _date(headers.get("date", "")) or now
    asked = _retry_after(headers, now)
    if asked is not None or not limited:
        return asked
    waits = [
        (wait, headers.get(left))
        for reset, left in _LIMITS
        if (wait := _until(headers.get(reset, ""), now)) is not None
    ]
    if match := _LEFT_AND_RESET.search(headers.get("ratelimit", "")):
        waits.append((float(match[1]), "0"))
    used_up = [wait for wait, left in waits if left is not None and _number(left) == 0]
    # A moment that has passed tells nothing of the next one.
    longest = max(used_up or (wait for wait, _ in waits), default=0.0)
    return longest if longest > 0 else _said(message)


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    for name in _RETRY_AFTER:
        value = headers.get(name, "")
        # A proxy may repeat the header; a date has a comma of its own.
        for text in (value, value.partition(",")[0]):
            if (wait := _until(text, now)) is not None:
                return wait
    return None


def _until(value: str, now: datetime) -> float | None:
    """Seconds from now to a moment: a span, seconds, seconds or ms since 1970, or a date."""
    number = _number(value)
    if number is None:
        span = _span(value)
        if span is not None:
            return span
        when = _timestamp(value) or _date(value)
        return None if when is None else max(0.0, (when - now).total_seconds())
    if number < _FIRST_EPOCH:
        return number
    since_1970 = number / 1000 if number >= _FIRST_EPOCH_MS else number
    return max(0.0, since_1970 - now.timestamp())


def _said(message: str) -> float | None:
    """The wait that a sentence asks for, as in "try again in 20s"."""
    match = _SAID.search(message)
    if match is None:
        return None
    span = _span(match[1])
    if span is not None:
        return span
    number, unit = re.findall(r"[\d.]+|[a-z]+", match[1].lower())
    return float(number) * _UNIT_WORDS[unit]


def _span(value: str) -> float | None:
    """Seconds of a span such as ``6m0s`` or ``120ms``."""
    value = value.strip()
    if not value or _SPAN.sub("", value):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(value))


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None


def _date(value: str) -> datetime | None:
    """An HTTP date."""
    try:
        when = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _timestamp(value: str) -> datetime | None:
    """A date as of RFC 3339."""
    try:
        when = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
