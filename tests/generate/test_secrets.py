"""Secrets are sent with each request, and left behind nowhere."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

from geostore.store import Store
from tests.minds import zoom_then_answer
from tests.running import command, environment, geostore
from tests.teacher_server import Body, Fault, Reply, teacher_server

# No word of hexadecimal digits, which hashes and process ids would hold now and then.
SECRETS = {
    "a key": ("", "?key=AIzaSy-hush-qwmx"),
    "a code with escapes": ("", "?api-version=2024-10-21&code=hush%2Fqwmx%3D%3D"),
    "a password and a key": ("me:hush-qwmx@", "?sig=hush%20qwnx"),
    "a word without a name": ("", "?hushqwmx"),
}


def traces_of(secret: str, folder: Path) -> list[str]:
    """The files of a folder, the store's -wal among them, that hold a part of a secret."""
    return [p.name for p in folder.iterdir() if p.is_file() and secret.encode() in p.read_bytes()]


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("status", [400, 404, 500])
def test_no_byte_of_a_secret_in_the_base_url_is_stored_logged_or_shown(
    name: str, status: int, photo_dataset: Path, tmp_path: Path
) -> None:
    """The server repeats it as it was written and as it reads it, in each failure."""
    user, query = SECRETS[name]
    said = f"bad request for /v1/chat/completions{query} ({unquote(query)}) of {user}"
    body = json.dumps({"error": {"message": said, "code": unquote(query)}}).encode()
    store, log = tmp_path / "geostore.db", tmp_path / "events.jsonl"

    def script(number: int, _: Body) -> Reply | Fault | None:
        # A 404 ends the run, so it comes last.
        return Fault(status, body) if number == (6 if status == 404 else 2) else None

    with (
        # Kept open, so that the run's end does not remove the -wal file.
        Store.open(store, create=True),
        teacher_server(zoom_then_answer, script=script) as server,
    ):
        url = server.url.replace("http://", f"http://{user}") + query
        options: list[str | Path] = [
            "--dataset-path",
            photo_dataset,
            "--store",
            store,
            "--num-samples",
            "4",
        ]
        options += ["--base-url", url, "--model", "gpt-4o", "--concurrency", "1", "--verbose"]
        ended = geostore(*("--debug", "generate", *options, "--log-file", log), OPENAI_LOG="debug")
        assert (tmp_path / "geostore.db-wal").stat().st_size > 0
        assert len(server.paths) >= 7
        assert set(server.paths) == {f"/v1/chat/completions{query}"}
        assert "bad request for" in ended.stderr
        assert "bad request for" in log.read_text()
        for text in ("hush", "qwmx", "qwnx"):
            assert traces_of(text, tmp_path) == []
            assert text not in ended.stdout + ended.stderr
        with Store.open(store) as opened:
            (arguments,) = opened.db.connection.execute("select arguments from runs").fetchone()
    assert json.loads(arguments)["teacher"]["base_url"] == server.url


OPTIONS: dict[str, tuple[list[str], dict[str, str], str]] = {
    "a header": (["--header", "X-Key: hush-qwmx"], {}, "hush-qwmx"),
    "a token": (["--header", "Authorization: Bearer hush-qwmx"], {}, "key hush-qwmx"),
    "a header from the environment": (
        ["--header", "X-Key: Token env:THEIRS"],
        {"THEIRS": "hush-qwmx"},
        "Token hush-qwmx or hush-qwmx",
    ),
    "a cookie": (["--header", "Cookie: a=hush-qwmx; b=hush-qwnx"], {}, "hush-qwnx, hush-qwmx"),
    "a query parameter": (
        ["--query-param", "code=hush/qwmx==", "--query-param", "sig=env:THEIRS"],
        {"THEIRS": "hush-qwnx"},
        "?code=hush%2Fqwmx%3D%3D&sig=hush-qwnx (hush/qwmx==)",
    ),
    "a key in another header": (
        ["--api-key-header", "X-Key"],
        {"OPENAI_API_KEY": "hush-qwmx"},
        "key hush-qwmx",
    ),
    "a key file": (["--api-key-file", "{folder}/key"], {}, "key hush-qwmx"),
    "a command": (
        ["--api-key-command", "printf hush; printf -- -qwmx; echo hush-qwnx >&2"],
        {},
        "key hush-qwmx",
    ),
    "a command that prints JSON": (
        ["--api-key-command", 'echo \'{"access_token": "hush-qwmx", "expires_in": 3600}\''],
        {},
        "key hush-qwmx",
    ),
    "a member": (["--transport", '{"api_key": "hush-qwmx"}'], {}, "key hush-qwmx"),
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("status", [401, 500])
def test_no_byte_of_a_secret_in_an_option_is_stored_logged_or_shown(
    name: str, status: int, photo_dataset: Path, tmp_path: Path
) -> None:
    secret, environment, repeated = OPTIONS[name]
    body = json.dumps({"error": {"message": f"bad request: {repeated}", "code": repeated}}).encode()
    store, log = tmp_path / "geostore.db", tmp_path / "events.jsonl"
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "key").write_text("hush-qwmx\n")
    secret = [word.replace("{folder}", str(keys)) for word in secret]

    def script(number: int, _: Body) -> Fault | None:
        # Several 401 in a row end the run; a 500 is tried again.
        return Fault(status, body) if number == 3 or (status == 401 and number > 3) else None

    with (
        Store.open(store, create=True),
        teacher_server(zoom_then_answer, script=script) as server,
    ):
        ended = geostore(
            *("--debug", "generate", "--dataset-path", photo_dataset, "--store", store),
            *("--num-samples", "4", "--base-url", server.url, "--model", "gpt-4o"),
            *("--concurrency", "1", "--verbose", "--log-file", log),
            *secret,
            OPENAI_LOG="debug",
            **environment,
        )
        sent = json.dumps([server.headers[0], server.paths[0], server.bodies[0]])
        assert "hush" in sent
        assert "bad request: " in log.read_text()
        for text in ("hush", "qwmx", "qwnx"):
            assert traces_of(text, tmp_path) == []
            assert text not in ended.stdout + ended.stderr


def test_a_debug_log_of_the_client_that_goes_through_a_proxy_shows_no_secret(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """In a process of its own, because its library reads the variable when it is imported."""
    with teacher_server(zoom_then_answer) as server:
        ended = subprocess.run(
            command(
                *("--debug", "generate", "--dataset-path", photo_dataset, "--num-samples", "1"),
                *("--store", tmp_path / "geostore.db", "--model", "gpt-4o"),
                *("--base-url", "http://me:hush-2@teacher.invalid/v1?key=hush-3"),
                *("--header", "X-Key: hush-1", "--query-param", "code=hush-4"),
                *("--api-key-header", "X-Api", "--transport", '{"api_key": "hush-5"}'),
                *("--proxy", server.url.removesuffix("/v1")),
            ),
            env=environment(OPENAI_LOG="debug", OPENAI_API_KEY="hush-6"),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 0, ended.stderr
    assert "DEBUG" in ended.stderr
    sent = json.dumps([server.headers[0], server.paths[0], server.bodies[0]])
    assert all(f"hush-{number}" in sent for number in (1, 3, 4, 5, 6))
    assert "hush" not in ended.stdout + ended.stderr
    assert traces_of("hush", tmp_path) == []


def test_a_key_that_ends_in_a_line_break_is_sent_without_it(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        ended = geostore(
            *("generate", "--dataset-path", photo_dataset, "--store", store, "--num-samples", "1"),
            *("--base-url", server.url, "--model", "gpt-4o"),
            OPENAI_API_KEY="sk-hush-qwmx\n",
        )
    assert ended.returncode == 0, ended.stderr
    assert server.headers[0]["authorization"] == "Bearer sk-hush-qwmx"
    assert traces_of("hush", tmp_path) == []
