"""Which form a refusal asks for, and which refusals ask for none."""

from __future__ import annotations

from typing import Any

import pytest

from geostore.conversation.request_form import USUAL_FORM, RequestForm
from geostore.teacher.corrections import Corrections
from geostore.teacher.server_errors import ServerError

MEMBERS = {"reasoning", "reasoning_content", "reasoning_details", "thinking", "extra_content"}


def would_differ(form: RequestForm) -> bool:
    """As a request would that has whatever a form can change."""
    return MEMBERS.issuperset(form.without)


FORMS: dict[str, tuple[str, RequestForm]] = {
    "Azure's token limit": (
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        RequestForm(token_limit="max_completion_tokens"),
    ),
    "Pydantic's token limit": (
        "body.max_completion_tokens: Extra inputs are not permitted",
        RequestForm(token_limit="max_tokens"),
    ),
    "OpenAI's temperature": (
        "Unsupported parameter: 'temperature' is not supported with this model.",
        RequestForm(no_temperature=True),
    ),
    "Claude's temperature": (
        "`temperature` is deprecated for this model.",
        RequestForm(no_temperature=True),
    ),
    "temperature beside thinking": (
        "`temperature` may only be set to 1 when thinking is enabled.",
        RequestForm(no_temperature=True),
    ),
    "Kimi's temperature": (
        "invalid temperature: only 1 is allowed for this model",
        RequestForm(no_temperature=True),
    ),
    "o1-mini": (
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        RequestForm(system_role="user"),
    ),
    "Gemma": ("System role not supported", RequestForm(system_role="user")),
    "a template": (
        "Only user and assistant roles are supported!",
        RequestForm(system_role="user"),
    ),
    "Mistral's order": (
        "Unexpected role 'user' after role 'tool'",
        RequestForm(images="in_tool"),
    ),
    "Moonshot": (
        "Invalid request: the message at position 2 with role 'assistant' must not be empty",
        RequestForm(empty_content="null"),
    ),
    "Anthropic": (
        "messages.1: all messages must have non-empty content except for the optional final "
        "assistant message",
        RequestForm(empty_content="null"),
    ),
    "Mistral without both": (
        "Assistant message must have either content or tool_calls, but not none.",
        RequestForm(empty_content="null"),
    ),
    "a null": (
        "Invalid value for 'content': expected a string, got null.",
        RequestForm(empty_content="empty"),
    ),
    "a missing content": (
        "messages.2.content: Field required",
        RequestForm(empty_content="empty"),
    ),
    "Cerebras": (
        "messages.2.assistant.reasoning_content: property is unsupported",
        RequestForm(without=("reasoning_content",)),
    ),
    "Zod": (
        "Unrecognized key(s) in object: 'reasoning_details'",
        RequestForm(without=("reasoning_details",)),
    ),
    "DeepSeek": (
        "Missing `reasoning_content` field in the assistant message at message index 2.",
        RequestForm(reasoning="reasoning_content"),
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_refusal_asks_for_a_form(name: str) -> None:
    words, form = FORMS[name]
    corrections = Corrections(USUAL_FORM)
    correction = corrections.correct(ServerError(words), 400, USUAL_FORM, would_differ)
    assert correction is not None
    assert correction.form == corrections.form == form
    assert words in correction.sentence(words)


NONE = [
    "max_tokens is too large: 100000. This model supports at most 16384 completion tokens.",
    "'max_tokens' or 'max_completion_tokens' is too large: 2048. This model's maximum context "
    "length is 1024 tokens.",
    "This model's maximum context length is 32768 tokens. However, your request has 40000 input "
    "tokens. Please reduce the length of the messages.",
    "At most 12 image(s) may be provided in one prompt.",
    "temperature must be between 0 and 1",
    "bad temperature",
    "temperature: Input should be less than or equal to 1",
    "The model `nothing` does not exist",
    "could not process image",
    "Your input image may contain content that is not allowed by our safety system.",
    "image is null",
    "The image data you provided does not represent a valid image.",
    "Invalid schema for function 'image_zoom_in_tool'",
    "messages: at least one message is required",
]


@pytest.mark.parametrize("words", NONE)
def test_other_refusals_ask_for_none(words: str) -> None:
    """Even where any form would be another request."""
    corrections = Corrections(USUAL_FORM)
    error = ServerError(words, ("invalid_request_error",))
    assert corrections.correct(error, 400, USUAL_FORM, would_differ) is None
    assert corrections.form == USUAL_FORM


@pytest.mark.parametrize("status", [401, 402, 403, 404, 413, 429, 503])
def test_only_a_refusal_of_the_request_itself_is_one_of_its_form(status: int) -> None:
    error = ServerError("System role not supported")
    assert Corrections(USUAL_FORM).correct(error, status, USUAL_FORM, lambda form: True) is None


def test_a_form_that_changes_nothing_is_not_tried() -> None:
    error = ServerError("System role not supported")
    assert Corrections(USUAL_FORM).correct(error, 400, USUAL_FORM, lambda form: False) is None


def test_each_value_is_tried_once() -> None:
    """A server whose words are misread, or that refuses everything, ends as one that refuses."""
    words = "content must not be empty or null; System role not supported; unknown max_tokens"
    words += " or max_completion_tokens, reasoning_content; temperature is not supported"
    words += "; user after tool, tool content must be a string; 'developer' is unsupported"
    corrections = Corrections(USUAL_FORM)
    forms: list[RequestForm] = []
    while correction := corrections.correct(
        ServerError(words), 400, corrections.form, lambda form: True
    ):
        assert correction.form not in forms
        forms.append(correction.form)
        assert len(forms) < 30
    assert len(forms) > 8


def test_a_request_in_an_older_form_is_asked_in_the_newer_and_nothing_is_said() -> None:
    corrections = Corrections(USUAL_FORM)
    error = ServerError("System role not supported")
    first = corrections.correct(error, 400, USUAL_FORM, lambda form: True)
    second = corrections.correct(error, 400, USUAL_FORM, lambda form: True)
    assert first is not None
    assert second is not None
    assert second.form == first.form
    assert second.sentence("words") == ""


def test_what_two_requests_taught_is_kept_together() -> None:
    corrections = Corrections(USUAL_FORM)
    used = RequestForm(token_limit="max_completion_tokens")
    error = ServerError("Unsupported parameter: 'max_tokens'")
    corrections.correct(error, 400, USUAL_FORM, lambda form: True)
    corrections.correct(ServerError("System role not supported"), 400, used, lambda form: True)
    assert corrections.form == RequestForm(token_limit="max_completion_tokens", system_role="user")


@pytest.mark.parametrize(
    "form",
    [
        USUAL_FORM,
        RequestForm(
            token_limit="max_completion_tokens",
            no_temperature=True,
            system_role="user",
            images="in_tool",
            empty_content="words",
            reasoning="none",
            without=("a", "b"),
        ),
    ],
)
def test_a_form_is_read_as_it_was_written(form: RequestForm) -> None:
    assert RequestForm.of_json(form.to_json()) == form
    assert (form.to_json() is None) == (form == USUAL_FORM)


@pytest.mark.parametrize(
    "text", ['{"no": 1}', '{"system_role": "tool"}', '{"token_limit": ["max_tokens"]}', "[]", "{"]
)
def test_what_is_no_form_is_refused(text: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        RequestForm.of_json(text)
