"""A trace for Python: what the store holds of it, and the conversation that follows from that."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from geostore.conversation.completed import completed_messages
from geostore.conversation.messages import assistant_message
from geostore.conversation.sent import sent_messages
from geostore.errors import NotFoundError
from geostore.export.images import image_names, shown_images
from geostore.export.messages import turn_messages
from geostore.records import StoredTrace
from geostore.text.phrases import format_number_of, format_score


class Trace(StoredTrace):
    """A trace with all that the store holds of it, and its conversation. Nothing in it changes."""

    __slots__ = ()

    @classmethod
    def of(cls, stored: StoredTrace) -> Trace:
        """The same trace with its conversation."""
        return cls(**{member.name: getattr(stored, member.name) for member in fields(StoredTrace)})

    def messages(self, turn: int | None = None) -> list[dict[str, Any]]:
        """The conversation in the form of OpenAI's API: a request and the response to it, last.

        turn: which turn's, from 1; None for the last one. Images are named by their hashes
        (``sha256:...``), under which `GeoStore.sent_images` has their bytes. In an imported trace
        whose images are not all known, they are named as in its file. Empty where there is no
        turn yet. Raises NotFoundError where the trace has no such turn, or was
        imported from a file that does not say what was sent for it; ImageError (kind
        ``unknown``) where the store does not know which photo was sent.
        """
        if turn is None and not self.turns:
            return []
        number = len(self.turns) if turn is None else turn
        if not 1 <= number <= len(self.turns):
            raise NotFoundError(
                f"{self.name} has no turn {number}, but {format_number_of(len(self.turns), 'turn')}"
            )
        request = self._requests()[number - 1]
        # What only goes on from an unknown request is not known either.
        if not request or request[0]["role"] == "assistant":
            raise NotFoundError(
                f"{self.name}: the file that it was imported from does not say what was sent for "
                f"turn {number}"
            )
        response = [assistant_message(self.turns[number - 1])]
        return request + turn_messages([response], mode="full", image_url=None)[0]

    def _requests(self) -> list[list[dict[str, Any]]]:
        """Per turn, the messages of its request, as an export writes them."""
        if not self.image_proofs:
            return turn_messages(sent_messages(self), mode="full", image_url=None)
        hashes = {number: facts.sha256 for number, facts, _ in shown_images(self)}

        def url(number: int) -> dict[str, Any]:
            return {"url": f"sha256:{hashes[number]}"}

        return turn_messages(
            completed_messages(self),
            mode="full",
            image_url=url if hashes else None,
            numbers_by_name=image_names(self),
        )

    def __repr__(self) -> str:
        facts: list[str] = [self.status]
        if self.answer is not None and self.answer.failure is not None:
            facts.append(f"no coordinates ({self.answer.failure})")
        if self.reward is not None and self.reward.distance_km is not None:
            digits = 1 if self.reward.distance_km < 100 else 0
            facts.append(f"{self.reward.distance_km:,.{digits}f} km")
        if self.reward is not None and self.reward.score is not None:
            facts.append(f"score {format_score(self.reward.score)}")
        facts.append(format_number_of(len(self.turns), "turn"))
        if self.calls:
            facts.append(format_number_of(len(self.calls), "call"))
        return f"<Trace {self.name}: {', '.join(facts)}>"
