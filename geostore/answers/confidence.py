"""Read how sure an answer says it is, and bring it to 0..1.

Only a confidence that is labelled counts ("confidence": 4, Confidence: 85%, 置信度：高); of a
sentence nobody knows what it is sure of. The forms and what they become:

- ``1-5`` and ``1-10``: ``(n - 1) / (levels - 1)``, so that the lowest level is 0 and the highest 1,
  as in every other form. ``n / levels`` would call the lowest of five levels 20 %.
- ``percent``: ``n / 100``. A range of percentages is its middle.
- ``fraction``: the number.
- ``words``: very low 0, low 0.25, medium 0.5, high 0.75, very high 1: five levels like 1-5. Low,
  medium and high alone are the inner three, because a teacher that was asked for three may not say
  "very". "Medium to high" is the middle of both. They are read in ten languages.

A number says its scale by ``/5``, ``/10``, ``/100``, ``out of 5``, ``%``, or in its name:
``(1-5)``, ``confidence_percent``. Without one, 0 and a number with a decimal mark up to 1.0 are
fractions, any other number up to 5 is of five levels, and one above 10 up to 100 is a percentage.
No form is given where it cannot be told: a plain 1 (the lowest of five levels, or all of a
fraction?) and what lies above 5 and up to 10 (of ten levels, or percent?).

Source of the forms: IMAGEO-Bench asks for high, medium or low, others for 1 to 5, a percentage or a
fraction.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from geostore.answers.passages import Labels, blocks_of, final_block, find_lines, line_pattern
from geostore.answers.text import EMPHASIS

FORMS = ("1-5", "1-10", "percent", "fraction", "words")
"""How a confidence may be written."""

MEMBERS = frozenset(
    {
        *("confidence", "confidence score", "confidence level", "confidence rating", "certainty"),
        *("overall confidence", "confidence percent", "confidence percentage", "confidence pct"),
        *("certainty level", "confidence 1 5", "confidence 1 to 5", "confidence 1 10"),
        *("answer confidence", "final confidence", "location confidence", "confidence 0 1"),
        *("置信度", "信心", "可信度"),
    }
)
"""The names of JSON members that may say a confidence."""
LABELS = Labels(
    line_pattern(
        "(?:overall |location |answer )?confidence|certainty"
        "|确信度|置信度|置信水平|信心程度|信心指数|信心|可信度|把握程度|把握"
        "|確信度|信頼度|신뢰도|(?:n[ií]vel de )?confian[zç]a|(?:niveau de )?confiance|konfidenz"
        "|уверенность"
    ),
    hints=("confid", "certainty", "confian", "konfidenz"),
    foreign_hints=("信", "把握", "신뢰", "уверенн"),
)
"""What a confidence is labelled with in a line."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """A stated confidence."""

    value: float
    """From 0 to 1."""
    form: str
    """One of `FORMS`."""


def _levels(value: float, words: str) -> dict[str, float]:
    return {word.replace("_", " "): value for word in words.split()}


_LEVELS = {
    "very low": 0.0,
    "extremely low": 0.0,
    "low": 0.25,
    "medium": 0.5,
    "moderate": 0.5,
    "high": 0.75,
    "very high": 1.0,
    "extremely high": 1.0,
    "fairly high": 0.625,
    "moderately high": 0.625,
    "relatively high": 0.625,
    "fairly low": 0.375,
    "moderately low": 0.375,
    "relatively low": 0.375,
    **_levels(0.0, "很低 极低 非常低 muy_baja muito_baixa molto_bassa très_faible sehr_niedrig"),
    **_levels(0.0, "очень_низкая 非常に低い とても低い 매우_낮음"),
    **_levels(0.25, "低 baja bajo baixa baixo bassa basso faible basse niedrig gering"),
    **_levels(0.25, "низкая низкий 低い 낮음"),
    **_levels(0.375, "较低 中低"),
    **_levels(0.5, "中 中等 一般 media medio média médio moderada moyenne moyen modérée mittel"),
    **_levels(0.5, "средняя средний 中程度 普通 보통 중간"),
    **_levels(0.625, "较高 中高"),
    **_levels(0.75, "高 alta alto élevée élevé haute hoch высокая высокий 高い 높음"),
    **_levels(1.0, "很高 极高 非常高 muy_alta muito_alta molto_alta très_élevée sehr_hoch"),
    **_levels(1.0, "очень_высокая 非常に高い とても高い 매우_높음"),
}
_LEVEL = "(?:" + "|".join(sorted(_LEVELS, key=len, reverse=True)) + ")"
_END = r"\s*(?:\Z|[.,](?![0-9])|[;:!)\]}(（。，；\n\"'*—–★☆\u2600-\u27bf\U0001f000-\U0001faff]|-\s)"
"""What may follow a confidence. A word that follows says what part of the answer it is for."""
_WORDS = re.compile(
    rf"(?P<first>{_LEVEL})(?:(?: to |[-/–]| - )(?P<second>{_LEVEL}))?"
    r"(?: confidence| certainty)?"
    r"(?:\s?[(（]\s?[~≈]?(?P<percent>[0-9]{1,3}(?:\.[0-9]{1,4})?)\s?%\s?[)）])?"
    rf"(?={_END})",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?:[~≈<>]|about |around |approximately |approx\.? |约|大约)?\s?"
    r"(?P<number>[0-9]{0,3}+(?:[.,][0-9]{1,6}+)?+)"
    r"(?:\s?%?\s?(?:-|–|to|~)\s?(?P<until>[0-9]{1,3}(?:\.[0-9]{1,4})?)(?=\s?(?:%|percent)))?"
    r"\s?(?:(?P<percent>%|％|percent(?![a-z]))"
    r"|(?:/|out of|of)\s?(?P<of>5|100?|1)(?:\.0)?(?![0-9.]))?"
    rf"(?={_END})",
    re.IGNORECASE,
)
# A confidence of a part of the answer.
_OF_A_PART = re.compile(
    r"\s*[(（][^)）\n]{0,40}(?:country|city|region|state|town|continent|国|市|省)", re.IGNORECASE
)
_SCALES = (
    (re.compile(r"1 ?(?:-|–|to|~|至|到) ?5(?![0-9])|1 5\Z|/ ?5(?![0-9])|out of 5(?![0-9])"), "1-5"),
    (
        re.compile(r"1 ?(?:-|–|to|~|至|到) ?10(?![0-9])|1 10\Z|/ ?10(?![0-9])|out of 10(?![0-9])"),
        "1-10",
    ),
    (re.compile(r"%|percent|pct|0 ?(?:-|–|to) ?100|/ ?100"), "percent"),
    (re.compile(r"0(?:\.0)? ?(?:-|–|to|~) ?1(?:\.0)?(?![0-9])|0 1\Z"), "fraction"),
)


def confidence_of_members(members: Mapping[str, str]) -> Confidence | None:
    """The confidence that JSON members state; None where they state none or several."""
    stated = {
        confidence
        for name, value in members.items()
        if name in MEMBERS and (confidence := read_confidence(value, name=name)) is not None
    }
    return stated.pop() if len(stated) == 1 else None


def confidence_of_lines(text: str, *, in_slot: bool) -> Confidence | None:
    """The confidence that the labelled lines of a passage state.

    in_slot: whether the response gives its coordinates in a box or an <answer>.
    """
    statements = find_lines(text, LABELS)
    stated = [read_confidence(one.value, name=one.note) for one in statements]
    if len(set(stated)) <= 1:
        return stated[0] if stated else None
    chosen = final_block(text, blocks_of(statements, lambda _: "confidence"), in_slot=in_slot)
    return None if chosen is None else stated[chosen]


def read_confidence(value: str, *, name: str = "") -> Confidence | None:
    """A confidence as it is written behind its label; None where it is none, or its scale unclear.

    name: the label's name and its note, which may say the scale.
    """
    text = EMPHASIS.sub("", value).strip(" \t\n[\"'“”")
    words = _WORDS.match(text)
    if words:
        if _OF_A_PART.match(text, words.end()):
            return None
        if words["percent"]:
            return _scaled(float(words["percent"]), "percent")
        low = _LEVELS[words["first"].lower()]
        high = _LEVELS[(words["second"] or words["first"]).lower()]
        return Confidence((low + high) / 2, "words")
    match = _NUMBER.match(text)
    if match is None or not match["number"] or _OF_A_PART.match(text, match.end()):
        return None
    written = match["number"].replace(",", ".")
    number = float(written)
    if match["until"]:
        until = float(match["until"])
        spans_scale = number <= 1 or until >= 100 or until < number
        return None if spans_scale else _scaled((number + until) / 2, "percent")
    scale = "percent" if match["percent"] or match["of"] == "100" else None
    if match["of"] in ("5", "10"):
        scale = f"1-{match['of']}"
    elif match["of"] == "1":
        scale = "fraction"
    scale = scale or next((form for pattern, form in _SCALES if pattern.search(name)), None)
    if scale == "percent" and not match["percent"] and 0 < number <= 1:
        return None  # "confidence_percent": 0.9 may be a fraction as well
    return _scaled(number, scale or _likely_scale(number, precise="." in written))


def _likely_scale(number: float, *, precise: bool) -> str | None:
    if number == 0 or (precise and number <= 1):
        return "fraction"
    if 1 < number <= 5:
        return "1-5"
    return "percent" if 10 < number <= 100 else None


def _scaled(number: float, form: str | None) -> Confidence | None:
    if form is None:
        return None
    if form in ("1-5", "1-10"):
        levels = int(form[2:])
        return Confidence((number - 1) / (levels - 1), form) if 1 <= number <= levels else None
    most = 100 if form == "percent" else 1
    return Confidence(number / most, form) if 0 <= number <= most else None
