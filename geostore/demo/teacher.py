"""The offline teacher: decide the next step in a conversation about a photo, and say why.

It knows only the request and a gazetteer: no sample, no true place, no metadata.
The same conversation always gets the same reply. It turns a tilted photo upright,
zooms into a sign that is too small to read, answers from the towns on the sign, and
otherwise says that it guesses. It calls a tool at most `MOST_CALLS` times, and never
in the same way twice on the same photo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geostore.demo.conversation import Conversation, Picture, Step
from geostore.demo.gazetteer import City, Gazetteer, drive_side
from geostore.demo.glance import Scenery
from geostore.demo.sight import Sight, Sighting
from geostore.demo.towns import Fix
from geostore.demo.wording import Reasons, say_answer, say_call

ZOOM, ROTATE = "image_zoom_in_tool", "image_rotate_tool"
MOST_CALLS = 4

_LEVEL = 4.0  # degrees of tilt that need no turning
_MARGIN = 0.08  # of a sign's size: what a zoom leaves around it
_LATITUDES = {
    "tropical": (0.0, 22.0),
    "dry": (22.0, 36.0),
    "temperate": (36.0, 52.0),
    "northern": (52.0, 90.0),
}


@dataclass(frozen=True)
class Call:
    """A tool call."""

    tool: str
    """The tool's name, as the request's schemas give it."""
    arguments: dict[str, Any]
    """By name, as the request's schemas give them."""


@dataclass(frozen=True)
class Reply:
    """What the teacher says."""

    text: str
    """The reasoning, with the answer where there is one."""
    call: Call | None
    """None where it answers."""
    answer: tuple[float, float] | None
    """Latitude and longitude in degrees; None where it calls a tool."""


class Teacher:
    """Replies to conversations; safe to use from several threads."""

    def __init__(self, sight: Sight, gazetteer: Gazetteer) -> None:
        self._sight = sight
        self._gazetteer = gazetteer

    def reply(self, talk: Conversation) -> Reply:
        """The next turn. Raises DemoError if an image of the request is not an image."""
        if talk.photo is None:
            return self._answer(talk, [], None)
        current, tried = _current_image(talk.photo, talk.steps)
        pictures = [talk.photo, *(step.picture for step in talk.steps if step.picture)]
        seen = [self._sight.look(picture) for picture in pictures]
        now = self._sight.look(current)
        fix = max((look.fix for look in seen if look.fix is not None), key=_worth, default=None)
        must_answer = talk.protocol == "none" or talk.last_turn or len(talk.steps) >= MOST_CALLS
        if must_answer or (fix is not None and fix.sure):
            return self._answer(talk, [*seen, now], fix)
        call = self._next_call(talk, current, now, tried)
        if call is None:
            return self._answer(talk, [*seen, now], fix)
        reasons = _reasons(talk, [now], fix)
        return Reply(say_call(call.tool, call.arguments, now, reasons), call, None)

    def _next_call(
        self, talk: Conversation, current: Picture, now: Sighting, tried: tuple[str, ...]
    ) -> Call | None:
        """Turn upright first, then magnify; None once both were tried."""
        rotations = sum(step.tool == ROTATE for step in talk.steps)
        if now.panel is None:
            if talk.steps:
                return None
            width, height = now.size
            wide = (0.2 * width, 0.3 * height, 0.8 * width, 0.7 * height)
            return Call(ZOOM, _zoom(wide, current, now.size, talk.frame, "roadside"))
        if abs(now.turn) > _LEVEL and rotations == 0:
            return Call(ROTATE, {"angle": round(now.turn, 1)})
        if ZOOM not in tried:
            left, top, right, bottom = now.panel.box
            margin = _MARGIN * max(right - left, bottom - top)
            box = (left - margin, top - margin, right + margin, bottom + margin)
            return Call(ZOOM, _zoom(box, current, now.size, talk.frame, "road sign"))
        tools = [step.tool for step in talk.steps]
        turned_after_zoom = ROTATE in tools[tools.index(ZOOM) :]
        if not turned_after_zoom and not any(self._rows_in(step) for step in talk.steps):
            return Call(ROTATE, {"angle": 180})  # the sky may have misled us
        return None

    def _rows_in(self, step: Step) -> int:
        return 0 if step.picture is None else len(self._sight.look(step.picture).rows)

    def _answer(self, talk: Conversation, seen: list[Sighting], fix: Fix | None) -> Reply:
        reasons = _reasons(talk, seen, fix)
        if fix is not None:
            answer, guess = (fix.lat, fix.lon), None
        else:
            guess = most_populous(self._gazetteer, reasons.scenery)
            answer = (guess.lat, guess.lon)
        text = say_answer(reasons, guess, self._gazetteer)
        boxed = f"<answer>\\boxed{{{answer[0]:.4f}, {answer[1]:.4f}}}</answer>"
        return Reply(f"{text}\n\n{boxed}", None, answer)


def most_populous(gazetteer: Gazetteer, scenery: Scenery | None) -> City:
    """The largest city that fits the side of the road and the kind of ground, if known."""
    low, high = (0.0, 90.0) if scenery is None else _LATITUDES[scenery.ground]
    side = None if scenery is None else scenery.side
    fitting = [
        city
        for city in gazetteer.cities
        if low <= abs(city.lat) < high and side in (None, drive_side(city.country))
    ]
    return max(fitting or gazetteer.cities, key=lambda city: city.population)


def _current_image(photo: Picture, steps: tuple[Step, ...]) -> tuple[Picture, tuple[str, ...]]:
    """The photo as it was last turned, and the tools tried since then."""
    current = photo
    tried: list[str] = []
    for step in steps:
        if step.tool == ROTATE and step.picture is not None:
            current, tried = step.picture, []
        else:
            tried.append(step.tool)
    return current, tuple(tried)


def _worth(fix: Fix) -> tuple[bool, int, float]:
    return fix.sure, len(fix.towns), -fix.error_km


def _reasons(talk: Conversation, seen: list[Sighting], fix: Fix | None) -> Reasons:
    scenery = next((look.scenery for look in reversed(seen) if look.scenery is not None), None)
    return Reasons(
        variant=int(talk.photo.digest[:8], 16) if talk.photo is not None else 0,
        steps=talk.steps,
        sign_seen=any(look.panel is not None for look in seen),
        scenery=scenery,
        fix=fix,
    )


def _zoom(
    box: tuple[float, float, float, float],
    picture: Picture,
    size: tuple[int, int],
    frame: str,
    label: str,
) -> dict[str, Any]:
    """Arguments of a zoom, the box in the frame that the prompt asks for."""
    width, height = size
    stated = picture.stated or size
    across, down = (1000, 1000) if frame != "pixel" else stated
    shares = (box[0] / width, box[1] / height, box[2] / width, box[3] / height)
    x1, y1, x2, y2 = (
        round(min(max(share, 0.0), 1.0) * unit)
        for share, unit in zip(shares, (across, down, across, down), strict=True)
    )
    corners = [y1, x1, y2, x2] if frame == "norm1000_yx" else [x1, y1, x2, y2]
    return {"bbox_2d": corners, "label": label}
