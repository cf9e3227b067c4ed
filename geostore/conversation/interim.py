"""Reads coordinates in a trace's turns before the last: what it would have answered till then.

A tool call in the text is no answer, whatever its arguments: the parser cuts calls out. Here a call
written as code or as an element is cut, too, which in a last response is a way to answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from geostore.answers import parse_answer
from geostore.answers.call_text import without_calls
from geostore.answers.spellings import with_usual_slots
from geostore.answers.thoughts import visible_text
from geostore.conversation.machine import is_bare
from geostore.records import Answer, Turn

_DIGIT = re.compile(r"\d")
# locate(lat=48.85, lon=2.35), but not "Paris (48.85, 2.35)"
_PYTHON_CALL = re.compile(r"(?<![\w.])[a-z][\w.]{2,60}\((?=[^()\n]{0,60}[=:{])[^()]{0,2000}\)?")
# <map lat="48.85" lon="2.35"/>, but not <location lat="48.85" lon="2.35"/>
_ELEMENT_CALL = re.compile(
    r"<(?!(?:\w+_)?(?:location|point|coordinates?|gps|position|place|geo|wpt|answer|guess|result)\b)"
    r"[a-z][\w.-]{1,60}\s(?=[^<>]{0,200}=)[^<>]{1,2000}/?>"
)


def interim_answers(turns: Sequence[Turn]) -> list[tuple[int, Answer]]:
    """The turns before the last one that hold coordinates, by number, and what they hold."""
    read = (
        (
            turn.turn,
            read_interim(turn.response, cut=turn.finish_reason == "length", bare=is_bare(turn)),
        )
        for turn in turns[:-1]
    )
    return [(number, answer) for number, answer in read if answer is not None]


def read_interim(
    response: str, *, cut: bool, bare: bool, read: Callable[..., Answer] = parse_answer
) -> Answer | None:
    """The coordinates in a response that is not its trace's last; None where it holds none.

    cut, bare: as `parse_answer` has them. read: the parser.
    """
    words = without_calls(with_usual_slots(visible_text(response)))
    words = _ELEMENT_CALL.sub("\n", _PYTHON_CALL.sub(" ", words))
    # A quick look that spares most of these responses the rest.
    if not _DIGIT.search(words):
        return None
    # As beside calls: whether its words refuse is of no interest, and takes time to find out.
    answer = read(words, cut=cut, bare=bare, calls=True)
    return answer if answer.failure is None else None
