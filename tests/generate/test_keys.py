"""Whole runs with keys that end, are renewed, or stand in another header."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import TeacherUnusable
from geostore.store import Store
from geostore.teacher import KeyChoice, Travel
from tests.asking import ask
from tests.minds import answer
from tests.running import geostore, run
from tests.teacher_server import Body, Fault, Reply, TeacherServer, teacher_server

ANSWER = answer(48.8566, 2.3522)
EXPIRED = Fault(401, b'{"error": {"message": "token expired"}}')
IN_A_200 = Fault(200, b'{"error": {"message": "No auth credentials found", "code": 401}}')


def rows(store_path: Path, query: str) -> list[tuple[object, ...]]:
    with Store.open(store_path) as store:
        return [tuple(row) for row in store.db.connection.execute(query)]


class Gate:
    """A script that answers only requests with the key of the day.

    opens: after which number of answers the next key counts.
    """

    def __init__(self, *keys: str, opens: int = 3, refusal: Fault = EXPIRED) -> None:
        self.keys = list(keys)
        self.opens = opens
        self.refusal = refusal
        self.answers = 0
        self.server: TeacherServer | None = None

    def __call__(self, number: int, body: Body) -> Fault | None:
        assert self.server is not None
        day = min(self.answers // self.opens, len(self.keys) - 1)
        if self.server.headers[number]["authorization"] != f"Bearer {self.keys[day]}":
            return self.refusal
        self.answers += 1
        return None


def test_a_key_that_ends_in_the_middle_of_a_run_is_read_anew_from_its_file(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """One request finds out. It is asked again at once, and no attempt is noted."""
    store, path = tmp_path / "g.db", tmp_path / "key"
    path.write_text("one\n")
    gate = Gate("one", "two")

    def script(number: int, body: Body) -> Fault | None:
        refusal = gate(number, body)
        if refusal is not None:
            path.write_text("two\n")
        return refusal

    with teacher_server(lambda body: Reply(ANSWER), script=script) as server:
        gate.server = server
        teacher = {"api_key": KeyChoice("ignored", file=path)}
        run(server.url, photo_dataset, store, concurrency=1, teacher=teacher)
        assert len(server.requests) == 6 + 1
    assert rows(store, "select distinct status from traces") == [("answered",)]
    assert rows(store, "select * from attempts") == []


@pytest.mark.parametrize("refusal", [EXPIRED, IN_A_200], ids=["401", "401 in a 200"])
def test_a_command_gives_a_new_key_to_all_requests_in_flight_and_runs_once_for_it(
    refusal: Fault, photo_dataset: Path, tmp_path: Path
) -> None:
    store, count = tmp_path / "g.db", tmp_path / "count"
    command = f"echo x >> {count}; echo key-$(wc -l < {count} | tr -d ' ')"
    gate = Gate("key-1", "key-2", opens=4, refusal=refusal)
    with teacher_server(lambda body: Reply(ANSWER), script=gate, latency=0.05) as server:
        gate.server = server
        teacher = {"api_key": KeyChoice(command=command)}
        run(server.url, photo_dataset, store, num_samples=12, concurrency=4, teacher=teacher)
    assert len(count.read_text().splitlines()) == 2
    assert rows(store, "select status, count(*) from traces group by 1") == [("answered", 12)]
    assert rows(store, "select * from attempts") == []


@pytest.mark.parametrize("kind", ["file", "command"])
def test_a_key_that_is_refused_and_does_not_change_stops_the_run_as_any_key(
    kind: str, photo_dataset: Path, tmp_path: Path
) -> None:
    store, path = tmp_path / "g.db", tmp_path / "key"
    path.write_text("one")
    choice = KeyChoice(file=path) if kind == "file" else KeyChoice(command="echo one")
    gate = Gate("one", "another", opens=2)
    with teacher_server(lambda body: Reply(ANSWER), script=gate) as server:
        gate.server = server
        with pytest.raises(TeacherUnusable, match=f"see --api-key-{kind}"):
            run(server.url, photo_dataset, store, concurrency=1, teacher={"api_key": choice})
        assert len(server.requests) <= 2 + 5 + 1
    assert "failed" not in [status for (status,) in rows(store, "select status from traces")]


def test_a_command_whose_every_key_is_refused_stops_the_run(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Each is new, and none will do: asked for ever, the run would never end."""
    count = tmp_path / "count"
    command = f"echo x >> {count}; echo key-$(wc -l < {count} | tr -d ' ')"
    gate = Gate("key-1", "none", opens=2)
    with teacher_server(lambda body: Reply(ANSWER), script=gate) as server:
        gate.server = server
        teacher = {"api_key": KeyChoice(command=command)}
        with pytest.raises(TeacherUnusable, match="see --api-key-command"):
            run(server.url, photo_dataset, tmp_path / "g.db", concurrency=1, teacher=teacher)
        assert len(server.requests) <= 2 + 2 * (5 + 1)


def test_a_key_that_comes_through_a_pipe_is_read_once(tmp_path: Path) -> None:
    """As the shell's <(command) gives it: a second look would find it empty."""
    pipe = tmp_path / "key"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("sk-piped",), daemon=True)
    writer.start()
    KeyChoice(file=pipe).check()
    assert asyncio.run(KeyChoice(file=pipe).source(lambda key: None).key()) == "sk-piped"
    writer.join()


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (KeyChoice(file=Path("/no/such/file")), "no key file /no/such/file"),
        (KeyChoice(file=Path("/dev/null"), command="x"), "not both"),
        (KeyChoice("k", header="Content-Length"), "geostore's own"),
        (KeyChoice("k", header="two words"), "letters, digits and dashes"),
    ],
)
def test_a_choice_that_cannot_work_is_refused(choice: KeyChoice, sentence: str) -> None:
    with pytest.raises(TeacherUnusable, match=sentence):
        choice.check()


TOKEN = "eyJhbGciOiJub25lIn0.e30.x"
AZURE = "https://name.openai.azure.com/openai/deployments/gpt-4o"
HEADERS: dict[str, tuple[KeyChoice, bool, dict[str, str]]] = {
    "usual": (KeyChoice("k"), False, {"Authorization": "Bearer k"}),
    "none": (KeyChoice(), False, {"Authorization": "Bearer none"}),
    "another header": (KeyChoice("k", header="x-api-key"), False, {"x-api-key": "k"}),
    "Authorization by name": (
        KeyChoice("k", header="authorization"),
        True,
        {"Authorization": "Bearer k"},
    ),
    "Azure": (KeyChoice("k"), True, {"api-key": "k"}),
    "a token for Azure": (KeyChoice(TOKEN), True, {"Authorization": f"Bearer {TOKEN}"}),
    "a token in Azure's header": (KeyChoice(TOKEN, header="api-key"), True, {"api-key": TOKEN}),
    "no key for another header": (KeyChoice(header="x-api-key"), False, {}),
}


@pytest.mark.parametrize("name", HEADERS)
def test_the_key_stands_in_the_header_that_the_server_wants(name: str) -> None:
    choice, azure, headers = HEADERS[name]
    assert choice.headers(choice.value, azure=azure) == headers


def test_a_header_of_the_keys_own_takes_the_place_of_authorization() -> None:
    with teacher_server(lambda body: Reply("hello")) as server:
        ask(server, api_key=KeyChoice("sk-secret", header="api-key"))
        ask(server, travel=Travel(headers=(("AUTHORIZATION", "Token t"),)))
    assert server.headers[0]["api-key"] == "sk-secret"
    assert "authorization" not in server.headers[0]
    assert server.headers[1]["authorization"] == "Token t"
    assert server.raw_headers[1].count("authorization") == 1


def generate(photo_dataset: Path, store: Path, *options: str, **more: str) -> Any:
    command = ["generate", "--dataset-path", str(photo_dataset), "--store", str(store)]
    return geostore(*command, "--num-samples", "2", "--model", "gpt-4o", *options, **more)


def test_azures_form_of_address_and_key(photo_dataset: Path, tmp_path: Path) -> None:
    """As its portal shows them; the version of the API is no secret."""
    store = tmp_path / "g.db"
    with teacher_server(lambda body: Reply(ANSWER)) as server:
        base = server.url.replace("/v1", "/openai/deployments/gpt-4o/chat/completions")
        ended = generate(
            photo_dataset,
            store,
            *("--base-url", base, "--query-param", "api-version=2024-10-21"),
            *("--api-key-header", "api-key", "--api-key-env", "AZURE_OPENAI_API_KEY"),
            AZURE_OPENAI_API_KEY="hush-4711",
        )
    assert ended.returncode == 0, ended.stderr
    path = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    assert server.paths == [path] * 2
    assert server.headers[0]["api-key"] == "hush-4711"
    ((arguments,),) = rows(store, "select arguments from runs")
    teacher = json.loads(str(arguments))["teacher"]
    assert teacher["query_params"] == {"api-version": "2024-10-21"}
    assert "4711" not in str(arguments)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--base-url", AZURE], "add --query-param api-version=2024-10-21"),
        (["--base-url", f"{AZURE}?code=x"], "add --query-param api-version"),
        (["--base-url", "https://n.services.ai.azure.com/models"], "add --query-param api-version"),
        (["--base-url", "https://name.openai.azure.com"], "azure.com/openai/v1, or"),
        (["--base-url", "https://name.openai.azure.us/openai/"], "azure.us/openai/v1, or"),
        (["--api-key-file", "/no/such/file"], "no key file"),
        (["--api-key-file", "/dev/null"], "the key file /dev/null is empty"),
        (["--api-key-file", "/"], "the key file / cannot be read: Is a directory"),
        (["--api-key-env", "NO_SUCH_VARIABLE"], "variable NO_SUCH_VARIABLE is not set"),
        (["--api-key-file", "/dev/null", "--api-key-command", "echo x"], "not both"),
    ],
)
def test_what_cannot_work_is_refused_before_a_store_is_made(
    options: list[str], sentence: str, photo_dataset: Path, tmp_path: Path
) -> None:
    ended = generate(photo_dataset, tmp_path / "g.db", *options, OPENAI_API_KEY="k")
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert list(tmp_path.glob("g.db*")) == []
