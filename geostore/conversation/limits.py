"""What a conversation does at a limit of its server: the newest images are left out, once.

A server that takes no more images, tokens or bytes refuses the request of a turn, and
its conversation is paid for by then. So the teacher is asked for its answer once more
without the images that the request would have added; a sentence stands in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from geostore.records import Recipe, ToolCall

NOT_SHOWN = "It cannot be shown, because this conversation has no room for another image."


def without_images(calls: Sequence[ToolCall]) -> list[ToolCall]:
    """The calls as the teacher is told of them where their images are left out."""
    return [
        call
        if call.image is None
        else replace(call, image=None, observation=f"{call.observation} {NOT_SHOWN}")
        for call in calls
    ]


def most_images(recipe: Recipe, turn_limit: int) -> int:
    """Images that one conversation can hold: the photo and what its turns may add.

    The calls of the last turn are not run, so only the turns before it add any.
    """
    return 1 + (turn_limit - 1) * recipe.max_calls_per_turn if recipe.tools else 1
