"""Say why words in the place of numbers are no answer."""

import re

from geostore.answers.angles import NO_COORDINATES, NOT_FINITE, PLACEHOLDER, UNKNOWN

# "Nan" with one capital is the name of a province; NaN is written in other ways.
_NOT_FINITE = re.compile(
    r"(?<![A-Za-z])(?:NaN|nan|NAN|[Ii]nf(?:inity)?|INF(?:INITY)?)(?![A-Za-z])|∞"
)
_UNKNOWN = re.compile(
    r"(?<![a-z])(?:unknown|null|none|n/a|nil|unavailable|undetermined|undefined|unspecified"
    r"|uncertain|unsure|unidentifiable|indeterminate|indeterminable|insufficient|impossible"
    r"|cannot|can't|unable|not (?:available|sure|possible|determined|applicable|known|enough)"
    r"|no (?:answer|location|coordinates))(?![a-z])|\?{2,}|未知|无法|無法|不确定|不明|不詳",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+")
_PROMPT = re.compile(
    r"lat|latitude|lon|lng|long|longitude|x+|y+|d+|coords?|coordinates?|answer|[纬緯经經経]度"
)
_FILLER = re.compile(
    r"your|the|final|estimated|predicted|in|as|decimal|degrees?|deg|values?|number|float|of|and|here"
)
_ELLIPSIS = re.compile(r"\.\.\.|…|_{2,}")


def failure_of_words(text: str) -> str:
    """Why a text that holds no pair of numbers is no answer.

    ``not_finite`` or ``unknown`` where it says so, ``placeholder`` where it only repeats the prompt
    ("latitude, longitude", "XX.XXXX, YY.YYYY", "..."), else ``no_coordinates``.
    """
    if _NOT_FINITE.search(text):
        return NOT_FINITE
    if _UNKNOWN.search(text):
        return UNKNOWN
    words = _WORD.findall(text.lower())
    prompt_words = sum(_PROMPT.fullmatch(word) is not None for word in words)
    fillers = sum(_FILLER.fullmatch(word) is not None for word in words)
    echoed = prompt_words > 0 and prompt_words + fillers == len(words)
    if echoed or (not words and _ELLIPSIS.search(text)):
        return PLACEHOLDER
    return NO_COORDINATES
