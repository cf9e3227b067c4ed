"""Takes the teacher's words and thought out of the text of a row's reply.

Formats write a thought in tags of their own, leave out white space around it, and put calls that
came beside the words behind them. The export's index says how long each was, what white space
stood around it, and its hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from geostore.conversation.calls import TAGGED_CALL
from geostore.conversation.messages import thought_delimiters
from geostore.identity import sha256_hex

_THOUGHT_OF_FIELD = ("<think>\n", "\n</think>\n\n")
"""Around a thought that came in a field of its own, where a format has none."""
_CALLS_AT_END = re.compile(
    r"(?:\A|\n)(?:<tool_call>\n(?:(?!</tool_call>).)*\n</tool_call>\n?)+\Z", re.DOTALL
)
"""Calls that came beside the words and were written behind them."""

_Shape = Mapping[str, Any]
"""What the index says of a text: ``sha256``, ``length``, and the edges ``start`` and ``end``."""


def stored_words(
    text: str, stated: Mapping[str, Any], stored: Mapping[str, Any]
) -> tuple[str, str | None] | None:
    """The words and the thought of an unedited reply; None where the row does not hold them.

    stated: what the index says of the turn. stored: what its row in the store held.
    """
    for thought, rest in _partings(text, stated.get("reasoning"), stored):
        for words in _wordings(rest, stated):
            if _is(words, stated.get("words")):
                return words, thought
    return None


def own_words(
    text: str, stated: Mapping[str, Any], stored: Mapping[str, Any]
) -> tuple[str, str | None]:
    """The words and the thought of a reply that is not the one that was exported."""
    thought, rest = _parted(text, stated.get("reasoning"), stored)
    if stored.get("native_calls") is not None:
        rest = _without_calls(rest, stated.get("words"))
    return rest, thought


def is_without_calls(text: str, written: str) -> bool:
    """Whether a text is what an export writes of `written` where the calls stand apart."""
    return TAGGED_CALL.sub("", written).split() == text.split()


def _is(text: str, shape: Any) -> bool:
    return isinstance(shape, dict) and sha256_hex(text.encode()) == shape.get("sha256")


# --- thoughts -----------------------------------------------------------------------------------


def _partings(text: str, shape: Any, stored: _Shape) -> Iterator[tuple[str | None, str]]:
    """The thought that the index says, and the text behind it, in each form that gives it."""
    if not isinstance(shape, dict):
        yield None, text
        return
    start, end, length = (shape.get(name) for name in ("start", "end", "length"))
    if not (isinstance(start, str) and isinstance(end, str) and isinstance(length, int)):
        return
    if length == len(start) + len(end):  # nothing but white space, which an export may leave out
        yield start + end, text
    opener, closer = _THOUGHT_OF_FIELD
    forms = [(opener, closer, start, end), (opener, closer.rstrip(), start, end)]
    if (around := thought_delimiters(stored.get("reasoning_source"))) is not None:
        forms.insert(0, (around[0] or "<think>", around[1], "", ""))
    for opener, closer, start, end in forms:
        stop = len(opener) + length - len(start) - len(end)
        thought = f"{start}{text[len(opener) : stop]}{end}"
        if text.startswith(opener) and text.startswith(closer, stop) and _is(thought, shape):
            yield thought, text[stop + len(closer) :]


def _parted(text: str, shape: Any, stored: _Shape) -> tuple[str | None, str]:
    """The thought before an edited text, and the rest."""
    if not isinstance(shape, dict):
        return None, text
    for thought, rest in _partings(text, shape, stored):
        if thought and thought.strip():
            return thought, rest
    forms = [_THOUGHT_OF_FIELD]
    if (around := thought_delimiters(stored.get("reasoning_source"))) is not None:
        forms.insert(0, (around[0] or "<think>", around[1]))
    for opener, closer in forms:
        stop = text.find(closer.rstrip(), len(opener)) if closer else -1
        if text.startswith(opener) and stop >= 0:
            behind = text[stop + len(closer.rstrip()) :]
            return text[len(opener) : stop], behind.removeprefix(closer[len(closer.rstrip()) :])
    return None, text


# --- words --------------------------------------------------------------------------------------


def _wordings(text: str, stated: Mapping[str, Any]) -> Iterator[str]:
    """What the words behind a thought may have been, by how a format may have written them."""
    shape = stated.get("words")
    start, end = ("", "")
    if isinstance(shape, dict):
        start, end = str(shape.get("start", "")), str(shape.get("end", ""))
    for bare in (text, _without_calls(text, shape), _CALLS_AT_END.sub("", text)):
        yield bare
        yield f"{start}{bare.strip()}{end}"
    if isinstance(shape, dict) and isinstance(shape.get("length"), int):
        # Calls behind the words, and a thought before them whose line breaks are left out.
        length = shape["length"] - len(start) - len(end)
        yield f"{start}{text.lstrip()[:length]}{end}"
    if isinstance(stated.get("response"), str):
        yield stated["response"]


def _without_calls(text: str, shape: Any) -> str:
    """The text without the calls that came beside it, if they were written behind it."""
    if isinstance(shape, dict) and isinstance(shape.get("length"), int):
        end = str(shape.get("end", ""))
        bare = text[: shape["length"] - len(end)]
        rest = text[len(bare) :].strip()
        if not rest or rest.startswith("<tool_call>\n"):
            return bare + end
    return _CALLS_AT_END.sub("", text)  # it was edited
