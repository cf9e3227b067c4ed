"""How long a server asks to wait, in every form in which servers say it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.generate.retries import RetryPolicy
from geostore.teacher.waits import seconds_to_wait

NOW = datetime(2026, 9, 21, 14, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())

WAITS: dict[str, tuple[dict[str, str], float | None]] = {
    "nothing": ({}, None),
    "seconds": ({"retry-after": "7"}, 7),
    "parts of a second": ({"retry-after": "0.5"}, 0.5),
    "a date": ({"retry-after": "Mon, 21 Sep 2026 14:01:30 GMT"}, 90),
    "a date that has passed": ({"retry-after": "Mon, 21 Sep 2026 13:00:00 GMT"}, 0),
    "a date on a clock that goes wrong": (
        {"retry-after": "Mon, 21 Sep 2026 15:00:10 GMT", "date": "Mon, 21 Sep 2026 15:00:00 GMT"},
        10,
    ),
    "milliseconds": ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
    "a span": ({"retry-after": "2s"}, 2),
    "a moment since 1970": ({"retry-after": str(EPOCH + 7)}, 7),
    "a timestamp": ({"retry-after": "2026-09-21T14:00:10Z"}, 10),
    "the header twice": ({"retry-after": "3, 3"}, 3),
    "a gateway's own name": ({"x-ratelimit-retry-after": "5"}, 5),
    "Cerebras": (
        {"x-ratelimit-reset-tokens-day": "12.5", "x-ratelimit-remaining-tokens-day": "0"},
        12.5,
    ),
    "a later draft of a standard": ({"ratelimit": '"default";r=0;t=12'}, 12),
    "a later draft, with something left": ({"ratelimit": '"default";r=3;t=12'}, None),
    "no number": ({"retry-after": "soon"}, None),
    "a negative number": ({"retry-after": "-1"}, None),
    "no end": ({"retry-after": "inf"}, None),
    "OpenAI, requests": ({"x-ratelimit-reset-requests": "1s"}, 1),
    "OpenAI, tokens": ({"x-ratelimit-reset-tokens": "6m0s"}, 360),
    "OpenAI, milliseconds": ({"x-ratelimit-reset-requests": "120ms"}, 0.12),
    "Groq": ({"x-ratelimit-reset-tokens": "2m59.56s"}, 179.56),
    "both, and one is used up": (
        {
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-tokens": "6m0s",
            "x-ratelimit-remaining-tokens": "100000",
        },
        1,
    ),
    "both, and neither says which": (
        {"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"},
        360,
    ),
    "Retry-After before the limits": ({"retry-after": "3", "x-ratelimit-reset-tokens": "1h"}, 3),
    "Anthropic": (
        {
            "anthropic-ratelimit-requests-reset": "2026-09-21T14:00:20Z",
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-input-tokens-reset": "2026-09-21T14:01:00Z",
            "anthropic-ratelimit-input-tokens-remaining": "5000",
        },
        20,
    ),
    "Anthropic, one limit": ({"anthropic-ratelimit-tokens-reset": "2026-09-21T16:00:40+02:00"}, 40),
    "OpenRouter": ({"x-ratelimit-reset": str(1000 * EPOCH + 2500)}, 2.5),
    "seconds since 1970": ({"x-ratelimit-reset": str(EPOCH + 30)}, 30),
    "seconds from now": ({"x-ratelimit-reset": "12"}, 12),
    "a moment that has passed": ({"x-ratelimit-reset": "1690000000000"}, None),
    "as of the draft of a standard": ({"ratelimit-reset": "15"}, 15),
    "a limit without sense": ({"x-ratelimit-reset-tokens": "later"}, None),
}


@pytest.mark.parametrize("name", WAITS)
def test_the_wait_is_read_in_each_form(name: str) -> None:
    headers, seconds = WAITS[name]
    wait = seconds_to_wait(headers, limited=True, now=NOW)
    assert wait == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 20s. Visit the page", 20),
        ("Please try again in 6m0s.", 360),
        ("Please retry in 34.07s.", 34.07),
        ("Try again in 1 second", 1),
        ("please wait 3 seconds", 3),
        ("Please try again in 5 minutes", 300),
        ("Please wait 1 hour", 3600),
        ("Try again in 500 milliseconds", 0.5),
        ("retry after 200ms", 0.2),
        ("Try again later", None),
        ("At most 20 requests in 60s", None),
    ],
)
def test_the_wait_is_read_from_the_sentence_of_a_rate_limit(
    message: str, seconds: float | None
) -> None:
    assert seconds_to_wait({}, message=message, limited=True, now=NOW) == seconds
    assert seconds_to_wait({}, message=message, limited=False, now=NOW) is None


@given(
    st.dictionaries(
        st.sampled_from(
            ["retry-after", "retry-after-ms", "x-ratelimit-reset", "x-ratelimit-reset-tokens"]
        )
        | st.sampled_from(["anthropic-ratelimit-tokens-reset", "date"]),
        st.text(max_size=12) | st.floats().map(str) | st.integers().map(str),
    ),
    st.text(max_size=40),
    st.booleans(),
)
def test_no_header_gives_a_wait_that_nobody_could_wait(
    headers: dict[str, str], message: str, limited: bool
) -> None:
    wait = seconds_to_wait(headers, message=message, limited=limited, now=NOW)
    assert wait is None or 0 <= wait < float("inf")


@pytest.mark.parametrize(
    "value",
    [
        "1e308",
        "1e309",
        "inf",
        "nan",
        "-1e308",
        "9" * 5000,
        "9" * 400 + "h",
        "Mon, 01 Jan 9999 23:59:59 -9999",
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "Mon, 99999999999999999999 Jan 2026 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999",
        "9999-12-31T23:59:59-23:59",
        "99999-01-01T00:00:00Z",
    ],
)
@pytest.mark.parametrize(
    "name", ["retry-after", "retry-after-ms", "date", "x-ratelimit-reset", "message"]
)
def test_no_value_overflows(name: str, value: str) -> None:
    """A date of a far century once ended a trace, as an error of the program's own."""
    headers = {name: value, **({"retry-after": "Mon, 01 Jan 2026"} if name == "date" else {})}
    wait = seconds_to_wait(headers, message=f"try again in {value}", limited=True, now=NOW)
    assert wait is None or 0 <= wait <= 366 * 86400
    assert 0 <= RetryPolicy().wait(10**6, wait) <= 360
