"""Reads a list of ranked places, `{"rank": 1, ...}, {"rank": 2, ...}`, as its first-ranked place.

The places behind the first are its alternatives. A list is ranked only where each of its objects
has a rank and the ranks are 1, 2, ... with none missing or twice. Any other list chooses no place.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from geostore.answers.brackets import end_of_value
from geostore.answers.text import WINDOW

_RANK = re.compile(
    r"[\"'“”]rank[\"'”]\s{0,4}:\s{0,4}[\"'“]?#?(?P<rank>[0-9]{1,2})(?![0-9.])", re.IGNORECASE
)
_PLACE = re.compile(
    r"[\"'“](?:[a-z]{1,12}_)?(?:lat|latitude|coordinates?)[\"'”]\s{0,4}:", re.IGNORECASE
)
_BETWEEN = re.compile(r"[^{}\[\]<\\]{0,2000}")
"""What stands between two objects of a list: a comma, or lines of words; no slot of an answer."""
_OTHER_BEFORE = re.compile(r"\}\s{0,8},\s{0,8}\Z")
_OTHER_AFTER = re.compile(r"\s{0,8},\s{0,8}\{")
_OPENS = re.compile(r"\[\s{0,8}\Z")
_REACH = 20
"""Characters before a list that show what it stands in."""
_LONGEST = 4_000
"""Characters of an object that is looked at."""
_MOST_RANKS = 32
_MOST_BRACES = 4
"""Braces before a rank that may open its object: an object of its own may stand before the rank."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """An object that has a rank."""

    start: int
    """Offset of its opening brace."""
    end: int
    """Offset after its closing brace."""
    rank: int
    """As it is written."""


def first_ranked(text: str) -> str:
    """The visible text with the first-ranked object in the place of each list of ranked ones.

    Where the ranks do not tell which is the first, or the object around the list has coordinates of
    its own, the list becomes an array, of which no place is taken.
    """
    if "rank" not in text and "Rank" not in text and "RANK" not in text:
        return text
    parts: list[str] = []
    at = 0
    for entries in _lists(text, list(_entries(text))):
        start, end = entries[0].start, entries[-1].end
        parts += [text[at:start], _chosen(text, entries)]
        at = end
    return "".join([*parts, text[at:]])


def _entries(text: str) -> Iterator[_Entry]:
    ranks = list(_RANK.finditer(text, max(0, len(text) - WINDOW)))
    end = 0
    for rank in ranks[-_MOST_RANKS:]:
        if rank.start() < end:
            continue  # within an object that has a rank
        span = _flat_object_around(text, rank.start()) or _object_around(text, rank.start())
        if span is not None and _PLACE.search(text, *span):
            end = span[1]
            yield _Entry(*span, int(rank["rank"]))


def _object_around(text: str, place: int, longest: int = _LONGEST) -> tuple[int, int] | None:
    """Where the smallest object around a place begins and ends; None where it is not closed."""
    start = place
    for _ in range(_MOST_BRACES):
        start = text.rfind("{", max(0, place - longest), start)
        if start < 0:
            return None
        end = end_of_value(text, start, start + longest)
        if end is not None and end > place:
            return start, end
    return None


def _flat_object_around(text: str, place: int) -> tuple[int, int] | None:
    """The same for an object that holds no other, by its braces alone: a quote may be missing."""
    start = text.rfind("{", max(0, place - _LONGEST), place)
    end = text.find("}", place, place + _LONGEST)
    whole = start >= 0 and end >= 0 and "}" not in text[start:place] and "{" not in text[place:end]
    return (start, end + 1) if whole else None


def _lists(text: str, entries: Sequence[_Entry]) -> list[list[_Entry]]:
    """Entries that follow each other with no other object between them; two or more."""
    lists: list[list[_Entry]] = []
    for entry in entries:
        last = lists[-1] if lists else []
        follows = last and _BETWEEN.fullmatch(text, last[-1].end, entry.start)
        if follows and not (entry.rank == 1 and _is_ranking(last)):
            last.append(entry)
        else:
            lists.append([entry])
    return [one for one in lists if len(one) > 1]


def _is_ranking(entries: Sequence[_Entry]) -> bool:
    return len(entries) > 1 and sorted(entry.rank for entry in entries) == [
        *range(1, len(entries) + 1)
    ]


def _chosen(text: str, entries: Sequence[_Entry]) -> str:
    """What stands in the place of a list."""
    start, end = entries[0].start, entries[-1].end
    before = text[max(0, start - _REACH) : start]
    if (
        _is_ranking(entries)
        and not _OTHER_BEFORE.search(before)
        and not _OTHER_AFTER.match(text, end)
        and not _is_beside_coordinates(text, start, end)
    ):
        first = min(entries, key=lambda entry: entry.rank)
        return text[first.start : first.end]
    array = _OPENS.search(before)
    if array and end_of_value(text, start - len(before) + array.start()) is not None:
        return text[start:end]
    return f"[{', '.join(text[entry.start : entry.end] for entry in entries)}]"


def _is_beside_coordinates(text: str, start: int, end: int) -> bool:
    around = _object_around(text, start, WINDOW)
    return around is not None and (
        _PLACE.search(text, around[0], start) is not None
        or _PLACE.search(text, end, around[1]) is not None
    )
