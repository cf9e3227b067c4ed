"""The messages of one conversation as bytes to send: an image is written once a trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from geostore.conversation.messages import Message, data_url
from geostore.records import SentImage


class WireMessages:
    """Writes messages in wire form, and keeps what it wrote for the next request."""

    def __init__(self) -> None:
        self._messages: Sequence[Message] = ()
        self._wire: list[bytes] = []
        # By sha256: images that no message in `_wire` shows yet.
        self._urls: dict[str, bytes] = {}

    def show(self, images: Iterable[SentImage]) -> None:
        """Take images that the next messages may show."""
        self._urls.update((image.sha256, data_url(image)) for image in images)

    def write(self, messages: Sequence[Message]) -> list[bytes]:
        """All messages of a request in wire form, in order."""
        known = len(self._messages)
        if messages[:known] != self._messages:
            # Written in another form, or with another end. The old messages hold the images.
            pairs = enumerate(zip(messages, self._messages, strict=False))
            shorter = min(len(messages), known)
            known = next((number for number, (new, old) in pairs if new != old), shorter)
            for message, wire in zip(self._messages[known:], self._wire[known:], strict=True):
                self._urls.update(message.urls(wire))
            del self._wire[known:]
        # A conversation mostly only grows, so only its new messages are written.
        new = messages[known:]
        self._wire += [message.wire(self._urls) for message in new]
        self._messages = messages
        # Forgotten only now: several of the new messages may show the same image. One that no
        # message shows may still come, where a request left it out.
        for sha256 in {sha256 for message in new for sha256 in message.images}:
            del self._urls[sha256]
        return self._wire
