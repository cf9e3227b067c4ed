"""Reads a base URL: what is sent, and what of it may be stored and shown.

A name, a password and a query (``?key=...``) in it are secrets. They go out with
each request, and stand in no row, log or message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote, unquote_plus, urlsplit, urlunsplit

_SHORTEST_SECRET = 4
"""Characters. A shorter value is no secret, and masking it would garble every message."""

_SHORTEST_PAIR = 3
"""Characters of ``name=value``, which is masked even where the value alone is too short."""


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL in parts."""

    shown: str
    """Up to and including ``/v1``, without secrets: what messages name."""

    base: str = field(repr=False)
    """The same with its name and password: what the client is given."""

    query: str = field(repr=False)
    """What stands after the question mark, as it was written; empty without one."""

    is_local: bool
    """Whether it names this machine by a loopback address; no proxy can reach that."""

    secrets: tuple[str, ...] = field(repr=False)
    """What a message that quotes a server must not hold, the longest first."""

    @classmethod
    def of(cls, url: str) -> Address:
        """Read a base URL."""
        parts = urlsplit(url)
        return cls(
            shown=without_secrets(url),
            base=urlunsplit(parts._replace(query="", fragment="")),
            query=parts.query,
            is_local=_is_local(parts.hostname or ""),
            secrets=_secrets(parts.username, parts.password, parts.query),
        )


def without_secrets(url: str) -> str:
    """A URL without the name and password before its host, its query and its fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="", fragment=""))


def _is_local(host: str) -> bool:
    name = host.lower().removesuffix(".")
    # RFC 6761, section 6.3: every name under localhost is a loopback address.
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    # Servers print 0.0.0.0 as their address, and a connection to it stays on this machine.
    return (mapped or address).is_loopback or address.is_unspecified


def _secrets(name: str | None, password: str | None, query: str) -> tuple[str, ...]:
    pairs = query.replace(";", "&").split("&")
    # A token in the place of a name, as in https://TOKEN@host, is the secret itself.
    values = [password or name or "", *(pair.partition("=")[2] for pair in pairs)]
    secrets = {form for value in values for form in _forms(value) if len(form) >= _SHORTEST_SECRET}
    for text in (query, *pairs):
        secrets |= {form for form in _forms(text) if len(form) >= _SHORTEST_PAIR}
    return tuple(sorted(secrets, key=len, reverse=True))


def _forms(text: str) -> set[str]:
    """The text as it was written, and as a server that quotes it may have read it."""
    return {text, unquote(text), unquote_plus(text)}
