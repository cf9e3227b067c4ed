"""One request, one reply or one named failure: whatever the server does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geostore.errors import TeacherError, TeacherUnusable
from geostore.records import Reply as Answered
from tests.asking import BODY, ask
from tests.teacher_server import Fault, Reply, free_address, teacher_server

HTML = {"Content-Type": "text/html"}


def said(reply: Reply) -> Answered:
    with teacher_server(lambda body: reply) as server:
        (answered,) = ask(server)
    assert isinstance(answered, Answered)
    return answered


def failed(fault: Fault, *, after_success: bool = False, timeout: float = 5.0) -> TeacherError:
    def script(number: int, body: dict[str, Any]) -> Reply | Fault | None:
        return None if after_success and number == 0 else fault

    with teacher_server(lambda body: Reply("fine"), script=script) as server:
        error = ask(server, times=1 + after_success, timeout=timeout)[-1]
    assert isinstance(error, TeacherError)
    return error


def test_the_body_goes_over_the_wire_as_it_is_and_once_after_how_it_is_to_travel() -> None:
    with teacher_server(lambda body: Reply("hello")) as server:
        ask(server)
    assert server.requests == [b'{"stream":false,' + BODY[1:]]
    assert server.headers[0]["authorization"] == "Bearer sk-secret"


def test_content_and_counts_are_read_and_what_is_not_said_is_unknown() -> None:
    reply = said(Reply("hello", usage={"prompt_tokens": 7, "prompt_tokens_details": None}))
    assert (reply.response, reply.prompt_tokens) == ("hello", 7)
    assert reply.completion_tokens is None
    assert reply.cached_tokens is None


def test_details_of_usage_are_read_where_the_server_gives_them() -> None:
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    reply = said(Reply("x", usage=usage))
    assert (reply.total_tokens, reply.cached_tokens, reply.reasoning_tokens) == (12, 4, 3)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply("text", message={"reasoning": "why"}), ("text", "why", "reasoning")),
        (Reply("text", message={"reasoning_content": "why"}), ("text", "why", "reasoning_content")),
        (Reply("<think>why</think>\ntext"), ("\ntext", "why", "think")),
        (Reply("why</think>text"), ("text", "why", "think_unopened")),
        (Reply("<think>why", finish_reason="length"), ("", "why", "think_unclosed")),
        (Reply("plain"), ("plain", None, None)),
    ],
)
def test_reasoning_is_kept_apart_wherever_the_server_puts_it(
    reply: Reply, expected: tuple[str, str | None, str | None]
) -> None:
    found = said(reply)
    assert (found.response, found.reasoning, found.reasoning_source) == expected


def test_a_native_call_without_an_id_gets_one_so_that_it_can_be_answered() -> None:
    call = {"type": "function", "function": {"name": "zoom", "arguments": "{}"}}
    found = said(Reply(None, tool_calls=[call, {**call, "id": "mine"}]))
    assert [c["id"] for c in json.loads(found.native_calls or "")] == ["call_0", "mine"]


def test_native_calls_under_one_id_are_told_apart() -> None:
    """Two results could not both be given to one call."""
    call = {"id": "same", "type": "function", "function": {"name": "z", "arguments": "{}"}}
    answered = said(Reply(None, tool_calls=[call, call, {**call, "id": 7}]))
    calls = json.loads(answered.native_calls or "")
    assert [each["id"] for each in calls] == ["same", "call_1", "call_2"]


@pytest.mark.parametrize("member", ["function_call", "tool_calls"])
def test_a_call_alone_is_read_as_a_list_of_one(member: str) -> None:
    """It is paid for; refused, it would be asked for and billed again."""
    function = {"name": "zoom", "arguments": "{}"}
    call = {"type": "function", "function": function}
    alone = function if member == "function_call" else call
    found = said(Reply(None, message={member: alone}))
    assert json.loads(found.native_calls or "") == [{**call, "id": "call_0"}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([None, "call_0"], ["call_0_1", "call_0"]),
        (["call_1", None], ["call_1", "call_1_1"]),
        (["", "", ""], ["call_0", "call_1", "call_2"]),
        (["call_1", "call_1", "call_1_1"], ["call_1", "call_1_2", "call_1_1"]),
    ],
)
def test_a_new_id_of_a_native_call_is_none_that_another_has(
    given: list[str | None], expected: list[str]
) -> None:
    call = {"type": "function", "function": {"name": "z", "arguments": "{}"}}
    calls = [call if own is None else {**call, "id": own} for own in given]
    found = said(Reply(None, tool_calls=calls))
    assert [c["id"] for c in json.loads(found.native_calls or "")] == expected


def test_characters_that_no_text_column_takes_are_replaced_and_the_rest_is_kept() -> None:
    body = b'{"choices": [{"message": {"content": "a\\ud800b\\u0000c"}, "finish_reason": "stop"}]}'
    fault = Fault(200, body)
    with teacher_server(lambda body: Reply(), script=lambda n, b: fault) as server:
        (found,) = ask(server)
    assert found.response == "a\ufffdb\ufffdc"


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        (Fault(429, headers={"Retry-After": "7"}), "rate_limit"),
        (Fault(500), "server"),
        (Fault(503, b"busy", {}), "server"),
        (Fault(408), "server"),
        (Fault(hang_up=True), "connection"),
        (Fault(200, b"not json", {"Content-Type": "text/plain"}), "bad_response"),
        (Fault(200, b'{"choices": []}'), "bad_response"),
        (Fault(200, b'{"choices": null, "error": "overloaded"}'), "server"),
        (Fault(200, b'{"choices": [{"message": {"content": ""}}]}'), "bad_response"),
        (Fault(200, b'{"choices": [{"message": {"content": 7}}]}'), "bad_response"),
        (Fault(200, b"[1, 2]"), "bad_response"),
        (Fault(200, b"[" * 100_000), "bad_response"),
        (Fault(200, b'{"choices": [{"messa'), "bad_response"),
        (Fault(200, b"<html>later</html>", HTML), "bad_response"),
        (Fault(400, b'{"error": {"message": "too long"}}'), "refused"),
    ],
)
def test_each_failure_has_its_class_and_another_request_may_fare_better(
    fault: Fault, error_class: str
) -> None:
    error = failed(fault, after_success=True)
    assert not isinstance(error, TeacherUnusable)
    assert error.error_class == error_class


def test_retry_after_is_passed_on() -> None:
    assert failed(Fault(429, headers={"Retry-After": "7"})).retry_after == 7
    assert failed(Fault(429, headers={"Retry-After": "soon"})).retry_after is None


def test_the_limits_that_a_server_names_tell_how_long_to_wait_and_only_where_they_were_hit() -> (
    None
):
    body = b'{"error": {"message": "slow down"}}'
    limits = {"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "0"}
    assert failed(Fault(429, body, limits)).retry_after == 360
    assert failed(Fault(500, body, limits)).retry_after is None


def test_a_response_that_was_billed_but_is_useless_tells_what_it_cost() -> None:
    error = failed(Fault(200, b'{"choices": [], "usage": {"prompt_tokens": 9}}'))
    assert error.usage == '{"prompt_tokens":9}'


OTHER = json.dumps({"model": "other", "messages": []}).encode()
NAMED = b'{"id": "chatcmpl-9f2c41d07be8", "choices": [{"message": {"content": "Norway"}}]}'


@pytest.mark.parametrize(
    ("bodies", "said", "failures"),
    [
        ((BODY, OTHER), NAMED, [None, "connection"]),
        ((BODY, OTHER, OTHER), NAMED, [None, "connection", None]),
        ((BODY, BODY), NAMED, [None, None]),
        ((BODY, OTHER), NAMED.replace(b'"id": "chatcmpl-9f2c41d07be8", ', b""), [None, None]),
        ((BODY, OTHER), NAMED.replace(b"chatcmpl-9f2c41d07be8", b""), [None, None]),
    ],
    ids=["another request", "on a new connection", "the same request", "no id", "an empty id"],
)
def test_a_reply_that_comes_again_for_another_request_is_not_taken(
    bodies: tuple[bytes, ...], said: bytes, failures: list[str | None]
) -> None:
    """It may come so late that only its bytes tell."""
    with teacher_server(lambda body: Reply(), script=lambda n, b: Fault(200, said)) as server:
        found = ask(server, bodies=bodies)
    assert [getattr(one, "error_class", None) for one in found] == failures


def test_a_reply_that_was_there_before_its_request_is_not_taken() -> None:
    """A copy that came with the first reply would be read as the answer to what is asked next."""
    twice = lambda number, body: Reply(f"answer {number}", twice=number == 0)  # noqa: E731
    with teacher_server(lambda body: Reply(), script=twice) as server:
        found = ask(server, bodies=(BODY, OTHER, BODY, OTHER))
    said = [one.response if isinstance(one, Answered) else one.error_class for one in found]
    # Where the copy came a moment later, it was noticed before the second request was sent; where
    # the connection was closed on a busy server, that has perhaps not read the second request.
    assert said[0] == "answer 0"
    answers = [words for words in said[1:] if words != "connection"]
    assert len(answers) >= 2
    assert "answer 0" not in answers
    assert sorted(set(answers)) == answers


def test_a_server_that_never_answers_is_cut_off() -> None:
    error = failed(Fault(silent_seconds=30), timeout=0.3)
    assert error.error_class == "timeout"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(401, b'{"error": {"message": "Incorrect API key: sk-secret"}}'), "--api-key-env"),
        (Fault(403), "may not"),
        (Fault(404, b'{"error": {"message": "The model `x` does not exist."}}'), "--model"),
        (Fault(429, b'{"error": {"message": "m", "code": "insufficient_quota"}}'), "no credit"),
        (Fault(200, b"<html>welcome</html>", HTML), "web page"),
    ],
)
def test_what_no_other_request_can_mend_stops_the_run_with_a_sentence(
    fault: Fault, words: str
) -> None:
    error = failed(fault)
    assert isinstance(error, TeacherUnusable)
    assert words in str(error)
    assert "sk-secret" not in str(error)


def test_an_address_where_nothing_listens_stops_the_run() -> None:
    (error,) = ask(free_address())
    assert isinstance(error, TeacherUnusable)
    assert "--base-url" in str(error)


def test_when_every_request_is_refused_the_run_stops_after_a_few() -> None:
    fault = Fault(400, b'{"error": {"message": "temperature must be 1"}}')
    with teacher_server(lambda body: Reply(), script=lambda n, b: fault) as server:
        errors = ask(server, times=3)
    assert [isinstance(error, TeacherUnusable) for error in errors] == [False, False, True]
    assert "temperature must be 1" in str(errors[-1])
