"""Writes the messages of a trace's requests in the form that OpenAI's API takes.

Which messages were sent is rebuilt by `conversation.sent`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Literal

from geostore.conversation.messages import Message
from geostore.conversation.sent import continues

MessagesMode = Literal["delta", "last", "full"]
ImageUrl = Callable[[int], dict[str, Any]]
"""From an image's number in the conversation to the ``image_url`` object that stands for it."""


def turn_messages(
    sent: Sequence[Sequence[Message]],
    *,
    mode: MessagesMode,
    image_url: ImageUrl | None,
    numbers_by_name: Mapping[str, int] | None = None,
) -> list[list[dict[str, Any]]]:
    """Per turn, messages as OpenAI's API takes them.

    sent: per turn, what its request added, as `conversation.sent.sent_messages` gives it.
    mode: ``delta``: what the turn before did not have, so that the lists up to a
        turn, joined, are its whole request (one that does not begin with the turn before is
        a whole request); ``full``: the whole request of each
        turn; ``last``: that of the last turn, and none for the others.
    image_url: None leaves images named as they are in the rows.
    numbers_by_name: of an imported trace, the number of each image by the sha256, path or address
        that a message names it with; messages may repeat images and name others. None: messages
        hold the images in their order.
    """
    numbers = count()
    added = []
    for new in sent:
        if new and not continues([new[0].value]):
            numbers = count()  # a whole request shows the first images again
        if image_url is not None and numbers_by_name is not None:
            added.append([_with_named_images(m, numbers_by_name, image_url) for m in new])
        else:
            added.append([_openai_form(message, numbers, image_url) for message in new])
    if mode == "delta":
        return added
    history: list[dict[str, Any]] = []
    requests = []
    for messages in added:
        history = history + messages if continues(messages) else messages
        requests.append(history)
    if mode == "full":
        return requests
    return [[] for _ in requests[:-1]] + requests[-1:]


def _openai_form(
    message: Message, numbers: Iterator[int], image_url: ImageUrl | None
) -> dict[str, Any]:
    """The message as a value, its role first; images are numbered in their order."""
    value = message.value
    content = value.get("content")
    # The teacher's own parts, such as thoughts with their signatures, stay as they came.
    if isinstance(content, list) and value["role"] != "assistant" and image_url is not None:
        content = [
            {"type": "image_url", "image_url": image_url(next(numbers))}
            if part["type"] == "image_url"
            else {"type": "text", "text": part["text"]}
            for part in content
        ]
        return {"role": value["role"], **value, "content": content}
    return {"role": value["role"], **value}


def _with_named_images(
    message: Message, numbers_by_name: Mapping[str, int], image_url: ImageUrl
) -> dict[str, Any]:
    """The message of an imported trace as a value; images that it names as they are exported."""
    value = message.value
    content = value.get("content")
    if isinstance(content, list) and value["role"] != "assistant":
        parts = [_named_image(part, numbers_by_name, image_url) for part in content]
        return {"role": value["role"], **value, "content": parts}
    return {"role": value["role"], **value}


def _named_image(part: Any, numbers_by_name: Mapping[str, int], image_url: ImageUrl) -> Any:
    """A part of a message; one that names an image of the trace becomes OpenAI's form of it."""
    if not isinstance(part, dict):
        return part
    for member in ("image_url", "image", "url", "source"):  # OpenAI's form, Qwen's, and others
        holder = part.get(member)
        url = holder.get("url", holder.get("data")) if isinstance(holder, dict) else holder
        number = numbers_by_name.get(url.removeprefix("sha256:")) if isinstance(url, str) else None
        if number is not None:
            return {"type": "image_url", "image_url": image_url(number)}
    return {"type": part["type"], **part} if "type" in part else part
