r"""Read the two slots that the prompt names for an answer: \boxed{...} and <answer>...</answer>.

Only in a slot can a bare pair of numbers be coordinates, and only where no other pair could be
meant. The number of slots and of their characters that are read, the last first, is bounded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from geostore.answers.alternatives import is_in_numbered_list, without_alternatives
from geostore.answers.angles import (
    AMBIGUOUS,
    COMMA_NUMBER,
    HEMISPHERE_CONFLICT,
    NO_COORDINATES,
    NOT_FINITE,
    ONE_NUMBER,
    PLACEHOLDER,
    POINT_NUMBER,
    TRUNCATED_ANSWER,
    TRUNCATED_BOX,
    UNKNOWN,
    Reading,
    angle_pattern,
    pair_reading,
    read_angle,
)
from geostore.answers.forms import find_json, find_labelled, find_parentheses
from geostore.answers.hemispheres import find_hemisphere
from geostore.answers.text import normalise, normalise_slot, tail
from geostore.answers.words import failure_of_words

BOX = "\\boxed"
OPEN_ANSWER = "<answer>"
CLOSE_ANSWER = "</answer>"
OPEN_TOKEN = "<|begin_of_box|>"
CLOSE_TOKEN = "<|end_of_box|>"

RETRACTING = frozenset({UNKNOWN, NOT_FINITE, HEMISPHERE_CONFLICT, TRUNCATED_BOX, TRUNCATED_ANSWER})
"""Failures after which earlier text no longer counts: only later text may still answer."""

_NO_ATTEMPT = frozenset({NO_COORDINATES, PLACEHOLDER})
_OPEN_BOX = re.compile(r"\\boxed\s{0,4}\{")
_BRACE = re.compile(r"[{}]")
_NO_WORDS = re.compile(r"[^A-Za-z{}]{1,80}")
_LETTER = re.compile(r"[^\W\d_]")
_MAX_BOX = 1_000
_MAX_TOKENS = 8
_MAX_SLOTS = 64
_SLOT_BUDGET = 8_192


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot in the visible text, and what it gives."""

    start: int
    """Offset of its opening tag or box."""
    end: int
    """Offset after its closing tag or brace."""
    reading: Reading
    """The point that it gives, or a failure."""
    retracts: bool
    """Whether text before `end` can no longer be the answer."""
    placeholder: bool
    """Whether it, or a later slot that was passed over, holds the prompt's own words."""


def read_box(text: str) -> Slot | None:
    r"""The last \boxed{...} that attempts an answer; without one, the last \boxed{ of all."""
    return _last_attempt(_iter_boxes(text))


def read_answer_tag(text: str) -> Slot | None:
    """The last <answer>...</answer> that attempts an answer; without one, the last of all."""
    return _last_attempt(_iter_answer_tags(text))


def mark_boxes(text: str) -> str:
    r"""`text` with GLM's box tokens as \boxed{...} where they hold a pair; elsewhere they go.

    Only the last few are read. What they hold otherwise (a country, a box of pixels) stays prose.
    """
    if OPEN_TOKEN not in text:
        return text
    *before, last = text.rsplit(OPEN_TOKEN, _MAX_TOKENS)
    marked = [last]
    for number, part in enumerate(reversed(before)):
        content, close, rest = marked[-1].partition(CLOSE_TOKEN)
        if close:
            marked[-1] = _marked(content) + rest
        elif number == 0 and _NO_WORDS.fullmatch(content):
            # A pair that the token limit cut must not pass for a whole one.
            marked[-1] = f"{BOX}{{{content}"
        marked += (" ", part)
    return "".join(reversed(marked)).replace(OPEN_TOKEN, " ").replace(CLOSE_TOKEN, " ")


def _marked(content: str) -> str:
    balanced = len(content) <= _MAX_BOX and content.count("{") == content.count("}")
    return f"{BOX}{{{content}}}" if balanced and gives_pair(content) else f" {content} "


def gives_pair(content: str) -> bool:
    """Whether a box with this content gives a pair of coordinates."""
    return _read_content(content, whole=True).failure is None


def has_slot(text: str) -> bool:
    """Whether a visible text opens a box or an answer, well-formed or not."""
    return OPEN_ANSWER in text or _OPEN_BOX.search(text) is not None


def _last_attempt(slots: Iterator[Slot]) -> Slot | None:
    last: Slot | None = None
    placeholder = False
    for slot in slots:
        placeholder = placeholder or slot.placeholder
        if slot.reading.failure not in _NO_ATTEMPT:
            return Slot(slot.start, slot.end, slot.reading, slot.retracts, placeholder)
        # A box around a country or the prompt's words attempts no answer; an earlier box may.
        if last is None or (slot.placeholder and not last.placeholder):
            last = slot
    return last


def _slot(start: int, end: int, reading: Reading, *, retracts: bool | None = None) -> Slot:
    if retracts is None:
        retracts = reading.failure in RETRACTING
    return Slot(start, end, reading, retracts, reading.failure == PLACEHOLDER)


def _iter_boxes(text: str) -> Iterator[Slot]:
    end = len(text)
    budget = _SLOT_BUDGET
    for _ in range(_MAX_SLOTS):
        end = text.rfind(BOX, 0, end)
        if end < 0 or budget <= 0:
            return
        opened = _OPEN_BOX.match(text, end)
        if not opened:
            continue
        close = _closing_brace(text, opened.end())
        if close is None:
            # Where </answer> follows, the response was not cut off: the teacher forgot a brace, and
            # the <answer> around it may tell what was meant.
            opened_before = text.find(OPEN_ANSWER, 0, end) >= 0
            brace_forgotten = opened_before and text.find(CLOSE_ANSWER, end) >= 0
            cut = Reading(0, 0, failure=TRUNCATED_BOX)
            yield _slot(end, len(text), cut, retracts=not brace_forgotten)
            return
        content = text[opened.end() : close]
        budget -= len(content)
        yield _slot(end, close + 1, _read_content(content, whole=True))


def _closing_brace(text: str, start: int) -> int | None:
    depth = 1
    for brace in _BRACE.finditer(text, start, start + _MAX_BOX):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    return None


def _iter_answer_tags(text: str) -> Iterator[Slot]:
    end = len(text)
    budget = _SLOT_BUDGET
    for _ in range(_MAX_SLOTS):
        limit, end = end, text.rfind(OPEN_ANSWER, 0, end)
        if end < 0 or budget <= 0:
            return
        start = end + len(OPEN_ANSWER)
        close = text.find(CLOSE_ANSWER, start, limit)
        content = tail(text[start : limit if close < 0 else close], limit=_SLOT_BUDGET)
        if close >= 0:
            budget -= len(content)
            yield _slot(end, close + len(CLOSE_ANSWER), _read_content(content, whole=False))
        elif limit == len(text):
            budget -= len(content)
            yield _slot(end, limit, _read_unclosed(content))


def _read_unclosed(content: str) -> Reading:
    """A pair in an <answer> that never closes; not one at the very end, which may go on."""
    text = normalise(content)
    for find in (find_json, find_labelled, find_hemisphere, find_parentheses):
        reading = find(text)
        if reading and reading.failure is None and reading.end < len(text):
            return reading
    return Reading(0, len(text), failure=TRUNCATED_ANSWER)


def _read_content(content: str, *, whole: bool) -> Reading:
    text = without_alternatives(normalise(content)).strip()
    readings: list[Reading | None] = []
    if _LETTER.search(text):  # most boxes hold numbers alone
        readings += [find_json(text, slot=True), find_labelled(text, slot=True)]
        readings += [] if whole else [find_hemisphere(text)]
    readings += [] if whole else [find_parentheses(text)]
    first_failed: Reading | None = None
    for reading in readings:
        if reading and reading.failure is None and is_in_numbered_list(text, reading.start):
            return Reading(reading.start, reading.end, failure=AMBIGUOUS)
        if reading and (reading.failure is None or reading.failure in RETRACTING):
            return reading
        if reading and reading.failure != ONE_NUMBER:
            first_failed = first_failed or reading
    return first_failed or _read_bare(normalise_slot(content), whole=whole)


# --- a bare pair --------------------------------------------------------------------------------

_POINT_ANGLE = re.compile(angle_pattern(1, number=POINT_NUMBER))
_COMMA_ANGLE = re.compile(angle_pattern(1, number=COMMA_NUMBER))
_GAP = re.compile(r"[\s,;/|&()\[\]<>\"']{1,8}(?:and\s)?")
_DIGIT = re.compile("[0-9]")
_LIST_BEFORE = re.compile(r"[0-9][°'\"]{0,2}[ ,;/|&()\[\]]{0,8}\Z")
_ENDS_IN_NUMBER = re.compile(r"[0-9][^\w]{0,8}\Z")
_COMPASS_BEFORE = re.compile(r"(?<![A-Za-z])(?i:[nsew]|north|south|east|west)\W{0,3}\Z")
_COMPASS_AFTER = re.compile(r"\W{0,3}(?i:[nsew]|north|south|east|west)(?![A-Za-z])")
_LON_NAME = re.compile(
    r"(?<![A-Za-z])(?i:longitude|lng|lon|long(?=\.? ?[:=,)(0-9+-]))(?![A-Za-z])|[经經経]度"
)
_LAT_NAME = re.compile(r"(?<![A-Za-z])(?i:latitude|lat)(?![A-Za-z])|[纬緯]度")
_REACH = 600


def _read_bare(text: str, *, whole: bool) -> Reading:
    """The one pair of numbers in a slot.

    whole: the slot may hold no other number (a box). Otherwise the pair must be at the end of the
    slot, must not end a longer list, and must not follow another pair.
    """
    base = max(0, len(text) - _REACH)
    for pattern in (_COMMA_ANGLE, _POINT_ANGLE):
        angles = list(pattern.finditer(text, base))
        if len(angles) < 2 or (pattern is _COMMA_ANGLE and not _has_decimal_commas(text, angles)):
            continue
        first, second = angles[-2:]
        failure = _why_not(text, angles, whole=whole)
        if failure:
            return Reading(first.start(), second.end(), failure=failure)
        return pair_reading(
            read_angle(first, 1), read_angle(second, 1), start=first.start(), end=second.end()
        )
    failure = failure_of_words(text[-2 * _REACH :])
    if _DIGIT.search(text, base) and failure not in RETRACTING:
        alone = list(_POINT_ANGLE.finditer(text, base))
        # Words with a number among them (Route 66, Arizona) attempt no coordinates.
        attempt = whole or _ENDS_IN_NUMBER.search(text, max(base, len(text) - 12))
        failure = AMBIGUOUS if attempt else NO_COORDINATES
        if len(alone) == 1 and not _DIGIT.search(_without(text, alone)):
            failure = ONE_NUMBER
    return Reading(0, len(text), failure=failure)


def _has_decimal_commas(text: str, angles: list[re.Match[str]]) -> bool:
    first, second = angles[-2:]
    gap = text[first.end() : second.start()]
    commas = ("," in first["deg1"]) + ("," in second["deg1"])
    return (commas == 2 and (";" in gap or " " in gap)) or (commas == 1 and ";" in gap)


def _why_not(text: str, angles: list[re.Match[str]], *, whole: bool) -> str | None:
    """Why the last two of `angles` may not be the slot's latitude and longitude, or None."""
    first, second = angles[-2:]
    gap = text[first.end() : second.start()]
    before, after = text[: first.start()], text[second.end() :]
    if whole and (len(angles) > 2 or _DIGIT.search(before) or _DIGIT.search(after)):
        return AMBIGUOUS
    if not whole and re.search(r"\w", after):
        return AMBIGUOUS if _GAP.fullmatch(gap) else NO_COORDINATES
    if not _GAP.fullmatch(gap) or "\\" in text or _LIST_BEFORE.search(before[-12:]):
        return AMBIGUOUS
    if _is_decimal_comma(first["deg1"], gap, second["deg1"]):
        return ONE_NUMBER
    if any(_GAP.fullmatch(text, one.end(), other.start()) for one, other in pairwise(angles[:-2])):
        return AMBIGUOUS
    letters = [angle["pre1"] or angle["post1"] for angle in (first, second)]
    if (not letters[0] and _COMPASS_BEFORE.search(before[-12:])) or (
        not letters[1] and _COMPASS_AFTER.match(after)
    ):
        return AMBIGUOUS
    named = text[: second.start()] if not all(letters) else ""
    lon, lat = _LON_NAME.search(named), _LAT_NAME.search(named)
    if lon and (lat is None or lon.start() < lat.start()):
        return AMBIGUOUS
    return None


def _is_decimal_comma(first: str, gap: str, second: str) -> bool:
    """Whether two numbers as in "48,8566" are one with a decimal comma; "48,2" is two."""
    fraction = len(second) > 3 or (len(second) > 1 and second.startswith("0"))
    return gap == "," and first.isdigit() and second.isdigit() and fraction


def _without(text: str, matches: list[re.Match[str]]) -> str:
    parts = []
    at = 0
    for match in matches:
        parts.append(text[at : match.start()])
        at = match.end()
    return "".join([*parts, text[at:]])
