"""A proxy and certificates that an option names, whatever the environment says."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import TeacherUnusable
from geostore.records import Reply as Answered
from geostore.store import Store
from geostore.teacher import Route, Travel
from tests.asking import ask
from tests.certificates import other_file, trusted_file
from tests.minds import zoom_then_answer
from tests.raw_server import (
    completion,
    raw_server,
    read_request,
    response,
    tunnelling_proxy,
)
from tests.running import geostore
from tests.teacher_server import Fault, Reply, free_address, teacher_server

ELSEWHERE = "http://teacher.invalid:8000/v1"
"""Only a proxy can answer there: no name server knows a name under .invalid (RFC 6761)."""


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def by(proxy: str | None = None, ca_file: Path | None = None) -> Travel:
    return Travel(route=Route.of(proxy, ca_file))


@pytest.mark.parametrize("elsewhere", [None, "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"])
def test_a_proxy_that_an_option_names_is_asked_whatever_the_environment_names(
    elsewhere: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if elsewhere is not None:
        monkeypatch.setenv(elsewhere, "*" if elsewhere == "NO_PROXY" else free_address())
    with teacher_server(lambda body: Reply("by proxy")) as server:
        (reply,) = ask(ELSEWHERE, travel=by(server.url.removesuffix("/v1")))
    assert isinstance(reply, Answered), reply
    assert server.paths == [f"{ELSEWHERE}/chat/completions"]


def test_a_name_and_password_go_to_the_proxy_alone() -> None:
    with teacher_server(lambda body: Reply("by proxy")) as server:
        proxy = server.url.removesuffix("/v1").replace("://", "://me:hush%2F4711@")
        ask(ELSEWHERE, travel=by(proxy))
    login = base64.b64encode(b"me:hush/4711").decode()
    assert server.headers[0]["proxy-authorization"] == f"Basic {login}"
    assert server.headers[0]["authorization"] == "Bearer sk-secret"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_none_leaves_out_the_proxy_of_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with teacher_server(lambda body: Reply("by proxy")) as server:
        monkeypatch.setenv(name, server.url.removesuffix("/v1"))
        (error,) = ask(ELSEWHERE, travel=by("none"))
    assert isinstance(error, TeacherUnusable)
    assert server.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_is_asked_for_a_teacher_on_this_machine(host: str) -> None:
    with teacher_server(lambda body: Reply("here")) as server:
        url = server.url.replace("127.0.0.1", host)
        (reply,) = ask(url, travel=by(free_address().removesuffix("/v1")))
    assert isinstance(reply, Answered), reply


def test_a_reply_comes_piece_by_piece_through_a_proxy_too() -> None:
    with teacher_server(lambda body: Reply("by proxy"), stream_gap=0.02) as server:
        route = Route.of(server.url.removesuffix("/v1"), None)
        (reply,) = ask(ELSEWHERE, travel=Travel(stream=True, route=route))
    assert isinstance(reply, Answered), reply
    assert (reply.response, reply.total_tokens) == ("by proxy", 120)
    assert reply.first_token_ms is not None
    assert reply.first_token_ms < reply.latency_ms


def answering(connection: socket.socket, number: int) -> None:
    while True:
        read_request(connection)
        connection.sendall(response(completion("by TLS")))


@pytest.mark.parametrize("environment", [None, "/no/such/file"])
def test_certificates_that_an_option_names_are_trusted(
    environment: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if environment is not None:
        monkeypatch.setenv("SSL_CERT_FILE", environment)
    with raw_server(answering, tls=True) as server:
        (reply,) = ask(server.url.replace("http:", "https:"), travel=by(ca_file=trusted_file()))
    assert isinstance(reply, Answered), reply


def test_certificates_that_an_option_names_are_trusted_behind_a_proxy() -> None:
    with tunnelling_proxy() as (proxy, heads), raw_server(answering, tls=True) as server:
        travel = by(f"http://me:hush-4711@127.0.0.1:{proxy.port}", trusted_file())
        (reply,) = ask(f"https://teacher.invalid:{server.port}/v1", travel=travel)
    assert isinstance(reply, Answered), reply
    (head,) = heads
    assert "proxy-authorization: basic" in head.lower()
    # The tunnel's other end gets what is meant for it, unseen by the proxy.
    assert "sk-secret" not in head


def test_the_servers_own_certificate_is_enough(tmp_path: Path) -> None:
    """It is what openssl and a browser show; the authority that signed it may be unknown."""
    own = tmp_path / "server.pem"
    with raw_server(answering, tls=True) as server:
        own.write_text(ssl.get_server_certificate(("127.0.0.1", server.port)))
        (reply,) = ask(server.url.replace("http:", "https:"), travel=by(ca_file=own))
    assert isinstance(reply, Answered), reply


def test_a_certificate_that_is_not_among_them_is_refused() -> None:
    with raw_server(answering, tls=True) as server:
        (error,) = ask(server.url.replace("http:", "https:"), travel=by(ca_file=other_file()))
    assert isinstance(error, TeacherUnusable)
    assert "certificate" in str(error)


@pytest.mark.parametrize(
    ("proxy", "sentence"),
    [
        ("proxy.example.com:3128", "does not begin with http"),
        ("ftp://hush-4711@proxy:3128", "does not begin with http"),
        ("http://me:hush-4711@proxy", "names no host and port"),
        ("http://:3128", "names no host and port"),
        ("http://me:hush-4711@proxy:x", "host and port that can be read"),
        ("http://me:hush/4711@proxy:3128", "host and port that can be read"),
        ("http://proxy:3128/v1", "something behind its port"),
        ("", "does not begin with http"),
    ],
)
def test_a_proxy_that_is_none_is_refused_without_quoting_it(proxy: str, sentence: str) -> None:
    with pytest.raises(TeacherUnusable, match=sentence) as raised:
        Route.of(proxy, None)
    assert "--proxy" in str(raised.value)
    assert "4711" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "No such file"), ("no certificate", "PEM form")]
)
def test_a_file_that_holds_no_certificates_is_named(
    content: str | None, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TeacherUnusable, match=sentence) as raised:
        Route.of(None, path)
    assert "--ca-file" in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_folder_of_certificates_may_be_named(tmp_path: Path) -> None:
    assert Route.of(None, tmp_path).tls() is not None


def generate(photo_dataset: Path, store: Path, *options: str) -> Any:
    command = ["generate", "--dataset-path", str(photo_dataset), "--store", str(store)]
    return geostore(
        *command, "--num-samples", "1", "--model", "gpt-4o", *options, OPENAI_API_KEY="k"
    )


@pytest.mark.parametrize("status", [200, 407])
def test_the_password_of_a_proxy_is_stored_logged_and_shown_nowhere(
    status: int, photo_dataset: Path, tmp_path: Path
) -> None:
    body = b'{"error": {"message": "the proxy wants another than me:hush-4711 (hush-4711)"}}'
    store, log = tmp_path / "geostore.db", tmp_path / "events.jsonl"
    script = lambda n, b: None if status == 200 else Fault(status, body)  # noqa: E731
    with (
        Store.open(store, create=True),
        teacher_server(zoom_then_answer, script=script) as server,
    ):
        proxy = server.url.removesuffix("/v1").replace("://", "://me:hush-4711@")
        options = ["--base-url", ELSEWHERE, "--proxy", proxy, "--log-file", str(log)]
        ended = generate(photo_dataset, store, *options)
        assert len(server.requests) >= 1
        held = [p.name for p in tmp_path.iterdir() if p.is_file() and b"hush" in p.read_bytes()]
        assert held == []
        assert "hush" not in ended.stdout + ended.stderr
    with Store.open(store) as opened:
        (arguments,) = opened.db.connection.execute("select arguments from runs").fetchone()
    assert json.loads(arguments)["teacher"]["proxy"] == server.url.removesuffix("/v1")


def test_a_proxy_that_is_not_asked_is_said(photo_dataset: Path, tmp_path: Path) -> None:
    with teacher_server(zoom_then_answer) as server:
        options = ["--base-url", server.url, "--proxy", "http://127.0.0.1:1"]
        ended = generate(photo_dataset, tmp_path / "g.db", *options)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("asked without the proxy") == 1
