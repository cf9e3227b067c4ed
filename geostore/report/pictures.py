"""The best and the worst traces as the page has them, with small pictures derived now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from geostore.errors import DatasetError, ImageError, MachineError
from geostore.records import StoredTrace
from geostore.show.thumbnails import thumbnail

if TYPE_CHECKING:
    from geostore.conversation.images import PhotoSource

_SIDE = 360  # pixels; sharp at the width that a card has
_WORDS = 600  # characters of the last response


def card(
    trace: StoredTrace, source: PhotoSource | None, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """One trace as the page's kind ``traces`` has it.

    source: where its photo is read; None: without pictures. facts: the trace's row of the question
    ``best_and_worst``. A photo that is not there, or not what the teacher saw, is left out and
    `unproven` says why.
    """
    images: list[dict[str, Any]] = []
    unproven: str | None = None
    if source is not None:
        try:
            images = [_picture(trace, source)]
        except (DatasetError, ImageError, MachineError) as error:
            unproven = str(error)
    return {
        **{name: facts[name] for name in ("trace", "which", "score", "country", "why")},
        "km": facts["distance_km"],
        "turns": facts["turns"],
        "tool_calls": facts["tool_calls"],
        "words": _last_words(trace),
        "images": images,
        "unproven": unproven,
    }


def _picture(trace: StoredTrace, source: PhotoSource) -> dict[str, Any]:
    small = thumbnail(trace, source, side=_SIDE)
    return {
        "src": small.address,
        "width": small.width,
        "height": small.height,
        "alt": f"the photo of {trace.name}",
        "boxes": [{"label": label, "points": points} for label, points in small.outlines],
    }


def _last_words(trace: StoredTrace) -> str:
    """The end of the last response, where the answer stands; empty without a response."""
    if not trace.turns:
        return ""
    text = " ".join(trace.turns[-1].response.split())
    if len(text) <= _WORDS:
        return text
    _, _, end = text[-_WORDS:].partition(" ")  # from a whole word on
    return f"… {end}"
