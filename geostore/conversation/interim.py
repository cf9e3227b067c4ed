"""Reads coordinates in a trace's turns before the last: what it would have answered till then.

A tool call in the text is no answer, whatever its arguments, so calls are cut out first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from geostore.answers import parse_answer
from geostore.answers.thoughts import visible_text
from geostore.conversation.call_forms import BEGINS_CALL, end_of_value
from geostore.conversation.calls import TAGGED_CALL
from geostore.conversation.machine import is_bare
from geostore.records import Answer, Turn

_DIGIT = re.compile(r"\d")
_ARGUMENTS = re.compile(
    r"[\"'](?:arguments|parameters|args|input|tool_input|action_input)[\"']\s*:\s*(?=[{\[])"
)
# locate(lat=48.85, lon=2.35), but not "Paris (48.85, 2.35)"
_PYTHON_CALL = re.compile(r"(?<![\w.])[a-z][\w.]{2,60}\((?=[^()\n]{0,60}[=:{])[^()]{0,2000}\)?")


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
    words = without_calls(response)
    # A quick look that spares most of these responses the rest.
    if not _DIGIT.search(words):
        return None
    # As beside calls: whether its words refuse is of no interest, and takes time to find out.
    answer = read(words, cut=cut, bare=bare, calls=True)
    return answer if answer.failure is None else None


def without_calls(response: str) -> str:
    """What a response says outside its thoughts and its tool calls, in whatever form they are."""
    text = visible_text(response)
    if "<tool_call>" in text:
        text = TAGGED_CALL.sub("\n", text)
    # A call in another form ends a response, as a rule, so nothing after its beginning counts.
    begins = BEGINS_CALL.search(text)
    if begins:
        text = text[: begins.start()]
    return _PYTHON_CALL.sub(" ", "".join(_outside_arguments(text)))


def _outside_arguments(text: str) -> Iterator[str]:
    start = 0
    while arguments := _ARGUMENTS.search(text, start):
        yield text[start : arguments.start()]
        end = end_of_value(text, arguments.end())
        if end is None:
            return
        start = end
    yield text[start:]
