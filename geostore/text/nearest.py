"""Finds the name that a misspelt one may mean."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

_LISTED = 12
"""Names that a sentence lists."""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`` (did you mean ...?)`` with the most similar name; empty where none is similar.

    A name such as ``preset:globe`` is also found by what stands behind its colon.
    """
    ordered = sorted(names, reverse=True)
    by_lower = {other.lower().rpartition(":")[2]: other for other in ordered}
    by_lower |= {other.lower(): other for other in ordered}
    like = get_close_matches(name.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[like[0]]}?)" if like else ""


def listed(names: Iterable[str], *, like: str) -> str:
    """Names in a sentence; of many only the most similar, and how many others there are.

    Such as ``a, b, c and 497 more``, and ``none``.
    """
    ordered = list(names)
    if len(ordered) <= _LISTED:
        return ", ".join(ordered) or "none"
    wanted = like.lower()
    nearest = sorted(
        ordered, key=lambda name: SequenceMatcher(None, wanted, name.lower()).ratio(), reverse=True
    )
    return f"{', '.join(nearest[:_LISTED])} and {len(ordered) - _LISTED:,} more"
