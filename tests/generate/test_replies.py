"""What a run makes of each kind of reply: whole runs over a real server on loopback."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from geostore.store import Store
from tests.minds import answer
from tests.running import AT_ONCE, Notes, run
from tests.teacher_server import Body, Fault, teacher_server

ANSWER = answer(48.8566, 2.3522)
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
JSON = {"Content-Type": "application/json"}
PATIENT = replace(AT_ONCE, max_attempts=6)


def completion(
    message: dict[str, Any], finish_reason: str | None = "stop", **choice: Any
) -> dict[str, Any]:
    """The body of a reply; message: without its role. choice: further members of the choice."""
    message = {"role": "assistant", **message}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, **choice}
    return {"id": "r1", "model": "m", "choices": [choice], "usage": USAGE}


def fault(body: Any, status: int = 200, **headers: str) -> Fault:
    """A reply of these bytes, or of this value as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Fault(status, raw, {**JSON, **{k.replace("_", "-"): v for k, v in headers.items()}})


def good(number: int) -> Fault:
    """A reply that answers; number: of its request, because each reply has its own id."""
    return fault({**completion({"content": ANSWER}), "id": f"r{number}"})


def rows(store_path: Path, query: str) -> list[tuple[Any, ...]]:
    with Store.open(store_path) as store:
        return [tuple(row) for row in store.db.connection.execute(query)]


@dataclass(frozen=True)
class Paid:
    """A reply that is a turn, and what the trace becomes."""

    body: dict[str, Any]
    response: str
    ending: tuple[str, str] = ("answered", "answer")
    reasoning: tuple[str | None, str | None] = (None, None)
    finish_reason: str = "stop"
    notice: str = ""


TEXT = {"type": "text", "text": ANSWER}
THOUGHT = [{"type": "text", "text": "Maybe \\boxed{1.0, 2.0}?"}]
THINKING = ("Maybe \\boxed{1.0, 2.0}?", "parts")
CUT = ("exhausted", "truncated")
REFUSED = ("exhausted", "refused")
NO = "I can't help with locating people."
PAID = {
    "hidden reasoning": Paid(
        completion({"content": ""}, "length"), "", CUT, finish_reason="length"
    ),
    "hidden reasoning, null": Paid(
        completion({"content": None}, "length"), "", CUT, finish_reason="length"
    ),
    "hidden reasoning, no parts": Paid(
        completion({"content": []}, "max_tokens"), "", CUT, finish_reason="length"
    ),
    "no content": Paid(completion({}, "MAX_TOKENS"), "", CUT, finish_reason="length"),
    "cut, by another word": Paid(
        completion({"content": "It is in"}, "model_length"), "It is in", CUT, finish_reason="length"
    ),
    "parts": Paid(completion({"content": [TEXT]}), ANSWER),
    "several parts": Paid(
        completion({"content": [{"type": "text", "text": "So: "}, TEXT]}), f"So: {ANSWER}"
    ),
    "parts as strings": Paid(completion({"content": ["So: ", ANSWER]}), f"So: {ANSWER}"),
    "output_text": Paid(completion({"content": [{**TEXT, "type": "output_text"}]}), ANSWER),
    "thinking as parts": Paid(
        completion({"content": [{"type": "thinking", "thinking": THOUGHT}, TEXT]}),
        ANSWER,
        reasoning=THINKING,
    ),
    "thinking as text": Paid(
        completion({"content": [{"type": "thinking", "thinking": THINKING[0]}, TEXT]}),
        ANSWER,
        reasoning=THINKING,
    ),
    "reasoning as a part": Paid(
        completion({"content": [{"type": "reasoning", "summary": THOUGHT}, TEXT]}),
        ANSWER,
        reasoning=THINKING,
    ),
    "tags in parts": Paid(
        completion({"content": [{"type": "text", "text": f"<think>Hm.</think>{ANSWER}"}]}),
        ANSWER,
        reasoning=("Hm.", "think"),
    ),
    "thinking that was cut": Paid(
        completion({"content": [{"type": "thinking", "thinking": THOUGHT}]}, "length"),
        "",
        CUT,
        THINKING,
        "length",
    ),
    "refusal member": Paid(
        completion({"content": None, "refusal": NO}), NO, REFUSED, finish_reason="refusal"
    ),
    "refusal as a part": Paid(
        completion({"content": [{"type": "refusal", "refusal": NO}]}),
        NO,
        REFUSED,
        finish_reason="refusal",
    ),
    "refusal after words": Paid(
        completion({"content": "Hm.", "refusal": NO}),
        f"Hm.\n\n{NO}",
        REFUSED,
        finish_reason="refusal",
    ),
    "no refusal": Paid(completion({"content": ANSWER, "refusal": None}), ANSWER),
    "an empty refusal": Paid(completion({"content": ANSWER, "refusal": ""}), ANSWER),
    "finish_reason refusal": Paid(
        completion({"content": ""}, "refusal"), "", REFUSED, finish_reason="refusal"
    ),
    "filter": Paid(
        completion({"content": ""}, "SAFETY"),
        "",
        ("exhausted", "content_filter"),
        finish_reason="content_filter",
    ),
    "unknown finish_reason": Paid(
        completion({"content": ANSWER}, "eos_token"),
        ANSWER,
        finish_reason="eos_token",
        notice="eos_token",
    ),
    "known synonym": Paid(
        completion({"content": ANSWER}, "end_turn"), ANSWER, finish_reason="end_turn"
    ),
}


@pytest.mark.parametrize("name", PAID)
def test_what_was_billed_and_says_something_is_a_turn_and_is_asked_for_once(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    paid, store, notes = PAID[name], tmp_path / "g.db", Notes()
    reply = lambda number, body: fault({**paid.body, "id": f"r{number}"})  # noqa: E731
    with teacher_server(_never, script=reply) as server:
        run(server.url, photo_dataset, store, num_samples=2, notes=notes, retry_policy=PATIENT)
        assert len(server.requests) == 2
    columns = "response, reasoning, reasoning_source, finish_reason, total_tokens"
    turn = (paid.response, *paid.reasoning, paid.finish_reason, 120)
    assert rows(store, f"select {columns} from turns") == [turn] * 2
    assert rows(store, "select status, stop_reason from traces") == [paid.ending] * 2
    assert rows(store, "select * from attempts") == []
    said = [notice for notice in notes.notices if "finish_reason" in notice]
    assert len(said) == bool(paid.notice)
    assert all(paid.notice in notice for notice in said)


@pytest.mark.parametrize("content", ["", None])
def test_a_trace_whose_tokens_went_into_hidden_reasoning_is_taken_up_on_request(
    content: str | None, photo_dataset: Path, tmp_path: Path
) -> None:
    def script(number: int, body: Body) -> Fault:
        empty = completion({"content": content}, "length")
        return fault(completion({"content": ANSWER}) if number else empty)

    store = tmp_path / "g.db"
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=1)
        run(server.url, photo_dataset, store, num_samples=1)
        assert len(server.requests) == 1
        run(server.url, photo_dataset, store, num_samples=1, retry=("truncated",))
        assert len(server.requests) == 2
    assert rows(store, "select status, stop_reason from traces") == [("answered", "answer")]
    assert rows(store, "select turn, response from turns") == [(1, ""), (2, ANSWER)]


def _never(body: Body) -> Any:
    raise AssertionError("each request has its own reply")


HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
SENTENCES: dict[str, tuple[Fault, str]] = {
    "error.message": (fault({"error": {"message": "no room"}}, 500), "HTTP 500: no room"),
    "detail": (fault({"detail": "no room"}, 503), "HTTP 503: no room"),
    "detail as a list": (
        fault({"detail": [{"loc": ["body", "n"], "msg": "too many"}]}, 500),
        "HTTP 500: body.n: too many",
    ),
    "message": (fault({"message": "no room"}, 500), "HTTP 500: no room"),
    "error as text": (fault({"error": "no room"}, 500), "HTTP 500: no room"),
    "plain text": (
        Fault(500, b"Internal Server Error", {"Content-Type": "text/plain"}),
        "HTTP 500: Internal Server Error",
    ),
    "a web page": (
        Fault(502, HTML, {"Content-Type": "text/html"}),
        "HTTP 502: a web page (502 Bad Gateway)",
    ),
    "nothing": (Fault(503, b"", {}), "HTTP 503: Service Unavailable"),
    "the key": (fault({"error": "no room for sk-secret"}, 500), "HTTP 500: no room for [key]"),
    "a web page as a reply": (
        Fault(200, HTML, {"Content-Type": "text/html"}),
        "the response is not JSON (text/html): a web page (502 Bad Gateway)",
    ),
    "no choices": (
        fault({"detail": "no room"}),
        "the response holds no message: no room",
    ),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_failure_is_kept_in_the_servers_own_words(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    failure, sentence = SENTENCES[name]
    store = tmp_path / "g.db"
    script = lambda number, body: failure if number == 1 else good(number)  # noqa: E731
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=2, concurrency=1)
    assert rows(store, "select message from attempts") == [(sentence,)]
    assert rows(store, "select distinct status from traces") == [("answered",)]
