"""Canonical JSON and content hashes: the same content has the same name everywhere.

Canonical JSON is compact, has its keys sorted, and is UTF-8. A hash is sha256 in
lower-case hex, of bytes as they are or of a value's canonical JSON.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def canonical_json(value: Any) -> bytes:
    """Serialise `value` (dicts with str keys, lists, str, int, float, bool, None).

    Raises TypeError for any other type, for a lone surrogate in a string and for
    an integer past 64 bits. NaN and infinity become null, since JSON has neither;
    a caller that must keep them apart refuses them first.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def canonical_text(value: Any) -> str:
    """`canonical_json` as str, for a text column."""
    return canonical_json(value).decode()


def sha256_hex(data: bytes) -> str:
    """Sha256 of `data` in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def content_hash(value: Any) -> str:
    """Sha256 in hex of the canonical JSON of `value`."""
    return sha256_hex(canonical_json(value))
