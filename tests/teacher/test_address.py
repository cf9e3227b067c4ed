"""A base URL: its secrets are sent, and stand in no message."""

from __future__ import annotations

import pytest

from geostore.errors import TeacherUnusable
from geostore.teacher.address import Address


@pytest.mark.parametrize(
    ("url", "shown", "login", "query", "secret"),
    [
        ("https://h/v1?key=s3cr3t", "https://h/v1", None, "key=s3cr3t", "s3cr3t"),
        ("https://h:8/v1?code=a%2Fbc", "https://h:8/v1", None, "code=a%2Fbc", "a/bc"),
        ("https://h/v1?key=one+two", "https://h/v1", None, "key=one+two", "one two"),
        ("https://h/v1?s3cr3t", "https://h/v1", None, "s3cr3t", "s3cr3t"),
        ("https://me:p%40ss@h/v1", "https://h/v1", ("me", "p@ss"), "", "p@ss"),
        ("https://t0ken@h/v1", "https://h/v1", ("t0ken", ""), "", "t0ken"),
        ("https://h/v1?a=1;key=s3cr3t", "https://h/v1", None, "a=1;key=s3cr3t", "s3cr3t"),
        ("https://h/v1#s3cr3t", "https://h/v1", None, "", None),
    ],
)
def test_secrets_are_taken_out_of_what_is_shown_and_stay_in_what_is_sent(
    url: str, shown: str, login: tuple[str, str] | None, query: str, secret: str | None
) -> None:
    address = Address.of(url)
    assert (address.shown, address.login, address.query) == (shown, login, query)
    assert secret is None or secret in address.secrets
    assert list(address.secrets) == sorted(address.secrets, key=len, reverse=True)
    assert not any(hidden in repr(address) for hidden in address.secrets)


def test_what_is_too_short_for_a_secret_is_masked_only_with_its_name() -> None:
    """Else every 1 in a message would be hidden."""
    assert set(Address.of("https://h/v1?v=1&x").secrets) == {"v=1&x", "v=1"}
    assert Address.of("https://me:a@h/v1").secrets == ()


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1:8000", True),
        ("127.8.9.10", True),
        ("localhost:8000", True),
        ("LocalHost.", True),
        ("teacher.localhost", True),
        ("[::1]:8000", True),
        ("[::ffff:127.0.0.1]", True),
        ("0.0.0.0:8000", True),
        ("me:word@127.0.0.1", True),
        ("128.0.0.1", False),
        ("192.168.0.7:8000", False),
        ("[fe80::1]", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("127.0.0.1@example.com", False),
    ],
)
def test_a_loopback_address_is_told_from_any_other(host: str, is_local: bool) -> None:
    assert Address.of(f"http://{host}/v1").is_local == is_local


@pytest.mark.parametrize(
    ("url", "shown", "query"),
    [
        ("  http://h:8000/v1\n", "http://h:8000/v1", ""),
        ('"http://h/v1"', "http://h/v1", ""),
        ("http://h/v1/chat/completions", "http://h/v1", ""),
        ("http://h/v1/chat/completions/", "http://h/v1", ""),
        ("https://h/openai/d/chat/completions?code=s3cr3t", "https://h/openai/d", "code=s3cr3t"),
        ("http://h/v1/", "http://h/v1/", ""),
        ("HTTP://H", "http://H", ""),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1", ""),
        ("https://m\u00fcnchen.example/v1", "https://m\u00fcnchen.example/v1", ""),
        ("https://h/models/@me/v1", "https://h/models/@me/v1", ""),
        ("https://h:8/v1?user=me@example.com", "https://h:8/v1", "user=me@example.com"),
    ],
)
def test_what_has_one_meaning_is_mended(url: str, shown: str, query: str) -> None:
    address = Address.of(url)
    assert (address.shown, address.query) == (shown, query)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:8000/v1", "write http://localhost:8000/v1 "),
        ("127.0.0.1:8000/v1", "write http://127.0.0.1:8000/v1 "),
        ("api.example.com/v1", "write https://api.example.com/v1 "),
        ("httpbin.example/v1", "write https://httpbin.example/v1 "),
        ("//h/v1", "write https://h/v1 "),
        ("http:/h/v1", "write http://h/v1 "),
        ("http:h/v1", "write http://h/v1 "),
        ("https//h/v1", "write https://h/v1 "),
        ("me:hush@h:8/v1?key=hush", "write https://h:8/v1 "),
        ("ftp://h/v1", "http:// or https://"),
        ("file:///v1?hush", "http:// or https://"),
        ("http:///v1", "names no host"),
        ("http://", "names no host"),
        ("http://me:hush@/v1", "names no host"),
        ("http://my host/v1", "holds a space"),
        ("http://h/v1 --model hush@x", "holds a space"),
        ("http://h/v1\x00", "holds a space"),
        ("http://h:port/v1", "http://HOST:PORT/v1"),
        ("http://h:99999/v1", "http://HOST:PORT/v1"),
        ("http://[::1/v1", "http://HOST:PORT/v1"),
        ("http://me:hu/sh@h/v1", "write %2F"),
        ("http://me:12/sh@h/v1", "write %2F"),
        ("http://me:hu?sh@h/v1", "write %2F"),
        ("http://me:hu#sh@h/v1", "write %2F"),
    ],
)
def test_what_is_no_base_url_is_refused_with_what_to_write(url: str, words: str) -> None:
    with pytest.raises(TeacherUnusable) as refused:
        Address.of(url)
    message = str(refused.value)
    assert words in message
    assert message.endswith("(see --base-url)")
    assert not any(secret in message for secret in ("hush", "hu/sh", "12/sh", "sh@"))
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
