"""The server's own sentence is found wherever it stands, and any body at all gives one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.teacher.server_errors import error_of_response

NESTED = json.dumps({"error": {"message": "overloaded", "code": 503}})
SENTENCES: dict[str, tuple[Any, str]] = {
    "error with message": ({"error": {"message": "no room"}}, "no room"),
    "error with message and code": (
        {"error": {"message": "no room", "code": "full_house"}},
        "no room (full_house)",
    ),
    "the status again as code": ({"error": {"message": "no room", "code": 503}}, "no room"),
    "error as text": ({"error": "no room"}, "no room"),
    "error as a kind, beside a message": (
        {"status": 500, "error": "Internal Server Error", "message": "no room"},
        "no room",
    ),
    "error within error": ({"error": {"error": {"message": "no room"}}}, "no room"),
    "detail as text": ({"detail": "no room"}, "no room"),
    "detail as list": (
        {"detail": [{"loc": ["body", "messages", 0], "msg": "Field required", "type": "missing"}]},
        "body.messages.0: Field required",
    ),
    "detail as object": ({"detail": {"message": "no room"}}, "no room"),
    "message": ({"message": "no room"}, "no room"),
    "Message": ({"Message": "no room", "__type": "Busy"}, "no room"),
    "msg": ({"code": 1302, "msg": "no room"}, "no room (1302)"),
    "errors": ({"errors": [{"message": "no room"}, {"message": "no key"}]}, "no room; no key"),
    "a list of errors": ([{"error": {"message": "no room", "status": "FULL"}}], "no room"),
    "a JSON text in a message": ({"error": {"message": NESTED}}, "overloaded"),
    "a gateway that quotes": (
        {"error": {"message": "Provider returned error", "metadata": {"raw": NESTED}}},
        "Provider returned error: overloaded",
    ),
    "plain text": (b"no room", "no room"),
    "a JSON text": (b'"no room"', "no room"),
    "half a JSON": (b'{"error": {"mess', '{"error": {"mess'),
    "a title": (
        b"<html><head><title>502 Bad\n Gateway</title></head><body>nginx</body></html>",
        "a web page (502 Bad Gateway)",
    ),
    "a heading": (
        b"<!DOCTYPE html><title></title><h1>We&rsquo;ll be <b>back</b></h1>",
        "a web page (We\u2019ll be back)",
    ),
    "a page without words": (b"<html><body></body></html>", "a web page"),
    "XML": (b"<Error><Code>Busy</Code><Message>no room</Message></Error>", "Busy no room"),
    "nothing": (b"", "Service Unavailable"),
    "an empty object": ({}, "Service Unavailable"),
    "an error without words": ({"error": {"message": ""}}, "Service Unavailable"),
    "null": (None, "Service Unavailable"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_the_servers_own_sentence_is_read_wherever_it_stands(name: str) -> None:
    body, sentence = SENTENCES[name]
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert error_of_response(raw, "", 503).message == sentence


def test_the_status_that_a_body_names_is_the_innermost() -> None:
    body = json.dumps({"status": 500, "error": {"code": "429", "message": "slow down"}}).encode()
    assert error_of_response(body, "application/json", 200).status == 429


DELAY = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        ({"error": {"message": "m", "metadata": {"headers": {"Retry-After": "4"}}}}, "4"),
        ({"error": {"message": "m", "details": DELAY}}, "34s"),
        ([{"error": {"message": "m", "details": DELAY}}], "34s"),
        ({"error": {"message": "m", "retry_after": 12}}, "12"),
        ({"error": "m", "retryAfter": "3"}, "3"),
        ({"error": "m", "estimated_time": 20.5}, "20.5"),
    ],
)
def test_a_wait_in_the_body_is_read_as_the_header_would_be(body: Any, wait: str) -> None:
    error = error_of_response(json.dumps(body).encode(), "application/json", 429)
    assert error.headers == {"retry-after": wait}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "code", "metadata", "raw", "x"]), inner
        )
    ),
    max_leaves=12,
)


@given(values, st.sampled_from([200, 400, 503, 599]))
def test_any_json_gives_some_words(value: Any, status: int) -> None:
    assert error_of_response(json.dumps(value).encode(), "application/json", status).message


@given(st.binary(max_size=200), st.sampled_from(["", "text/html", "application/json"]))
def test_any_bytes_give_some_words(body: bytes, content_type: str) -> None:
    assert error_of_response(body, content_type, 500).message


def test_a_body_of_megabytes_or_of_endless_depth_is_read_all_the_same() -> None:
    assert error_of_response(b"[" * 1_000_000, "application/json", 503).message
    nested = json.dumps({"error": {"message": "[" * 3000}}).encode()
    assert error_of_response(nested, "application/json", 503).message
    assert error_of_response(b"<p>" * 1_000_000, "text/html", 503).message == "a web page"
