"""What a run makes of each kind of reply: whole runs over a real server on loopback."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import TeacherUnusable
from geostore.generate.retries import RetryPolicy
from tests.completions import completion, fault, rows
from tests.minds import answer
from tests.running import AT_ONCE, Notes, run
from tests.teacher_server import Body, Fault, teacher_server

ANSWER = answer(48.8566, 2.3522)
PATIENT = replace(AT_ONCE, max_attempts=6)


def good(number: int) -> Fault:
    """A reply that answers; number: of its request, because each reply has its own id."""
    return fault({**completion({"content": ANSWER}), "id": f"r{number}"})


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
    "cut before any word, by another word": Paid(
        completion({"content": ""}, "incomplete"), "", CUT, finish_reason="length"
    ),
    "cut at the end of the context": Paid(
        completion({"content": "It is in"}, "context_length_exceeded"),
        "It is in",
        CUT,
        finish_reason="length",
    ),
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
    "refusal before an answer's end": Paid(
        completion({"content": ANSWER, "refusal": NO}),
        f"{ANSWER}\n\n{NO}",
        REFUSED,
        finish_reason="refusal",
    ),
    "one part without a list": Paid(completion({"content": TEXT}), ANSWER),
    "the message as a delta": Paid(
        {
            **completion({}),
            "choices": [{"index": 0, "delta": {"content": ANSWER}, "finish_reason": "stop"}],
        },
        ANSWER,
    ),
    "a plain completion's text": Paid(
        {**completion({}), "choices": [{"index": 0, "text": ANSWER, "finish_reason": "stop"}]},
        ANSWER,
    ),
    "a choice alone": Paid(
        {**completion({}), "choices": completion({"content": ANSWER})["choices"][0]}, ANSWER
    ),
    "two choices, the second first": Paid(
        {
            **completion({}),
            "choices": [
                {"index": 1, "message": {"content": "No."}, "finish_reason": "stop"},
                *completion({"content": ANSWER})["choices"],
            ],
        },
        ANSWER,
    ),
    "an error that is none": Paid(
        {**completion({"content": ANSWER}), "error": {"code": 0, "message": "success"}}, ANSWER
    ),
    "a whole base_resp": Paid(
        {**completion({"content": ANSWER}), "base_resp": {"status_code": 0, "status_msg": ""}},
        ANSWER,
    ),
    "no message": Paid(
        {**completion({}), "choices": [{"index": 0, "finish_reason": "length"}]},
        "",
        CUT,
        finish_reason="length",
    ),
    "no message, null": Paid(
        {**completion({}), "choices": [{"message": None, "finish_reason": "content_filter"}]},
        "",
        ("exhausted", "content_filter"),
        finish_reason="content_filter",
    ),
    "finish_reason refusal": Paid(
        completion({"content": ""}, "refusal"), "", REFUSED, finish_reason="refusal"
    ),
    "filter": Paid(
        completion({"content": ""}, "SAFETY"),
        "",
        ("exhausted", "content_filter"),
        finish_reason="content_filter",
    ),
    "filter, by another word": Paid(
        completion({"content": ""}, "content_policy"),
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
    **{
        f"cut: {word}": Paid(
            completion({"content": "It is in"}, word), "It is in", CUT, finish_reason="length"
        )
        for word in (
            "FinishReason.MAX_TOKENS",
            "max_new_tokens",
            "token_limit_reached",
            "max tokens",
        )
    },
    **{
        f"filter: {word}": Paid(
            completion({"content": ""}, word),
            "",
            ("exhausted", "content_filter"),
            finish_reason="content_filter",
        )
        for word in (
            "content-filter",
            "FINISH_REASON_SAFETY",
            "guardrail",
            "blocked",
            "ERROR_TOXIC",
        )
    },
    **{
        f"whole: {word}": Paid(completion({"content": ANSWER}, word), ANSWER, finish_reason=word)
        for word in ("FinishReason.STOP", "FINISH_REASON_STOP", "tool-calls")
    },
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


CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "image_zoom_in_tool", "arguments": '{"bbox_2d": [100, 100, 600, 600]}'},
}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"content": None, "refusal": NO}, NO),
        ({"content": "Let me look.", "refusal": NO}, f"Let me look.\n\n{NO}"),
        ({"content": [{"type": "refusal", "refusal": NO}]}, NO),
        ({"content": "Let me look.", "refusal": None}, "Let me look."),
    ],
)
def test_a_refusal_beside_calls_is_kept_and_the_calls_run(
    message: dict[str, Any], words: str, photo_dataset: Path, tmp_path: Path
) -> None:
    def script(number: int, body: Body) -> Fault:
        called = completion({**message, "tool_calls": [CALL]}, "tool_calls")
        return fault(
            {**(completion({"content": ANSWER}) if number else called), "id": f"r{number}"}
        )

    store = tmp_path / "g.db"
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=1, recipe={"protocol": "native"})
        assert len(server.requests) == 2
        assert words in [message.get("content") for message in server.bodies[1]["messages"]]
    assert rows(store, "select response, finish_reason from turns") == [
        (words, "tool_calls"),
        (ANSWER, "stop"),
    ]
    assert rows(store, "select success from tool_calls") == [(1,)]
    assert rows(store, "select status, stop_reason from traces") == [("answered", "answer")]


SAID_APART = completion({"content": "Let me look."}, "tool_calls")["choices"]
CALLED_APART = completion({"content": None, "tool_calls": [CALL]}, "tool_calls")["choices"]
CALLS_IN_ODD_PLACES: dict[str, dict[str, Any]] = {
    "words and calls in two choices": {
        **completion({}),
        "choices": [*SAID_APART, *({**choice, "index": 1} for choice in CALLED_APART)],
    },
    "null beside a call": completion(
        {"content": "Let me look.", "tool_calls": [None, CALL]}, "tool_calls"
    ),
    "one call without a list": completion(
        {"content": "Let me look.", "tool_calls": CALL}, "tool_calls"
    ),
    "the older form": completion(
        {"content": "Let me look.", "function_call": CALL["function"]}, "function_call"
    ),
}


@pytest.mark.parametrize("name", CALLS_IN_ODD_PLACES)
def test_calls_run_wherever_a_server_puts_them(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    def script(number: int, body: Body) -> Fault:
        called = CALLS_IN_ODD_PLACES[name]
        return fault({**(completion({"content": ANSWER}) if number else called), "id": "r"})

    store = tmp_path / "g.db"
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=1, recipe={"protocol": "native"})
        assert len(server.requests) == 2
    assert rows(store, "select response from turns") == [("Let me look.",), (ANSWER,)]
    assert rows(store, "select success from tool_calls") == [(1,)]
    assert statuses(store) == ["answered"]


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("reply_id", ["", "0", "chatcmpl-1", "cmpl-xyz", "chatcmpl-123", None])
def test_equal_words_under_an_id_that_names_nothing_are_answers_to_each_photo(
    reply_id: str | None, concurrency: int, photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    script = lambda number, body: fault({**completion({"content": ANSWER}), "id": reply_id})  # noqa: E731
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=6, concurrency=concurrency)
        assert len(server.requests) == 6
    assert rows(store, "select * from attempts") == []


def test_a_long_id_that_every_reply_has_costs_one_request_at_most(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """The first time it looks like a response that was sent twice; then it is known."""
    store = tmp_path / "g.db"
    named = {**completion({"content": ANSWER}), "id": "chatcmpl-9f2c41d07be8"}
    with teacher_server(_never, script=lambda number, body: fault(named)) as server:
        run(server.url, photo_dataset, store, num_samples=6, concurrency=1)
        assert len(server.requests) <= 7
    assert statuses(store) == ["answered"] * 6


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


WHOLE = json.dumps(completion({"content": f"XX {ANSWER}"})).encode()
BYTES: dict[str, bytes] = {
    "a byte order mark": b"\xef\xbb\xbf" + WHOLE,
    "UTF-16": json.dumps(completion({"content": ANSWER})).encode("utf-16"),
    "spaces sent to keep the connection": b"\n \n" + WHOLE,
    "bytes that are no character": WHOLE.replace(b"XX", b"\xff\xc3"),
    "Latin-1": WHOLE.replace(b"XX", b"\xe9"),
    "line ends inside a text": WHOLE.replace(b"XX", b"\n\t\x01"),
    "half a pair of surrogates": WHOLE.replace(b"XX", b"\\ud83d"),
    "NaN": WHOLE[:-1] + b', "score": NaN}',
    "a number of 5000 digits": WHOLE[:-1] + b', "created": ' + b"9" * 5000 + b"}",
    "numbers that no column holds": WHOLE.replace(
        b'"total_tokens"', b'"a": 1e400, "b": 99999999999999999999, "total_tokens"'
    ),
    "a member twice": WHOLE[:-1] + b', "model": "n"}',
    "in a list": b"[" + WHOLE + b"]",
}


@pytest.mark.parametrize("name", BYTES)
def test_a_paid_reply_is_read_although_its_bytes_are_not_quite_json(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    with teacher_server(_never, script=lambda number, body: fault(BYTES[name])) as server:
        run(server.url, photo_dataset, store, num_samples=1)
        assert len(server.requests) == 1
    ((response, tokens),) = rows(store, "select response, total_tokens from turns")
    assert response.endswith(ANSWER)
    assert tokens == 120
    assert statuses(store) == ["answered"]


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


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


ACCOUNT: dict[str, Fault] = {
    "402": fault(error("Insufficient credits", code=402), 402),
    "402 in a 200": fault(error("Insufficient credits", code=402)),
    "credit": fault(error("Your credit balance is too low to access the API."), 400),
    "arrears": fault(error("make sure your account is in good standing.", code="Arrearage"), 400),
    "quota": fault(error("You have exceeded your quota"), 403),
    "billing": fault({"detail": "Add a payment method in billing"}, 412),
    "insufficient_quota": fault(error("m", code="insufficient_quota"), 429, retry_after="1"),
    "base_resp": fault(
        {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}
    ),
    "an allowance": fault({"error": "you have reached your weekly usage limit"}, 429),
    "Chinese": fault(error("\u989d\u5ea6\u5df2\u7528\u5c3d"), 401),
}


@pytest.mark.parametrize("name", ACCOUNT)
def test_a_condition_of_the_account_stops_the_run_at_once_and_closes_no_trace(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    script = lambda number, body: ACCOUNT[name] if number == 3 else good(number)  # noqa: E731
    with teacher_server(_never, script=script) as server:
        with pytest.raises(TeacherUnusable, match="no credit left") as raised:
            run(server.url, photo_dataset, store, num_samples=6, concurrency=1)
        assert "\n" not in str(raised.value)
        assert len(server.requests) == 4
        assert sorted(set(statuses(store))) == ["answered", "open"]
        assert statuses(store).count("answered") == 3
        assert rows(store, "select error_class from attempts") == [("account",)]
        run(server.url, photo_dataset, store, num_samples=6, concurrency=1)
        assert len(server.requests) == 7
    assert statuses(store) == ["answered"] * 6


DENIED: dict[str, Fault] = {
    "401": fault(error("token expired"), 401),
    "401 in a 200": fault(error("No auth credentials found", code=401)),
    "403": fault({"message": "Forbidden"}, 403),
    "404": fault({"detail": "Not Found"}, 404),
    "407": fault({}, 407),
    "410": fault(error("m", code="model_not_found"), 410),
    "a model that is not loaded": fault(error("No models loaded."), 400),
    "400": fault(error("API key expired. Please renew the API key."), 400),
}


@pytest.mark.parametrize("name", DENIED)
@pytest.mark.parametrize("times", [1, 2])
def test_a_denial_among_answers_is_one_requests_and_it_is_asked_again(
    name: str, times: int, photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    denied = range(2, 2 + times)
    script = lambda number, body: DENIED[name] if number in denied else good(number)  # noqa: E731
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=4, concurrency=1)
        assert len(server.requests) == 4 + times
    assert statuses(store) == ["answered"] * 4
    assert rows(store, "select error_class from attempts") == [("refused",)] * times


@pytest.mark.parametrize("name", DENIED)
@pytest.mark.parametrize(("concurrency", "left"), [(1, 4), (4, 4), (1, 2)])
def test_a_key_that_has_expired_stops_the_run_and_closes_no_trace(
    name: str, concurrency: int, left: int, photo_dataset: Path, tmp_path: Path
) -> None:
    store, answered = tmp_path / "g.db", 6 - left
    script = lambda number, body: good(number) if number < answered else DENIED[name]  # noqa: E731
    with teacher_server(_never, script=script) as server:
        with pytest.raises(
            TeacherUnusable, match=r"--api-key-env|--model|may not use this|--proxy"
        ):
            run(server.url, photo_dataset, store, concurrency=concurrency)
        assert len(server.requests) <= answered + 5 + concurrency
    assert "failed" not in statuses(store)
    assert statuses(store).count("answered") == answered
    with teacher_server(_never, script=lambda number, body: good(number)) as server:
        run(server.url, photo_dataset, store)
        assert len(server.requests) == left
    assert statuses(store) == ["answered"] * 6


def test_an_expired_key_closes_not_even_the_last_trace(photo_dataset: Path, tmp_path: Path) -> None:
    store = tmp_path / "g.db"
    script = lambda number, body: DENIED["401"] if number else good(number)  # noqa: E731
    with teacher_server(_never, script=script) as server, pytest.raises(TeacherUnusable):
        run(server.url, photo_dataset, store, num_samples=2, concurrency=1)
    assert statuses(store) == ["answered", "open"]


FLAGGED = error("Your chosen model requires moderation and your input was flagged", code=403)
ONE_PHOTO: dict[str, tuple[Fault, int]] = {
    "moderation": (fault(FLAGGED, 403), 1),
    "moderation in a 200": (fault(FLAGGED), 1),
    "a blocked prompt": (
        fault({"choices": [], "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
        1,
    ),
    "base_resp": (
        fault({"base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}),
        1,
    ),
    "a policy": (fault(error("m", code="content_policy_violation"), 400), 1),
    "no word why": (fault({"message": "Forbidden"}, 403), 3),
    "an odd request": (fault({"detail": "cannot read this image"}, 422), 1),
}


@pytest.mark.parametrize("name", ONE_PHOTO)
def test_a_photo_that_the_server_refuses_ends_its_own_trace_and_stays_so(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    refusal, asked = ONE_PHOTO[name]
    store = tmp_path / "g.db"
    photos: list[Any] = []

    def script(number: int, body: Body) -> Fault:
        photos.append(body["messages"][1])
        return refusal if number and photos[-1] == photos[1] else good(number)

    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=4, concurrency=1)
        run(server.url, photo_dataset, store, num_samples=4, concurrency=1)
        assert len(server.requests) == 3 + asked
    ends = rows(store, "select status, stop_reason from traces order by status")
    assert ends == [("answered", "answer")] * 3 + [("failed", "refused")]


def test_photos_that_are_moderated_do_not_stop_a_run_in_which_nothing_was_answered_yet(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store, flagged = tmp_path / "g.db", fault(FLAGGED, 403)
    script = lambda number, body: flagged if number < 4 else good(number)  # noqa: E731
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store)
    assert sorted(statuses(store)) == ["answered"] * 2 + ["failed"] * 4


CHOICE_ERROR = completion({"content": ""}, "error", error={"code": 503, "message": "overloaded"})
INSIDE: dict[str, tuple[Fault, str]] = {
    "429": (
        fault(
            error(
                "Rate limit exceeded: free-models-per-min.",
                code=429,
                metadata={"headers": {"X-RateLimit-Reset": "1790000060000"}},
            )
        ),
        "rate_limit",
    ),
    "429 without choices": (fault({"code": 429, "message": "slow down"}), "rate_limit"),
    "502": (fault(error("Provider returned error", code=502)), "server"),
    "500 in a list": (fault([error("internal", code=500)]), "server"),
    "429 in a list": (fault([error("exhausted", code=429)]), "rate_limit"),
    "base_resp": (
        fault({"base_resp": {"status_code": 1002, "status_msg": "rate limit exceeded(RPM)"}}),
        "rate_limit",
    ),
    "a 400 that throttles": (
        fault({"message": "", "__type": "ThrottlingException"}, 400),
        "rate_limit",
    ),
    "a code of its own": (fault({"code": 50000, "msg": "system error", "data": None}), "server"),
    "success false": (fault({"success": False, "message": "failed"}), "server"),
    "a status in words": (fault({"status": "error", "message": "upstream failed"}), "server"),
    "a crash": (fault({"error": "The model has crashed."}, 400), "server"),
    "502 beside half an answer": (
        fault({**completion({"content": ANSWER}, None), **error("gone", code=502)}),
        "server",
    ),
    "in a choice": (fault(CHOICE_ERROR), "server"),
    "as text": (fault({"error": "overloaded", "choices": None}), "server"),
    "a real 503": (fault({"detail": "busy"}, 503), "server"),
    "a 400 around a 503": (fault(error("Provider is overloaded", code=503), 400), "server"),
}


@pytest.mark.parametrize("name", INSIDE)
def test_an_outage_inside_a_200_is_an_outage(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    """It lasts for more requests than a trace has attempts, and no trace is to blame."""
    outage, error_class = INSIDE[name]
    store = tmp_path / "g.db"
    script = lambda number, body: outage if 1 <= number <= 9 else good(number)  # noqa: E731
    pace = {"break_after_failures": 3, "break_after_seconds": 0.0, "probe_seconds": 0.01}
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=4, concurrency=3, pace=pace)
    (probes,) = rows(store, "select count(*) from attempts where error_class = 'probe'")[0]
    assert len(server.requests) == 4 + 9 + probes
    assert probes <= 1, "the first answer shows that it is over"
    assert statuses(store) == ["answered"] * 4
    failed = "select distinct error_class from attempts where error_class <> 'probe'"
    assert rows(store, failed) == [(error_class,)]


def test_a_rate_limit_counts_against_no_trace(photo_dataset: Path, tmp_path: Path) -> None:
    """Also where a single trace is left, so that the teacher does not seem to be down."""
    store, limited = tmp_path / "g.db", INSIDE["429"][0]
    script = lambda number, body: limited if 1 <= number <= 8 else good(number)  # noqa: E731
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=2, concurrency=1)
    assert statuses(store) == ["answered"] * 2
    assert rows(store, "select count(*) from attempts") == [(8,)]


def test_the_wait_that_a_gateway_quotes_is_kept(photo_dataset: Path, tmp_path: Path) -> None:
    soon = str(int(1000 * (time.time() + 30)))
    limited = fault(error("slow down", code=429, metadata={"headers": {"X-RateLimit-Reset": soon}}))
    store = tmp_path / "g.db"
    script = lambda number, body: good(number) if number else limited  # noqa: E731
    begun = time.monotonic()
    policy = replace(AT_ONCE, longest_retry_after=0.5)
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=1, retry_policy=policy)
    assert time.monotonic() - begun >= 0.5
    assert statuses(store) == ["answered"]


HALF = "\\boxed{48.8566, 2.3522} comes to mind first, but the plates are Belg"
BROKEN: dict[str, tuple[dict[str, Any], str | None]] = {
    **{
        word: (completion({"content": HALF}, word), HALF)
        for word in ("error", "abort", "network_error", "aborted", "engine_error", "cancelled")
    },
    **{
        word: (completion({"content": HALF}, word), HALF)
        for word in ("preempted", "model_overloaded", "upstream_disconnect", "EXCEPTION")
    },
    **{
        word: (completion({"content": HALF}, word), HALF)
        for word in ("network-error", "networkError", "abort: client", "connection_lost", "killed")
    },
    **{
        word: (completion({"content": HALF}, word), HALF)
        for word in ("time_limit", "eviction", "shutdown", "OTHER", "UNEXPECTED_TOOL_CALL")
    },
    "resources": (completion({"content": HALF}, "insufficient_system_resource"), HALF),
    "reasoning": (
        completion({"content": HALF, "reasoning": "Hm."}, "error"),
        f"<think>Hm.</think>{HALF}",
    ),
    "parts": (completion({"content": [{"type": "text", "text": HALF}]}, "error"), HALF),
    "no words": (completion({"content": ""}, "error"), None),
    "an error in the body": ({**completion({"content": HALF}, None), **error("gone")}, HALF),
}


@pytest.mark.parametrize("name", BROKEN)
def test_half_an_answer_is_none_and_its_paid_words_are_kept(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    body, words = BROKEN[name]
    store = tmp_path / "g.db"
    script = lambda number, _: good(number) if number else fault(body)  # noqa: E731
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=1)
        assert len(server.requests) == 2
    assert rows(store, "select response from turns") == [(ANSWER,)]
    query = "select error_class, http_status, response, usage ->> 'total_tokens' from attempts"
    assert rows(store, query) == [("server", 200, words, 120)]


def test_a_reply_that_always_breaks_off_ends_its_trace_without_an_answer(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store, half = tmp_path / "g.db", fault(BROKEN["abort"][0])
    with teacher_server(_never, script=lambda number, body: half) as server:
        run(server.url, photo_dataset, store, num_samples=1)
        assert len(server.requests) == AT_ONCE.max_attempts
    assert rows(store, "select status, stop_reason from traces") == [("failed", "server")]
    assert rows(store, "select response from attempts") == [(HALF,)] * AT_ONCE.max_attempts
    assert rows(store, "select * from answers") == []


def test_when_many_traces_in_a_row_are_refused_the_run_pauses_and_says_why(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """A limit that a proxy was given meanwhile would otherwise end every trace in a minute."""
    store, notes = tmp_path / "g.db", Notes()
    refusal = fault({"detail": "the request is too large"}, 413)
    script = lambda number, body: refusal if 1 <= number <= 4 else good(number)  # noqa: E731
    pace = {"break_after_failures": 3, "probe_seconds": 0.05}
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, concurrency=1, pace=pace, notes=notes)
    assert sorted(statuses(store)) == ["answered"] * 2 + ["failed"] * 4
    pauses = [notice for notice in notes.notices if notice.startswith("pausing")]
    assert len(pauses) == 1
    assert "HTTP 413: the request is too large" in pauses[0]


def test_no_wait_is_too_long_to_be_counted() -> None:
    assert 0 <= RetryPolicy().wait(5000, None) <= RetryPolicy().longest_wait


def statuses(store_path: Path) -> list[str]:
    return [status for (status,) in rows(store_path, "select status from traces order by id")]
