"""Servers that differ in the form of a request: whole runs against strict ones on loopback.

Each server refuses what real ones refuse, in their words. A run learns the form from the first
refusal, says so once, and blames no trace; the store can rebuild what was really sent.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import TeacherUnusable
from geostore.generate.retries import RetryPolicy
from geostore.records import Turn
from tests.completions import completion, fault, rows
from tests.minds import ZOOM, answer
from tests.proving import assert_proven, stored_traces
from tests.running import Notes, geostore, run
from tests.teacher_server import Body, Fault, teacher_server

ANSWER = answer(48.8566, 2.3522)
BOX = json.dumps({"bbox_2d": [100, 100, 600, 600]})
CALL = {"id": "c1", "type": "function", "function": {"name": ZOOM, "arguments": BOX}}
LOOKS = {"content": None, "tool_calls": [CALL]}
NATIVE = {"protocol": "native"}

Refusal = tuple[int, Any] | None


def refused(message: str, status: int = 400, **more: Any) -> Refusal:
    return status, {"error": {"message": message, "type": "invalid_request_error", **more}}


def messages_of(body: Body, role: str) -> Iterator[dict[str, Any]]:
    return (message for message in body["messages"] if message["role"] == role)


def no_max_tokens(body: Body) -> Refusal:
    if "max_tokens" not in body:
        return None
    return refused(
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        param="max_tokens",
        code="unsupported_parameter",
    )


def no_max_tokens_behind_a_gateway(body: Body) -> Refusal:
    """As OpenRouter says it: in a response of status 200, around the words of another server."""
    refusal = no_max_tokens(body)
    if refusal is None:
        return None
    quoted = {"raw": json.dumps(refusal[1]), "provider_name": "Azure"}
    error = {"message": "Provider returned error", "code": 400, "metadata": quoted}
    return 200, {"error": error}


def no_max_completion_tokens(body: Body) -> Refusal:
    if "max_completion_tokens" not in body:
        return None
    return refused("Unrecognized request argument supplied: max_completion_tokens")


def no_temperature(body: Body) -> Refusal:
    if "temperature" not in body:
        return None
    return refused(
        "Unsupported value: 'temperature' does not support 0.7 with this model. "
        "Only the default (1) value is supported.",
        code="unsupported_value",
    )


def as_reasoning_models_do(body: Body) -> Refusal:
    return no_max_tokens(body) or no_temperature(body)


def no_system_role(body: Body) -> Refusal:
    if not list(messages_of(body, "system")):
        return None
    return refused("System role not supported", code="TemplateError")


def no_system_in_a_template(body: Body) -> Refusal:
    """As transformers' server says it."""
    if not list(messages_of(body, "system")):
        return None
    return 500, {"detail": "Conversation roles must alternate user/assistant/user/assistant/..."}


def no_developer_instruction(body: Body) -> Refusal:
    if not list(messages_of(body, "system")) and not list(messages_of(body, "developer")):
        return None
    return refused("Developer instruction is not enabled for models/gemma-3-27b-it")


def developer_in_place_of_system(body: Body) -> Refusal:
    if not list(messages_of(body, "system")):
        return None
    return refused(
        "Unsupported value: 'messages[0].role' does not support 'system' with this model; "
        "use 'developer'."
    )


def no_user_after_tool(body: Body) -> Refusal:
    roles = [message["role"] for message in body["messages"]]
    if ("tool", "user") not in itertools.pairwise(roles):
        return None
    return 400, {
        "object": "error",
        "message": "Unexpected role 'user' after role 'tool'",
        "type": "invalid_request_message_order",
        "code": "3230",
    }


def no_images_in_tools_either(body: Body) -> Refusal:
    if any(not isinstance(message["content"], str) for message in messages_of(body, "tool")):
        return refused("Image content is not supported in a tool message")
    return no_user_after_tool(body)


def no_null_content(body: Body) -> Refusal:
    if all(message.get("content", 0) is not None for message in messages_of(body, "assistant")):
        return None
    return 422, {
        "detail": [
            {
                "type": "string_type",
                "loc": ["body", "messages", 2, "assistant", "content"],
                "msg": "Input should be a valid string",
            }
        ]
    }


def no_empty_content(body: Body) -> Refusal:
    if all(message.get("content", 0) != "" for message in messages_of(body, "assistant")):
        return None
    return refused(
        "Invalid request: the message at position 2 with role 'assistant' must not be empty"
    )


def no_message_without_words(body: Body) -> Refusal:
    if all(message.get("content") for message in messages_of(body, "assistant")):
        return None
    return refused("messages: text content blocks must be non-empty")


def content_is_required(body: Body) -> Refusal:
    if any("content" not in message for message in messages_of(body, "assistant")):
        return refused("'content' is a required property - 'messages.2'")
    return no_empty_content(body) or no_null_content(body)


def no_member(name: str, words: str, status: int = 400) -> Callable[[Body], Refusal]:
    def check(body: Body) -> Refusal:
        messages = list(messages_of(body, "assistant"))
        calls = [call for message in messages for call in message.get("tool_calls", ())]
        return refused(words, status) if any(name in held for held in messages + calls) else None

    return check


def no_parts(body: Body) -> Refusal:
    if not any(isinstance(message["content"], list) for message in messages_of(body, "assistant")):
        return None
    return refused("messages.2.content: Input should be a valid string", 422)


def reasoning_is_missing(body: Body) -> Refusal:
    if all("reasoning_content" in message for message in messages_of(body, "assistant")):
        return None
    return refused(
        "thinking is enabled but reasoning_content is missing in assistant tool call message at "
        "index 2"
    )


@dataclass(frozen=True)
class Strict:
    """A server that refuses, what its teacher says first, and what the run learns of it."""

    refuses: Callable[[Body], Refusal]
    forms: list[dict[str, Any]]
    """The forms of the two turns of a trace, as they are once everything is learnt."""
    learns: int = 1
    """How often the form changes, which is how often the run says so."""
    first: dict[str, Any] = field(default_factory=lambda: LOOKS)
    recipe: dict[str, Any] = field(default_factory=lambda: NATIVE)


def both(**form: Any) -> list[dict[str, Any]]:
    return [form, form]


def second(**form: Any) -> list[dict[str, Any]]:
    """A form that only a second turn can teach; traces that begin later have it from the start."""
    return [{}, form]


THINKS = {"content": "", "reasoning": "hm"}
STRICT = {
    "max_tokens": Strict(no_max_tokens, both(token_limit="max_completion_tokens")),
    "max_tokens, behind a gateway": Strict(
        no_max_tokens_behind_a_gateway, both(token_limit="max_completion_tokens")
    ),
    "max_completion_tokens": Strict(
        no_max_completion_tokens,
        both(token_limit="max_tokens"),
        recipe={**NATIVE, "model": "ft:gpt-5-mini:me"},
    ),
    "temperature": Strict(no_temperature, both(no_temperature=True)),
    "a reasoning model under a name of one's own": Strict(
        as_reasoning_models_do,
        both(no_temperature=True, token_limit="max_completion_tokens"),
        learns=2,
    ),
    "system": Strict(no_system_role, both(system_role="user")),
    "system, in text": Strict(
        no_system_role,
        both(system_role="user"),
        first={"content": f'<tool_call>{{"name": "{ZOOM}", "arguments": {BOX}}}</tool_call>'},
        recipe={"protocol": "text"},
    ),
    "system in a template": Strict(no_system_in_a_template, both(system_role="user")),
    "system, by the name of developer": Strict(no_developer_instruction, both(system_role="user")),
    "developer": Strict(developer_in_place_of_system, both(system_role="developer")),
    "user after tool": Strict(no_user_after_tool, second(images="in_tool")),
    "user after tool, and no image in it": Strict(
        no_images_in_tools_either, second(images="after_assistant"), learns=2
    ),
    "null content": Strict(no_null_content, second(empty_content="empty")),
    "empty content": Strict(no_empty_content, second(empty_content="null"), first=THINKS),
    "no words": Strict(no_message_without_words, second(empty_content="words"), 3, THINKS),
    "no words beside calls": Strict(no_message_without_words, second(empty_content="words"), 3),
    "content is required": Strict(content_is_required, second(empty_content="words"), 4, THINKS),
    "reasoning, as Groq says it": Strict(
        no_member(
            "reasoning",
            "'messages.2' : for 'role:assistant' the following must be satisfied"
            "[('messages.2' : property 'reasoning' is unsupported)]",
        ),
        second(without=["reasoning"]),
        first={**LOOKS, "reasoning": "hm"},
    ),
    "reasoning, as Mistral says it": Strict(
        no_member(
            "reasoning_content",
            "body.messages.2.assistant.reasoning_content: Extra inputs are not permitted",
            422,
        ),
        second(without=["reasoning_content"]),
        first={**LOOKS, "reasoning_content": "hm"},
    ),
    "a member, as Fireworks says it": Strict(
        no_member(
            "reasoning_details",
            "Extra inputs are not permitted, field: 'messages[2].reasoning_details', value: [...]",
        ),
        second(without=["reasoning_details"]),
        first={**LOOKS, "reasoning": "hm", "reasoning_details": [{"type": "reasoning.text"}]},
    ),
    "a member of a call": Strict(
        no_member(
            "extra_content",
            'Invalid JSON payload received. Unknown name "extra_content" at '
            "'messages[2].tool_calls[0]': Cannot find field.",
        ),
        second(without=["extra_content"]),
        first={**LOOKS, "tool_calls": [{**CALL, "extra_content": {"google": {}}}]},
    ),
    "thinking parts": Strict(
        no_parts,
        second(without=["thinking"]),
        first={
            **LOOKS,
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "text", "text": "Closer."},
            ],
        },
    ),
    "reasoning is missing": Strict(
        reasoning_is_missing,
        second(reasoning="reasoning_content"),
        first={**LOOKS, "reasoning": "hm"},
    ),
}


def strict_script(case: Strict) -> Callable[[int, Body], Fault]:
    def script(number: int, body: Body) -> Fault:
        refusal = case.refuses(body)
        if refusal is not None:
            return fault(refusal[1], refusal[0])
        begun = any(messages_of(body, "assistant"))
        message = {"content": ANSWER} if begun else case.first
        return fault({**completion(message), "id": f"r{number}"})

    return script


def forms_of(turns: tuple[Turn, ...]) -> list[dict[str, Any]]:
    return [json.loads(turn.request_form or "{}") for turn in turns]


@pytest.mark.parametrize("concurrency", [1, 6])
@pytest.mark.parametrize("name", STRICT)
def test_a_run_learns_the_form_and_blames_no_trace(
    name: str, concurrency: int, photo_dataset: Path, tmp_path: Path
) -> None:
    case, store, notes = STRICT[name], tmp_path / "g.db", Notes()
    policy = RetryPolicy(max_attempts=1)
    options: dict[str, Any] = {"recipe": case.recipe, "num_samples": 6, "retry_policy": policy}
    with teacher_server(_never, script=strict_script(case)) as server:
        result = run(
            server.url, photo_dataset, store, notes=notes, concurrency=concurrency, **options
        )
        assert result.dropped == 0, "a request that is asked again in another form came back"
        failed = rows(store, "select error_class, count(*), count(distinct trace_id) from attempts")
        assert len(server.requests) == 12 + failed[0][1]
        assert failed[0][0] == "form"
        assert failed[0][1] <= case.learns * concurrency
        run(server.url, photo_dataset, store, **options)
        assert len(server.requests) == 12 + failed[0][1]
    assert rows(store, "select status, count(*) from traces group by 1") == [("answered", 6)]
    assert rows(store, "select count(*) from recipes") == [(1,)]
    learnt = [notice for notice in notes.notices if "in another form" in notice]
    assert len(learnt) == case.learns, notes.notices
    traces = stored_traces(store)
    assert any(forms_of(trace.turns) == case.forms for trace in traces)
    assert all(forms_of(trace.turns)[1] == case.forms[1] for trace in traces)
    assert_proven(store, tmp_path)


@pytest.mark.parametrize("name", ["max_tokens", "system", "user after tool", "null content"])
def test_a_trace_that_goes_on_in_a_later_run_is_asked_in_the_form_that_is_learnt_then(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    """The first run's server takes the usual form or another; the rows say which it was."""
    case, store = STRICT[name], tmp_path / "g.db"
    lenient = Strict(lambda body: None, both())
    options: dict[str, Any] = {"recipe": case.recipe, "num_samples": 2, "concurrency": 1}
    for server_of_first_run in (lenient, case):
        store = tmp_path / f"{server_of_first_run is case}.db"
        with teacher_server(_never, script=strict_script(server_of_first_run)) as server:
            run(server.url, photo_dataset, store, turn_limit=1, **options)
        with teacher_server(_never, script=strict_script(case)) as server:
            run(server.url, photo_dataset, store, **options)
        for trace in stored_traces(store):
            first = case.forms[0] if server_of_first_run is case else {}
            assert forms_of(trace.turns) == [first, case.forms[1]]
            assert trace.status == "answered"
        assert_proven(store, tmp_path / store.stem)


REASONS: dict[str, dict[str, Any]] = {
    "a field": {**LOOKS, "reasoning": "hm"},
    "parts": {**LOOKS, "content": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}]},
}


@pytest.mark.parametrize("name", REASONS)
@pytest.mark.parametrize("where", ["auto", "reasoning", "reasoning_content", "none"])
def test_reasoning_goes_back_where_the_recipe_says(
    name: str, where: str, photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    with teacher_server(
        _never, script=strict_script(Strict(lambda body: None, [], first=REASONS[name]))
    ) as server:
        for field_name in (where, where):
            recipe = {**NATIVE, "reasoning_field": field_name}
            run(server.url, photo_dataset, store, num_samples=1, recipe=recipe)
        assert len(server.requests) == 2
        (message,) = messages_of(server.bodies[1], "assistant")
    del message["role"], message["tool_calls"]
    came = REASONS[name]
    expected = {
        "auto": {member: came[member] for member in came if member != "tool_calls"},
        "none": {"content": None},
    }
    assert message == expected.get(where, {"content": None, where: "hm"})
    assert rows(store, "select reasoning_field from recipes") == [(where,)]
    assert_proven(store, tmp_path)


def test_options_give_the_form_from_the_start(photo_dataset: Path, tmp_path: Path) -> None:
    store = tmp_path / "g.db"
    script = strict_script(Strict(lambda body: None, [], first={**LOOKS, "reasoning": "hm"}))
    with teacher_server(_never, script=script) as server:
        ended = geostore(
            *("generate", "--dataset-path", photo_dataset, "--store", store),
            *("--base-url", server.url, "--model", "my-deployment", "--num-samples", "1"),
            *("--protocol", "native", "--temperature", "none", "--system-role", "developer"),
            *("--token-limit-name", "max_completion_tokens", "--reasoning-field", "none"),
        )
        assert ended.returncode == 0, ended.stderr
        first, second = server.bodies
    for body in (first, second):
        assert body["max_completion_tokens"] == 2048
        assert not {"max_tokens", "temperature"} & set(body)
        assert body["messages"][0]["role"] == "developer"
    assert not {"reasoning"} & set(second["messages"][2])
    form = {"system_role": "developer", "token_limit": "max_completion_tokens"}
    assert [forms_of(trace.turns) for trace in stored_traces(store)] == [both(**form)]
    assert rows(store, "select temperature, reasoning_field from recipes") == [(None, "none")]
    assert_proven(store, tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--temperature", "hot"), "neither a number"),
        (("--system-role", "tool"), "system-role"),
        (("--extra-body", '{"max_completion_tokens": 9}'), "--token-limit-name"),
        (("--extra-body", '{"temperature": 1}'), "an option of its own"),
    ],
)
def test_what_an_option_does_not_take_is_said(
    options: tuple[str, str], words: str, photo_dataset: Path, tmp_path: Path
) -> None:
    ended = geostore(
        *("generate", "--dataset-path", photo_dataset, "--store", tmp_path / "g.db"),
        *("--base-url", "http://127.0.0.1:9/v1", "--model", "m", *options),
    )
    assert ended.returncode in (1, 2)
    assert words in ended.stderr


def test_what_no_form_mends_is_refused_and_the_run_stops(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store, notes = tmp_path / "g.db", Notes()
    words = "System role not supported; unsupported parameter: 'max_tokens'"
    script = lambda number, body: fault({"error": {"message": words}}, 400)  # noqa: E731
    with teacher_server(_never, script=script) as server:
        with pytest.raises(TeacherUnusable, match="every request was refused"):
            run(server.url, photo_dataset, store, notes=notes, concurrency=1)
        assert len(server.requests) == 2 + 3
    assert len([notice for notice in notes.notices if "in another form" in notice]) == 2


def _never(body: Body) -> Any:
    raise AssertionError("each request has its own reply")
