"""Reads what an answer says beside its coordinates: the place in words, and a confidence.

The strongest passage that says it counts: the slots of the answer, then the last JSON object, then
the labelled lines of the response, then, for the place, the line of the coordinates. Most answers
say nothing of the kind, so a text without the words that a statement needs is passed over quickly.
"""

from geostore.answers.confidence import MEMBERS as CONFIDENCE_MEMBERS
from geostore.answers.confidence import (
    Confidence,
    confidence_of_lines,
    confidence_of_members,
)
from geostore.answers.passages import find_members, prose_of, slots_of
from geostore.answers.place_lists import NO_WORDS, PlaceWords
from geostore.answers.place_words import MEMBERS as PLACE_MEMBERS
from geostore.answers.place_words import (
    words_beside_coordinates,
    words_of_lines,
    words_of_members,
    words_of_slot,
)
from geostore.answers.text import LETTERS
from geostore.stated import Stated

NOTHING = Stated()
"""What most answers say beside their coordinates."""

_MEMBERS = PLACE_MEMBERS | CONFIDENCE_MEMBERS
_SLOT_FORMS = ("boxed", "answer")


def read_stated(text: str, *, form: str | None, glm_box: str = "") -> Stated:
    """What the visible text of a response says beside its coordinates.

    form: the form of its coordinates, if it gives any. glm_box: what GLM's last box holds, whose
    tokens are no longer in the text. Never raises; the time is linear in the text.
    """
    prose = prose_of(text)
    slots = [slot for slot in (*slots_of(text), glm_box) if _holds_words(slot)]
    in_slot = form in _SLOT_FORMS
    words, confidence = NO_WORDS, None
    for passage in (*slots, prose):
        is_slot = passage is not prose
        slot_elsewhere = in_slot and not is_slot
        members = find_members(passage, _MEMBERS)
        if members:
            words = words or words_of_members(members)
        words = words or words_of_lines(passage, in_slot=slot_elsewhere)
        if is_slot:
            words = words or words_of_slot(passage)
        if confidence is None and members:
            confidence = confidence_of_members(members)
        confidence = confidence or confidence_of_lines(passage, in_slot=slot_elsewhere)
    return _stated(words or words_beside_coordinates(text), confidence)


def _stated(words: PlaceWords, confidence: Confidence | None) -> Stated:
    if not words and confidence is None:
        return NOTHING
    return Stated(
        country=words.country,
        region=words.region,
        city=words.city,
        confidence=None if confidence is None else confidence.value,
        confidence_form=None if confidence is None else confidence.form,
    )


def _holds_words(slot: str) -> bool:
    return LETTERS.search(slot.replace("\\boxed", "")) is not None
