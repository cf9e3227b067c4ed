"""Turns rows into the messages of a request.

Every function here is pure. The canonical JSON of a message names image data by
its hash (``"url":"sha256:<hex>"``); the bytes that go over the wire are the same
with each name replaced by the image's data URL. So a message is serialised once,
however many turns repeat it, and what was sent can be rebuilt from rows and
proven by hash. An export, which needs the values alone, serialises nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from geostore.answers.thoughts import split_thought
from geostore.conversation.families import family_of
from geostore.conversation.limits import without_images
from geostore.conversation.recipe import PHOTO_SIZE
from geostore.conversation.request_form import USUAL_FORM, EmptyContent, RequestForm
from geostore.identity import canonical_json, sha256_hex
from geostore.records import ImageFacts, ReasoningSource, Recipe, SentImage, ToolCall, Turn

NUDGE_TRUNCATED = (
    "Your reply was cut off at the limit of its length. Be brief, and answer with "
    "<answer>\\boxed{latitude, longitude}</answer>."
)
LAST_TURN = "This is your last turn: give your answer now, without another tool call."
NUDGE_WITH_TOOLS = (
    "Your reply held neither a tool call nor an answer. Call a tool, or answer with "
    "<answer>\\boxed{latitude, longitude}</answer>."
)
NUDGE_WITHOUT_TOOLS = (
    "Your reply held no answer. Answer with <answer>\\boxed{latitude, longitude}</answer>."
)
NO_WORDS = "(no words)"
"""What an assistant message without words says where a server takes none (`request_form`)."""
BEFORE_IMAGES = "OK."
"""An assistant message before images of calls, where a server wants one (`request_form`)."""


class Message:
    """One message of a request."""

    __slots__ = ("_canonical", "images", "value")

    def __init__(self, value: dict[str, Any], images: tuple[str, ...] = ()) -> None:
        self.value = value
        """What it says, images named by their hashes; for reading only. All members but
        ``role`` are in the order of the canonical JSON, as exports write them."""
        self.images = images
        """The hashes of its images, in order."""
        self._canonical: bytes | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self.canonical == other.canonical and self.images == other.images

    def __hash__(self) -> int:
        return hash((self.canonical, self.images))

    @property
    def canonical(self) -> bytes:
        """Canonical JSON, in which images are named by their hashes."""
        if self._canonical is None:
            self._canonical = canonical_json(self.value)
        return self._canonical

    def wire(self, urls: Mapping[str, bytes]) -> bytes:
        """The bytes to send: each image's name replaced by its data URL.

        A name can only stand where this module put it: inside any text of the
        teacher's, JSON escapes the quotes that are part of what is replaced.
        Raises KeyError where an image is not in `urls`.
        """
        out = self.canonical
        for sha256 in self.images:
            url = urls[sha256]
            before, name, after = out.partition(_url_member(sha256.encode()))
            if name:
                out = b"".join((before, b'"url":"', url, b'"', after))
        return out

    def urls(self, wire: bytes) -> dict[str, bytes]:
        """The data URLs of its images by hash, from the bytes that `wire` made."""
        if not self.images:
            return {}
        content = orjson.loads(wire)["content"]
        parts = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
        return {sha256: url.encode() for sha256, url in zip(self.images, parts, strict=True)}


def data_url(image: SentImage) -> bytes:
    """The image as a data URL, in bytes."""
    return b"data:" + image.mime.encode() + b";base64," + base64.b64encode(image.data)


# --- requests -----------------------------------------------------------------------------------


def request_members(recipe: Recipe, form: RequestForm = USUAL_FORM) -> dict[str, Any]:
    """Every member of the request body but the messages."""
    members: dict[str, Any] = {**recipe.extra_body, "model": recipe.model}
    if recipe.temperature is not None and not form.no_temperature:
        members["temperature"] = recipe.temperature
    members[form.token_limit or family_of(recipe.model).token_limit] = recipe.max_tokens
    if recipe.seed is not None:
        members["seed"] = recipe.seed
    if recipe.tools and recipe.protocol == "native":
        members["tools"] = list(recipe.tools)
    return members


class RequestWriter:
    """Writes request bodies of one recipe; what does not change is serialised once."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._envelopes: dict[RequestForm, _Envelope] = {}

    def body(self, messages: Sequence[bytes], form: RequestForm = USUAL_FORM) -> bytes:
        """The request body of messages in wire form (`Message.wire`)."""
        envelope = self._envelope(form)
        # One join: a body is hundreds of kilobytes, and each sum would copy it again.
        parts = [part for message in messages for part in (b",", message)]
        return b"".join([envelope.wire_head, *parts[1:], envelope.wire_tail])

    def hash(self, messages: Sequence[Message], form: RequestForm = USUAL_FORM) -> str:
        """Sha256 of the canonical request: sorted keys, images by their hashes."""
        envelope = self._envelope(form)
        return sha256_hex(envelope.head + b",".join(m.canonical for m in messages) + envelope.tail)

    def _envelope(self, form: RequestForm) -> _Envelope:
        if form not in self._envelopes:
            members = request_members(self._recipe, form)
            before = {k: v for k, v in members.items() if k < "messages"}
            after = {k: v for k, v in members.items() if k > "messages"}
            # Schemas go out in their written order (name, description, parameters), which models
            # were trained on; the hash is over canonical JSON either way.
            self._envelopes[form] = _Envelope(
                *_around(before, after, canonical_json), *_around(before, after, orjson.dumps)
            )
        return self._envelopes[form]


@dataclass(frozen=True, slots=True)
class _Envelope:
    """A request body without its messages."""

    head: bytes
    """Canonical JSON before the messages."""
    tail: bytes
    """Canonical JSON after them."""
    wire_head: bytes
    """What is sent before the messages."""
    wire_tail: bytes
    """What is sent after them."""


def lead_in(
    recipe: Recipe,
    photo: ImageFacts,
    before: Turn | None,
    calls: Sequence[ToolCall],
    *,
    last_turn: bool,
    form: RequestForm = USUAL_FORM,
) -> list[Message]:
    """The messages of a request that come after the teacher's last turn.

    before: that turn, None for the first request. calls: that were run in it.
    last_turn: whether this request is the last that is allowed. form: of the request.
    """
    if form.images_left_out is not None:
        calls, last_turn = without_images(calls), True
    if before is None:
        return opening_messages(recipe, photo, last_turn=last_turn, form=form)
    if calls:
        return observation_messages(before, calls, last_turn=last_turn, form=form)
    return nudge_messages(recipe, before, last_turn=last_turn)


def opening_messages(
    recipe: Recipe, photo: ImageFacts, *, last_turn: bool, form: RequestForm = USUAL_FORM
) -> list[Message]:
    """System and user message of the first request."""
    text = recipe.user_prompt.replace(PHOTO_SIZE, f"{photo.width} x {photo.height}")
    if last_turn and recipe.tools:
        text += "\n\n" + LAST_TURN
    parts = [_image(photo.sha256), _text(text)]
    images = (photo.sha256,)
    if form.system_role == "user":
        return [_user_message([_text(recipe.system_prompt), *parts], images)]
    system = {"role": form.system_role or "system", "content": recipe.system_prompt}
    return [Message(system), _user_message(parts, images)]


def assistant_message(turn: Turn, form: RequestForm = USUAL_FORM) -> Message:
    """The teacher's own turn as it is sent back: content, reasoning and calls as they came.

    But for calls that the token limit cut: they were not run, and servers refuse
    a call without a result, or with half a JSON text in it.
    """
    message: dict[str, Any] = {} if turn.members is None else orjson.loads(turn.members)
    message["role"] = "assistant"
    if turn.native_calls is not None and turn.finish_reason != "length":
        message["tool_calls"] = orjson.loads(turn.native_calls)
    content: Any = turn.response
    source = turn.reasoning_source or ""
    if (around := around_thought(turn)) is not None:
        content = f"{around[0]}{turn.reasoning or ''}{around[1]}{turn.response}"
    elif form.reasoning is not None:
        for name in ("content", "reasoning", "reasoning_content"):
            message.pop(name, None)
        if form.reasoning != "none":
            message[form.reasoning] = turn.reasoning or ""
    elif source and source != "parts":
        # Under the one name it came by: strict servers refuse a message with another one.
        message[source] = turn.reasoning or ""
    if form.without:
        _leave_out(message, form.without)
    # Parts that came stand among the members, with the signatures of the thoughts in them.
    if not message.setdefault("content", content):
        _write_empty(message, form)
    if turn.members is None and turn.native_calls is None:
        return Message(dict(sorted(message.items())))
    return Message(orjson.loads(canonical_json(message)))  # members of members are sorted, too


def _leave_out(message: dict[str, Any], names: Sequence[str]) -> None:
    for holder in (message, *message.get("tool_calls", ())):
        for name in {*names} - {"role", "content", "tool_calls", "id", "type", "function"}:
            holder.pop(name, None)
    if "thinking" in names:
        message.pop("content", None)


def _write_empty(message: dict[str, Any], form: RequestForm) -> None:
    usual: EmptyContent = "null" if "tool_calls" in message else "empty"
    match form.empty_content or usual:
        case "null":
            message["content"] = None
        case "empty":
            message["content"] = ""
        case "left_out":
            del message["content"]
        case "words":
            message["content"] = NO_WORDS


def observation_messages(
    turn: Turn, calls: Sequence[ToolCall], *, last_turn: bool, form: RequestForm = USUAL_FORM
) -> list[Message]:
    """What the teacher gets back for all calls of a turn, in order of `calls`.

    Calls written in the text: one user message, its tags at its very start and
    end, because a chat template may drop the reasoning before a user turn that is
    not so wrapped. Native calls: a `tool` message per call, then one user message
    with the images, which most servers take (a `tool` message may be text only).
    The turn decides, not the recipe (`calls.written_calls`).
    """
    closing = f"\n{LAST_TURN}" if last_turn else ""
    parts: list[dict[str, Any]] = []
    if turn.native_calls is None:
        for call in calls:
            tail = closing if call is calls[-1] else ""
            if call.image is None:
                parts.append(_text(f"<tool_response>\n{call.observation}{tail}\n</tool_response>"))
                continue
            parts.append(_text("<tool_response>\n"))
            parts.append(_image(call.image.sha256))
            parts.append(_text(f"\n{call.observation}{tail}\n</tool_response>"))
        images = tuple([call.image.sha256 for call in calls if call.image is not None])
        return [_user_message(parts, images)]
    ids = [str(c["id"]) for c in orjson.loads(turn.native_calls or "[]")]
    messages: list[Message] = []
    shown: list[str] = []
    for call in calls:
        content: Any = f"{call.observation}{closing if call is calls[-1] else ''}"
        in_tool: tuple[str, ...] = ()
        if call.image is not None:
            image = [_text(f"Image {call.image_index}:"), _image(call.image.sha256)]
            if form.images == "in_tool":
                content, in_tool = [_text(content), *image], (call.image.sha256,)
            else:
                parts += image
                shown.append(call.image.sha256)
        tool = {"role": "tool", "content": content, "tool_call_id": ids[call.call_index]}
        messages.append(Message(tool, in_tool))
    if shown:
        if form.images == "after_assistant":
            messages.append(Message({"role": "assistant", "content": BEFORE_IMAGES}))
        messages.append(_user_message(parts, tuple(shown)))
    return messages


def nudge_messages(recipe: Recipe, turn: Turn, *, last_turn: bool) -> list[Message]:
    """What follows a response with neither a call nor an answer, or one that was cut off."""
    text = NUDGE_WITH_TOOLS if recipe.tools and not last_turn else NUDGE_WITHOUT_TOOLS
    if turn.finish_reason == "length":
        text = NUDGE_TRUNCATED
    if last_turn and recipe.tools:
        text += " " + LAST_TURN
    return [_user_message([_text(text)])]


# --- responses ----------------------------------------------------------------------------------

AROUND_THOUGHT = "…"
"""Stands for the thought between its delimiters in a `ReasoningSource`; part of no delimiter."""
_THINK_SOURCES = {
    "<think>…</think>": "think",
    "…</think>": "think_unopened",
    "<think>…": "think_unclosed",
}
"""The delimiters that have names, because stores of earlier versions hold these."""
_DELIMITERS = {name: source for source, name in _THINK_SOURCES.items()}


def split_reasoning(content: str) -> tuple[str, str | None, ReasoningSource | None]:
    """Part the thought that a content begins with, in any known delimiters, from the rest.

    Returns response, reasoning, and the `ReasoningSource` that rebuilds the
    content exactly; (content, None, None) where it does not begin with thought.
    """
    thought = split_thought(content)
    if thought is None:
        return content, None, None
    source = thought.opener + AROUND_THOUGHT + thought.closer
    return thought.rest, thought.text, _THINK_SOURCES.get(source, source)


def around_thought(turn: Turn) -> tuple[str, str] | None:
    """What stood before and behind a turn's reasoning; None where it was no part of the content.

    Either may be empty: a chat template may write the opening delimiter, and the token
    limit may cut the closing one.
    """
    return thought_delimiters(turn.reasoning_source)


def thought_delimiters(source: str | None) -> tuple[str, str] | None:
    """As `around_thought`, of a `ReasoningSource`."""
    if source is None:
        return None
    written = _DELIMITERS.get(source, source)
    if AROUND_THOUGHT not in written:
        return None
    opener, _, closer = written.partition(AROUND_THOUGHT)
    return opener, closer


def name_cut_thought(turn: Turn, earlier: Sequence[Turn]) -> Turn:
    """`turn`, as a thought throughout where it is a thought that the token limit cut.

    Where a chat template writes the opening delimiter and the limit comes before
    the closing one, the content shows neither. Earlier turns of the same trace
    show that the template does.
    """
    bare = turn.reasoning_source is None and turn.native_calls is None
    if not bare or turn.finish_reason != "length" or not any(map(_is_unopened, earlier)):
        return turn
    return replace(turn, response="", reasoning=turn.response, reasoning_source=AROUND_THOUGHT)


def _is_unopened(turn: Turn) -> bool:
    source = turn.reasoning_source or ""
    return _DELIMITERS.get(source, source).startswith(AROUND_THOUGHT)


# --- parts --------------------------------------------------------------------------------------


def _user_message(parts: list[dict[str, Any]], images: tuple[str, ...] = ()) -> Message:
    return Message({"role": "user", "content": parts}, images)


def _text(text: str) -> dict[str, Any]:
    return {"text": text, "type": "text"}


def _image(sha256: str) -> dict[str, Any]:
    return {"image_url": {"url": f"sha256:{sha256}"}, "type": "image_url"}


def _url_member(sha256: bytes) -> bytes:
    return b'"url":"sha256:' + sha256 + b'"'


def _around(before: dict[str, Any], after: dict[str, Any], dumps: Any) -> tuple[bytes, bytes]:
    """The body's bytes before and after its messages, members in sorted order."""

    def members(values: dict[str, Any]) -> list[bytes]:
        return [orjson.dumps(key) + b":" + dumps(values[key]) for key in sorted(values)]

    head = b"{" + b"".join(member + b"," for member in members(before)) + b'"messages":['
    tail = b"]" + b"".join(b"," + member for member in members(after)) + b"}"
    return head, tail
