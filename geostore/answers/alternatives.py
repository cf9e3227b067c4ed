"""Cuts out what a response names as an alternative, and finds lists that choose no place.

A place under "alternatives" or after "Second guess:" is the answer's neighbour, not the answer. A
list of several places, none of which is chosen, answers nothing: its first may be meant as the
best, or its last as the conclusion, and a wrong pair is worse than none.
"""

import re
from collections.abc import Sequence

from geostore.answers.angles import AMBIGUOUS, Reading
from geostore.answers.brackets import end_of_value

_KEY = re.compile(
    r"[\"'][^\"'\n:]{0,24}(?:alternat|runner|second|fallback|backup|reject|备选|其他)[^\"'\n:]{0,24}[\"']"
    r"\s?:\s?(?=[{\[])",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?:(?<=\n)|\A|(?<=[.;] ))[ \t>•-]{0,6}(?:(?:\d{1,2}[.)] ?))?(?:the |my |an? )?"
    r"(?:alternatives?|alternative (?:guess|location|place|candidate|answer|possibility)e?s?"
    r"|(?:second|2nd|third|3rd)(?: best|-best)? (?:guess|choice|candidate|option|possibility)"
    r"|runners?[- ]up|backup(?: guess| location)?|less likely)"
    r"(?: ?\([^()\n]{0,40}\))? ?:[^\n]*",
    re.IGNORECASE,
)
_HINTS = ("lternat", "econd", "2nd", "hird", "3rd", "unner", "ackup", "ess likely", "allback")
_FOREIGN_HINTS = ("eject", "备选", "其他", "LTERNAT", "ECOND", "UNNER")
_ARRAY = re.compile(r"\[\s?(?=\{)")
_ENTRY = re.compile(r"\s?([1-9])[.)]\s")
_MARK = re.compile(r"(?:\A|(?<=[\s,;:]))\(?([1-9])[.)]\s")
"""The number of an entry that may stand in a line after another one."""
_TWO_DECIMALS = re.compile(r"\d\.\d{1,20}[^\d]{1,30}\d{1,3}\.\d")
_CHOICE = re.compile(
    r"final|answer|conclu|therefore|so |best|most likely|estimate|coordinates|location",
    re.IGNORECASE,
)
_LIST_REACH = 2_000
_MOST_OPEN = 8
"""Arrays that never close after which no further one is looked at."""


def without_alternatives(text: str) -> str:
    """A normalised text without the JSON values and the lines that it names as alternatives."""
    if not any(hint in text for hint in (*_HINTS, *_FOREIGN_HINTS)):
        return text
    parts: list[str] = []
    start = unclosed = 0
    for key in _KEY.finditer(text):
        if key.start() < start:
            continue
        end = end_of_value(text, key.end()) if unclosed < _MOST_OPEN else None
        unclosed += end is None
        # A value that never ends, of a response that was cut.
        end = len(text) if end is None and unclosed <= _MOST_OPEN else end or key.end()
        parts += [text[start : key.end()], "null"]
        start = end
    return _LABEL.sub("", "".join([*parts, text[start:]]))


def is_in_numbered_list(text: str, start: int) -> bool:
    """Whether a pair stands in an entry after the first of a numbered list, each with a pair.

    The entries stand in lines of their own, or all in one line. Not where the entry says that it is
    the choice.
    """
    lines = text[max(0, start - _LIST_REACH) : start].split("\n")
    return _is_in_list_of_lines(lines) or _is_in_list_on_line(lines[-1])


def _is_in_list_of_lines(lines: Sequence[str]) -> bool:
    last = _ENTRY.match(lines[-1])
    if last is None or _CHOICE.search(lines[-1]):
        return False
    entries = [line for line in lines[:-1] if _ENTRY.match(line)][1 - int(last[1]) :]
    numbers = [int(line.lstrip()[:2].rstrip(".)")) for line in entries]
    return (
        len(numbers) > 0
        and numbers == list(range(1, int(last[1])))
        and all(_TWO_DECIMALS.search(line) for line in entries)
    )


def _is_in_list_on_line(line: str) -> bool:
    number, entry = 0, 0
    for mark in _MARK.finditer(line):
        if int(mark[1]) == 1:
            number, entry = 1, mark.end()
        elif int(mark[1]) == number + 1 and _TWO_DECIMALS.search(line, entry, mark.start()):
            number, entry = number + 1, mark.end()
    return number > 1 and _CHOICE.search(line, entry) is None


def list_without_choice(text: str, pairs: Sequence[Reading]) -> Reading | None:
    """A JSON array in which the last of `pairs` and one of another place stand."""
    if len(pairs) < 2:
        return None
    last = pairs[-1]
    at = unclosed = 0
    while unclosed < _MOST_OPEN and (array := _ARRAY.search(text, at)):
        end = end_of_value(text, array.start())
        if end is None:
            unclosed += 1
            at = array.end()
            continue
        at = end
        if array.start() < last.start < end and any(
            array.start() < pair.start and (pair.lat, pair.lon) != (last.lat, last.lon)
            for pair in pairs
        ):
            return Reading(array.start(), end, failure=AMBIGUOUS)
    return None
