"""Checks of the teacher's words: loops, tools it only says it used, two traces with the same words.

Every search is linear in the text: no pattern repeats anything without a bound,
and loops are looked for at fixed steps and up to a fixed length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from geostore.answers.thoughts import unknown_delimiter, visible_text
from geostore.audit.audited_text import AuditedText
from geostore.identity import sha256_hex
from geostore.records import Turn

_PROBE = 32  # characters that have to come again at once for a loop to be looked at
_STEP = 64
_LONGEST_PERIOD = 400
_LEAST_LOOP = 300
_LEAST_ROUNDS = 5
_SENTENCE_END = re.compile(r"[\n.!?。！？]+")
_LEAST_SENTENCE = 10
_LEAST_REPEATED = 500
_LEAST_SAME_TURN = 100
_LEAST_SHARED = 100


def repeated_text(audited: AuditedText) -> str | None:
    """A loop inside a response or its reasoning, or a turn that says an earlier one again."""
    first_turns: dict[tuple[str, str], int] = {}
    for turn in audited.turns:
        for text in (turn.reasoning or "", turn.response):
            loop = loop_in(text)
            if loop is not None:
                return f"turn {turn.turn}: {loop}"
        words = (turn.reasoning or "", turn.response)
        if sum(map(len, words)) >= _LEAST_SAME_TURN:
            if words in first_turns:
                return f"turn {turn.turn}: says turn {first_turns[words]} again"
            first_turns[words] = turn.turn
    return None


def loop_in(text: str) -> str | None:
    """The loop in a text, in words; None where there is none.

    Either a piece of at most 400 characters, five times and more without a break
    and over 300 characters and more; or sentences that came before making up half
    of the text and 500 characters.
    """
    for start in range(0, len(text) - _LEAST_LOOP + 1, _STEP):
        probe = text[start : start + _PROBE]
        again = text.find(probe, start + 1, start + _LONGEST_PERIOD + _PROBE)
        if again < 0:
            continue
        period = again - start
        length = max((_LEAST_ROUNDS - 1) * period, _LEAST_LOOP - period)
        ahead = text[again : again + length]
        if len(ahead) == length and text[start : start + length] == ahead:
            return f"{_quoted(text[start:again])} over and over"
    if len(text) < 2 * _LEAST_REPEATED:
        return None
    counts: dict[str, int] = {}
    repeated = 0
    for sentence in _SENTENCE_END.split(text):
        plain = sentence.strip()
        if len(plain) >= _LEAST_SENTENCE:
            counts[plain] = counts.get(plain, 0) + 1
            repeated += len(plain) if counts[plain] > 1 else 0
    if repeated >= max(_LEAST_REPEATED, len(text) / 2):
        most = max(counts, key=lambda plain: (counts[plain], plain))
        return f"{_quoted(most)} {counts[most]} times"
    return None


# --- tools that were not called --------------------------------------------------------------

_DONE = r"(?:zoomed|cropped|rotated|enlarged|magnified)"
_DOING = r"(?:zooming|cropping|rotating|enlarging|magnifying)"
_SHOWN = r"(?:shows|showed|reveals|revealed|confirms|confirmed)"
_TELLING = ("zoom", "crop", "rotat", "enlarg", "magnif", "enhance")
# Over text in lower case.
_CLAIMS = re.compile(
    rf"\b(?<!if )(?<!had )i(?:['’]ve| have)?(?: just| now| already| also)? {_DONE}\b"
    rf"|\bafter (?:having )?{_DOING}[^.\n]{{0,60}}, (?:i|we) (?:can |could )?"
    r"(?:now )?(?:see|saw|read|found|noticed)\b"
    rf"|\b{_DONE}(?:[- ]in)? (?:image|view|photo|picture|crop)s? {_SHOWN}\b"
    rf"|\bthe (?:zoom|rotation|enhance) tool(?:'s)?(?: output| result| response)? {_SHOWN}\b"
)
_TOOL_RESPONSE = "<tool_response>"


def odd_thought(audited: AuditedText) -> str | None:
    """A response with what looks like a thought in delimiters that nobody knows.

    It was read as words: its calls were run, and its coordinates may be the answer.
    """
    for turn in audited.turns:
        delimiter = unknown_delimiter(turn.response)
        if delimiter is not None:
            return f"turn {turn.turn}: {delimiter}"
    return None


def claimed_tool(audited: AuditedText) -> str | None:
    """Words, in English, that tell of a tool's result before any tool was called.

    A tool response that the teacher wrote itself counts anywhere, and so does a
    call where the recipe offers no tools. Thoughts are not read: there a plan may
    sound like a claim.
    """
    first_call = min((call.turn for call in audited.calls), default=None)
    for turn in audited.turns:
        aloud = visible_text(turn.response)
        if _TOOL_RESPONSE in aloud:
            return f'turn {turn.turn}: "{_TOOL_RESPONSE}"'
        if audited.trace.recipe.tools == () and "<tool_call>" in aloud:
            return f"turn {turn.turn}: a call, and the recipe has no tools"
        if first_call is None or turn.turn < first_call:
            lower = aloud.lower()
            # Few responses hold any of these words, and they are found much sooner than a claim.
            claim = any(word in lower for word in _TELLING) and _CLAIMS.search(lower)
            if claim:
                return f"turn {turn.turn}: {_quoted(claim.group())}"
    return None


# --- the same words -------------------------------------------------------------------------


def response_key(audited: AuditedText) -> str | None:
    """The same text for traces in which the teacher said and thought the same, word for word.

    32 hex digits; None for less than 100 characters, in which two teachers can
    agree by chance.
    """
    words = [*_words(audited.turns)]
    if sum(map(len, words)) < _LEAST_SHARED:
        return None
    return sha256_hex("\0".join(words).encode(errors="surrogatepass"))[:32]


def _words(turns: tuple[Turn, ...]) -> Iterator[str]:
    for turn in turns:
        yield turn.reasoning or ""
        yield turn.response


def _quoted(text: str) -> str:
    """What a teacher wrote, short and on one line."""
    line = "".join(c if c.isprintable() else " " for c in text[:61]).strip()
    return f'"{line}"' if len(line) <= 60 else f'"{line[:57]}..."'
