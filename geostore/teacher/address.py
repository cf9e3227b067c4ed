"""Reads a base URL: what is sent, what of it may be stored and shown, and what is none.

A name, a password and a query (``?key=...``) in it are secrets. They go out with
each request, and stand in no row, log or message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import httpx2

from geostore.errors import TeacherUnusable
from geostore.teacher.masking import forms_of

API_VERSION = "api-version"
"""The one query parameter that is known to be no secret: Azure's errors speak of its value."""

_SHORTEST_PAIR = 3
"""Characters of ``name=value``, which is masked even where the value alone is too short."""


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL in parts."""

    shown: str
    """Up to and including ``/v1``, without secrets: what messages name."""

    login: tuple[str, str] | None = field(repr=False)
    """Name and password, as they are sent; None without."""

    query: str = field(repr=False)
    """What stands after the question mark, as it was written; empty without one."""

    is_local: bool
    """Whether it names this machine by a loopback address; no proxy can reach that."""

    secrets: tuple[str, ...] = field(repr=False)
    """What a message that quotes a server must not hold, the longest first."""

    @classmethod
    def of(cls, url: str) -> Address:
        """Read a base URL. Spaces, quotes and a final ``/chat/completions`` are taken off.

        Raises TeacherUnusable, with what to write, where it is none.
        """
        parts = _split(url.strip(" \t\r\n\"'"))
        path = re.sub(r"/chat/completions/*$", "", parts.path)
        plain = parts._replace(path=path, query="", fragment="")
        host = parts.netloc.rpartition("@")[2]
        return cls(
            shown=urlunsplit(plain._replace(netloc=host)),
            login=_login(parts),
            query=parts.query,
            is_local=_is_local(parts.hostname or ""),
            secrets=_secrets(parts.username, parts.password, parts.query),
        )


def _split(url: str) -> SplitResult:
    """The parts of a URL that a client can send to. Raises TeacherUnusable."""
    shown = _without_secrets(url)
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise _refused(f"the base URL {shown!r} holds a space; write it without, or %20 for one")
    scheme, separator, rest = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        rest = re.sub(r"^(https?(:|(?=/)))?/*", "", shown, flags=re.IGNORECASE)
        host = re.split(r"[:/]", rest)[0]
        begin = "http" if _is_local(host) or shown[:5].lower() in ("http:", "http/") else "https"
        raise _refused(
            f"the base URL {shown} does not begin with http:// or https://; "
            f"write {begin}://{rest or 'HOST/v1'}"
        )
    if scheme.lower() not in ("http", "https"):
        raise _refused(
            f"the base URL {shown} begins with {scheme}://; "
            "a teacher is asked by http:// or https://"
        )
    if _hides_a_password(rest):
        raise _refused(
            "the password in the base URL holds a /, ? or #; write %2F, %3F or %23 for it"
        )
    try:
        parts = urlsplit(url)
        _ = parts.port
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        raise _refused(
            f"the base URL {shown} has no host and port that can be read; "
            "write it as http://HOST:PORT/v1"
        ) from None
    if not parts.hostname:
        raise _refused(f"the base URL {shown} names no host; write it as {scheme}://HOST/v1")
    return parts


def _hides_a_password(rest: str) -> bool:
    """Whether what is read as host and port is the beginning of a name and password."""
    host = re.split(r"[/?#]", rest)[0]
    after = rest[len(host) :]
    # A query may hold an @ of its own, but where no path stands before it, a password is likelier.
    searched = after.partition("?")[0] if after.startswith("/") else after
    return ":" in host and "@" not in host and not host.startswith("[") and "@" in searched


def _without_secrets(text: str) -> str:
    """A text that may be no URL, without what would be a name, password or query in it."""
    begin, separator, rest = text.partition("://")
    if not separator:
        begin, rest = "", text
    # Whatever stands before an @ may belong to a password, also where that is written wrongly.
    return begin + separator + re.split(r"[?#]", rest.rpartition("@")[2])[0]


def _refused(message: str) -> TeacherUnusable:
    return TeacherUnusable(f"{message} (see --base-url)", error_class="refused")


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


def _login(parts: SplitResult) -> tuple[str, str] | None:
    if not parts.username and not parts.password:
        return None
    return unquote(parts.username or ""), unquote(parts.password or "")


def _secrets(name: str | None, password: str | None, query: str) -> tuple[str, ...]:
    pairs = query.replace(";", "&").split("&")
    hidden = [pair for pair in pairs if pair.partition("=")[0] != API_VERSION]
    # A token in the place of a name, as in https://TOKEN@host, is the secret itself.
    values = [password or name or "", *(pair.partition("=")[2] for pair in hidden)]
    secrets = {form for value in values for form in forms_of(value)}
    for text in (query, *hidden) if any(hidden) else ():
        secrets |= forms_of(text, shortest=_SHORTEST_PAIR)
    return tuple(sorted(secrets, key=len, reverse=True))
