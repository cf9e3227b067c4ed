"""What goes out beside what is asked: members, headers and query parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import TeacherUnusable
from geostore.records import Reply as Answered
from geostore.store import Store
from geostore.teacher import Route, Travel
from tests.asking import BODY, ask
from tests.minds import zoom_then_answer
from tests.running import contents, geostore
from tests.teacher_server import Reply, teacher_server

ENVIRONMENT = {"TOKEN": "hush-4711\n", "EMPTY": ""}


def travel(**written: Any) -> Travel:
    return Travel.of(**written, environment=ENVIRONMENT)


def sent(**written: Any) -> tuple[dict[str, Any], dict[str, str], str]:
    """Body, headers and path of one request that travels so."""
    with teacher_server(lambda body: Reply("hello")) as server:
        (reply,) = ask(server, travel=travel(**written))
    assert isinstance(reply, Answered), reply
    return server.bodies[0], server.headers[0], server.paths[0]


MEMBERS: dict[str, dict[str, Any]] = {
    "tier": {"service_tier": "flex"},
    "cache": {"prompt_cache_key": "photos", "prompt_cache_retention": "24h"},
    "who": {"user": "me", "safety_identifier": "h4sh", "metadata": {"run": "7"}, "store": False},
    "routing": {"provider": {"order": ["a", "b"], "allow_fallbacks": False}},
    "unknown": {"x_new_member": [1, None, {"ü": "\n"}]},
}


@pytest.mark.parametrize("name", MEMBERS)
def test_members_stand_in_the_body_in_front_of_what_is_asked(name: str) -> None:
    body, _, _ = sent(members=MEMBERS[name])
    assert list(body) == ["stream", *MEMBERS[name], *json.loads(BODY)]
    assert body == {"stream": False, **MEMBERS[name], **json.loads(BODY)}


@pytest.mark.parametrize(
    ("written", "name", "value"),
    [
        ("X-Team: maps", "x-team", "maps"),
        ("X-Team:maps", "x-team", "maps"),
        ("  X-Team  :  two words  ", "x-team", "two words"),
        ("X-Address: http://host:80/a?b=c", "x-address", "http://host:80/a?b=c"),
        ("X-Token: env:TOKEN", "x-token", "hush-4711"),
        ("Authorization: Token env:TOKEN", "authorization", "Token hush-4711"),
        ("authorization: Basic aDo0NzEx", "authorization", "Basic aDo0NzEx"),
        ("user-agent: mine/1.0", "user-agent", "mine/1.0"),
        ("X-Env: env:TOKEN is not the last word", "x-env", "env:TOKEN is not the last word"),
    ],
)
def test_a_header_goes_out_with_each_request(written: str, name: str, value: str) -> None:
    with teacher_server(lambda body: Reply("hello")) as server:
        ask(server, travel=travel(headers=[written]), times=2)
    assert [headers[name] for headers in server.headers] == [value] * 2
    assert all(headers["content-type"] == "application/json" for headers in server.headers)


def test_a_header_of_the_users_takes_the_place_of_the_keys() -> None:
    """Two of one name would be refused, or read as one with a comma in it."""
    with teacher_server(lambda body: Reply("hello")) as server:
        ask(server, travel=travel(headers=["AUTHORIZATION: Token abcd"]))
    assert server.raw_headers[0].count("authorization") == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (["api-version=2024-10-21"], "?api-version=2024-10-21"),
        (["a=1", "b=x y&c=/"], "?a=1&b=x%20y%26c%3D%2F"),
        (["code=env:TOKEN"], "?code=hush-4711"),
        (["empty="], "?empty="),
        (["a=b=c"], "?a=b%3Dc"),
    ],
)
def test_query_parameters_stand_after_the_path(query: list[str], expected: str) -> None:
    assert sent(query=query)[2] == f"/v1/chat/completions{expected}"


def test_query_parameters_follow_those_of_the_base_url_and_replace_their_like() -> None:
    with teacher_server(lambda body: Reply("hello")) as server:
        ask(f"{server.url}?v=1&key=abc%2F&api%2Dversion=1", travel=travel(query=["v=2"]))
        ask(f"{server.url}?api%2Dversion=1&x", travel=travel(query=["api-version=2"]))
    assert server.paths == [
        "/v1/chat/completions?key=abc%2F&api%2Dversion=1&v=2",
        "/v1/chat/completions?x&api-version=2",
    ]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "model": ({"members": {"model": "x"}}, "use --model"),
    "messages": ({"members": {"messages": []}}, "the recipe"),
    "temperature": ({"members": {"temperature": 1}}, "use --temperature"),
    "tokens": ({"members": {"max_completion_tokens": 1}}, "use --max-tokens"),
    "seed": ({"members": {"seed": 1}}, "use --seed"),
    "tools": ({"members": {"tools": []}}, "--enable-tool"),
    "n": ({"members": {"n": 2}}, "use --rollouts"),
    "top_p": ({"members": {"top_p": 0.9}}, "use --extra-body"),
    "effort": ({"members": {"reasoning_effort": "low"}}, "use --extra-body"),
    "template": ({"members": {"chat_template_kwargs": {}}}, "use --extra-body"),
    "a number": ({"members": {"user": 2**70}}, "cannot be sent"),
    "no colon": ({"headers": ["sk-hush-4711"]}, "NAME: VALUE"),
    "no name": ({"headers": [": hush-4711"]}, "NAME: VALUE"),
    "a name with a space": ({"headers": ["X Team: hush-4711"]}, "NAME: VALUE"),
    "no value": ({"headers": ["X-Team:"]}, "has no value"),
    "a line break": ({"headers": ["X-Team: hush\r\nHost: 4711"]}, "line break"),
    "a line feed": ({"headers": ["X-Team: hush-4711\nX: y"]}, "line break"),
    "a NUL": ({"headers": ["X-Team: hush\x004711"]}, "no header takes"),
    "a letter": ({"headers": ["X-Team: hüsh-4711"]}, "no header takes"),
    **{
        name: ({"headers": [f"{name}: hush-4711"]}, "leave it out")
        for name in ("Content-Length", "HOST", "transfer-encoding", "Connection", "Content-Type")
    },
    "no variable": ({"headers": ["X-Team: env:MISSING"]}, "MISSING, which is not set"),
    "an empty variable": ({"query": ["a=env:EMPTY"]}, "EMPTY, which is not set"),
    "no equals sign": ({"query": ["hush-4711"]}, "NAME=VALUE"),
    "no parameter's name": ({"query": ["=hush-4711"]}, "NAME=VALUE"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_sent_is_refused_with_what_to_write(name: str) -> None:
    written, sentence = REFUSED[name]
    with pytest.raises(TeacherUnusable, match=sentence) as raised:
        travel(**written)
    assert "4711" not in str(raised.value)


def test_a_travel_shows_no_secret() -> None:
    written = travel(
        headers=["X-Key: hush-4711", "Authorization: Bearer hush-4712"],
        query=["code=hush-4713", "api-version=2024-10-21", "k=abc"],
        members={"metadata": {"api_key": "hush-4714", "run": "7"}, "prompt_cache_key": "photos"},
        route=Route("http://me:hush-4715@proxy:3128"),
    )
    assert written.shown() == {
        "transport": {
            "metadata": {"api_key": "[key]", "run": "7"},
            "prompt_cache_key": "photos",
        },
        "headers": ["X-Key", "Authorization"],
        "query_params": {"code": "[key]", "api-version": "2024-10-21", "k": "[key]"},
        "stream": False,
        "proxy": "http://proxy:3128",
    }
    assert {f"hush-471{i}" for i in range(1, 6)} <= written.secrets
    # A word of three letters alone would garble every message.
    assert "k=abc" in written.secrets
    assert "abc" not in written.secrets
    assert "471" not in repr(written)


def generate(photo_dataset: Path, store: Path, url: str, *options: str) -> Any:
    command = ["generate", "--dataset-path", str(photo_dataset), "--store", str(store)]
    command += ["--num-samples", "2", "--base-url", url, "--model", "gpt-4o", *options]
    return geostore(*command, OPENAI_API_KEY="sk-hush")


def test_how_requests_travel_makes_no_second_recipe_and_no_other_row(
    photo_dataset: Path, tmp_path: Path
) -> None:
    plain, other = tmp_path / "plain.db", tmp_path / "other.db"
    with teacher_server(zoom_then_answer) as server:
        assert generate(photo_dataset, plain, server.url).returncode == 0
        options = ["--transport", '{"service_tier": "flex", "user": "me"}', "--header", "X-A: b"]
        options += ["--query-param", "v=2"]
        assert generate(photo_dataset, other, server.url, *options).returncode == 0
        count = len(server.requests)
        # The same traces, whatever way they came.
        assert generate(photo_dataset, other, server.url).returncode == 0
        assert len(server.requests) == count
    assert [body.get("service_tier") for body in server.bodies] == [None] * 4 + ["flex"] * 4
    assert contents(plain) == contents(other)
    assert len(contents(plain)["turns"]) == 4


def test_the_runs_row_says_how_requests_travelled(photo_dataset: Path, tmp_path: Path) -> None:
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        options = ["--transport", '{"service_tier": "flex"}', "--header", "X-A: hush"]
        generate(photo_dataset, store, server.url, *options, "--query-param", "api-version=v1")
    with Store.open(store) as opened:
        (arguments,) = opened.db.connection.execute("select arguments from runs").fetchone()
    teacher = json.loads(arguments)["teacher"]
    assert teacher["transport"] == {"service_tier": "flex"}
    assert teacher["headers"] == ["X-A"]
    assert teacher["query_params"] == {"api-version": "v1"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--transport", '{"top_p": 1}'], "use --extra-body"),
        (["--transport", "[1]"], "no JSON object"),
        (["--header", "Host: x"], "geostore's own"),
        (["--query-param", "x"], "NAME=VALUE"),
        (
            ["--transport", '{"user": "a"}', "--extra-body", '{"user": "b"}'],
            "'user' stands in --transport and in --extra-body",
        ),
    ],
)
def test_an_option_that_makes_no_sense_ends_the_command_before_anything_is_made(
    options: list[str], sentence: str, photo_dataset: Path, tmp_path: Path
) -> None:
    with teacher_server(zoom_then_answer) as server:
        ended = generate(photo_dataset, tmp_path / "geostore.db", server.url, *options)
    assert ended.returncode in (1, 2)
    assert sentence in " ".join(ended.stderr.replace("│", " ").split())
    assert server.requests == []
    assert list(tmp_path.glob("geostore.db*")) == []


def test_an_extra_body_that_only_changes_the_way_is_sent_and_said(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """It stays in the recipe, because a store may hold traces of that recipe."""
    with teacher_server(zoom_then_answer) as server:
        store, extra = tmp_path / "geostore.db", '{"service_tier": "flex", "top_p": 0.5}'
        ended = generate(photo_dataset, store, server.url, "--extra-body", extra)
    assert {body["service_tier"] for body in server.bodies} == {"flex"}
    assert ended.stderr.count("with --transport it is none") == 1
