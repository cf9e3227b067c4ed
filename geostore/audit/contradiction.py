"""Finds answers that disagree with what the same response says in words.

Only statements are compared: pairs of coordinates, lines labelled ``Country:`` or
``Hemisphere:``, and the country that the parser read beside the answer. A teacher may
mention a place that it considered and dropped, so free prose and the reasoning are
not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from geostore.answers.forms import find_labelled
from geostore.answers.hemispheres import iter_hemisphere
from geostore.answers.text import normalise, tail
from geostore.answers.thoughts import visible_text
from geostore.audit.audited_text import AuditedText
from geostore.places import (
    belongs_to,
    country_km,
    country_name,
    country_of_next_place,
    country_of_words,
    place_of,
)
from geostore.rewards.numeric import haversine_km

FAR_KM = 500.0
"""Coordinates in the prose that are all farther from the answer than this contradict it, and so
does a labelled country."""

NEAR_KM = 25.0
"""So far from the country that its words name, an answer may be right about it: borders are drawn
to some km, coasts without their islets, and a place near one may be said to be on either side."""

_KM_PER_DEGREE = 111.19  # of latitude, on the sphere of 6371 km

_SLOTS = re.compile(r"\\boxed\s{0,3}\{[^{}]{0,200}\}|<answer>.{0,500}?</answer>", re.DOTALL)
_DECIMAL = r"([+-]?[0-9]{1,3}\.[0-9]{1,30})"
_PARENTHESES = re.compile(rf"\( ?{_DECIMAL} ?°? ?[,;] ?{_DECIMAL} ?°? ?\)")
_BARE = re.compile(r"(?<![\d.])[0-9]{1,3}\.[0-9]{1,30}(?![\d])")
_BARE_GAP = 24
_DIGIT = re.compile(r"\d")
_LABEL = re.compile(
    r"^[\s>#*_|-]{0,12}(country|hemisphere)[\s*_]{0,6}[:|：][\s*_|]{0,6}([^\n|]{2,60})",
    re.IGNORECASE | re.MULTILINE,
)


def contradicts_prose(audited: AuditedText) -> str | None:
    """What the final response says in words that its answer disagrees with."""
    answer = audited.trace.answer
    if answer is None or answer.lat is None or answer.lon is None or not audited.turns:
        return None
    if "inconsistent" in answer.flags:
        return "coordinates in the prose are on another side of the equator or of Greenwich"
    return contradiction(audited.turns[-1].response, answer.lat, answer.lon)


def contradiction(response: str, lat: float, lon: float) -> str | None:
    """What a response says in words that an answer, in degrees, disagrees with."""
    visible = tail(visible_text(response))
    prose = _SLOTS.sub("\n", visible)
    if _DIGIT.search(prose):
        nearest = _nearest_stated(normalise(prose), lat, lon)
        if nearest is not None and nearest > FAR_KM:
            return f"the nearest coordinates in the prose are {nearest:,.0f} km off"
    labels = {match[1].lower(): match[2] for match in _LABEL.finditer(visible)}
    side = re.match(r"(?:the )?(northern|southern)\b", labels.get("hemisphere", ""), re.IGNORECASE)
    if side and (lat < 0) != (side[1].lower() == "southern") and lat != 0:
        return f"hemisphere: {side[1].lower()}"
    country = country_of_words(labels.get("country", ""))
    if country is not None:
        km = _km_off(country, lat, lon)
        if km > FAR_KM:
            return f"country: {country_name(country)}, {km:,.0f} km off"
    return None


def words_against_point(audited: AuditedText) -> str | None:
    """The country that an answer names in words, where its point lies in another, not near it."""
    answer = audited.trace.answer
    if answer is None or answer.lat is None or answer.lon is None or not answer.stated.country:
        return None
    said = country_of_words(answer.stated.country)
    if said is None:
        return None
    km = _km_off(said, answer.lat, answer.lon)
    if km <= NEAR_KM:
        return None
    point = place_of(answer.lat, answer.lon).country
    lies = "out at sea" if point is None else f"in {country_name(point)}"
    return f"{country_name(said)} in words, the point {km:,.0f} km off {lies}"


def _km_off(country: str, lat: float, lon: float) -> float:
    """Distance in km of a point to a country that words name; 0 where words and point may agree.

    So it is in land that two states claim, and on islets too small for the borders, where the
    nearest place is the country's.
    """
    km = country_km(country, lat, lon)
    if km is None or km <= NEAR_KM:
        return 0.0
    next_place = country_of_next_place(lat, lon)
    return 0.0 if next_place is not None and belongs_to(next_place, country) else km


def _nearest_stated(prose: str, lat: float, lon: float) -> float | None:
    """Distance in km to the nearest pair in a prose; None where there is none, or one is near."""
    if _named_nearby(prose, lat, lon):
        return None
    return min((float(haversine_km(lat, lon, *pair)) for pair in _stated(prose)), default=None)


def _stated(prose: str) -> Iterator[tuple[float, float]]:
    """Pairs that are written as coordinates, in degrees."""
    for reading in (*iter_hemisphere(prose), find_labelled(prose)):
        if reading is not None and reading.lat is not None and reading.lon is not None:
            yield reading.lat, reading.lon
    for match in _PARENTHESES.finditer(prose):
        lat, lon = float(match[1]), float(match[2])
        if abs(lat) <= 90 and abs(lon) <= 180:
            yield lat, lon


def _named_nearby(prose: str, lat: float, lon: float) -> bool:
    """Whether any two numbers side by side could be coordinates near the answer, whatever signs."""
    before: re.Match[str] | None = None
    for number in _BARE.finditer(prose):
        if before is not None and number.start() - before.end() <= _BARE_GAP:
            pair = float(before.group()), float(number.group())
            # No two places are nearer than their latitudes, which is soon computed.
            near = abs(abs(lat) - pair[0]) * _KM_PER_DEGREE <= FAR_KM
            possible = near and pair[0] <= 90 and pair[1] <= 180
            if possible and haversine_km(abs(lat), abs(lon), *pair) <= FAR_KM:
                return True
        before = number
    return False
