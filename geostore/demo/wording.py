"""The offline teacher's sentences: what it sees, what it does next, and why.

A photo always gets the same words. Different photos get different ones, by a number
that follows from the photo's bytes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from geostore.demo.conversation import Step
from geostore.demo.gazetteer import City, Gazetteer, drive_side
from geostore.demo.glance import Scenery
from geostore.demo.sight import Sighting
from geostore.demo.towns import Fix
from geostore.places import country_name


@dataclass(frozen=True)
class Reasons:
    """The reasons for an answer or a call."""

    variant: int
    """Chooses between wordings; the same for one photo."""
    steps: tuple[Step, ...]
    """The tool calls so far, in order."""
    sign_seen: bool
    """Whether any image shows a sign's panel."""
    scenery: Scenery | None
    """None where no image is upright."""
    fix: Fix | None
    """The place that follows from a sign; None where none does."""


def say_call(tool: str, arguments: dict[str, Any], look: Sighting, reasons: Reasons) -> str:
    """The reasoning in front of a tool call."""
    pick = _Picker(reasons.variant, len(reasons.steps))
    parts = [*_tool_failed(reasons)]
    if reasons.steps and look.scenery is not None:
        parts.append(
            pick(
                "The photo stands upright now, and the road, the cars and the sign are easy to "
                "make out.",
                "That is better: the horizon is level, and I can tell the sky from the fields.",
            )
        )
    else:
        parts.append(_scene(look.scenery, pick))
    if tool.endswith("rotate_tool"):
        parts.append(_why_rotate(arguments["angle"], bool(reasons.steps), pick))
    elif look.panel is None:
        parts.append(
            pick(
                "I find no road sign, shop front or number plate that I could read at this size.",
                "Nothing with lettering on it stands out as the photo is.",
            )
        )
        parts.append(
            "Before I settle for a guess I will magnify the strip along the horizon: a distant "
            "sign or a kilometre stone there would be worth far more than the look of the land."
        )
    else:
        parts.append(_why_zoom(look, pick))
    return " ".join(parts)


def say_answer(reasons: Reasons, guess: City | None, gazetteer: Gazetteer) -> str:
    """The reasoning in front of an answer. guess: the city it names; None if a sign was read."""
    pick = _Picker(reasons.variant, len(reasons.steps))
    parts = [*_tools_used(reasons), *_tool_failed(reasons), _scene(reasons.scenery, pick)]
    if reasons.fix is not None:
        parts += _why_place(reasons.fix, gazetteer, pick)
        parts += _check_side(reasons, reasons.fix)
    elif guess is not None:
        parts += _why_guess(reasons, guess, gazetteer, pick)
    return " ".join(parts)


class _Picker:
    """Chooses among wordings, always in the same way for one photo and turn."""

    def __init__(self, variant: int, turn: int) -> None:
        self._random = random.Random(variant * 31 + turn)

    def __call__(self, *wordings: str) -> str:
        return wordings[int(self._random.random() * len(wordings))]


def _scene(scenery: Scenery | None, pick: _Picker) -> str:
    if scenery is None:
        return pick(
            "The picture does not stand upright as far as I can tell from its sky, so slopes, "
            "shadows and lanes are hard to judge.",
            "I cannot find a level horizon with the sky above it, which makes the scenery harder "
            "to interpret than it should be.",
        )
    land = {
        "tropical": "lush green ground that suggests the tropics",
        "dry": "pale, dry ground with little growing on it",
        "temperate": "moderately green ground, as in a temperate climate",
        "northern": "muted, greyish green ground that points to higher latitudes",
    }[scenery.ground]
    if scenery.side is None:
        return pick(
            f"An outdoor scene with {land}; I cannot make out on which side traffic keeps.",
            f"The picture shows {land}, and no car whose lane would tell me the driving side.",
        )
    opening = pick(
        f"A two-lane road runs through open country with {land}.",
        f"This is a rural road far from any town, on {land}.",
        f"The photo shows a paved country road and {land}.",
    )
    return f"{opening} The car ahead of us keeps to the {scenery.side}-hand side."


def _why_rotate(angle: float, again: bool, pick: _Picker) -> str:
    if again:
        return (
            "The lines of the sign are level now, but no word on it makes sense in any language "
            "I know; it is probably standing on its head. I will turn the photo by half a circle "
            "and read it again."
        )
    if abs(angle) > 150:
        return pick(
            "The sky is at the bottom: the photo is upside down, and so is the road sign that "
            f"could tell me the place. Turning everything by {angle:g} degrees should put the "
            "letters the right way up, and then I can read the towns and their distances.",
            "There is a sign with several lines, but it hangs from its posts with the sky below "
            f"it, so the camera was held upside down. I will rotate by {angle:g} degrees first "
            "and read it afterwards.",
        )
    way = "counter-clockwise" if angle > 0 else "clockwise"
    return pick(
        f"A road sign with three lines is visible, but its lines run at {abs(angle):.0f} degrees "
        f"to the picture's edge and I would only garble the names. Rotating {way} by that much "
        "brings the text level; if the letters turn out too small, I can magnify them next.",
        f"The one thing worth reading is a sign, and it is tilted by some {abs(angle):.0f} "
        f"degrees. I will turn the photo {way} until its rows are horizontal, because place "
        "names with distances are the strongest clue that I could hope for.",
    )


def _why_zoom(look: Sighting, pick: _Picker) -> str:
    panel = look.panel
    size = "" if panel is None else f" (about {panel.length:.0f} pixels wide)"
    if look.rows:
        return (
            f"I can read part of the sign, {_listed([row.text.title() for row in look.rows])}, "
            "but not enough of it to be sure of the distances. A closer look at the panel "
            "should settle the remaining letters before I work out a position."
        )
    return pick(
        f"Beside the road stands a sign{size} with what look like place names and numbers, but "
        "the letters are only a few pixels high. I will zoom into the panel: town names with "
        "distances would fix the position far better than vegetation or road markings can.",
        f"There is a direction sign{size} whose text I cannot make out at this scale. The names "
        "on it, and how far away the towns are, would decide the question, so I will cut the "
        "panel out of the photo and look at it enlarged.",
    )


def _tools_used(reasons: Reasons) -> list[str]:
    worked = [step.tool for step in reasons.steps if step.picture is not None]
    turned = any(tool.endswith("rotate_tool") for tool in worked)
    zoomed = any(tool.endswith("zoom_in_tool") for tool in worked)
    if turned and zoomed:
        return ["After turning the photo upright and enlarging the sign I could look closely."]
    if turned:
        return ["Once the photo was turned upright, the sign could be looked at properly."]
    if zoomed and reasons.sign_seen:
        return ["The enlarged view shows the panel's lettering much better."]
    return ["The enlarged strip did not bring out any lettering either."] if zoomed else []


def _tool_failed(reasons: Reasons) -> list[str]:
    if reasons.steps and reasons.steps[-1].picture is None:
        return ["My last request brought no new image, so I go on with what I have."]
    return []


def _why_place(fix: Fix, gazetteer: Gazetteer, pick: _Picker) -> list[str]:
    towns = _listed([f"{city.name} in {km} km" for city, km in fix.towns])
    country = country_name(fix.towns[0][0].country)
    if len(fix.towns) == 1:
        return [
            f"The only row that I can read with confidence gives {towns}, a place in {country}. "
            "One distance leaves a whole circle open, and I do not know the direction, so the "
            "town itself is the point that is least wrong."
        ]
    if len(fix.towns) == 2:
        return [
            f"Two rows are legible: {towns}, both in {country}. Their two circles cross at two "
            "points; without a third distance I cannot choose between these, and I take the "
            "middle of them as my position."
        ]
    sentences = [
        pick(
            f"The sign reads {towns}, and towns of these names lie close together in {country}.",
            f"I read {towns}; all of these names exist within a short drive in {country}.",
        ),
        pick(
            "Drawing around each town a circle of its distance, all of them pass through one spot; "
            f"they miss it by {fix.error_km:.1f} km, no more than rounding to whole kilometres "
            "explains.",
            "Each distance is a circle around its town; only one point lies on all of them, to "
            f"within {fix.error_km:.1f} km, so I trust the names as well as the numbers.",
        ),
    ]
    if not fix.sure:
        sentences.append("The fit is poor, so one of the numbers may be misread.")
    return sentences


def _check_side(reasons: Reasons, fix: Fix) -> list[str]:
    if reasons.scenery is None or reasons.scenery.side is None:
        return []
    side = drive_side(fix.towns[0][0].country)
    if side == reasons.scenery.side:
        return [f"Traffic there keeps {side}, which agrees with the cars in the picture."]
    return [
        f"Traffic there should keep {side}, which the cars do not seem to do, "
        "but the names weigh more than my view of the lanes."
    ]


def _why_guess(reasons: Reasons, guess: City, gazetteer: Gazetteer, pick: _Picker) -> list[str]:
    if reasons.sign_seen:
        first = pick(
            "There is a sign, but I cannot read its words with any confidence, and I would "
            "rather not make up names.",
            "A sign is there, yet its letters stay illegible to me as the image is.",
        )
    else:
        first = pick(
            "I see no sign, no lettering and no landmark anywhere in the picture.",
            "Nothing in the picture carries a word that I could look up.",
        )
    clues = []
    if reasons.scenery is not None:
        clues.append(f"the look of the land ({reasons.scenery.ground})")
        if reasons.scenery.side is not None:
            clues.append(f"traffic on the {reasons.scenery.side}")
    ground = f"What is left is {_listed(clues)}" if clues else "What is left is the bare picture"
    place = f"{guess.name} in {country_name(guess.country)}"
    return [
        first,
        f"{ground}, which fits many countries. This is a guess and no more: where nothing else "
        f"decides, a photo is most likely taken where many people live, and {place} is the most "
        "populous city that these clues allow.",
    ]


def _listed(items: Sequence[str]) -> str:
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]
