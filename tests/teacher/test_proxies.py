"""Proxies and certificates of the environment: which requests they concern."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from geostore.errors import TeacherUnusable
from geostore.records import Reply as Answered
from tests.asking import ask
from tests.running import geostore
from tests.teacher_server import Fault, Reply, TeacherServer, free_address, teacher_server

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
ELSEWHERE = "http://teacher.invalid:8000/v1"
"""Only a proxy can answer there: no name server knows a name under .invalid (RFC 6761)."""
SECURE = ELSEWHERE.replace("http:", "https:")


@pytest.fixture(autouse=True)
def _no_proxies_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextmanager
def proxy() -> Iterator[TeacherServer]:
    """A server that answers what is sent to it for any host."""
    with teacher_server(lambda body: Reply("by proxy")) as server:
        yield server


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("value", [None, "socks5://127.0.0.1:1", "no-scheme://x"])
def test_no_proxy_is_asked_for_a_teacher_on_this_machine(
    host: str, name: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would look on its own machine. One that cannot be used is not even looked at."""
    monkeypatch.setenv(name, value or free_address())
    with teacher_server(lambda body: Reply("here")) as server:
        (reply,) = ask(server.url.replace("127.0.0.1", host))
    assert isinstance(reply, Answered), reply
    assert reply.response == "here"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_asked_for_any_other_teacher(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy() as server:
        monkeypatch.setenv(name, server.url.removesuffix("/v1"))
        (reply,) = ask(ELSEWHERE)
    assert isinstance(reply, Answered), reply
    assert reply.response == "by proxy"
    assert server.paths == [f"{ELSEWHERE}/chat/completions"]


@pytest.mark.parametrize(
    "value", ["teacher.invalid", "invalid", ".invalid", "x, teacher.invalid", "*"]
)
def test_a_host_in_no_proxy_is_asked_itself(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy() as server:
        monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
        monkeypatch.setenv("NO_PROXY", value)
        (error,) = ask(ELSEWHERE)
    assert isinstance(error, TeacherUnusable)
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "name", "value"),
    [
        (ELSEWHERE, "ALL_PROXY", "socks5://me:sk-secret@127.0.0.1:1"),
        (ELSEWHERE, "HTTPS_PROXY", "no-scheme://me:sk-secret@127.0.0.1:1"),
        (SECURE, "SSL_CERT_FILE", "/no/such/file"),
    ],
)
def test_what_the_environment_names_and_no_client_can_use_ends_the_run_with_a_sentence(
    url: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    (error,) = ask(url)
    assert isinstance(error, TeacherUnusable)
    assert name in str(error)
    assert "unset it" in str(error)
    assert "sk-secret" not in str(error)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_message_and_no_row_shows_a_password_of_a_proxy_of_the_environment(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    """The proxy answers with what it was sent, as some do on a 407."""
    login, coded = "me:hu%2Fsh-qwmx", b64encode(b"me:hu/sh-qwmx").decode()
    echo = f"bad login: Proxy-Authorization: Basic {coded}, {login}, hu/sh-qwmx".encode()
    store, log = tmp_path / "geostore.db", tmp_path / "events.jsonl"
    with teacher_server(
        lambda body: Reply("by proxy"), script=lambda number, body: Fault(500, echo)
    ) as server:
        url = server.url.removesuffix("/v1").replace("http://", f"http://{login}@")
        ended = geostore(
            *("--debug", "generate", "--dataset-path", photo_dataset, "--store", store),
            *("--num-samples", "1", "--base-url", ELSEWHERE, "--model", "m"),
            *("--log-file", log, "--max-attempts", "1", "--give-up-after", "0"),
            **{name: url},
        )
        assert server.paths, ended.stderr
    assert "bad login" in ended.stderr
    assert "bad login" in log.read_text()
    with closing(sqlite3.connect(store)) as connection:
        rows = "\n".join(connection.iterdump())
    assert "bad login" in rows
    for text in (ended.stdout, ended.stderr, log.read_text(), rows):
        for secret in ("hu%2Fsh", "hu/sh", "qwmx", coded):
            assert secret not in text


def test_generate_asks_the_offline_teacher_whatever_proxies_there_are(
    photo_dataset: Path, tmp_path: Path
) -> None:
    dead = free_address()
    ended = geostore(
        *("generate", "--dataset-path", photo_dataset, "--store", tmp_path / "geostore.db"),
        *("--num-samples", "1", "--teacher", "offline"),
        HTTP_PROXY=dead,
        HTTPS_PROXY=dead,
        ALL_PROXY=dead,
    )
    assert ended.returncode == 0, ended.stderr
    assert "1 trace closed" in ended.stderr


def test_certificates_of_the_environment_hold_on_this_machine_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    (error,) = ask("https://127.0.0.1:1/v1")
    assert "SSL_CERT_FILE" in str(error)
