"""Whether words name a city or a region of GeoNames, in any of its spellings."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable
from functools import cache

from geostore.places.cities import cities, data_folder, rows_by_id, table_rows
from geostore.places.names import country_of_words
from geostore.places.spelling import plain_words

_OF_A_CITY = "city|town|municipality|metropolitan|urban area|greater|downtown|central|metropolis"
_OF_A_REGION = (
    "state|province|prefecture|region|county|department|departement|oblast|governorate|district"
    "|canton|autonomous community|autonomous region|territory|republic|division|voivodeship"
    "|municipality|special administrative region|capital region|krai|wilaya|emirate|island"
)
_KINDS = {
    "city": (re.compile(rf"\b(?:{_OF_A_CITY})\b|\bof\b|\bthe\b"), "市市区"),
    "region": (re.compile(rf"\b(?:{_OF_A_REGION})\b|\bof\b|\bthe\b"), "省市州县縣都道府區区"),
}


def same_city(words: str, city_id: int) -> bool:
    """Whether `words` name the place with this GeoNames id, or a part of it.

    Case and accents do not matter, nor do words such as ``city of``, nor its region or country
    after a comma. Names in other languages count where GeoNames has them in Latin or Chinese
    letters. An id that the gazetteer does not have is no city.
    """
    row = rows_by_id().get(city_id)
    if row is None:
        return False
    country, region = cities().countries[row], cities().regions[row]
    names = [
        name
        for part in (row, *_parts().get(row, ()))
        for name in (cities().names[part], *_city_names().get(cities().ids[part], ()))
    ]
    return any(
        _names_one(candidate, names, "city")
        for candidate in _alone(words, country=country, region=region)
    )


def same_region(words: str, region: str) -> bool:
    """Whether `words` name the first-order region of this code, such as ``US.CA``.

    As `same_city`, with words such as ``province`` and ``Oblast``.
    """
    country = region.partition(".")[0]
    return any(
        _names_one(candidate, _names_of_region(region), "region")
        for candidate in _alone(words, country=country, region=None)
    )


def _alone(words: str, *, country: str, region: str | None) -> list[str]:
    """The words, and without what follows a comma where that is not another region or country."""
    name, *around = words.split(",")
    for part in around:
        if region is not None and _names_one(part, _names_of_region(region), "region"):
            continue
        named = country_of_words(part)
        elsewhere = named is not None and named != country
        if elsewhere or (region is not None and plain_words(part) in _plain_regions()):
            return [words]
    return [words, name]


def _names_one(words: str, names: Iterable[str], kind: str) -> bool:
    plain = {plain_words(name) for name in names}
    given = plain_words(words)
    return given in plain or _bare(given, kind) in plain | {_bare(name, kind) for name in plain}


def _names_of_region(region: str) -> tuple[str, ...]:
    """Its name, and in the United States also its letters, as in ``Paris, TX``."""
    names = _region_names().get(region)
    country, _, letters = region.partition(".")
    return () if names is None else (names, letters) if country == "US" else (names,)


def _bare(plain: str, kind: str) -> str:
    """A name without the words that say what it is a name of; itself where nothing is left."""
    pattern, endings = _KINDS[kind]
    bare = " ".join(pattern.sub(" ", plain).split())
    if len(bare) > 2 and bare[-1] in endings and ord(bare[0]) >= 0x4E00:
        bare = bare[:-1]
    return bare or plain


@cache
def _parts() -> dict[int, list[int]]:
    """The rows of a city's parts by its own row."""
    parts: dict[int, list[int]] = {}
    for part, whole in enumerate(cities().whole.tolist()):
        if part != whole:
            parts.setdefault(whole, []).append(part)
    return parts


@cache
def _city_names() -> dict[int, tuple[str, ...]]:
    text = lzma.decompress((data_folder() / "city_names.tsv.xz").read_bytes()).decode()
    return {int(city_id): tuple(names.split("|")) for city_id, names in table_rows(text)}


@cache
def _region_names() -> dict[str, str]:
    text = lzma.decompress((data_folder() / "regions.tsv.xz").read_bytes()).decode()
    return dict(table_rows(text))


@cache
def _plain_regions() -> frozenset[str]:
    """The names of all regions, also those of the United States by their letters."""
    return frozenset(
        plain_words(name) for region in _region_names() for name in _names_of_region(region)
    )
