"""Keeps secrets out of every text that quotes a server, which may repeat what it was sent."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote, unquote_plus

MASK = "[key]"
"""What stands in the place of a secret."""

_SHORTEST_SECRET = 4
"""Characters. A shorter value is no secret, and masking it would garble every message."""


class Mask:
    """The secrets of a run, whose number grows where a key is read anew."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Hide these as well."""
        # The longest first, because one may be a part of another.
        known = {*self._secrets, *filter(None, secrets)}
        self._secrets = sorted(known, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """The text with `MASK` in the place of each secret."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text


def forms_of(value: str, *, shortest: int = _SHORTEST_SECRET) -> set[str]:
    """A secret as it was written, and as a server that quotes it may have read it.

    shortest: characters below which it is none.
    """
    forms = {value, unquote(value), unquote_plus(value)}
    return {form for form in forms if len(form) >= shortest}
