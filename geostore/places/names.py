"""Countries by name: which one a text names, and what it is called in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from geostore.places.cities import data_folder, table_rows
from geostore.places.spelling import plain_words
from geostore.places.territories import belongs_to

REMARK = re.compile(r"[(\[（【]([^()\[\]（）【】]{0,60})[)\]）】]")
"""A remark in parentheses."""
_CODE = re.compile(r"[A-Z]{2,3}")
_NEW = re.compile(r"\bnew(?: \w+){1,2}", re.IGNORECASE)
"""New South Wales and New Mexico, of which the last word names no country."""
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_FIRST_OF_FLAGS = 0x1F1E6
_NO_COUNTRY = re.compile(
    r"(?:the |an? )?(?:us |u\.s\. |american )?(?:state|province|county|city|town)", re.IGNORECASE
)


def country_of_words(text: str) -> str | None:
    """The ISO 3166-1 alpha-2 code of the country that a text names and nothing else; else None.

    It may be a code (alpha-2 or alpha-3), a flag, the English name or a common variant of it, a
    Chinese name, a name in a language of the country or in one of many speakers. Case, accents,
    marks around it and ``the`` do not matter, nor does a remark in parentheses unless it names
    another place or says that the name is no country's, nor does the country or state that
    it belongs to, behind a comma.
    """
    whole = _country_named(text)
    remarks = REMARK.findall(text)
    if whole is not None:
        return whole
    if not remarks:
        return _before_its_state(text)
    if any(_NO_COUNTRY.fullmatch(remark.strip()) for remark in remarks):
        return None
    bare = REMARK.sub(" ", text)
    for remark in remarks:
        # "Korea (South)" and "Ireland (Northern)" have their name only with the remark.
        full = _country_named(f"{remark} {bare}")
        if full is not None:
            return full
    country = _country_named(bare) or _before_its_state(bare)
    others = {named for remark in remarks for named in _countries_in(remark)}
    return country if all(country and belongs_to(country, other) for other in others) else None


def country_name(code: str) -> str:
    """The English name of an ISO 3166-1 alpha-2 code, as GeoNames has it; else the code itself."""
    return _english_names().get(code, code)


def _country_named(text: str) -> str | None:
    by_name = _codes_by_name()
    plain = plain_words(text)
    flags = _FLAG.findall(text)
    if not plain and len(flags) == 1:
        plain = "".join(chr(ord(letter) - _FIRST_OF_FLAGS + ord("a")) for letter in flags[0])
    # "The Gambia", and "Bahamas, The".
    bare = plain.removeprefix("the ").removesuffix(" the")
    return by_name.get(plain) or by_name.get(bare)


def _before_its_state(text: str) -> str | None:
    """``Scotland, UK`` and ``Réunion, France``: the first of two, which is the second or in it."""
    first, comma, second = text.replace("，", ",").partition(",")
    country, state = _country_named(first), _country_named(second) if comma else None
    return country if country is not None and belongs_to(country, state) else None


def _countries_in(remark: str) -> Iterator[str]:
    """Countries that a remark names: as a whole, or by a word, or by a code in capitals."""
    words = re.findall(r"\w+", _NEW.sub(" ", remark))
    for part in (remark, *words):
        if len(part) > 3 or _CODE.fullmatch(part):
            country = _country_named(part)
            if country is not None:
                yield country


@cache
def _rows() -> tuple[tuple[str, str, str, str], ...]:
    text = (data_folder() / "countries.tsv").read_text(encoding="utf-8")
    return tuple((code, alpha3, name, others) for code, alpha3, name, others in table_rows(text))


@cache
def _english_names() -> dict[str, str]:
    return {code: name for code, _, name, _ in _rows()}


@cache
def _codes_by_name() -> dict[str, str]:
    """From every name in plain words; a code counts where no country has it as a name."""
    codes = {key.lower(): code for code, alpha3, _, _ in _rows() for key in (code, alpha3)}
    names = {
        plain_words(name).removeprefix("the "): code
        for code, _, english, others in _rows()
        for name in (english, *others.split("|"))
        if name
    }
    return codes | names
