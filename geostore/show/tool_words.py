"""What a tool said to a call of an imported trace: only the messages sent next have it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from geostore.conversation.messages import Message

_RESPONSE = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)


def tool_words(messages: Sequence[Message], calls: int) -> list[str]:
    """What the messages after a turn say to each of its calls; [] where they say nothing.

    messages: those of the next turn. Where they cannot be told apart by call, the first
    call has all of them.
    """
    written = [message.value for message in messages]
    # A file may repeat the whole conversation in each turn; the answer follows the last words.
    last = max(
        (n for n, entry in enumerate(written) if entry.get("role") == "assistant"), default=-1
    )
    written = written[last + 1 :] if last >= 0 else []
    texts = [_text(message.get("content")) for message in written]
    if len(texts) == 1:
        inside = _RESPONSE.findall(texts[0])
        texts = inside if len(inside) == calls else texts
    texts = [" ".join(_RESPONSE.sub(r"\1", text).split()) for text in texts]
    if len(texts) != calls:
        texts = [" ".join(texts)]
    return texts if any(texts) else []


def _text(content: Any) -> str:
    """The text of a message's content, with its images by name."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    return " ".join(_part(part) for part in content if isinstance(part, dict))


def _part(part: dict[str, Any]) -> str:
    text = part.get("text")
    return text if isinstance(text, str) else "[image]"
