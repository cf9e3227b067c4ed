"""The messages of an imported trace, with the images that its file does not show.

Some files hold the teacher's words and none of the images. Where these were made
again, an export puts the photo at the start of the first question, and each image of a
call into a tool response after the turn that made the call.
"""

from __future__ import annotations

from typing import Any

from geostore.conversation.messages import Message, assistant_message
from geostore.conversation.sent import sent_messages
from geostore.records import StoredTrace

_PLACE = {"type": "image"}
"""A part that says only where an image stood."""


def completed_messages(trace: StoredTrace) -> list[list[Message]]:
    """Per turn, what `sent_messages` gives, with images that the file does not show.

    A turn that the file says nothing of gets messages only if each turn before the last
    one made calls that all gave images: what the teacher read instead is not known.
    """
    messages = sent_messages(trace)
    photo = next((p for p in trace.image_proofs if p.image_index == 0), None)
    if photo is None or photo.proof != "unseen" or photo.file_sha256 or trace.photo is None:
        return messages
    # An export of ours puts the photo there, so a file that is one has it already.
    if not messages or not messages[0] or any(map(_shows_image, messages[0])):
        return messages
    messages[0] = _with_photo(messages[0], trace.photo.sha256)
    rest = messages[1:]
    if rest and not any(rest) and (responses := _tool_responses(trace)) is not None:
        messages[1:] = [
            [assistant_message(turn), response]
            for turn, response in zip(trace.turns, responses, strict=False)
        ]
    return messages


def _shows_image(message: Message) -> bool:
    content = message.value.get("content")
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") in ("image_url", "image") and part != _PLACE
        for part in content
    )


def _with_photo(messages: list[Message], sha256: str) -> list[Message]:
    completed = list(messages)
    for number, message in enumerate(messages):
        if message.value.get("role") != "user":
            continue
        content = message.value.get("content")
        parts = content if isinstance(content, list) else [{"text": content or "", "type": "text"}]
        if _PLACE in parts:
            place = parts.index(_PLACE)
            parts = [*parts[:place], _image(sha256), *parts[place + 1 :]]
        else:
            parts = [_image(sha256), *parts]
        completed[number] = Message({**message.value, "content": parts}, (sha256,))
        break
    return completed


def _tool_responses(trace: StoredTrace) -> list[Message] | None:
    """Per turn but the last, a message with the images of its calls; None where one has none."""
    responses = []
    for turn in trace.turns[:-1]:
        calls = [call for call in trace.calls if call.turn == turn.turn]
        names = [call.image.sha256 for call in calls if call.image is not None]
        if not names or len(names) != len(calls):
            return None
        content: list[dict[str, Any]] = [{"text": "<tool_response>", "type": "text"}]
        content += [_image(name) for name in names]
        content.append({"text": "</tool_response>", "type": "text"})
        responses.append(Message({"role": "user", "content": content}, tuple(names)))
    return responses


def _image(sha256: str) -> dict[str, Any]:
    return {"image_url": {"url": f"sha256:{sha256}"}, "type": "image_url"}
