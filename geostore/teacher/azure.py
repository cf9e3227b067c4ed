"""Knows what is peculiar to Azure's addresses: a version in the query, a header for the key.

Sources: Azure's reference of chat completions (``/openai/deployments/NAME`` with
api-version, ``/openai/v1`` without) and of Foundry's models (``/models``). A key goes in
``api-key``; a token of Entra goes in ``Authorization``, as everywhere.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from geostore.errors import TeacherUnusable
from geostore.teacher.address import API_VERSION, Address
from geostore.teacher.travel import Travel

_HOST = re.compile(r"\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)\.?$")
_NEEDS_VERSION = re.compile(r"/(openai/deployments/[^/]+|models)/*$")


def is_azure(address: Address) -> bool:
    """Whether an address is one of Azure's, by the name of its host."""
    return _HOST.search(urlsplit(address.shown).hostname or "") is not None


def check_azure(address: Address, travel: Travel) -> None:
    """Raise TeacherUnusable, with what to write, where Azure would answer only "not found"."""
    if not is_azure(address):
        return
    path = urlsplit(address.shown).path
    begin = address.shown.removesuffix(path)
    if path.rstrip("/") in ("", "/openai"):
        raise TeacherUnusable(
            f"the base URL {address.shown} names no deployment; write {begin}/openai/v1, or "
            f"{begin}/openai/deployments/NAME with --query-param {API_VERSION}=... "
            "(see --base-url)",
            error_class="refused",
        )
    names = {name for name, _ in (*parse_qsl(address.query, True), *travel.query)}
    if _NEEDS_VERSION.search(path) and API_VERSION not in names:
        raise TeacherUnusable(
            f"Azure wants an {API_VERSION} with {address.shown}; add --query-param "
            f"{API_VERSION}=2024-10-21, or the version that its portal names",
            error_class="refused",
        )
