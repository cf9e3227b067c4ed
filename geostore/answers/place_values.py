"""Tells the name of a place from other words: explanations, doubts and what prompts write."""

import re

from geostore.answers.angles import NO_COORDINATES
from geostore.answers.place_names import is_country, is_region
from geostore.answers.words import failure_of_words

MAX_LENGTH = 100
"""Characters of a place's name."""
_MAX_WORDS = 6


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


_MARKUP = re.compile(
    r"</?[a-z]{1,6}>|\\(?:text(?:bf|it|rm)?|math(?:rm|bf)|quad|boxed)|[*_`\"“”{}$#\\]+",
    re.IGNORECASE,
)
# Where a name ends and its explanation begins.
_EXPLAINED = re.compile(
    r"\s[–—-]+\s|\s?—\s?|\s?->\s?|(?<=[^\W\d_]{3})\.\s|[。！!]|\s?[(（\[【]"
    r"|(?<=[^\W\d_]),? (?:because|since|based on|given|due to|as (?:the|indicated|shown|suggested)"
    r"|which|where|with)(?![a-z])",
    re.IGNORECASE,
)
_CHOICE_BEHIND = re.compile(
    r"[(（\[][^)）\]]{0,60}"
    r"(?:(?<![a-z])(?:or|maybe|perhaps|alternatively|not|unclear|unsure|could|might|possibly)(?![a-z])|可能|或)",
    re.IGNORECASE,
)
# Words that make a value a doubt, a choice or a description.
_DOUBT = re.compile(
    r"[?？<>\[\]@=:：]|\.{3}|…|https?:"
    r"|(?<![a-z])(?:or|either|maybe|perhaps|possibl[ey]|unclear|ambiguous|various|multiple|several"
    r"|tbd|same|hard to|difficult|not|no|could|might|may be|should|would|somewhere|anywhere"
    r"|elsewhere|near|nearby|outside|around|close to|between|vs)(?![a-z])"
    r"|可能|或|不清|难以|附近|某",
    re.IGNORECASE,
)
# What a prompt writes in the place of a name.
_PROMPT = re.compile(
    r"(?:your|inferred|specific|the|full|exact)"
    r" (?:answer|city|country|region|location|place)[ a-z]*"
    r"|(?:city|town|country|region|state|province|place|location)"
    r"(?:[ /_](?:name|here|or null|code))*"
    r"|(?:city|state|country|region|province)(?:, ?(?:city|state|country|region|province)){1,3}"
    r"|name|string|str|text|x{2,8}|\W*",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"(?:(?:most )?(?:likely|probably)|almost certainly|approximately|approx\.?|~)[:,]?\s",
    re.IGNORECASE,
)
_NOT_APPLICABLE = re.compile(r"n\.?a\.?", re.IGNORECASE)
"""Not the code of Namibia, which a teacher names in full."""
_EDGES = " \t\n.,;:：，；、。'’‘-–—·~≈"
_FOREIGN = re.compile(r"[^\w\s.,'’‘`ʻ/&·・;；，、–-]")
_POSTCODE = re.compile(r"(?<!\S)(?:[A-Z]{1,2}-)?[0-9]{3,7}(?:-[0-9]{3,4})?(?!\S)")
_COMMA = re.compile("[,，]")
_PLAIN = re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+){0,5}")
JOINED = re.compile(r"/|&|(?<![a-z])(?:and|und|et|y|vs)(?![a-z])|[、;；]", re.IGNORECASE)
"""What stands between two names."""

_DIRECTIONS = _words(
    "north south east west central northern southern eastern western northeast northwest "
    "southeast southwest northeastern northwestern southeastern southwestern latin inner mainland "
    "continental sub-saharan mid midwest midwestern"
)
_WORLD = _words(
    "europe asia africa america americas oceania eurasia balkan balkans scandinavia mediterranean "
    "caribbean nordic baltic baltics maghreb alps andes worldwide global earth world "
    "欧洲 亚洲 非洲 北美 北美洲 南美 南美洲 大洋洲 东南亚 东亚 中东"
)
_AROUND_WORLD = _DIRECTIONS | frozenset(("region", "countries", "area", "the", "middle"))
_DESCRIPTIONS = _words(
    "a an any the and of in on at this that its their small large medium rural urban suburban "
    "coastal inland mountainous hilly tropical subtropical temperate arid alpine desert remote "
    "residential industrial historic unnamed generic typical local main major town city village "
    "area areas region regions suburb suburbs countryside country state province highway road "
    "street downtown center centre outskirts setting settlement environment location place "
    "metropolitan capital zone climate latitude longitude coordinates evidence clue clues reason "
    "reasoning detail details confidence likelihood probability score note notes value match "
    "matches analysis feature features yes true false high low moderate sized"
)
_DESCRIBED = re.compile(
    r"(?:(?:rural|urban|suburban|coastal|remote|small|an?|any|this|that|these|those|its|their|in"
    r"|at|on)\s|(?:the )?(?:outskirts|suburbs?|vicinity|edge|north|south|east|west) of\s)",
    re.IGNORECASE,
)
_SURROUNDINGS = (["area"], ["suburb"], ["suburbs"], ["outskirts"], ["vicinity"], ["countryside"])
_PARTICLES = _words(
    "a al am an and auf aux bei ben bin da das de dei del della den der des di dos du e ed el en "
    "et im in la las le les lès los na nad o of on op pod sa san sous sul sur the upon van vom "
    "von y zu à às"
)
_ELIDED = ("d'", "d’", "l'", "l’")


def clean_value(value: str) -> str | None:
    """A value without markup, explanation and hedge; None where it is no name for certain."""
    plain = _PLAIN.fullmatch(value)
    if plain and is_country(value):
        return value
    if not plain and _CHOICE_BEHIND.search(value):
        return None
    words = value if plain else _EXPLAINED.split(without_markup(value).strip(), maxsplit=1)[0]
    words = " ".join(words.split()).strip(_EDGES)
    words = _HEDGE.sub("", words, count=1) if _HEDGE.match(words) else words
    if not words or len(words) > MAX_LENGTH or _DOUBT.search(words) or _PROMPT.fullmatch(words):
        return None
    if _NOT_APPLICABLE.fullmatch(words):
        return None
    if failure_of_words(words) != NO_COORDINATES:
        return None
    return " ".join(_FOREIGN.sub("", words).split()).strip(_EDGES) or None


def without_markup(text: str) -> str:
    """`text` with a blank for each mark of Markdown, LaTeX and HTML."""
    return _MARKUP.sub(" ", text)


def parts_of(words: str) -> list[str]:
    """The names of a list that commas part, without postcodes and empty ones."""
    parts = (_POSTCODE.sub("", part).strip(_EDGES) for part in _COMMA.split(words))
    return [" ".join(part.split()) for part in parts if part]


def is_name(words: str, *, lower: bool = False) -> bool:
    """Whether words look like a name: no digits, each with a capital or of a script without.

    lower: whether up to three words in lower case are a name as well.
    """
    each = words.split()
    if not each or len(each) > _MAX_WORDS or any(letter.isdigit() for letter in words):
        return False
    if lower and words == words.lower() and len(each) <= 3:
        return True
    capitals = [not word[0].islower() for word in each]
    return any(capitals) and all(
        capital or word in _PARTICLES or word.startswith(_ELIDED)
        for word, capital in zip(each, capitals, strict=True)
    )


def is_phrase(words: str) -> bool:
    """Whether words go on like a sentence: more of them than particles are in lower case."""
    return any(word[0].islower() and word not in _PARTICLES for word in words.split())


def is_part_of_world(words: str) -> bool:
    """Whether words name a part of the world that is no country and no region of one."""
    each = words.lower().replace("-", " ").split()
    in_world = any(word in _WORLD for word in each) or each[-2:] == ["middle", "east"]
    return in_world and all(word in _WORLD or word in _AROUND_WORLD for word in each)


def describes(words: str) -> bool:
    """Whether words describe a place, or name a column of a table, instead of naming a place."""
    each = words.lower().replace("-", " ").replace("/", " ").split()
    described = (
        all(word in _DESCRIPTIONS for word in each)
        or each[-1:] in _SURROUNDINGS
        or _DESCRIBED.match(words)
    )
    return bool(described) or is_part_of_world(words)


def is_part_of_country(words: str) -> bool:
    """Whether words are a direction, alone or with a country: "Northern Spain", "Northeast".

    Not "South Korea" and "South Holland", which are names.
    """
    first, _, rest = words.partition(" ")
    direction = first.lower() in _DIRECTIONS and (not rest or is_country(rest))
    return direction and not is_country(words) and not is_region(words)


def begins_with_direction(words: str) -> bool:
    """Whether the first word says where in a place: "Northern Lyon"."""
    return words.partition(" ")[0].lower() in _DIRECTIONS
