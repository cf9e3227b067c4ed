"""Tell whether a response that gives no coordinates refuses to give any.

A refusal is a sentence in which the teacher says that it cannot or will not locate the photo, or
help at all. These are none: trouble with a detail ("the sign can't be read"), doubt with a place
beside it ("I can't be sure, but this looks like Brazil"), and a next step ("I can't tell yet, let
me zoom in"). Only the first and last characters of a response are read, so the work is bounded.
"""

import re
from collections.abc import Iterable
from functools import cache

from geostore.answers.refusal_words import (
    EN_BETWEEN,
    EN_CANNOT,
    EN_FIND,
    EN_HELP,
    EN_LOCATE,
    EN_MADE,
    EN_OBEY,
    EN_PLACE,
    EN_SEE,
    GUESSES,
    HEDGES,
    LANGUAGES,
    NEVER,
    NO_PLACE_NAME,
    NOT,
    STEP_BEGINS,
    STEP_VERBS,
    UNKNOWN_TO_ME,
    Words,
)

WINDOW = 2_048
"""Characters at the beginning and at the end of a response that are read."""

_SENTENCE = 400
"""Characters of one sentence that are read."""

_ENDS = re.compile(r"(?<=[.!?])\s+|[。！？؟\n]+|(?<=[.!?][\"')])\s+")
_MARKUP = re.compile(r"[*_`#>]+")
_BLANKS = re.compile(r"\s+")
_QUOTES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u00b4", "'"))
_HINTS = re.compile(
    r"n't|cannot|can not|\b(?:not?|ne|non|nie|niet|nicht|tidak|keine|imposs?ible|unmöglich)\b"
    r"|unable|declin|refus|insufficient|against|never",
    re.IGNORECASE,
)
"""What no refusal in ASCII is without; a quick look that spares most sentences the rest."""
_CALL = re.compile(r"</?tool_call\b|<function=|<\|tool_call", re.IGNORECASE)


def refusal_in(text: str) -> str | None:
    """The sentence with which a visible text refuses to locate its photo; None where none does.

    text: without thoughts, and without coordinates that could be read.
    """
    ends = text if len(text) <= 2 * WINDOW else f"{text[:WINDOW]}\n{text[-WINDOW:]}"
    if not _may_refuse(ends) or _CALL.search(ends):
        return None
    ends = _MARKUP.sub("", ends.translate(_QUOTES))
    sentences = [_BLANKS.sub(" ", each).strip()[:_SENTENCE] for each in _ENDS.split(ends)]
    pattern = _refusals(ends.isascii())
    first = next(
        (at for at, each in enumerate(sentences) if _may_refuse(each) and pattern.search(each)),
        None,
    )
    if first is None or _steps().search("\n".join(sentences[first:])):
        return None
    guess = _guesses(ends.isascii())
    return None if guess.search("\n".join(sentences)) else sentences[first]


def _may_refuse(text: str) -> bool:
    return not text.isascii() or _HINTS.search(text) is not None


def _either(patterns: Iterable[str]) -> str:
    return "(?:" + "|".join(f"(?:{pattern})" for pattern in patterns) + ")"


def _any(alternatives: str) -> str:
    """The pattern of one of some words, which are written as in `refusal_words`."""
    alternatives = alternatives.replace(
        "INFORMATION", "(?:information|context|evidence|clues|details?|data)"
    )
    return "(?:" + "|".join(alternatives.split()).replace("_", " ") + ")"


@cache
def _refusals(in_ascii: bool) -> re.Pattern[str]:
    """Every kind of sentence; compiled when the first response without coordinates is read.

    in_ascii: only those that a text in ASCII can hold, which is quicker.
    """
    languages = [each for each in LANGUAGES if not in_ascii or _has_ascii(each.cannot)]
    kinds = [*_english(), *(kind for language in languages for kind in _kinds(language))]
    # Only where a word begins, which spares most places of a text that has blanks.
    start = r"\b" if in_ascii else ""
    return re.compile(start + _either(kinds), re.IGNORECASE)


def _has_ascii(alternatives: str) -> bool:
    return any(word.isascii() for word in alternatives.split())


def _kinds(language: Words) -> list[str]:
    parts = {
        "cannot": _any(language.cannot),
        "locate": _any(language.locate),
        "place": _any(language.place),
        "helps": _any(language.helps),
        "not": _any(NOT),
        "unknown": _any(UNKNOWN_TO_ME),
        "never": _any(NEVER),
    }
    return [language.gap.join(parts[name] for name in order.split()) for order in language.orders]


def _english() -> list[str]:
    cannot = rf"(?:\b{_any(EN_CANNOT)}(?![a-z]))(?: {_any(EN_BETWEEN)}){{0,3}} "
    place = rf"\b{_any(EN_PLACE)}\b"
    locate = rf"{_any(EN_LOCATE)}(?:e|es|ing|ying)?\b"
    rules = r"\b(?:guidelines|polic(?:y|ies)|rules|privacy|safety)\b"
    return [
        rf"{cannot}{locate}[^.!?]{{0,90}}?{place}",
        # "I can't help with that", but not "I can't help but notice"
        rf"{cannot}{EN_HELP.replace('_', ' ')}"
        r"(?=\s*(?:[.,;!?)\"']|\Z|(?:with|in|on|to|by|from|as|because|due|and|if|for|based)\b))",
        rf"{cannot}{_any(EN_OBEY)}(?:e|ing)?(?: with| in| to)? (?:this|that|the|your|such) ?"
        r"(?:\w+ )?(?:requests?|question|query|task)?"
        r"(?=\s*(?:[.,;!?]|\Z|(?:as|because|for|with|due)\b))",
        rf"{cannot}(?:answer|guess|respond|comply)(?=\s*(?:[.!;]|\Z))",
        rf"{cannot}{_any(EN_SEE)}(?:e|ing)? (?:(?:the|this|that|any|your|an|or|images?,?) )*"
        r"(?:attached |uploaded |provided )?(?:images?|photos?|pictures?|photographs?)"
        r"(?=\s*(?:[.,;!?]|\Z|(?:directly|from|or|as|because|at)\b))",
        # "I can't determine it.", but not "I can't identify the plant."
        rf"{cannot}{_any(EN_FIND)}(?:e|ing)?(?: (?:it|this|that|them|this one))?"
        r"(?=\s*(?:[.!;]|\Z|from (?:this|the) (?:image|photo|picture)|based on|with(?:out)?\b"
        r"|for (?:sure|certain)))",
        rf"{cannot}(?:geo-?)?locat(?:e|ing) (?:this|the|that|your) "
        r"(?:image|photo|picture|photograph)",
        # "The location cannot be determined.", "No location can be determined."
        rf"{place}[^.!?]{{0,70}}\b(?:can't|cannot|can not|couldn't|could not|(?:is )?impossible to)"
        rf"(?: be)?(?: \w+ly)? (?:be )?{_any(EN_MADE)}",
        rf"\bno (?:\w+ ){{0,2}}?{place}[^.!?]{{0,30}}\b(?:can|could) be (?:\w+ly )?"
        rf"{_any(EN_MADE)}",
        rf"\b(?:do|did)(?: not|n't) know[^.!?]{{0,20}} ?{place}",
        r"\b(?:have|has|had) no (?:idea|clue|way of knowing)[^.!?]{0,20}\bwhere\b",
        rf"{rules}[^.!?]{{0,60}}"
        r"\b(?:not (?:allow|permit)|n't (?:allow|permit)|prevents?|prohibits?|forbids?)\b"
        rf"[^.!?]{{0,60}}{locate}[^.!?]{{0,60}}{place}",
        rf"\bagainst (?:my|our|the) (?:\w+ )?{rules}",
    ]


@cache
def _guesses(in_ascii: bool) -> re.Pattern[str]:
    """A place in words: a guess, however unsure, is an answer without coordinates."""
    hedge = _any(HEDGES)
    name = rf"(?!{_any(NO_PLACE_NAME)}\b)[A-Z][a-zà-ÿ]{{2,}}"
    guesses = (
        rf"\b(?i:{hedge})\b[^.!?\n]{{0,60}}?"
        rf"\b(?:in|from|near|of|to|be|is|like) (?:\w+ ){{0,2}}?{name}",
        rf"\b(?i:suggest\w*|guess|likely|probably|possibly|indicat\w+) (?:the )?{name}",
        r"\b(?i:(?:best|educated|rough|closest|final) guess (?:is|would be|:))",
        r"(?m:^\W{0,4}(?i:country|city|place|location)\s?: ?[A-Z])",
        *(each for each in GUESSES if not in_ascii or "(?i:" in each),
    )
    return re.compile(_either(guesses))


@cache
def _steps() -> re.Pattern[str]:
    """A next step: the teacher goes on looking."""
    return re.compile(
        rf"\b{_any(STEP_BEGINS)}\s"
        r"(?:\w+ly |now |first |try to |try |also |have to |take a |then ){0,3}"
        rf"{_any(STEP_VERBS)}|\byet\b"
        r"|(?:让我|讓我|我(?:需要|先|再|将|將)|接下来|接下來)"
        r"[^。]{0,8}(?:放大|查看|看|检查|檢查|缩放|旋转|分析|搜索|仔细)",
        re.IGNORECASE,
    )
