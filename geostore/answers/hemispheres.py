"""Finds pairs of numbers that carry hemisphere letters or words: 48.85° N, 2.35° E."""

import re
from collections.abc import Iterator

from geostore.answers.angles import (
    ANY_NUMBER,
    ONE_NUMBER,
    Reading,
    angle_pattern,
    pair_reading,
    read_angle,
    same_decimal_mark,
)

_HEMISPHERE_START = (
    r"(?<![A-Za-z0-9_.°'+-])(?:(?<=\n[+-] )|(?<=\A[+-] )|(?<![+-] ))"
    # Not in a longer list; but "Paris. 48.85° N" and "Paris, 48.85° N" begin a pair.
    r"(?<![0-9°'] )(?<![0-9°'NSEW][.,] )(?<![0-9][,:/])"
)
_SURE_ANGLE = r"(?=[NSEW]?[A-Za-z: ]{0,7}[+-]?[0-9]{1,20}(?:[.,][0-9]| ?(?:°|度|(?i:deg))))"
_HEMISPHERE_GAP = r"(?P<gap>[\s,;/|&()\[\]]{0,6}+(?:(?:and|by)\s)?)"
_FIRST = angle_pattern(1, number=ANY_NUMBER, start=_HEMISPHERE_START + _SURE_ANGLE)
_SECOND = angle_pattern(2, number=ANY_NUMBER, start=_SURE_ANGLE)
_LETTERS_AFTER = re.compile(
    rf"(?=[+-]?[0-9]){_FIRST}(?(post1)|(?!)){_HEMISPHERE_GAP}(?=[+-]?[0-9]){_SECOND}(?(post2)|(?!))"
)
_LETTERS_BEFORE = re.compile(
    rf"(?=[A-Za-z北南东東西]){_FIRST}{_HEMISPHERE_GAP}(?=[A-Za-z北南东東西]){_SECOND}"
    r"(?! ?°? ?[NSEW](?![A-Za-z]))"
)
# Trying a pattern at every character is slow, and a pair begins with one of a few.
_NUMBER_STARTS = re.compile("[+0-9-]")
_LETTER_STARTS = re.compile("[NSEWnsew北南东東西]")
_LETTER_AT_NUMBER = re.compile(
    "[NSEWnsew纬緯经經経](?:(?<=[NSEW纬緯经經経])|(?i:orth|outh|ast|est)) ?:? ?[+-]?[0-9]"
)
_ONE_HEMISPHERE = re.compile(rf"(?=[+-]?[0-9]){_FIRST}(?(post1)|(?!))")


def find_hemisphere(text: str) -> Reading | None:
    """The last pair of numbers that carry hemisphere letters."""
    readings = list(iter_hemisphere(text))
    if readings:
        return readings[-1]
    alone = _ONE_HEMISPHERE.search(text)
    return Reading(alone.start(), alone.end(), failure=ONE_NUMBER) if alone else None


def iter_hemisphere(text: str) -> Iterator[Reading]:
    """Every pair of numbers that carry hemisphere letters, in the order of the text."""
    matches = list(_matches(_LETTERS_AFTER, text, _NUMBER_STARTS))
    taken = 0
    before = []
    before_numbers = _LETTER_AT_NUMBER.search(text)
    for match in _matches(_LETTERS_BEFORE, text, _LETTER_STARTS) if before_numbers else ():
        while taken < len(matches) and matches[taken].end() <= match.start():
            taken += 1
        # "48.85 N 2.35 E 3.5" also matches as "N 2.35 E 3.5", but each letter belongs to the number
        # before it.
        if taken == len(matches) or matches[taken].start() >= match.end():
            before.append(match)
    for match in sorted([*matches, *before], key=lambda match: match.start()):
        if same_decimal_mark(match["deg1"], match["deg2"]):
            first, second = read_angle(match, 1), read_angle(match, 2)
            yield pair_reading(first, second, start=match.start(), end=match.end())


def _matches(
    pattern: re.Pattern[str], text: str, starts: re.Pattern[str]
) -> Iterator[re.Match[str]]:
    """What `pattern.finditer(text)` gives, where each match begins with one of `starts`."""
    at = 0
    while start := starts.search(text, at):
        match = pattern.match(text, start.start())
        at = match.end() if match else start.end()
        if match:
            yield match
