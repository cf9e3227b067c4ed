"""A teacher's message goes back as it came: whole runs against servers that insist on it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.completions import completion, fault, rows
from tests.minds import ZOOM, answer
from tests.proving import assert_proven
from tests.running import Notes, run
from tests.teacher_server import Body, Fault, teacher_server

ANSWER = answer(48.8566, 2.3522)
BOX = json.dumps({"bbox_2d": [100, 100, 600, 600]})
CALL = {"id": "c1", "type": "function", "function": {"name": ZOOM, "arguments": BOX}}
THOUGHT = [{"type": "text", "text": "A sign, perhaps \\boxed{1.0, 2.0}."}]
THINKING = {"type": "thinking", "thinking": THOUGHT, "closed": True}
SIGNED = {"type": "thinking", "thinking": "A sign.", "signature": "c2lnbmF0dXJl"}
TEXT = {"type": "text", "text": "Closer."}


@dataclass(frozen=True)
class GoesBack:
    """The members of a first reply, and those of the same message in the second request."""

    message: dict[str, Any]
    back: dict[str, Any] = field(default_factory=dict)
    """Members that differ; None: not there."""
    reasoning: str | None = None
    source: str | None = None


OPAQUE = [
    {
        "type": "reasoning.encrypted",
        "data": "c2lnbmF0dXJl",
        "id": "x",
        "format": "google-gemini-v1",
        "index": 0,
    }
]
CASES = {
    "opaque reasoning": GoesBack({"content": None, "reasoning_details": OPAQUE}),
    "opaque reasoning beside a summary": GoesBack(
        {"content": None, "reasoning": "hm", "reasoning_details": OPAQUE},
        reasoning="hm",
        source="reasoning",
    ),
    "a signature in a call": GoesBack(
        {
            "content": "",
            "tool_calls": [{**CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}],
        },
        {"content": None},
    ),
    "more in a call": GoesBack(
        {
            "content": None,
            "tool_calls": [
                {
                    **CALL,
                    "index": 0,
                    "function": {**CALL["function"], "thought": "x"},  # type: ignore[dict-item]
                    "provider_specific_fields": {"thought_signature": "c2ln"},
                }
            ],
        }
    ),
    "fields of a gateway": GoesBack(
        {
            "content": None,
            "reasoning_content": "hm",
            "thinking_blocks": [SIGNED],
            "provider_specific_fields": {"thinking_blocks": [SIGNED], "citations": None},
            "function_call": None,
            "refusal": None,
            "annotations": [],
        },
        {"function_call": None, "refusal": None, "annotations": None},
        reasoning="hm",
        source="reasoning_content",
    ),
    "a mark of a cache": GoesBack({"content": "Closer.", "cache_control": {"type": "ephemeral"}}),
    "both names": GoesBack(
        {"content": "Closer.", "reasoning": "hm", "reasoning_content": "hm"},
        {"reasoning_content": None},
        reasoning="hm",
        source="reasoning",
    ),
    "thinking parts": GoesBack(
        {"content": [THINKING, TEXT]}, reasoning=THOUGHT[0]["text"], source="parts"
    ),
    "signed thinking": GoesBack(
        {"content": [SIGNED, {"type": "redacted_thinking", "data": "c2ln"}, TEXT]},
        reasoning="A sign.",
        source="parts",
    ),
    "thinking alone": GoesBack(
        {"content": [THINKING]}, reasoning=THOUGHT[0]["text"], source="parts"
    ),
    "plain parts": GoesBack({"content": [TEXT]}, {"content": "Closer."}),
    "what no server takes back": GoesBack(
        {
            "content": "Closer.",
            "audio": {"id": "a", "data": "AAAA"},
            "annotations": [{"type": "url_citation"}],
            "images": [{"image_url": {"url": "data:image/png;base64,AAAA"}}],
            "logprobs": {"content": []},
        },
        {"audio": None, "annotations": None, "images": None, "logprobs": None},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_message_goes_back_as_it_came(name: str, photo_dataset: Path, tmp_path: Path) -> None:
    case, store, notes = CASES[name], tmp_path / "g.db", Notes()
    message = {"role": "assistant", "tool_calls": [CALL], **case.message}
    expected = {k: v for k, v in {**message, **case.back}.items() if k == "content" or v}

    def script(number: int, body: Body) -> Fault:
        if len(body["messages"]) == 2:
            return fault({**completion(message, "tool_calls"), "id": f"r{number}"})
        if body["messages"][2] != expected:
            return fault({"error": {"message": f"not my message: {body['messages'][2]}"}}, 400)
        return fault({**completion({"content": ANSWER}), "id": f"r{number}"})

    recipe = {"protocol": "native"}
    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=2, notes=notes, recipe=recipe)
        assert len(server.requests) == 4
    assert rows(store, "select message from attempts") == []
    assert rows(store, "select distinct status, stop_reason from traces") == [
        ("answered", "answer")
    ]
    first = "select distinct reasoning, reasoning_source from turns where turn = 1"
    assert rows(store, first) == [(case.reasoning, case.source)]
    assert "base64" not in str(rows(store, "select members from turns"))
    assert_proven(store, tmp_path)


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_a_server_that_knows_one_name_of_reasoning_gets_no_other(
    field: str, photo_dataset: Path, tmp_path: Path
) -> None:
    """Without calls, too: the reply is asked again in words."""
    store = tmp_path / "g.db"

    def script(number: int, body: Body) -> Fault:
        known = {"role", "content", field}
        extra = {name for message in body["messages"] for name in message} - known
        if extra:
            return fault({"detail": f"Extra inputs are not permitted: {extra}"}, 422)
        content = ANSWER if len(body["messages"]) > 2 else "Hm."
        return fault(
            {**completion({"content": content, field: "I look closely."}), "id": f"r{number}"}
        )

    with teacher_server(_never, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=2)
        assert len(server.requests) == 4
    assert rows(store, "select distinct status, stop_reason from traces") == [
        ("answered", "answer")
    ]
    assert_proven(store, tmp_path)


def _never(body: Body) -> Any:
    raise AssertionError("each request has its own reply")
