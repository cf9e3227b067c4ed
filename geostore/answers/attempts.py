"""Find attempts at coordinates that no form could read, so that nothing before them answers.

Each form refuses what it is not sure of: a range, a third number, a number that goes on. Such a
passage is still the teacher's later word. Without this check an earlier pair, often a place that
the teacher only considered, would become the answer.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from geostore.answers.angles import MAX_LAT, MAX_LON
from geostore.answers.text import says_placeholder

_NUMBER = re.compile(r"[0-9]{1,20}(?:[.,][0-9]{1,30})?")
_LETTERS = re.compile(r"[0-9] ?[NS](?![A-Za-z])[^A-Za-z]{1,40}[0-9] ?[EW](?![A-Za-z])")
_NEAR = 0.1
"""Degrees within which a number of an attempt agrees with a coordinate."""

_LAT = r"(?:latitude|lat)"
_LON = r"(?:longitude|long|lng|lon)"
_VALUE = r"(?=(?:[+-]|minus|negative)?\s?[0-9]|\s?(?:[,;}]|\Z))"
"""A number, or the place of one that never came."""
_JSON_NAME = re.compile(
    rf"[\"'](?:(?P<lat>{_LAT})|{_LON})[\"']\s?:\s?[\"']?{_VALUE}", re.IGNORECASE
)
_LABEL = re.compile(
    rf"(?<![A-Za-z0-9_])(?:(?P<lat>{_LAT})|{_LON})\.?(?: ?\([^()\n]{{0,20}}\))?[\"']?"
    r"\s?(?:[:=|→]|[=-]>|-(?=\s)|—)(?:\s(?:approximately|approx\.?|about|around|roughly|between|from))?\s?[~≈({<\[$]?"
    rf"\s?[A-Z]?\s?{_VALUE}"
    r"|(?:(?P<han_lat>[北南]?[纬緯])|[东東西]?[经經経])度?\s?[:=]?\s?(?=[+-]?[0-9])",
    re.IGNORECASE,
)
# A response that ends where its longitude begins.
_CUT = re.compile(
    rf"(?<![A-Za-z0-9_]){_LAT}[\"']?\s?[:=|]\s?[\"']?[+-]?(?P<lat>[0-9]{{1,2}}\.[0-9]{{1,20}})"
    r"[^\w\n]{0,6}\s?[\"']?(?P<lon>)lon?g?i?t?u?d?e?[^\w]{0,6}\Z",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    rf"(?P<lat>{_NUMBER.pattern}[^\w\n]{{0,3}}(?:degrees?\s)?)[NS]?\s?{_LAT}[^\w\n]{{1,6}}(?:and\s)?[+-]?"
    rf"(?P<lon>{_NUMBER.pattern}[^\w\n]{{0,3}}(?:degrees?\s)?)[EW]?\s?{_LON}(?!\w|\s?[:=])",
    re.IGNORECASE,
)
_HEADED = re.compile(
    rf"(?<![A-Za-z0-9_]){_LAT}\)?\s?(?:[,/&]|and)\s?{_LON}\)?[\s:=|(\[]{{1,8}}+"
    r"(?P<lat>[+-]?[0-9]{1,2}\.[0-9]{1,20}[^0-9\n]{1,8}+)(?P<lon>[0-9]{1,3}\.[0-9]{1,20})",
    re.IGNORECASE,
)
_DECIMAL = r"(?<![0-9.])(?:[0-9]{1,3}\.[0-9]{1,20}|[0-9]{1,3} ?°)"
_HEMISPHERES = re.compile(
    rf"(?P<lat>{_DECIMAL}[^A-Za-z\n]{{0,24}})(?:[NS]|(?i:north|south))(?![A-Za-z])"
    rf"[^A-Za-z\n]{{0,8}}(?:(?:and|by|to)\s)?(?P<lon>{_DECIMAL}[^A-Za-z\n]{{0,24}})(?:[EWO]|(?i:east|west))(?![A-Za-z])"
)
# A plain (lat, lon) that was not read is a corner of a box or a point of the image.
_NOT_PLAIN = r"(?!\( ?[+-]?[0-9.]{1,24} ?°? ?[,;] ?[+-]?[0-9.]{1,24} ?°? ?\))"
_PARENTHESES = re.compile(
    rf"(?<![A-Za-z0-9_]){_NOT_PLAIN}"
    r"\( ?[+-]?(?P<lat>[0-9]{1,2}\.[0-9]{1,20}) ?°? ?[,;] ?"
    r"[+-]?(?P<lon>[0-9]{1,3}\.[0-9]{1,20})(?![0-9])[^()\n]{0,60}\)"
)
_DECIMALS = r"(?P<lat>[0-9]{1,2}\.[0-9]{2,20}) ?°?[,; ]{1,2}[+-]?(?P<lon>[0-9]{1,3}\.[0-9]{2,20})"
_LINE = re.compile(
    r"(?:(?:\A|(?<=\n))\s?(?:[>≈→•-]\s)?"
    r"|(?i:guess|location|position|place|point|lat-?lo?ng?|is|be|so)\W{1,4}?)[\s\"'\[]?[+-]?"
    rf"{_DECIMALS} ?°?[\"'\]]?\.?\s?(?:\([^()\n]{{0,40}}\)\.?\s?)?(?=\n|\Z)"
)
_NOTED = re.compile(
    rf"{_NOT_PLAIN}"
    r"\( ?(?:[^()0-9\n]{1,20}[\s≈~])?[≈~]?[+-]?(?P<lat>[0-9]{1,2}\.[0-9]{2,20}) ?(?:°|[NS])?"
    r"\s?(?:[,;/] ?|\s)[≈~]?[+-]?(?P<lon>[0-9]{1,3}\.[0-9]{2,20}) ?(?:°|[EW])? ?\)"
)
_LINK = re.compile(rf"(?:(?:/maps|maps\.)[^\s()]{{0,60}}?[:@=/]|\bgeo:)[+-]?{_DECIMALS}(?![0-9])")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A passage that writes a latitude and a longitude in one of the forms, well or not."""

    form: str
    """The form that it resembles."""
    start: int
    """Offset of its first character."""
    end: int
    """Offset after its last name or number."""
    lat_text: str
    """The text that holds its latitude."""
    lon_text: str
    """The text that holds its longitude."""

    def contradicts(self, lat: float, lon: float) -> bool:
        """Whether it means a place on Earth, and not one that it only repeats."""
        lats, lons = _numbers(self.lat_text), _numbers(self.lon_text)
        if self.form == "parentheses" and max([*lats, *lons], default=0) <= 1:
            return False  # a point of the image
        if min(lats, default=0) > MAX_LAT or min(lons, default=0) > MAX_LON:
            return False
        # A number that never came contradicts nothing.
        return not (_spans(lats, lat) and _spans(lons, lon))


def contradicting_attempt(
    text: str, start: int, *, form: str, lat: float, lon: float
) -> Attempt | None:
    """The first attempt after `start` that a pair before it, read in `form`, does not agree with.

    Only attempts in the same form or a stronger one count: a weaker form never corrects.
    """
    strength = FORMS_BY_STRENGTH.index(form) if form in FORMS_BY_STRENGTH else len(_FINDERS)
    for name, find in _FINDERS:
        if FORMS_BY_STRENGTH.index(name) > strength:
            return None
        for attempt in find(text, start):
            is_meant = not says_placeholder(text, attempt.start, attempt.end)
            if is_meant and attempt.contradicts(lat, lon):
                return attempt
    return None


def holds_point(text: str, lat: float, lon: float, *, both: bool = True) -> bool:
    """Whether numbers in `text` could be this point; not both: or one of its coordinates."""
    numbers = _numbers(text)
    return (all if both else any)(
        any(abs(number - abs(degrees)) <= _NEAR for number in numbers) for degrees in (lat, lon)
    )


def holds_pair(text: str) -> bool:
    """Whether `text` holds two numbers or more, and not only whole ones (10-20)."""
    numbers = _NUMBER.findall(text)
    precise = "°" in text or not all(number.isdigit() for number in numbers)
    return len(numbers) > 1 and (precise or _LETTERS.search(text) is not None)


def _numbers(text: str) -> list[float]:
    return [float(number[0].replace(",", ".")) for number in _NUMBER.finditer(text)]


def _spans(numbers: Sequence[float], degrees: float) -> bool:
    if len(numbers) > 2:  # no range: degrees, minutes and seconds, for example
        return any(abs(number - abs(degrees)) <= _NEAR for number in numbers)
    return not numbers or min(numbers) - _NEAR <= abs(degrees) <= max(numbers) + _NEAR


def _named(form: str, name: re.Pattern[str], reach: int) -> Callable[[str, int], Iterator[Attempt]]:
    def find(text: str, start: int) -> Iterator[Attempt]:
        matches = list(name.finditer(text, start))
        for first, second in _pairs(matches, reach):
            values = text[first.end() : second.start()], text[second.end() : second.end() + 40]
            lat, lon = values if _is_lat(first) else values[::-1]
            yield Attempt(form, first.start(), second.end(), lat, lon.split("\n")[0])

    return find


def _pairs(
    matches: Sequence[re.Match[str]], reach: int
) -> Iterator[tuple[re.Match[str], re.Match[str]]]:
    """Two names of different axes that follow each other within `reach` characters."""
    at = 0
    while at + 1 < len(matches):
        first, second = matches[at], matches[at + 1]
        differ = _is_lat(first) != _is_lat(second)
        if differ and second.start() - first.end() <= reach:
            yield first, second
            at += 1
        at += 1


def _is_lat(name: re.Match[str]) -> bool:
    return (name["lat"] or name.groupdict().get("han_lat")) is not None


def _matched(form: str, pattern: re.Pattern[str]) -> Callable[[str, int], Iterator[Attempt]]:
    def find(text: str, start: int) -> Iterator[Attempt]:
        for match in pattern.finditer(text, start):
            yield Attempt(form, match.start(), match.end(), match["lat"], match["lon"])

    return find


FORMS_BY_STRENGTH = ("json", "labelled", "hemisphere", "parentheses")
"""The forms that an attempt can resemble, the strongest first."""

_FINDERS: tuple[tuple[str, Callable[[str, int], Iterator[Attempt]]], ...] = (
    ("json", _named("json", _JSON_NAME, 400)),
    ("labelled", _named("labelled", _LABEL, 60)),
    ("labelled", _matched("labelled", _HEADED)),
    ("labelled", _matched("labelled", _BEHIND)),
    ("labelled", _matched("labelled", _CUT)),
    ("hemisphere", _matched("hemisphere", _HEMISPHERES)),
    ("parentheses", _matched("parentheses", _PARENTHESES)),
    # A pair on a line of its own, or in a link to a map, is no answer, but the teacher's last word.
    ("parentheses", _matched("parentheses", _LINE)),
    ("parentheses", _matched("parentheses", _NOTED)),
    ("parentheses", _matched("parentheses", _LINK)),
)
