"""How a turn's request differs from what the recipe and the rows before it give by themselves.

It stands as JSON in the row of the turn (`Turn.request_form`), so that the request can
be written again from rows. The usual form is None there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from geostore.identity import canonical_text
from geostore.records import LimitKind, Turn


@dataclass(frozen=True, slots=True)
class RequestForm:
    """What is unusual about a request; nothing by default."""

    images_left_out: LimitKind | None = None
    """The limit for which the newest images were left out (`conversation.limits`); None: all
    images were sent."""

    @classmethod
    def of(cls, turn: Turn) -> RequestForm:
        """The form in which a turn's request went out."""
        if turn.request_form is None:
            return USUAL_FORM
        values: dict[str, Any] = orjson.loads(turn.request_form)
        return cls(images_left_out=values.get("images_left_out"))

    def to_json(self) -> str | None:
        """What `Turn.request_form` keeps of it."""
        if self.images_left_out is None:
            return None
        return canonical_text({"images_left_out": self.images_left_out})


USUAL_FORM = RequestForm()
