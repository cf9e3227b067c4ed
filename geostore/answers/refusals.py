"""Tell whether a response that gives no coordinates refuses to give any.

A refusal is a sentence in which the teacher says that it cannot or will not locate the photo, or
help at all. These are none: trouble with a detail ("the sign can't be read"), doubt with a place
beside it ("I can't be sure, but this looks like Brazil"), and a next step ("I can't tell yet, let
me zoom in"). Only the first and last characters of a response are read, so the work is bounded.
"""

import re
from dataclasses import dataclass
from functools import cache

from geostore.answers.guesses import guesses_place
from geostore.answers.refusal_words import (
    APOLOGY,
    EN_BETWEEN,
    EN_CANNOT,
    EN_DETAIL,
    EN_FIND,
    EN_HELP,
    EN_HINTS,
    EN_INFORMATION,
    EN_LOCATE,
    EN_MADE,
    EN_OBEY,
    EN_PLACE,
    EN_SEE,
    LANGUAGES,
    NEVER,
    NOT,
    SHORT,
    STEP_BEGINS,
    STEP_VERBS,
    UNKNOWN_TO_ME,
    Words,
    any_of,
    either,
)
from geostore.answers.text import EMPHASIS

WINDOW = 2_048
"""Characters at the beginning and at the end of a response that are read."""

_SENTENCE = 400
"""Characters of one sentence that are read."""

_ENDS = re.compile(r"(?<=[.!?])\s+|[。！？؟।\n]+|(?<=[.!?][\"')])\s+")
_BLANKS = re.compile(r"\s+")
_IN_ASCII = str.maketrans(
    {
        **dict.fromkeys("‘’ʼ´", "'"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("–—‑", "-"),
        "…": "...",
        "°": " ",
        "\u00a0": " ",
    }
)
"""Marks that a text in English has as well, which otherwise would be read for every language."""
_PARTS = re.compile(r"[,;:.!?，、；：。！？\n]+")
_SHORT = 120
"""Characters of a response that may be one of the short refusals."""
_CALL = re.compile(r"</?tool_call\b|<function=|<\|tool_call", re.IGNORECASE)


def refusal_in(text: str) -> str | None:
    """The sentence with which a visible text refuses to locate its photo; None where none does.

    text: without thoughts, and without coordinates that could be read.
    """
    ends = text if len(text) <= 2 * WINDOW else f"{text[:WINDOW]}\n{text[-WINDOW:]}"
    ends = ends.translate(_IN_ASCII)
    if len(ends) <= _SHORT and _only_refuses(ends.strip()):
        return ends.strip()
    lower = ends.lower()
    kinds = [each for each in _languages() if each.hinted(lower)]
    if not kinds or _CALL.search(ends):
        return None
    ends = EMPHASIS.sub("", ends)
    sentences = [_BLANKS.sub(" ", each).strip()[:_SENTENCE] for each in _ENDS.split(ends)]
    first = next((at for at, each in enumerate(sentences) if _refuses(each.lower(), kinds)), None)
    if first is None:
        return None
    if _steps().search("\n".join(sentences[first:])) or guesses_place("\n".join(sentences)):
        return None
    return sentences[first]


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The refusals of one language, over text in lower case."""

    hints: tuple[str, ...]
    """Each of its refusals has one of these."""
    refusal: re.Pattern[str]
    """Every kind of sentence that refuses."""

    def hinted(self, lower: str) -> bool:
        return any(hint in lower for hint in self.hints)


def _refuses(lower: str, kinds: list[_Kinds]) -> bool:
    return any(kind.hinted(lower) and kind.refusal.search(lower) for kind in kinds)


def _only_refuses(text: str) -> bool:
    """Whether a short response says that it does not know, and nothing else."""
    parts = [part.strip() for part in _PARTS.split(text.lower()) if part.strip()]
    others = [part for part in parts if not _short().fullmatch(part)]
    return len(others) < len(parts) and all(_apology().fullmatch(part) for part in others)


@cache
def _short() -> re.Pattern[str]:
    return re.compile(rf"(?:(?:but|unfortunately|sorry|pero|mais|aber|mas|ma|но) )?{any_of(SHORT)}")


@cache
def _apology() -> re.Pattern[str]:
    return re.compile(any_of(APOLOGY))


@cache
def _languages() -> list[_Kinds]:
    """English first; compiled when the first response without coordinates is read."""
    english = _Kinds(EN_HINTS, re.compile(r"\b" + either(_english())))
    return [english, *(_kinds_of(language) for language in LANGUAGES)]


def _kinds_of(language: Words) -> _Kinds:
    hints = tuple(hint.replace("_", " ") for hint in language.hints.split())
    return _Kinds(hints, re.compile(either(_kinds(language))))


def _kinds(language: Words) -> list[str]:
    parts = {
        "cannot": any_of(language.cannot),
        "locate": any_of(language.locate),
        "place": any_of(language.place),
        "helps": any_of(language.helps),
        "not": any_of(NOT),
        "unknown": any_of(UNKNOWN_TO_ME),
        "never": any_of(NEVER),
    }
    return [language.gap.join(parts[name] for name in order.split()) for order in language.orders]


def _english() -> list[str]:
    cannot = any_of(EN_CANNOT.replace("INFORMATION", any_of(EN_INFORMATION)))
    cannot = rf"(?:\b{cannot}(?![a-z]))(?: {any_of(EN_BETWEEN)}){{0,3}} "
    # The address of a shop and the place of a crop are details of the photo.
    detail = rf" (?:of|on|for|in) (?:the|this|that|any|an?) (?:\w+ )?{any_of(EN_DETAIL)}\b"
    place = rf"\b{any_of(EN_PLACE)}\b(?!{detail})"
    locate = rf"{any_of(EN_LOCATE)}(?:e|es|ing|ying)?\b"
    rules = r"\b(?:guidelines|polic(?:y|ies)|rules|privacy|safety)\b"
    return [
        rf"{cannot}{locate}[^.!?]{{0,90}}?{place}",
        # "I can't help with that", but not "I can't help but notice"
        rf"{cannot}{EN_HELP.replace('_', ' ')}"
        r"(?=\s*(?:[.,;!?)\"']|\Z|(?:with|in|on|to|by|from|as|because|due|and|if|for|based)\b))",
        rf"{cannot}{any_of(EN_OBEY)}(?:e|ing)?(?: with| in| to)? (?:this|that|the|your|such) ?"
        r"(?:\w+ )?(?:requests?|question|query|task)?"
        r"(?=\s*(?:[.,;!?]|\Z|(?:as|because|for|with|due)\b))",
        rf"{cannot}(?:answer|guess|respond|comply)(?=\s*(?:[.!;]|\Z))",
        rf"(?<!tool )(?<!search )(?<!zoom ){cannot}{any_of(EN_SEE)}(?:e|ing)?"
        r" (?:(?:the|this|that|any|your|an|or|images?,?) )*"
        r"(?:attached |uploaded |provided )?(?:images?|photos?|pictures?|photographs?)"
        r"(?=\s*(?:[.,;!?]|\Z|(?:directly|from|or|as|because|at)\b))",
        # "I can't determine it.", but not "I can't identify the plant." and "Place: cannot tell".
        rf"(?<!: ){cannot}{any_of(EN_FIND)}(?:e|ing)?(?: (?:it|this|that|them|this one))?"
        r"(?=\s*(?:[.!;]|\Z|from (?:this|the) (?:image|photo|picture)|based on|with(?:out)?\b"
        r"|for (?:sure|certain)))",
        rf"{cannot}(?:geo-?)?locat(?:e|ing) (?:this|the|that|your) "
        r"(?:image|photo|picture|photograph)",
        # "The location cannot be determined.", "No location can be determined."
        rf"{place}[^.!?]{{0,70}}\b(?:can't|cannot|can not|couldn't|could not|(?:is )?impossible to)"
        rf"(?: be)?(?: \w+ly)? (?:be )?{any_of(EN_MADE)}",
        rf"\bno (?:\w+ ){{0,2}}?{place}[^.!?]{{0,30}}\b(?:can|could) be (?:\w+ly )?"
        rf"{any_of(EN_MADE)}",
        rf"\b(?:do|did)(?: not|n't) know[^.!?]{{0,20}} ?{place}",
        r"\b(?:have|has|had) no (?:idea|clue|way of knowing)[^.!?]{0,20}\bwhere\b",
        rf"{rules}[^.!?]{{0,60}}"
        r"\b(?:not (?:allow|permit)|n't (?:allow|permit)|prevents?|prohibits?|forbids?)\b"
        rf"[^.!?]{{0,60}}{locate}[^.!?]{{0,60}}{place}",
        rf"\bagainst (?:my|our|the) (?:\w+ )?{rules}",
    ]


@cache
def _steps() -> re.Pattern[str]:
    """A next step: the teacher goes on looking."""
    return re.compile(
        rf"\b{any_of(STEP_BEGINS)}\s"
        r"(?:\w+ly |now |first |try to |try |also |have to |take a |then ){0,3}"
        rf"{any_of(STEP_VERBS)}|\byet\b"
        r"|(?:让我|讓我|我(?:需要|先|再|将|將)|接下来|接下來)"
        r"[^。]{0,8}(?:放大|查看|看|检查|檢查|缩放|旋转|分析|搜索|仔细)",
        re.IGNORECASE,
    )
