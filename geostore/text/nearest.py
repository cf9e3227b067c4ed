"""Finds the name that a misspelt one may mean."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`` (did you mean ...?)`` with the most similar name; empty where none is similar."""
    by_lower = {other.lower(): other for other in sorted(names, reverse=True)}
    like = get_close_matches(name.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[like[0]]}?)" if like else ""
