"""Reads a place from names without labels: "Lyon, Auvergne-Rhône-Alpes, France".

A list is a place only where it names a country or a well-known region, because without a map
nothing else shows it. What a name may be is decided by its neighbours alone. Of "Montmartre, Paris,
France" and "Lyon, Rhône, France" nobody can tell the city that way, so only the country is read.
"""

import re
from dataclasses import dataclass

from geostore.answers.place_names import (
    COUNTRY_OR_REGION,
    is_country,
    is_of_state,
    is_region,
    name_key,
)
from geostore.answers.place_values import (
    JOINED,
    begins_with_direction,
    clean_value,
    describes,
    is_name,
    is_part_of_world,
    is_phrase,
    parts_of,
)


@dataclass(frozen=True, slots=True)
class PlaceWords:
    """A place in the teacher's words, each name as written; None where it is not named."""

    country: str | None = None
    """The country."""
    region: str | None = None
    """State, province or the like."""
    city: str | None = None
    """Town or place."""

    def __bool__(self) -> bool:
        return self.country is not None or self.region is not None or self.city is not None


NO_WORDS = PlaceWords()

_AREA_WORD = re.compile(
    r"\b(?:Province|State|Region|Prefecture|Oblast|Krai|Governorate|Voivodeship|Canton|Department"
    r"|County|Emirate|Autonomous Community|Territory|Republic)\b|[省州县縣府道]\Z|自治区\Z"
)
# Words of names that are mostly no town's.
_SIGHT = re.compile(
    r"\b(?:tower|bridge|street|road|avenue|boulevard|highway|route|park|airport|university|mount"
    r"|mountains?|mt|lake|islands?|beach|square|valley|river|bay|station|museum|church|cathedral"
    r"|castle|temple|palace|district|coast|desert|peninsula|plaza|gulf|sea|ocean|pass|gorge|canyon"
    r"|falls|plateau|hills|forest|archipelago|countryside|interior|border|outskirts|suburbs?|area"
    r"|region|village|harbou?r)\b",
    re.IGNORECASE,
)
_HAN_REST = re.compile(
    # 广州 and 京都 are cities, so not every 州 and 都 ends a region.
    r"(?P<region>[一-鿿]{1,8}?(?:省|自治区|特别行政区|自治州|县|縣|県)|[一-鿿]{3,8}?州(?!市)"
    r"|[东東]京都|北海道|大阪府|京都府)?"
    r"(?P<city>[一-鿿]{1,8}?市)?[一-鿿]{0,20}"
)
_HAN_GAP = re.compile(r"[\s·・、-]+")
_LONGEST_HAN_COUNTRY = 12
_SEMICOLON = re.compile("[;；]")
_MAX_PARTS = 6
_NEAR = re.compile(
    r"[\s*_]{0,6}(?i:(?:somewhere |likely |probably )?(?:just )?(?:near|close to|outside(?: of)?"
    r"|around|north of|south of|east of|west of)) (?=[^\W\d_a-z])"
)
# Countries' names that are also those of towns or parts of another country.
_INNER = frozenset(
    (
        *("hong kong", "macau", "macao", "taiwan", "england", "scotland", "wales", "singapore"),
        *("northern ireland", "puerto rico", "luxembourg", "monaco", "jersey", "panama", "mexico"),
        *("香港", "澳门", "台湾"),
    )
)
_UNITED_STATES = frozenset(("usa", "us", "united states", "united states of america"))


def words_of_list(value: str, *, strict: bool = False) -> PlaceWords:
    """The place that a list of names gives, also GeoAgent's "Country; Region; Place".

    strict: whether the list may be a sentence that ends in a country; then it gives nothing.
    """
    near = _NEAR.match(value)
    if near:
        # Of "near Lyon, France" only what follows the first name is where the photo was taken.
        words = _words_of_names(value[near.end() :], strict=strict)
        _, comma, rest = value[near.end() :].partition(",")
        return _words_of_names(rest, strict=strict) if words and comma else NO_WORDS
    return _words_of_names(value, strict=strict)


def _words_of_names(value: str, *, strict: bool) -> PlaceWords:
    if _SEMICOLON.search(value):
        words = _words_of_semicolons(value)
        if words:
            return words
    cleaned = clean_value(value)
    parts = parts_of(cleaned) if cleaned else []
    while len(parts) > 1 and is_part_of_world(parts[-1]):
        parts.pop()
    if not 1 <= len(parts) <= _MAX_PARTS or (strict and any(map(is_phrase, parts))):
        return NO_WORDS
    if len(parts) == 1 and not parts[0].isascii() and not is_country(parts[0]):
        return _words_of_han(parts[0])
    *rest, last = parts
    if rest and name_key(last) == COUNTRY_OR_REGION:
        return PlaceWords(city=_town(rest[-1:]))
    if is_country(last) and name_key(last) != COUNTRY_OR_REGION:
        return _inside(rest, last)
    if is_region(last) and rest and not any(map(is_country, rest)):
        return PlaceWords(region=last, city=_town(rest[-1:]))
    return _from_country(parts) if rest and is_country(parts[0]) else NO_WORDS


def _inside(rest: list[str], country: str) -> PlaceWords:
    if rest and name_key(rest[-1]) not in _INNER and is_of_state(rest[-1], country):
        *rest, country = rest  # Saint-Denis, Réunion, France
    if any(is_country(part) and not _may_hold(part, country) for part in rest):
        return NO_WORDS  # a list of countries
    region = None
    if rest and (_is_region_of(rest[-1], country) or rest[-2:-1] == rest[-1:]):
        region = rest.pop()
    return PlaceWords(country, region, _town(rest[-1:]) if region or len(rest) == 1 else None)


def _is_region_of(words: str, country: str) -> bool:
    if name_key(words) == COUNTRY_OR_REGION:
        return name_key(country) in _UNITED_STATES
    return is_region(words) or _AREA_WORD.search(words) is not None


def _may_hold(words: str, country: str) -> bool:
    """Whether a country's name beside another is a town or a part of it: "Hong Kong, China"."""
    key = name_key(words)
    if key in _INNER or key == name_key(country) or _is_region_of(words, country):
        return True
    return is_of_state(words, country)


def _from_country(parts: list[str]) -> PlaceWords:
    """From the largest to the smallest: "China, Yunnan, Kunming"."""
    country, *rest = parts
    if any(is_country(part) for part in rest) or not all(map(is_name, rest)):
        return NO_WORDS
    if len(rest) > 1:
        return PlaceWords(country, rest[0], _town(rest[1:2]))
    han = _HAN_REST.fullmatch(rest[0])
    if han and han["region"]:  # 日本、北海道札幌市
        return PlaceWords(country, han["region"], han["city"])
    area = is_region(rest[0]) or _AREA_WORD.search(rest[0])
    return PlaceWords(country, rest[0] if area else None, None if area else _town(rest))


def _town(names: list[str]) -> str | None:
    """The name as a town's; None where it may be something else."""
    name = names[0] if names else ""
    if not is_name(name) or describes(name) or JOINED.search(name) or begins_with_direction(name):
        return None
    return None if is_region(name) or _SIGHT.search(name) or _AREA_WORD.search(name) else name


def _words_of_semicolons(value: str) -> PlaceWords:
    parts = []
    for part in _SEMICOLON.split(value)[: _MAX_PARTS + 1]:
        cleaned = clean_value(part)
        parts.append((parts_of(cleaned) or [""])[0] if cleaned else "")
    if not 2 <= len(parts) <= _MAX_PARTS or not all(map(is_name, parts)):
        return NO_WORDS
    countries = [is_country(part) for part in parts]
    if countries[-1] and not countries[0]:
        parts.reverse()
    elif not countries[0] or any(
        is_country(part) and not _may_hold(part, parts[0]) for part in parts[1:]
    ):
        return NO_WORDS
    return PlaceWords(parts[0], parts[1], parts[2] if len(parts) > 2 else None)


def _words_of_han(words: str) -> PlaceWords:
    """Chinese names, which stand together from the largest to the smallest: 中国云南省昆明市."""
    names = _HAN_GAP.split(words)
    if len(names) > 1 and is_country(names[0]):
        return _from_country(names) if len(names) <= 3 else PlaceWords(names[0])
    for length in range(min(_LONGEST_HAN_COUNTRY, len(words) - 1), 1, -1):
        if is_country(words[:length]):
            rest = _HAN_REST.fullmatch(words, length)
            return PlaceWords(words[:length], rest["region"], rest["city"]) if rest else NO_WORDS
    return NO_WORDS
