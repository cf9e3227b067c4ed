"""Whether words name a city or a region of GeoNames, in any of its spellings."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable
from functools import cache, lru_cache

from geostore.places.cities import cities, data_folder, rows_by_id, table_rows
from geostore.places.names import REMARK, country_of_words
from geostore.places.region_variants import CITY_STATES, REGION_VARIANTS
from geostore.places.spelling import plain_words
from geostore.places.territories import belongs_to

_OF_A_CITY = "city|town|municipality|metropolitan|urban area|greater|downtown|central|metropolis"
_OF_A_REGION = (
    "state|province|prefecture|region|county|department|departement|oblast|governorate|district"
    "|canton|autonomous community|autonomous region|territory|republic|division|voivodeship"
    "|municipality|special administrative region|capital region|krai|wilaya|emirate|island"
    "|freistaat|free state|estado|provincia|comunidad|regione|provincie|land|ken|de|di"
)
_THE = re.compile(r"\b(?:of|the)\b")
_UMLAUT = re.compile("(?<=[aou])e")
"""Of the spelling Zuerich."""
_HAN = "\u4e00"
_KINDS = {
    "city": (re.compile(rf"\b(?:{_OF_A_CITY})\b|\bof\b|\bthe\b"), "市市区"),
    "region": (re.compile(rf"\b(?:{_OF_A_REGION})\b|\bof\b|\bthe\b"), "省市州县縣都道府區区"),
}


def same_city(words: str, city_id: int) -> bool:
    """Whether `words` name the place with this GeoNames id, or a part of it.

    Case and accents do not matter, nor do words such as ``city of``, nor its region or country
    after a comma or in parentheses, nor whether Zürich is written Zuerich. Names in other
    languages count where GeoNames has them in Latin or Chinese letters. An id that the
    gazetteer does not have is no city.
    """
    row = rows_by_id().get(city_id)
    if row is None:
        return False
    names, country, region = _names_of_city(row), cities().countries[row], cities().regions[row]
    return any(names.fit(candidate) for candidate in _alone(words, country=country, region=region))


def same_region(words: str, region: str) -> bool:
    """Whether `words` name the first-order region of this code, such as ``US.CA``.

    As `same_city`, with words such as ``province`` and ``Oblast``. The country's own name is right
    for a region of a city-state such as Singapore.
    """
    names, country = _names_of_region(region), region.partition(".")[0]
    if country in CITY_STATES and country_of_words(words) == country:
        return True
    for candidate in _alone(words, country=country, region=region):
        # "Moscow Oblast" is another region than "Moscow".
        named = _regions_by_name().get((country, plain_words(candidate)))
        if region in named if named else names.fit(candidate):
            return True
    return False


class _Names:
    """The names of one place in plain words, whole and without what says what they are of."""

    def __init__(self, names: Iterable[str], kind: str) -> None:
        self._kind = kind
        self._whole = {plain_words(name) for name in names}
        # "Kansas" is not Kansas City, but "Bavaria" is the state of Bavaria.
        bare_of = _bare if kind == "region" else _bare_city
        self._bare = self._whole | {bare_of(name, kind) for name in self._whole}

    def fit(self, words: str) -> bool:
        plain = plain_words(words)
        return any(
            spelling in self._whole or _bare(spelling, self._kind) in self._bare
            for spelling in dict.fromkeys((plain, _UMLAUT.sub("", plain)))
        )


def _alone(words: str, *, country: str, region: str | None) -> list[str]:
    """The words, and without what follows a comma or stands in parentheses.

    The words alone where that is another region or country.
    """
    name, *around = REMARK.sub(" ", words).split(",")
    for remark in REMARK.findall(words):
        around += remark.split(",")
    for part in around:
        if region is not None and _names_of_region(region).fit(part):
            continue
        named = country_of_words(part)
        if named is not None and belongs_to(country, named):
            continue
        if named is not None or (region is not None and plain_words(part) in _plain_region_names()):
            return [words]
    return [words, name]


@lru_cache(maxsize=4096)
def _names_of_city(row: int) -> _Names:
    """Of the city in a row and of its parts."""
    rows = (row, *_parts().get(row, ()))
    names = [cities().names[part] for part in rows]
    for part in rows:
        names += _other_city_names().get(cities().ids[part], ())
    return _Names(names, "city")


@cache
def _names_of_region(region: str) -> _Names:
    return _Names(_region_names().get(region, ()), "region")


def _bare(plain: str, kind: str) -> str:
    """A name without the words that say what it is a name of; itself where nothing is left."""
    pattern, endings = _KINDS[kind]
    bare = " ".join(pattern.sub(" ", plain).split())
    if len(bare) > 2 and bare[-1] in endings and bare[0] >= _HAN:
        bare = bare[:-1]
    return bare or plain


def _bare_city(plain: str, kind: str) -> str:
    """A city's name without ``the`` and 市, which no other place's name differs by."""
    if plain[:1] >= _HAN:
        return _bare(plain, kind)
    return " ".join(_THE.sub(" ", plain).split()) or plain


@cache
def _parts() -> dict[int, list[int]]:
    """The rows of a city's parts by its own row."""
    parts: dict[int, list[int]] = {}
    for part, whole in enumerate(cities().whole.tolist()):
        if part != whole:
            parts.setdefault(whole, []).append(part)
    return parts


@cache
def _other_city_names() -> dict[int, list[str]]:
    text = lzma.decompress((data_folder() / "city_names.tsv.xz").read_bytes()).decode()
    return {int(city_id): names.split("|") for city_id, names in table_rows(text)}


@cache
def _region_names() -> dict[str, list[str]]:
    """All names of each region; in the United States also its letters, as in ``Paris, TX``."""
    text = lzma.decompress((data_folder() / "regions.tsv.xz").read_bytes()).decode()
    names = {}
    for region, name, others in table_rows(text):
        names[region] = [name, *(other for other in others.split("|") if other)]
        if region.startswith("US."):
            names[region].append(region.removeprefix("US."))
    for region, variants in REGION_VARIANTS.items():
        names.setdefault(region, []).extend(variants.split("|"))
    return names


@cache
def _regions_by_name() -> dict[tuple[str, str], set[str]]:
    """The regions of a country that have a name, in plain words."""
    regions: dict[tuple[str, str], set[str]] = {}
    for region, names in _region_names().items():
        for name in names:
            regions.setdefault((region.partition(".")[0], plain_words(name)), set()).add(region)
    return regions


@cache
def _plain_region_names() -> frozenset[str]:
    return frozenset(name for _, name in _regions_by_name())
