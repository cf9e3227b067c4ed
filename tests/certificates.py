"""Certificates for servers on loopback, made when a test asks for them and gone with the tests."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme


@cache
def _folder() -> TemporaryDirectory[str]:
    # The folder is removed when the cache lets go of this object, at the process's end.
    return TemporaryDirectory(prefix="geostore-certificates-")


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def trusted_file() -> Path:
    """The authority's certificate, which whoever is to trust `server_context` reads."""
    return _written(_authority(), "trusted.pem")


@cache
def other_file() -> Path:
    """The certificate of an authority that signed nothing here."""
    return _written(trustme.CA(), "other.pem")


@cache
def server_context() -> ssl.SSLContext:
    """TLS of a server that is localhost, 127.0.0.1 and teacher.invalid."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = _authority().issue_cert("localhost", "127.0.0.1", "teacher.invalid")
    issued.configure_cert(context)
    return context


def _written(authority: trustme.CA, name: str) -> Path:
    path = Path(_folder().name, name)
    authority.cert_pem.write_to_path(str(path))
    return path
