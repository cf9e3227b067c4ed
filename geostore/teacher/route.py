"""Reads which proxy requests go through, and whose certificates are trusted on the way."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit
from urllib.request import getproxies

import httpx2

from geostore.errors import TeacherUnusable
from geostore.teacher.masking import forms_of

NO_PROXY = "none"
"""Stands for no proxy, whatever the environment names."""

_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class Route:
    """How a server is reached. A server on this machine is reached without a proxy."""

    proxy: str | None = field(default=None, repr=False)
    """Its URL, which may hold a name and a password; ``none``: without any; None: as the
    environment says."""

    ca_file: Path | None = None
    """A file of certificates that are trusted in place of the operating system's, or a folder
    of them; None: as the environment says."""

    @classmethod
    def of(cls, proxy: str | None, ca_file: Path | None) -> Route:
        """Read what the user wrote. Raises TeacherUnusable, with what to write."""
        if proxy is not None and proxy != NO_PROXY:
            _check_proxy(proxy)
        route = cls(proxy, ca_file)
        if ca_file is not None:
            try:
                route.tls()
            except OSError as error:  # ssl.SSLError is one
                raise _refused(
                    f"the certificates in {ca_file} cannot be read ({error.strerror or error}); "
                    "it should be a file in PEM form (see --ca-file)"
                ) from error
        return route

    @property
    def is_direct(self) -> bool:
        """Whether no proxy is asked, whatever the environment names."""
        return self.proxy == NO_PROXY

    @property
    def shown(self) -> str | None:
        """The proxy's URL without a name and a password."""
        if self.proxy is None or self.is_direct:
            return self.proxy
        parts = urlsplit(self.proxy)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    @property
    def secrets(self) -> frozenset[str]:
        """What a message must not hold: logins of the proxy, or of those of the environment."""
        if self.is_direct:
            return frozenset()
        proxies = getproxies().values() if self.proxy is None else [self.proxy]
        return frozenset(text for proxy in proxies for text in _login_secrets(proxy))

    def tls(self) -> ssl.SSLContext:
        """What a server's certificate is checked against.

        Raises OSError where the certificates cannot be read.
        """
        if self.ca_file is None:
            return httpx2.create_ssl_context()
        if self.ca_file.is_dir():
            context = ssl.create_default_context(capath=self.ca_file)
        else:
            context = ssl.create_default_context(cafile=self.ca_file)
        # Or the server's own certificate, which is what openssl shows, would not be enough.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context


def _login_secrets(proxy: str) -> Iterator[str]:
    """A proxy's name and password in each form in which a message may quote them.

    proxy: its URL, or what stands in its place in the environment, which nobody has checked.
    """
    login = proxy.rpartition("://")[2].rpartition("@")[0]
    if not login:
        return
    name, _, password = login.partition(":")
    yield from forms_of(login)
    yield from forms_of(password or name)
    # As it goes out in Proxy-Authorization, which a proxy may repeat.
    yield b64encode(unquote(login).encode()).decode()


def _check_proxy(proxy: str) -> None:
    write = "write it as http://HOST:PORT, or none (see --proxy)"
    try:
        parts: SplitResult = urlsplit(proxy)
        is_whole = bool(parts.hostname and parts.port)
    except ValueError:
        raise _refused(f"the proxy has no host and port that can be read; {write}") from None
    # The text is not quoted: it may hold a password in the wrong place.
    if parts.scheme not in _SCHEMES:
        raise _refused(f"the proxy does not begin with {', '.join(_SCHEMES[:-1])}; {write}")
    if not is_whole:
        raise _refused(f"the proxy names no host and port; {write}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise _refused(f"the proxy has something behind its port; {write}")


def _refused(message: str) -> TeacherUnusable:
    return TeacherUnusable(message, error_class="refused")
