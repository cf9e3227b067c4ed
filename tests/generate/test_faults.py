"""Whatever a server does to a request: a row with its class, and in the end the same store.

The whole run is real, from the loopback server to the file; each fault is set
for single requests.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from geostore.generate.events import RequestFailed
from geostore.generate.retries import RetryPolicy
from geostore.store import Store
from geostore.verify import verify
from tests.minds import wanderer
from tests.running import Notes, contents, run
from tests.teacher_server import Body, Fault, Reply, teacher_server

CUT_JSON = b'{"id": "x", "choices": [{"message": {"content": "It is in'
USELESS = b'{"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 5}}'
PLAIN = {"Content-Type": "text/plain"}

# Name: the fault, and the class, status and billed usage of its row.
FAULTS: dict[str, tuple[Fault, tuple[str, int | None]]] = {
    "429": (Fault(429), ("rate_limit", 429)),
    "429 with Retry-After": (
        Fault(429, headers={"Retry-After": "900"}),
        ("rate_limit", 429),
    ),
    "500": (Fault(500), ("server", 500)),
    "503": (Fault(503, b"<html>busy</html>", {"Content-Type": "text/html"}), ("server", 503)),
    "closed before the answer": (Fault(hang_up=True), ("connection", None)),
    "reset before the body": (Fault(reset=True), ("connection", None)),
    "reset in the body": (Fault(200, CUT_JSON, cut_after=20), ("connection", None)),
    "slow drip": (Fault(200, CUT_JSON * 100, drip_seconds=0.05), ("timeout", None)),
    "silence": (Fault(silent_seconds=60.0), ("timeout", None)),
    "truncated JSON": (Fault(200, CUT_JSON), ("bad_response", 200)),
    "empty choices": (Fault(200, USELESS), ("bad_response", 200)),
    "wrong content type": (Fault(200, b"It is in Norway.", PLAIN), ("bad_response", 200)),
}
PATIENT = RetryPolicy(
    max_attempts=9, first_wait=0.001, longest_wait=0.002, longest_retry_after=0.01
)
TRACES = 5
SOON = 1.0
"""Seconds for a request where one is to time out."""


@pytest.fixture(scope="module")
def whole(photo_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, int]:
    """What a run without faults stores, and how many requests it takes."""
    store = tmp_path_factory.mktemp("whole") / "geostore.db"
    with teacher_server(wanderer) as server:
        run(server.url, photo_dataset, store, num_samples=TRACES)
    return contents(store), len(server.requests)


def attempts(store: Path) -> list[tuple[str, int | None, str | None]]:
    with Store.open(store) as opened:
        query = "select error_class, http_status, usage from attempts"
        return [tuple(row) for row in opened.db.connection.execute(query)]


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_a_row_and_the_store_ends_as_without_it(
    name: str, photo_dataset: Path, tmp_path: Path, whole: tuple[Any, int]
) -> None:
    """At the first request, and inside of a conversation."""
    fault, (error_class, status) = FAULTS[name]
    store = tmp_path / "geostore.db"
    script = lambda number, body: fault if number in (0, 4) else None  # noqa: E731
    with teacher_server(wanderer, script=script) as server:
        run(
            server.url,
            photo_dataset,
            store,
            num_samples=TRACES,
            concurrency=1,
            request_timeout=SOON if error_class == "timeout" else 60.0,
            retry_policy=PATIENT,
        )
    usage = '{"completion_tokens":5,"prompt_tokens":90}' if fault.body == USELESS else None
    assert attempts(store) == [(error_class, status, usage)] * 2
    assert contents(store) == whole[0]
    assert len(server.requests) == whole[1] + 2, "nothing but what failed is asked again"


@pytest.mark.parametrize("seed", range(3))
def test_any_mix_of_faults_at_any_time_changes_nothing_in_the_end(
    seed: int, photo_dataset: Path, tmp_path: Path, whole: tuple[Any, int]
) -> None:
    rng = random.Random(seed)
    faults = [fault for fault, _ in FAULTS.values()]
    plan = {number: rng.choice(faults) for number in range(60) if rng.random() < 0.4}
    store, notes = tmp_path / "geostore.db", Notes()
    with teacher_server(wanderer, script=lambda number, body: plan.get(number)) as server:
        run(
            server.url,
            photo_dataset,
            store,
            notes=notes,
            num_samples=TRACES,
            concurrency=4,
            request_timeout=SOON,
            retry_policy=PATIENT,
        )
    failed = sum(number in plan for number in range(len(server.requests)))
    # On a busy machine a sound answer, too, may come too late.
    assert len(attempts(store)) == len(notes.all_of(RequestFailed)) >= failed > 5
    assert contents(store) == whole[0]
    assert len(server.requests) == whole[1] + len(attempts(store))


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_response_that_is_delivered_twice_is_never_taken_for_another_photos(
    concurrency: int, photo_dataset: Path, tmp_path: Path, whole: tuple[Any, int]
) -> None:
    """On a connection kept alive, every later answer would be that to the request before."""

    def script(number: int, body: Body) -> Reply | None:
        if number % 3:
            return None
        reply = wanderer(body)
        return Reply(reply.content, reply.finish_reason, reply.tool_calls, twice=True)

    store = tmp_path / "geostore.db"
    with teacher_server(wanderer, script=script) as server:
        run(
            server.url,
            photo_dataset,
            store,
            num_samples=TRACES,
            concurrency=concurrency,
            retry_policy=PATIENT,
        )
    assert contents(store) == whole[0]
    # Where the second copy was noticed before a request was sent, that connection is not used.
    assert set(attempts(store)) <= {("connection", None, None)}
    assert len(server.requests) == whole[1] + len(attempts(store))


def test_an_answer_cut_at_the_token_limit_is_kept_as_what_it_is(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """It was paid for: a turn and no failed request; and its trace says why it ended."""
    store = tmp_path / "geostore.db"
    half = 'I see a church.\n<tool_call>\n{"name": "image_zoom_in_tool", "argum'
    script = lambda number, body: Reply(half, "length") if number == 0 else None  # noqa: E731
    with teacher_server(wanderer, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=TRACES, concurrency=1)
    assert attempts(store) == []
    with Store.open(store) as opened:
        query = (
            "select traces.status, stop_reason, finish_reason, response, "
            "(select count(*) from tool_calls where trace_id = traces.id) "
            "from traces join turns on turns.trace_id = traces.id where finish_reason = 'length'"
        )
        (row,) = opened.db.connection.execute(query).fetchall()
    assert tuple(row) == ("exhausted", "truncated", "length", half, 0)


def test_a_thought_that_was_cut_is_never_an_answer(photo_dataset: Path, tmp_path: Path) -> None:
    """The chat template wrote its first tag, and the limit came before the last one."""
    store = tmp_path / "geostore.db"
    thought = "Maybe \\boxed{30.0444, 31.2357}? No, the poles are American. Let me"
    rehearsed = "So <answer>\\boxed{30.0444, 31.2357}</answer>? No, the poles are American. Let me"

    def script(number: int, body: Body) -> Reply:
        if number == 0:
            return Reply(thought, "length")
        if len(body["messages"]) == 2:
            return Reply("I look first.</think>Let me see.")
        return Reply(rehearsed, "length")

    with teacher_server(wanderer, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=2, concurrency=1)
    with Store.open(store) as opened:
        query = (
            "select t.status, t.stop_reason, a.lat, a.failure, k.response, k.reasoning_source"
            " from traces as t join answers as a on a.trace_id = t.id"
            " join turns as k on k.trace_id = t.id and k.finish_reason = 'length' order by k.turn"
        )
        first, second = map(tuple, opened.db.connection.execute(query).fetchall())
    ended = ("exhausted", "truncated", None)
    assert first == (*ended, "truncated_answer", thought, None)
    assert second == (*ended, "no_coordinates", "", "…")
    assert not verify(store).findings


def test_the_server_that_these_tests_rely_on_does_what_is_asked_of_it() -> None:
    """A fault that is none would prove nothing."""
    assert json.loads(USELESS)["choices"] == []
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(CUT_JSON)
    classes = Counter(error_class for _, (error_class, _) in FAULTS.values())
    assert set(classes) == {"rate_limit", "server", "connection", "timeout", "bad_response"}
