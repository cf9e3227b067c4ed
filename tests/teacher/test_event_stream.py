"""A reply that comes as events is the same reply: its deltas joined, in every server's form."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geostore.errors import TeacherError
from geostore.records import Reply as Answered
from geostore.teacher.event_stream import ArrivingReply, is_event_stream, join_events
from tests.asking import ask
from tests.event_streams import DONE, EVENTS, chunk, event, pieces_of, stream, streamed
from tests.examples import examples
from tests.teacher_server import Fault, Reply, teacher_server

USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
ANSWER = "It is there. <answer>\\boxed{48.8566, 2.3522}</answer>"
LAST = {**chunk(usage=USAGE), "choices": []}
ZOOM: dict[str, Any] = {"name": "zoom", "arguments": '{"bbox_2d": [1, 2, 3, 4]}'}


def call(index: int | None = 0, **more: Any) -> dict[str, Any]:
    """A chunk with a piece of a call."""
    place = {} if index is None else {"index": index}
    return chunk({"tool_calls": [{**place, **more}]})


def zoom(call_id: str | None = "c1", **more: Any) -> dict[str, Any]:
    """The call of `ZOOM` in a plain message."""
    named = {} if call_id is None else {"id": call_id}
    return {**named, "type": "function", "function": ZOOM, **more}


START: dict[str, Any] = {
    "id": "c1",
    "type": "function",
    "function": {"name": "zoom", "arguments": ""},
}
WHOLE: dict[str, Any] = {"id": "c1", "type": "function", "function": ZOOM}
PIECES = [call(function={"arguments": piece}) for piece in pieces_of(ZOOM["arguments"])]


@dataclass(frozen=True)
class Streamed:
    """Chunks, and the message that they amount to."""

    chunks: list[Any]
    message: dict[str, Any]
    finish_reason: str | None = "stop"
    usage: Any = field(default_factory=lambda: USAGE)
    done: bool = True


def said(*deltas: dict[str, Any], **message: Any) -> Streamed:
    """Deltas, then the end of a stream, and their message."""
    return Streamed([*map(chunk, deltas), chunk(None, "stop"), LAST], message)


def called(*chunks: dict[str, Any], **message: Any) -> Streamed:
    return Streamed([*chunks, chunk(None, "tool_calls"), LAST], message, "tool_calls")


WHOLE_REPLIES: dict[str, Streamed] = {
    "a role, then words": said(
        {"role": "assistant", "content": ""},
        {"content": "It "},
        {"content": "is"},
        role="assistant",
        content="It is",
    ),
    "equal pieces": said({"content": "ha"}, {"content": "ha"}, {"content": "ha"}, content="hahaha"),
    "null content": said({"role": "assistant", "content": None}, role="assistant", content=None),
    "reasoning": said(
        {"reasoning": "Hm"},
        {"reasoning": "Hm", "content": None},
        {"content": "So"},
        reasoning="HmHm",
        content="So",
    ),
    "reasoning_content": said(
        {"reasoning_content": "H"},
        {"reasoning_content": "m", "content": ""},
        {"content": "So", "reasoning_content": None},
        reasoning_content="Hm",
        content="So",
    ),
    "a refusal": said({"refusal": "I "}, {"refusal": "can't"}, refusal="I can't"),
    "halves of a character": said({"content": "a\ud83d"}, {"content": "\ude00b"}, content="a😀b"),
    "half a character": said({"content": "a\ud83d"}, {"content": "b"}, content="a\ufffdb"),
    "line separators": said({"content": "a\u2028b\u0085c\x0b"}, content="a\u2028b\u0085c\x0b"),
    "[DONE] in the words": said({"content": "data: [DONE]\n\n"}, content="data: [DONE]\n\n"),
    "reasoning_details": said(
        {"content": "So"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "H", "index": 0, "id": None}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "m", "index": 0}]},
        {
            "reasoning_details": [
                {"type": "reasoning.text", "text": "", "signature": "s1", "index": 0},
                {"type": "reasoning.encrypted", "data": "c2ln", "id": "x", "index": 1},
            ]
        },
        content="So",
        reasoning_details=[
            {"type": "reasoning.text", "text": "Hm", "index": 0, "signature": "s1"},
            {"type": "reasoning.encrypted", "data": "c2ln", "id": "x", "index": 1},
        ],
    ),
    "reasoning_details without an index": said(
        {"content": "So"},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "a"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "a"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "y"}]},
        content="So",
        reasoning_details=[
            {"type": "reasoning.summary", "summary": "aa"},
            {"type": "reasoning.encrypted", "data": "x"},
            {"type": "reasoning.encrypted", "data": "y"},
        ],
    ),
    "one index for two kinds": said(
        {"content": "So"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "index": 0}]},
        content="So",
        reasoning_details=[
            {"type": "reasoning.text", "text": "a", "index": 0},
            {"type": "reasoning.encrypted", "data": "x", "index": 0},
        ],
    ),
    "parts": said(
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "H"}]}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "m"}]}]},
        {"content": "So"},
        {"content": ", there"},
        content=[
            {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
            {"type": "text", "text": "So, there"},
        ],
    ),
    "parts after an empty text": said(
        {"role": "assistant", "content": ""},
        {"content": [{"type": "text", "text": "a"}]},
        {"content": [{"type": "text", "text": "b"}]},
        role="assistant",
        content=[{"type": "text", "text": "ab"}],
    ),
    "unknown members": said(
        {"x_phase": "final", "x_score": 1, "content": "a"},
        {"x_phase": "final", "x_score": 2, "x_more": {"a": "b", "n": 1}},
        {"x_more": {"a": "c", "n": 2}, "x_list": [1]},
        {"x_list": [2, {"type": "url_citation"}, {"type": "url_citation"}]},
        x_phase="final",
        x_score=2,
        content="a",
        x_more={"a": "bc", "n": 2},
        x_list=[1, 2, {"type": "url_citation"}, {"type": "url_citation"}],
    ),
    "a call in pieces": called(call(**START), *PIECES, tool_calls=[zoom()]),
    "a call in one piece": called(call(**WHOLE), tool_calls=[zoom()]),
    "a call without an index": called(
        call(None, **START),
        *[call(None, function={"arguments": piece}) for piece in pieces_of(ZOOM["arguments"])],
        tool_calls=[zoom()],
    ),
    "an id in each piece": called(
        call(**START),
        *[
            call(id="c1", function={"name": "zoom", "arguments": piece})
            for piece in pieces_of(ZOOM["arguments"])
        ],
        tool_calls=[zoom()],
    ),
    "empty words in later pieces": called(
        call(**START),
        *[
            call(id="", type="function", function={"name": "", "arguments": piece})
            for piece in pieces_of(ZOOM["arguments"])
        ],
        tool_calls=[zoom()],
    ),
    "nulls in later pieces": called(
        call(**START),
        *[
            call(id=None, type=None, function={"name": None, "arguments": piece})
            for piece in pieces_of(ZOOM["arguments"])
        ],
        tool_calls=[zoom()],
    ),
    "a name in pieces": called(
        call(id="c1", type="function", function={"name": "zo", "arguments": ""}),
        call(function={"name": "om"}),
        *PIECES,
        tool_calls=[zoom()],
    ),
    "two calls that alternate": called(
        call(0, **START),
        call(1, **{**START, "id": "c2"}),
        *[
            call(index, function={"arguments": piece})
            for piece in pieces_of(ZOOM["arguments"])
            for index in (0, 1)
        ],
        tool_calls=[zoom(), zoom("c2")],
    ),
    "two calls under one index": called(
        call(0, **WHOLE), call(0, **{**WHOLE, "id": "c2"}), tool_calls=[zoom(), zoom("c2")]
    ),
    "two calls under one index without ids": called(
        call(0, type="function", function=ZOOM),
        call(0, type="function", function=ZOOM),
        tool_calls=[zoom(None), zoom(None)],
    ),
    "two calls without index": called(
        call(None, **WHOLE), call(None, **{**WHOLE, "id": "c2"}), tool_calls=[zoom(), zoom("c2")]
    ),
    "two calls in one chunk": called(
        chunk({"tool_calls": [{"index": 0, **WHOLE}, {"index": 1, **WHOLE, "id": "c2"}]}),
        tool_calls=[zoom(), zoom("c2")],
    ),
    "the whole call again at the end": called(
        call(**START), *PIECES, call(**WHOLE), tool_calls=[zoom()]
    ),
    "a call alone, not in a list": called(chunk({"tool_calls": WHOLE}), tool_calls=[zoom()]),
    "arguments as an object": called(
        call(id="c1", type="function", function={"name": "zoom", "arguments": {"a": 1}}),
        tool_calls=[{**START, "function": {"name": "zoom", "arguments": {"a": 1}}}],
    ),
    "a thought signature in a call": called(
        call(**WHOLE, extra_content={"google": {"thought_signature": "c2ln"}}),
        tool_calls=[zoom(extra_content={"google": {"thought_signature": "c2ln"}})],
    ),
    "the older form of a call": Streamed(
        [
            chunk({"function_call": {"name": "zoom", "arguments": ""}}),
            *[
                chunk({"function_call": {"arguments": piece}})
                for piece in pieces_of(ZOOM["arguments"])
            ],
            chunk(None, "function_call"),
            LAST,
        ],
        {"function_call": ZOOM},
        "function_call",
    ),
    "a whole message at the end": Streamed(
        [
            chunk({"content": "It is"}),
            {
                **chunk(),
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "delta": {"content": "It is there"},
                        "message": {"role": "assistant", "content": "It is there"},
                    }
                ],
                "usage": USAGE,
            },
        ],
        {"role": "assistant", "content": "It is there"},
    ),
    "a plain reply as one event": Streamed(
        [
            {
                "id": "r1",
                "object": "chat.completion",
                "model": "m",
                "usage": USAGE,
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"content": ANSWER}},
                ],
            }
        ],
        {"content": ANSWER},
        done=False,
    ),
    "usage with the last words": Streamed(
        [chunk({"content": "a"}), chunk({"content": "b"}, "stop", usage=USAGE)], {"content": "ab"}
    ),
    "usage in each chunk": Streamed(
        [
            chunk({"content": "a"}, usage={"prompt_tokens": 100, "total_tokens": 101}),
            chunk({"content": "b"}, "stop", usage=None),
            LAST,
        ],
        {"content": "ab"},
    ),
    "usage in the choice": Streamed(
        [
            chunk({"content": "a"}),
            {
                **chunk(),
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}],
            },
        ],
        {"content": "a"},
    ),
    "usage in x_groq": Streamed(
        [chunk({"content": "a"}), chunk(None, "stop", x_groq={"id": "req", "usage": USAGE})],
        {"content": "a"},
    ),
    "no usage": Streamed(
        [chunk({"content": "a"}), chunk(None, "stop")], {"content": "a"}, usage=None
    ),
    "an empty finish_reason before the end": Streamed(
        [chunk({"content": "a"}, ""), chunk({"content": "b"}, "null"), chunk(None, "length"), LAST],
        {"content": "ab"},
        "length",
    ),
    "no [DONE], but a finish_reason": Streamed(
        [chunk({"content": "a"}, "stop"), LAST], {"content": "a"}, done=False
    ),
    "no finish_reason, but [DONE]": Streamed(
        [chunk({"content": "a"}), LAST], {"content": "a"}, None
    ),
    "a ping between": Streamed(
        [
            chunk({"content": "a"}),
            {"type": "ping"},
            "keep-alive",
            chunk({"content": "b"}, "stop"),
            LAST,
        ],
        {"content": "ab"},
    ),
    "a filter's chunk first": Streamed(
        [
            {"choices": [], "id": "", "model": "", "object": "", "prompt_filter_results": []},
            chunk({"content": "a"}, "stop"),
            LAST,
        ],
        {"content": "a"},
    ),
}


def as_plain(case: Streamed) -> dict[str, Any]:
    """The plain body of a case's reply."""
    choice = {"index": 0, "message": case.message, "finish_reason": case.finish_reason}
    usage = {} if case.usage is None else {"usage": case.usage}
    return {"id": "r1", "model": "m", "choices": [choice], **usage}


@pytest.mark.parametrize("name", WHOLE_REPLIES)
def test_deltas_are_joined_into_the_message_that_a_plain_reply_would_hold(name: str) -> None:
    case = WHOLE_REPLIES[name]
    body = join_events(stream(*case.chunks, done=case.done))
    assert "error" not in body
    (choice,) = body["choices"]
    assert choice["message"] == case.message
    assert choice["finish_reason"] == case.finish_reason
    assert body.get("usage") == case.usage
    assert (body["id"], body["model"], body["object"]) == ("r1", "m", "chat.completion")


@pytest.mark.parametrize("name", sorted(WHOLE_REPLIES.keys() - {"null content"}))
def test_a_reply_in_events_is_read_as_the_plain_reply_is(name: str) -> None:
    """Nobody asked for events, and the headers may not even name them."""
    case = WHOLE_REPLIES[name]
    in_events = stream(*case.chunks, done=case.done)
    plain = json.dumps(as_plain(case)).encode()
    faults = (
        Fault(200, plain, {"Content-Type": "application/json"}),
        Fault(200, in_events, EVENTS),
        Fault(200, in_events, {"Content-Type": "application/json"}),
        Fault(200, in_events, {}),
    )
    with teacher_server(lambda body: Reply(), script=lambda n, b: faults[n]) as server:
        replies = ask(server, times=len(faults))
    assert all(isinstance(reply, Answered) for reply in replies), replies
    found = [{**_values(reply), "latency_ms": None} for reply in replies]
    assert found[1:] == [found[0]] * 3


def _values(reply: Answered) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in reply.__slots__}


FORMS: dict[str, tuple[str, str]] = {
    "CRLF": ("\n", "\r\n"),
    "CR": ("\n", "\r"),
    "no space": ("data: ", "data:"),
    "no empty lines": ("\n\n", "\n"),
    "comments": ("data: {", ": OPENROUTER PROCESSING\n\ndata: {"),
    "ids and times": ("data: {", "id: 7\nretry: 10\ndata: {"),
    "kinds": ("data: {", "event: message\ndata: {"),
    "data in two lines": (', "', ',\ndata:  "'),
    "empty data": ("data: {", "data:\n\ndata: {"),
    "a byte order mark": ("data: {", "\ufeffdata: {"),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_lines_of_a_stream_may_have_any_form(name: str) -> None:
    old, new = FORMS[name]
    plain = stream(*streamed(as_plain(WHOLE_REPLIES["a call in pieces"])))
    text = plain.decode()
    other = text.replace(old, new, 1) if name == "a byte order mark" else text.replace(old, new)
    assert other != text
    assert is_event_stream(other.encode(), "")
    assert join_events(other.encode()) == join_events(plain)


@pytest.mark.parametrize("prefix", ["", "data:"])
@pytest.mark.parametrize("count", [None, 1])
def test_chunks_that_stand_alone_one_a_line_are_read_as_events(
    prefix: str, count: int | None
) -> None:
    """As application/x-ndjson, or by a proxy that takes the fields of events off."""
    case = WHOLE_REPLIES["a call in pieces"]
    chunks = [*streamed(as_plain(case))] if count is None else [chunk({"content": "a"}, "stop")]
    lines = [json.dumps(value) for value in chunks]
    body = "\n".join([lines[0], *(prefix + line for line in lines[1:]), ""]).encode()
    assert is_event_stream(body, "application/json")
    found = join_events(body)
    assert "error" not in found
    expected = case.message if count is None else {"content": "a"}
    message = {name: value for name, value in found["choices"][0]["message"].items() if value}
    assert message == {"role": "assistant", **expected} or message == expected
    arriving = ArrivingReply(0.0)
    arriving.take(body)
    assert arriving.first_token_ms is not None
    if count is None:
        assert "error" in join_events(body[: len(body) // 2])


def test_a_plain_reply_that_speaks_of_chunks_is_none() -> None:
    words = json.dumps({"object": "chat.completion.chunk"})
    body = {"choices": [{"message": {"content": words}, "finish_reason": "stop"}]}
    assert not is_event_stream(json.dumps(body).encode(), "application/json")


HALF = "\\boxed{48.8566, 2.3522} comes to mind first, but the plates are Belg"
HALVES = [chunk({"content": piece}) for piece in pieces_of(HALF)]
CUT = json.dumps(chunk({"content": "ian."}))[:-30]
BROKEN: dict[str, tuple[bytes, str, str | None]] = {
    "no end": (stream(*HALVES, done=False), "ended before the reply did", HALF),
    "cut inside a chunk": (
        stream(*HALVES, done=False) + f"data: {CUT}".encode(),
        "ended before the reply did",
        HALF,
    ),
    "cut inside a chunk, then [DONE]": (
        stream(*HALVES, CUT),
        "ended before the reply did",
        HALF,
    ),
    "cut inside a letter": (
        stream(*HALVES, done=False) + 'data: {"choices": [{"delta": {"content": "é'.encode()[:-1],
        "ended before the reply did",
        HALF,
    ),
    "an error in the middle": (
        stream(*HALVES, {"error": {"message": "no room", "code": 502}}, chunk(None, "stop")),
        "error 502 in HTTP 200: no room",
        HALF,
    ),
    "an error beside a choice": (
        stream(*HALVES, chunk({"content": ""}, "error", error={"message": "no room", "code": 502})),
        "error 502 in HTTP 200: no room",
        HALF,
    ),
    "an error inside a choice": (
        stream(
            *HALVES,
            {
                **chunk(),
                "choices": [
                    {"index": 0, "error": {"message": "no room", "code": 502}, "delta": {}},
                ],
            },
        ),
        "error 502 in HTTP 200: no room",
        HALF,
    ),
    "an error by its kind": (
        stream(*HALVES, done=False) + b'event: error\ndata: {"message": "no room"}\n\n',
        "no room",
        HALF,
    ),
    "an error as text": (
        stream(*HALVES, done=False) + b"event: error\ndata: no room\n\n",
        "no room",
        HALF,
    ),
    "an error object": (
        stream({"object": "error", "message": "no room", "type": "x", "code": 503}),
        "error 503 in HTTP 200: no room",
        None,
    ),
    "an error alone": (stream({"error": {"message": "no room"}}), "no room", None),
    "a detail alone": (stream({"detail": "no room"}), "no room", None),
    "an abort": (stream(*HALVES, chunk(None, "abort"), LAST), "broke the reply off", HALF),
    "a call that is cut": (
        stream(call(**START), PIECES[0], done=False),
        "ended before the reply did",
        '[{"function":{"arguments":"{\\"bbox_2d","name":"zoom"},"id":"c1","type":"function"}]',
    ),
    "reasoning that is cut": (
        stream(chunk({"reasoning": "Hm"}), done=False),
        "ended before the reply did",
        "<think>Hm</think>",
    ),
    "nothing at all": (b": hello\n\n", "ended before the reply did", None),
    "only [DONE]": (DONE.encode(), "holds no message", None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_breaks_off_is_a_failed_request_whose_words_are_kept(name: str) -> None:
    body, sentence, words = BROKEN[name]
    fault = Fault(200, body, EVENTS)
    with teacher_server(lambda body: Reply(), script=lambda n, b: fault) as server:
        (error,) = ask(server)
    assert isinstance(error, TeacherError), error
    assert sentence in str(error)
    assert error.response == words
    assert error.retried


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (400, event({"error": {"message": "no room"}}), "HTTP 400: no room"),
        (500, event({"detail": "no room"}) + DONE, "HTTP 500: no room"),
        (503, ": hello\n\n", "HTTP 503: Service Unavailable"),
        (503, "no room", "HTTP 503: no room"),
        (503, '{"detail": "no room"}', "HTTP 503: no room"),
    ],
)
def test_a_failure_in_an_event_is_shown_in_the_servers_words(
    status: int, body: str, sentence: str
) -> None:
    fault = Fault(status, body.encode(), EVENTS)
    with teacher_server(lambda body: Reply(), script=lambda n, b: fault) as server:
        (error,) = ask(server)
    assert sentence in str(error)


def test_plain_json_under_the_type_of_events_is_read_as_it_is() -> None:
    body = json.dumps(as_plain(WHOLE_REPLIES["equal pieces"])).encode()
    with teacher_server(
        lambda body: Reply(), script=lambda n, b: Fault(200, body, EVENTS)
    ) as server:
        (reply,) = ask(server)
    assert reply.response == "hahaha"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"data": 1}', False),
        (b"", False),
        (b"data and more", False),
        (b"data: x", True),
        (b"\n\ndata: x", True),
        (b": comment", True),
        (b"event: ping\n", True),
    ],
)
def test_a_stream_is_known_by_its_first_line(content: bytes, expected: bool) -> None:
    assert is_event_stream(content, "application/json") is expected


def test_the_first_token_is_that_of_the_first_words_or_thoughts_or_call() -> None:
    """Neither the role, which comes at once, nor a comment is one."""
    for delta in ({"content": "a"}, {"reasoning": "a"}, {"tool_calls": [START]}, {"refusal": "a"}):
        clock = iter([1.5])
        arriving = ArrivingReply(1.0, clock=lambda: next(clock))  # noqa: B023
        arriving.take(b": OPENROUTER PROCESSING\n\n")
        arriving.take(stream(chunk({"role": "assistant", "content": ""}), LAST, done=False))
        assert arriving.first_token_ms is None
        arriving.take(stream(chunk(delta)))
        assert arriving.first_token_ms == 500
        assert arriving.is_done


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
CALLS = st.lists(
    st.builds(
        lambda name, value: {"name": name, "arguments": json.dumps(value)},
        st.sampled_from(["zoom", "rotate", "zoom_in"]),
        st.dictionaries(st.sampled_from(["a", "b"]), TEXTS, max_size=2),
    ),
    max_size=3,
)


@given(
    content=TEXTS,
    reasoning=TEXTS,
    calls=CALLS,
    finish=st.sampled_from(["stop", "tool_calls", "length"]),
    cuts=st.lists(st.integers(0, 3000), max_size=12),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=examples(100), deadline=None)
def test_any_message_survives_being_sent_in_pieces(
    content: str,
    reasoning: str,
    calls: list[dict[str, str]],
    finish: str,
    cuts: list[int],
    line_end: str,
) -> None:
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if reasoning:
        message["reasoning"] = reasoning
    if calls:
        message["tool_calls"] = [
            {"id": f"c{n}", "type": "function", "function": function}
            for n, function in enumerate(calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": finish}
    completion = {"id": "r1", "model": "m", "choices": [choice], "usage": USAGE}
    body = stream(*streamed(completion)).decode().replace("\n", line_end).encode()
    assert join_events(body) == {**completion, "object": "chat.completion"}

    arriving = ArrivingReply(0.0)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for start, end in pairwise(edges):
        arriving.take(body[start:end])
    assert arriving.content == body
    assert arriving.is_done
    assert (arriving.first_token_ms is not None) == bool(content or reasoning or calls)


@given(cut=st.integers(0, 3000))
@settings(max_examples=examples(100), deadline=None)
def test_a_stream_that_is_cut_anywhere_before_its_end_is_never_a_whole_reply(cut: int) -> None:
    case = WHOLE_REPLIES["a role, then words"]
    body = stream(*streamed(as_plain(case)))
    finish = body.index(b'"finish_reason": "stop"')
    part = body[: cut % finish]
    if is_event_stream(part, "text/event-stream"):
        assert join_events(part).get("error") or not join_events(part).get("choices")
