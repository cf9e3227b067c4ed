r"""Read coordinates from a teacher's response, or say why there are none.

A wrong pair is worse than none, because it becomes a false label. So the parser never takes any
two numbers. It tries these forms, strongest first; the first form that gives a valid pair wins, and
of each form the last occurrence counts:

1. ``boxed``: ``\boxed{...}``
2. ``answer``: ``<answer>...</answer>``, with any form below or one bare pair that ends it
3. ``json``: members named lat/latitude and lon/lng/long/longitude
4. ``labelled``: latitude and longitude beside their names, also Chinese
5. ``hemisphere``: numbers with N, S, E, W, decimal or degrees-minutes-seconds
6. ``parentheses``: ``(48.8566, 2.3522)``, both with a decimal mark

Where a form fails, the next one is tried. But where the teacher declines (unknown, NaN),
contradicts itself (-48 N) or is cut off, the text before that no longer counts, and only the text
after it may still answer. Where no form gives a valid pair, the failure is that of the strongest
form that attempted an answer.

Time is linear in the response: the parser only cuts the whole text and searches it for fixed
strings; all other work is on pieces of bounded size.
"""

from collections.abc import Callable
from dataclasses import dataclass

from geostore.answers.angles import (
    AMBIGUOUS,
    HEMISPHERE_CONFLICT,
    NO_COORDINATES,
    NOT_FINITE,
    ONE_NUMBER,
    OUT_OF_RANGE,
    PLACEHOLDER,
    TRUNCATED_ANSWER,
    TRUNCATED_BOX,
    UNKNOWN,
    Reading,
)
from geostore.answers.forms import (
    find_hemisphere,
    find_json,
    find_labelled,
    find_parentheses,
    iter_hemisphere,
)
from geostore.answers.slots import RETRACTING, Slot, has_slot, read_answer_tag, read_box
from geostore.answers.text import normalise, says_placeholder, tail, visible_text
from geostore.records import Answer

PARSER_VERSION: int = 1
"""Stored beside each answer. Raise it with every change that reads some response differently."""

FORMS: tuple[str, ...] = ("boxed", "answer", "json", "labelled", "hemisphere", "parentheses")

FAILURES: tuple[str, ...] = (
    NO_COORDINATES,  # no form occurs, or it holds only words
    ONE_NUMBER,  # one coordinate without the other
    AMBIGUOUS,  # numbers, but not surely two, or not surely in which order
    OUT_OF_RANGE,  # |lat| > 90 or |lon| > 180
    NOT_FINITE,  # NaN, infinity
    UNKNOWN,  # null, unknown, cannot tell
    PLACEHOLDER,  # the prompt's own words, or a comment that says placeholder
    HEMISPHERE_CONFLICT,  # -48 N, two latitudes, a latitude marked E
    TRUNCATED_BOX,  # \boxed{ that never closes
    TRUNCATED_ANSWER,  # <answer> or a JSON member that never ends
)

_PROSE_FORMS: tuple[tuple[str, Callable[[str], Reading | None]], ...] = (
    ("json", find_json),
    ("labelled", find_labelled),
    ("hemisphere", find_hemisphere),
    ("parentheses", find_parentheses),
)


def parse_answer(response: str) -> Answer:
    """The coordinates that `response` gives as its answer. Never raises, whatever the text.

    On success lat and lon are degrees within range and `failure` is None. Flags: ``null_island``
    (exactly 0, 0), ``swapped`` (out of range, but valid with its numbers exchanged; never done
    here), ``placeholder`` (the response holds the prompt's own words or a placeholder
    comment, even if another form answered), ``inconsistent`` (a box or answer tag, and a hemisphere
    pair in the prose, lie on different sides of the equator or of Greenwich).
    """
    return _read(visible_text(response))


def has_answer(response: str) -> bool:
    r"""Whether `response` is meant as a final answer.

    True where it holds \boxed{ or <answer> outside <think>, even malformed, or coordinates that
    can be read.
    """
    text = visible_text(response)
    return has_slot(text) or _read(text).failure is None


def _read(text: str) -> Answer:
    search = _Search()
    rest = text
    for form, read in (("boxed", read_box), ("answer", read_answer_tag)):
        slot = read(rest)
        if slot is None:
            continue
        search.placeholder = search.placeholder or slot.placeholder
        if search.accepts(form, slot.reading, rest, slot.start, slot.end):
            return search.success(form, slot.reading, inconsistent=_contradicts_prose(rest, slot))
        if slot.retracts:
            rest = rest[slot.end :]
        elif slot.reading.failure == AMBIGUOUS:
            # The slot holds several pairs, and a weaker form must not pick one of them.
            rest = rest[: slot.start] + "\n" + rest[slot.end :]
    prose = normalise(tail(rest))
    for form, find in _PROSE_FORMS:
        reading = find(prose)
        if reading is None:
            continue
        if search.accepts(form, reading, prose, reading.start, reading.end):
            return search.success(form, reading, inconsistent=False)
        if reading.failure in RETRACTING:
            prose = prose[reading.end :]
    return search.failure()


@dataclass(slots=True)
class _Search:
    """The results of the forms tried so far."""

    failed: tuple[str, Reading] | None = None
    """The strongest form that attempted an answer and failed; None while none has."""
    placeholder: bool = False
    """Whether a form held the prompt's own words or a placeholder comment."""

    def accepts(self, form: str, reading: Reading, text: str, start: int, end: int) -> bool:
        """Whether a reading is an answer; if not, note why."""
        if reading.failure is None:
            if not says_placeholder(text, start, end):
                return True
            reading = Reading(reading.start, reading.end, failure=PLACEHOLDER)
        self.placeholder = self.placeholder or reading.failure == PLACEHOLDER
        # A box with only words in it says less than a weaker form that tried numbers.
        if self.failed is None or self.failed[1].failure == NO_COORDINATES != reading.failure:
            self.failed = (form, reading)
        return False

    def success(self, form: str, point: Reading, *, inconsistent: bool) -> Answer:
        flags = {
            "inconsistent": inconsistent,
            "null_island": point.lat == 0 and point.lon == 0,
            "placeholder": self.placeholder,
        }
        return Answer(point.lat, point.lon, form, None, _raised(flags))

    def failure(self) -> Answer:
        form, reading = self.failed or (None, Reading(0, 0, failure=NO_COORDINATES))
        flags = {"placeholder": self.placeholder, "swapped": reading.swapped}
        return Answer(None, None, form, reading.failure, _raised(flags))


def _raised(flags: dict[str, bool]) -> tuple[str, ...]:
    return tuple(sorted(flag for flag, up in flags.items() if up))


def _contradicts_prose(text: str, slot: Slot) -> bool:
    lat, lon = slot.reading.lat, slot.reading.lon
    if lat is None or lon is None:
        return False
    prose = normalise(tail(text[: slot.start] + "\n" + text[slot.end :]))
    return any(
        pair.lat is not None and pair.lon is not None and (pair.lat * lat < 0 or pair.lon * lon < 0)
        for pair in iter_hemisphere(prose)
    )
