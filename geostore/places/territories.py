"""Territories with a code of their own, and the states by whose name people speak of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TERRITORIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "AU": ("CC", "CX", "NF"),
        "CN": ("HK", "MO", "TW"),
        "DK": ("FO", "GL"),
        "FI": ("AX",),
        "FR": ("BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT"),
        "GB": (
            *("AI", "BM", "FK", "GG", "GI", "GS", "IM", "IO", "JE", "KY", "MS", "PN", "SH", "TC"),
            "VG",
        ),
        "MA": ("EH",),
        "NL": ("AW", "BQ", "CW", "SX"),
        "NO": ("BV", "SJ"),
        "NZ": ("CK", "NU", "TK"),
        "RS": ("XK",),
        "US": ("AS", "GU", "MP", "PR", "UM", "VI"),
    }
)
"""Countries of which words may speak by the name of another one, its state's or the one that
claims it: a photo of Guam may be said to be of the United States."""


def belongs_to(country: str, state: str | None) -> bool:
    """Whether a country is this one, or a territory of it (see `TERRITORIES`)."""
    return state is not None and (country == state or country in TERRITORIES.get(state, ()))
