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
7. ``coordinates``: ``Coordinates: 48.8566, 2.3522``, both with a decimal mark
8. ``bare``: a response that is one pair of numbers with decimal marks and nothing else

Where a form fails, the next one is tried. But where the teacher declines (unknown, NaN),
contradicts itself (-48 N) or is cut off, the text before that no longer counts, and only the text
after it may still answer. The same holds where a later passage in the same form or a stronger one
tries a pair and cannot be read (a range, a third number): it speaks against an earlier pair that it
does not agree with. Where no form gives a valid pair, the failure is that of the strongest
form that attempted an answer. A response that attempts none, and in whose words the teacher refuses
to answer (`refusals`), fails as ``refused``.

What is named as an alternative (``"alternatives": [...]``, ``Second guess: ...``) is no answer, and
a JSON array or a numbered list of places, of which none is chosen, is ambiguous (`alternatives`).
Of objects with ranks, the first-ranked is the answer (`ranked`).

What a tool is asked is no answer, so calls are cut out before, but for one of a tool that takes the
answer (`call_text`).

Time is linear in the response: the parser only cuts the whole text and searches it for fixed
strings; all other work is on pieces of bounded size.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from geostore.answers.alternatives import is_in_numbered_list, without_alternatives
from geostore.answers.angles import (
    AMBIGUOUS,
    HEMISPHERE_CONFLICT,
    NO_COORDINATES,
    NOT_FINITE,
    ONE_NUMBER,
    OUT_OF_RANGE,
    PLACEHOLDER,
    REFUSED,
    TRUNCATED_ANSWER,
    TRUNCATED_BOX,
    UNKNOWN,
    Reading,
)
from geostore.answers.attempts import contradicting_attempt, holds_pair, holds_point
from geostore.answers.call_text import without_calls
from geostore.answers.forms import (
    find_bare,
    find_coordinates,
    find_json,
    find_labelled,
    find_parentheses,
)
from geostore.answers.hemispheres import find_hemisphere, iter_hemisphere
from geostore.answers.passages import glm_box_of, whole_answer
from geostore.answers.ranked import first_ranked
from geostore.answers.refusals import refusal_in
from geostore.answers.slots import (
    CLOSE_ANSWER,
    OPEN_ANSWER,
    RETRACTING,
    Slot,
    has_slot,
    read_answer_tag,
    read_box,
)
from geostore.answers.spellings import with_usual_slots
from geostore.answers.statements import NOTHING, read_stated
from geostore.answers.text import normalise, says_placeholder, tail
from geostore.answers.thoughts import visible_text
from geostore.stated import Answer

PARSER_VERSION: int = 4
"""Stored beside each answer. Raise it with every change that reads some response differently."""

FORMS: tuple[str, ...] = (
    "boxed",
    "answer",
    "json",
    "labelled",
    "hemisphere",
    "parentheses",
    "coordinates",
    "bare",
)

FAILURES: tuple[str, ...] = (
    NO_COORDINATES,  # no form occurs, or it holds only words
    ONE_NUMBER,  # one coordinate without the other
    AMBIGUOUS,  # numbers, but not surely two, or not surely in which order
    OUT_OF_RANGE,  # |lat| > 90 or |lon| > 180
    NOT_FINITE,  # NaN, infinity
    UNKNOWN,  # null, unknown, cannot tell
    REFUSED,  # the teacher says that it cannot or will not locate the photo, or help at all
    PLACEHOLDER,  # the prompt's own words, or a comment that says placeholder
    HEMISPHERE_CONFLICT,  # -48 N, two latitudes, a latitude marked E
    TRUNCATED_BOX,  # \boxed{ that never closes
    TRUNCATED_ANSWER,  # <answer> or a JSON member that never ends; no <answer> in a cut response
)

_MAY_BE_REFUSED = frozenset({NO_COORDINATES, UNKNOWN, NOT_FINITE, PLACEHOLDER})
"""Failures of a response that attempts no pair, so that its words decide."""

_PROSE_FORMS: tuple[tuple[str, Callable[[str], Reading | None]], ...] = (
    ("json", find_json),
    ("labelled", find_labelled),
    ("hemisphere", find_hemisphere),
    ("parentheses", find_parentheses),
    ("coordinates", find_coordinates),
)


_SURE_FORMS = ("json", "labelled", "hemisphere")
"""Forms that nothing but coordinates has; two numbers in parentheses may be pixels."""

_DECIMAL = re.compile(r"(?<![0-9.])[1-9][0-9]{0,2}[.,][0-9]{2}")
"""A number that is a coordinate, and no count or share."""

_UNIT = re.compile(
    r"[\s$*]{0,4}(?:\\?%|(?:km|kilomet(?:er|re)s?|mi|miles?|m|met(?:er|re)s?|ft|percent|points)(?![a-z]))"
)
"""What follows a number that is no coordinate."""

_BARE_LENGTH = 200
"""Characters of a response that may be one bare pair, with its blanks and markup."""

_LAST_WORDS = 24
"""Characters that may follow an answer at the end of a response: the first words of a sentence that
the token limit cut, or a special token."""

_DOUBT = re.compile(
    r""" ?[?,;:"'`”’)…]|\s*[.!-]{0,3}\s*(?:"""
    r"(?:but|wait|no|not|hmm+|or|however|actually|alternatively|maybe|perhaps|though|although|let|is|would"
    r"|could|format|in|so|if)(?![a-z])"
    r"|但|等|不|嗯|或|可是|吗|？|，)",
    re.IGNORECASE,
)
"""How a sentence goes on after an answer that it only tries or quotes."""


def parse_answer(
    response: str,
    *,
    cut: bool = False,
    bare: bool = False,
    calls: bool = False,
    refused: bool = False,
) -> Answer:
    """The coordinates that `response` gives as its answer. Never raises, whatever the text.

    cut: whether the token limit ended it. Then it may be a thought whose opening delimiter the chat
    template wrote and whose closing one never came, so only a whole <answer>...</answer> counts.
    bare: of a response that was cut, whether nothing shows that it is no thought: it is the first
    of its trace and came without reasoning. Then the answer counts only at its very end, because a
    thought tries an answer and goes on.
    calls: whether tool calls came beside it: then its words announce them and refuse nothing.
    refused: whether the reply itself says that it is a refusal, whatever its words.

    On success lat and lon are degrees within range and `failure` is None. Flags: ``null_island``
    (exactly 0, 0), ``swapped`` (out of range, but valid with its numbers exchanged; never done
    here), ``placeholder`` (the response holds the prompt's own words or a placeholder
    comment, even if another form answered), ``inconsistent`` (a box or answer tag, and a hemisphere
    pair in the prose, lie on different sides of the equator or of Greenwich).
    """
    visible = visible_text(response)
    text = first_ranked(without_calls(with_usual_slots(visible)))
    answer = _read(text, cut=cut, bare=bare)
    if refused and answer.failure is not None:
        answer = replace(answer, failure=REFUSED)
    if cut and answer.failure is not None:  # what it says may be a thought
        return answer
    stated = read_stated(
        whole_answer(text) if cut else text, form=answer.form, glm_box=glm_box_of(visible)
    )
    if stated is not NOTHING:
        answer = Answer(answer.lat, answer.lon, answer.form, answer.failure, answer.flags, stated)
    names_place = stated.country or stated.region or stated.city
    if answer.failure in _MAY_BE_REFUSED and not (calls or names_place) and refusal_in(visible):
        return replace(answer, failure=REFUSED)
    return answer


def has_answer(response: str) -> bool:
    r"""Whether `response` is meant as a final answer.

    True where it holds \boxed{ or <answer> outside its thoughts, even malformed, or coordinates
    that can be read.
    """
    text = first_ranked(without_calls(with_usual_slots(visible_text(response))))
    return has_slot(text) or _read(text, cut=False).failure is None


def _read(text: str, *, cut: bool, bare: bool = False) -> Answer:
    """text: without calls and lower ranks, with its slots as they were asked for (`spellings`)."""
    if len(text) <= _BARE_LENGTH and not has_slot(text):
        pair = find_bare(normalise(text))
        if pair is not None:
            return _read_bare(pair, cut=cut)
    answer, dropped = _read_forms(text, cut=cut, bare=bare)
    if dropped is None or answer.lat is None or answer.lon is None:
        return answer
    if holds_point(dropped.words, answer.lat, answer.lon, both=dropped.failure != ONE_NUMBER):
        return answer
    # The slot means another place than the weaker form does; only what follows it may correct it.
    later, _ = _read_forms(dropped.later, cut=cut, bare=bare)
    if later.failure is None:
        return later
    return Answer(None, None, dropped.form, dropped.failure, later.flags)


def _read_bare(reading: Reading, *, cut: bool) -> Answer:
    search = _Search()
    if reading.failure is not None:
        search.fail("bare", reading)
        return search.failure()
    if cut:  # its last number may go on
        return search.cut_off("bare", reading)
    return search.success("bare", reading, inconsistent=False)


@dataclass(frozen=True, slots=True)
class _Dropped:
    """A pair that was tried in a strong form and is none: a weaker form must not speak for it."""

    form: str
    """The form, ``hemisphere`` or a stronger one."""
    failure: str
    """Why it gives no pair."""
    words: str
    """Its text."""
    later: str
    """The text after it."""


def _dropped(form: str, reading: Reading, text: str, start: int, end: int) -> _Dropped | None:
    words = text[start:end]
    coordinate = _DECIMAL.search(words) and not _UNIT.match(text, end)
    one = reading.failure == ONE_NUMBER and form == "boxed" and coordinate
    several = reading.failure in (AMBIGUOUS, OUT_OF_RANGE) and holds_pair(words)
    return _Dropped(form, reading.failure or "", words, text[end:]) if one or several else None


def _read_forms(text: str, *, cut: bool, bare: bool) -> tuple[Answer, _Dropped | None]:
    """The answer, and the strongest pair that was passed over on the way to it."""
    search = _Search()
    rest = text
    dropped: _Dropped | None = None
    for form, read in (("boxed", read_box), ("answer", read_answer_tag)):
        slot = read(rest)
        if slot is None:
            continue
        search.placeholder = search.placeholder or slot.placeholder
        if search.accepts(form, slot.reading, rest, slot.start, slot.end):
            if cut and not _in_whole_answer(rest, slot, at_end=bare):
                return search.cut_off(form, slot.reading), None
            contradicts = _contradicts_prose(rest, slot)
            return search.success(form, slot.reading, inconsistent=contradicts), dropped
        dropped = dropped or _dropped(form, slot.reading, rest, slot.start, slot.end)
        if slot.retracts:
            rest = rest[slot.end :]
        elif slot.reading.failure == AMBIGUOUS:
            # The slot holds several pairs, and a weaker form must not pick one of them.
            rest = rest[: slot.start] + "\n" + rest[slot.end :]
    prose = without_alternatives(normalise(tail(rest)))
    for form, find in _PROSE_FORMS:
        reading = find(prose)
        if reading is None:
            continue
        if search.accepts(form, reading, prose, reading.start, reading.end):
            if cut:
                return search.cut_off(form, reading), dropped
            assert reading.lat is not None
            assert reading.lon is not None
            attempt = contradicting_attempt(
                prose, reading.end, form=form, lat=reading.lat, lon=reading.lon
            )
            if attempt is None and form == "parentheses":
                # A place in the prose is weaker than the coordinates that are named after it.
                named = find_coordinates(prose[reading.end :])
                if named is not None and named.failure is None:
                    prose = prose[reading.end :]
                    continue
            if attempt is None and is_in_numbered_list(prose, reading.start):
                search.fail(form, Reading(reading.start, reading.end, failure=AMBIGUOUS))
                return search.failure(), dropped
            if attempt is None:
                return search.success(form, reading, inconsistent=False), dropped
            search.fail(attempt.form, Reading(attempt.start, attempt.start, failure=AMBIGUOUS))
            prose = prose[attempt.start :]
        elif reading.failure in RETRACTING:
            prose = prose[reading.end :]
        elif form in _SURE_FORMS:
            dropped = dropped or _dropped(form, reading, prose, reading.start, reading.end)
    return search.failure(), dropped


def _in_whole_answer(text: str, slot: Slot, *, at_end: bool) -> bool:
    """Whether a slot is, or stands in, an <answer> that is closed; at_end: and ends the text."""
    opened = text.rfind(OPEN_ANSWER, 0, slot.start + len(OPEN_ANSWER))
    closed = text.find(CLOSE_ANSWER, opened) if opened >= 0 else -1
    end = closed + len(CLOSE_ANSWER)
    return closed >= 0 and end >= slot.end and not (at_end and _goes_on(text[end:]))


def _goes_on(text: str) -> bool:
    """Whether what follows an answer is more than a few words, or doubts or quotes it."""
    return len(text.strip()) > _LAST_WORDS or _DOUBT.match(text) is not None


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
        self.fail(form, reading)
        return False

    def fail(self, form: str, reading: Reading) -> None:
        """Note why a form gives no answer."""
        self.placeholder = self.placeholder or reading.failure == PLACEHOLDER
        # A box with only words in it says less than a weaker form that tried numbers.
        if self.failed is None or self.failed[1].failure == NO_COORDINATES != reading.failure:
            self.failed = (form, reading)

    def cut_off(self, form: str, reading: Reading) -> Answer:
        """The verdict on a pair that counts in a whole response only."""
        self.failed = (form, Reading(reading.start, reading.end, failure=TRUNCATED_ANSWER))
        return self.failure()

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
