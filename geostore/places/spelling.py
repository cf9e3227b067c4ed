"""Names without what spellings differ in, so that they can be compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

SMALL_LETTERS: Mapping[str, str] = MappingProxyType(
    {"ł": "l", "đ": "d", "ø": "o", "ı": "i", "ħ": "h", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe",
     "ə": "e"}
)  # fmt: skip
"""Small letters that Unicode takes no accent off, in letters from a to z."""

_SPELT_OUT = str.maketrans({**SMALL_LETTERS, "&": " and "})
_ACCENTS = re.compile("[\u0300-\u036f]")
_DROPPED = re.compile(r"['’‘ʻʼ`´.·]")


def plain_words(text: str) -> str:
    """`text` in small letters without accents, points and marks; words with a blank between.

    ``St.`` reads as ``saint``. Letters of every script stay.
    """
    letters = unicodedata.normalize("NFKD", text.casefold()).translate(_SPELT_OUT)
    letters = unicodedata.normalize("NFC", _DROPPED.sub("", _ACCENTS.sub("", letters)))
    # Letters, numbers, and the marks that scripts such as Devanagari write vowels with.
    spaced = "".join(
        letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in letters
    )
    return " ".join("saint" if word == "st" else word for word in spaced.split())
