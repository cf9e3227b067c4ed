"""Reads a chat completion in the forms that servers give it: message, calls, token counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeGuard

from geostore.conversation.messages import split_reasoning
from geostore.costs.usage import COUNT_NAMES, kept_usage, read_kept_usage
from geostore.errors import TeacherError
from geostore.identity import canonical_text
from geostore.records import ReasoningSource, Reply
from geostore.teacher.event_stream import is_event_stream, join_events
from geostore.teacher.finish_reasons import finish_reason_of, is_broken
from geostore.teacher.http import Response
from geostore.teacher.json_bodies import read_json
from geostore.teacher.message_members import members_to_keep
from geostore.teacher.server_errors import ServerError, error_of_response, error_of_value

_ENDED_ON_PURPOSE = frozenset({"length", "content_filter", "refusal"})
"""Asked again, a reply without words that ended so would be billed again and be empty again."""


@dataclass(frozen=True, slots=True)
class BrokenReply:
    """A response of status 200 that says itself that the request failed."""

    error: ServerError
    """What it says."""

    usage: str | None
    """Its usage object, as JSON; None without."""

    response: str | None
    """The words that came before; None without."""


def read_reply(
    response: Response, *, latency_ms: int, shown: Callable[[str], str]
) -> Reply | BrokenReply:
    """What a response of status 200 holds.

    shown: removes secrets from a message that quotes the server, and cuts it.
    Raises TeacherError (``bad_response``) where the response holds no usable
    message and does not say why, with the usage that was billed.
    """

    def bad(message: str, usage: str | None = None) -> TeacherError:
        return TeacherError(
            shown(message),
            error_class="bad_response",
            status=response.status_code,
            usage=usage,
        )

    kind = response.headers.get("content-type", "")
    try:
        if is_event_stream(response.content, kind):
            body = join_events(response.content)
        else:
            body = read_json(response.content)
    except (ValueError, RecursionError) as error:
        page = error_of_response(response.content, kind, response.status_code)
        raise bad(f"the response is not JSON ({kind}): {page.message[:200]}") from error
    if isinstance(body, list) and len(body) == 1:
        body = body[0]  # Google's servers put an error into a list, others a whole reply
    if not isinstance(body, dict):
        raise bad("the response is not a JSON object")
    choice = _first_choice(body.get("choices"))
    usage = kept_usage(body, choice)
    finish_reason = finish_reason_of(choice.get("finish_reason"))
    message = _message(choice)
    if message is None and finish_reason in _ENDED_ON_PURPOSE:
        message = {}  # Gemini's way to say nothing
    if (server_error := _error_inside(body, choice, finish_reason)) is not None:
        return BrokenReply(server_error, usage, _paid_words(message))
    if not isinstance(message, dict):
        said = error_of_value(body).message
        raise bad(f"the response holds no message{': ' if said else ''}{said}", usage)
    words, calls = _words(message), _calls(message)
    if words is None or not (not calls or _is_list_of_dicts(calls)):
        raise bad("the message's content or calls have an unknown form", usage)
    text, reasoning, source = _parted(message, words)
    if words.refusal:
        text = "\n\n".join(part for part in (text, words.refusal) if part)
        # Beside calls it refuses a part at most: the teacher goes on by itself.
        finish_reason = finish_reason if calls else "refusal"
    if not text and not calls and reasoning is None and finish_reason not in _ENDED_ON_PURPOSE:
        raise bad("the message is empty", usage)
    members = members_to_keep(message, reasoning, source)
    counts = read_kept_usage(usage)
    return Reply(
        response=text,
        reasoning=reasoning,
        reasoning_source=source,
        native_calls=_native_calls(calls) if calls else None,
        finish_reason=finish_reason,
        usage=usage,
        latency_ms=latency_ms,
        served_model=_optional_text(body.get("model")),
        request_id=response.headers.get("x-request-id") or _optional_text(body.get("id")) or None,
        members=canonical_text(members) if members else None,
        **{name: getattr(counts, name) for name in COUNT_NAMES},
    )


def _error_inside(
    body: dict[str, Any], choice: dict[str, Any], finish_reason: str | None
) -> ServerError | None:
    """The failure that a response of status 200 speaks of; None where it speaks of none.

    It stands in the body or in the choice, or the finish_reason is one of a reply that
    the server broke off. Without any choice the whole body may be an error.
    """
    for value in filter(None, (choice.get("error"), body.get("error"), _failed_base(body))):
        error = error_of_value(value)
        if (error.message or error.status is not None) and not _is_success(value):
            return error
    if is_broken(finish_reason):
        return ServerError(f"the server broke the reply off (finish_reason {finish_reason})")
    if choice:  # nearly every reply; looking through all of it would take time for nothing
        return None
    if (
        reason := _block_reason(body.get("promptFeedback") or body.get("prompt_feedback"))
    ) is not None:
        return ServerError(f"the prompt was blocked ({reason})", ("content_filter",))
    error = error_of_value(body)
    return error if error.status is not None or _says_that_it_failed(body) else None


def _says_that_it_failed(body: dict[str, Any]) -> bool:
    """Whether a body without choices names a failure by a code of its own, or a word."""
    codes = (body.get("code"), body.get("error_code"))
    numbers = {int(str(code)) for code in codes if re.fullmatch(r"-?\d{1,9}", str(code))}
    status = body.get("status")
    words = ("error", "fail", "failed", "failure")
    is_word = isinstance(status, str) and status.lower() in words
    return body.get("success") is False or is_word or bool(numbers - {0, 200})


def _is_success(error: Any) -> bool:
    """Whether what stands as an error says that there is none, as some gateways write it."""
    code = error.get("code") if isinstance(error, dict) else None
    return code in (0, 200, "0", "200") and not isinstance(code, bool)


def _failed_base(body: dict[str, Any]) -> dict[str, Any] | None:
    """MiniMax's `base_resp` where it speaks of a failure; its codes are no HTTP statuses."""
    base = body.get("base_resp")
    is_failed = isinstance(base, dict) and base.get("status_code") not in (None, 0)
    return base if is_failed else None


def _block_reason(feedback: Any) -> str | None:
    """Why Gemini took no prompt like this one; None where it took it."""
    if not isinstance(feedback, dict):
        return None
    reason = feedback.get("blockReason") or feedback.get("block_reason")
    return reason if isinstance(reason, str) else None


def _first_choice(choices: Any) -> dict[str, Any]:
    """The choice of index 0, or the first where none has that; empty without choices.

    One is asked for, but a gateway may send several, in any order.
    """
    choices = choices if isinstance(choices, list) else [choices]
    known = [choice for choice in choices if isinstance(choice, dict) and choice]
    if len(known) < 2:
        return known[0] if known else {}
    first = next((choice for choice in known if choice.get("index") == 0), known[0])
    message = first.get("message")
    if first.get("finish_reason") == "tool_calls" and isinstance(message, dict):
        # GitHub's gateway puts the words and the calls of one message into two choices.
        messages = [message, *(choice.get("message") for choice in known)]
        calls = (_calls(one) for one in messages if isinstance(one, dict))
        return {**first, "message": {**message, "tool_calls": next(filter(None, calls), None)}}
    return first


def _message(choice: dict[str, Any]) -> Any:
    """The choice's message, also under the names of a stream's or a plain completion's."""
    if "message" in choice:
        return choice["message"]
    if isinstance(choice.get("delta"), dict):
        return choice["delta"]
    return {"content": choice["text"]} if isinstance(choice.get("text"), str) else None


def _paid_words(message: Any) -> str | None:
    """All that a message says, its reasoning before the rest; None where it says nothing."""
    words = _words(message) if isinstance(message, dict) else None
    if words is None:
        return None
    text, reasoning, _ = _parted(message, words)
    calls = _calls(message)
    parts = (
        f"<think>{reasoning}</think>" if reasoning else "",
        text,
        canonical_text(calls) if calls else "",
    )
    return "".join(parts) or None


@dataclass(frozen=True, slots=True)
class _Words:
    """What a message says, whatever form its content has."""

    text: str
    """The content as one text; empty where there is none."""

    thoughts: str
    """The thinking parts of a content in parts; empty without."""

    refusal: str
    """Why the model will not answer, in its own words; empty where it does not refuse."""


def _words(message: dict[str, Any]) -> _Words | None:
    """The message's words; None where its content has an unknown form."""
    refusal, content = _part_text(message.get("refusal")), message.get("content")
    if isinstance(content, str | None):
        return _Words(_clean(content or ""), "", refusal)
    content = [content] if isinstance(content, dict) and content else content
    if not isinstance(content, list):
        return None
    texts, thoughts, refusals = [], [], []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("thinking", "reasoning"):
            thoughts.append(_part_text(part))
        elif kind == "refusal":
            refusals.append(_part_text(part))
        else:
            texts.append(_part_text(part))
    words = _Words(
        "".join(texts), "\n\n".join(filter(None, thoughts)), refusal or "".join(refusals)
    )
    # Parts that hold no words, such as audio, are nothing that this could go on with.
    is_known = not content or words.text or words.thoughts or words.refusal
    return words if is_known else None


def _part_text(part: Any) -> str:
    """All text in a part of a content, or in a list of parts; empty where it holds none."""
    if isinstance(part, str):
        return _clean(part)
    if isinstance(part, list):
        return "".join(map(_part_text, part))
    if isinstance(part, dict):
        names = ("text", "thinking", "reasoning", "refusal", "summary", "content")
        return next((text for name in names if (text := _part_text(part.get(name)))), "")
    return ""


def _parted(
    message: dict[str, Any], words: _Words
) -> tuple[str, str | None, ReasoningSource | None]:
    """Response, reasoning and where that stood: in a field, in parts, or in <think> tags."""
    fields: tuple[ReasoningSource, ...] = ("reasoning", "reasoning_content")
    for name in fields:
        if isinstance(message.get(name), str) and message[name]:
            return words.text, _clean(message[name]), name
    if words.thoughts:
        return words.text, words.thoughts, "parts"
    return split_reasoning(words.text)


def _calls(message: dict[str, Any]) -> Any:
    """The message's calls: a list, also where a server sends one alone, or under its old name."""
    calls = message.get("tool_calls")
    if not calls and isinstance(message.get("function_call"), dict):
        return [{"type": "function", "function": message["function_call"]}]
    if isinstance(calls, list) and None in calls:
        return [call for call in calls if call is not None]
    return [calls] if isinstance(calls, dict) and calls else calls


def _native_calls(calls: list[dict[str, Any]]) -> str:
    """Canonical JSON of the calls. A call without an id, or with one that is taken, gets a new id.

    The id ties a result to its call, so a call without one could not be answered.
    """
    given = [call["id"] if isinstance(call.get("id"), str) else "" for call in calls]
    # A new id must not be one that a later call has.
    taken = {"", *given}
    named = []
    for number, (call, own) in enumerate(zip(calls, given, strict=True)):
        if not own or own in given[:number]:
            own = next(name for name in _new_ids(number) if name not in taken)
            taken.add(own)
        named.append({**call, "id": own})
    return canonical_text(named)


def _new_ids(number: int) -> Iterator[str]:
    yield f"call_{number}"
    yield from (f"call_{number}_{again}" for again in count(1))


def _clean(text: str) -> str:
    """Without NUL characters: SQLite's tools would show the text only up to the first."""
    return text.replace("\x00", "�")


def _is_list_of_dicts(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _optional_text(value: Any) -> str | None:
    return _clean(value) if isinstance(value, str) else None
