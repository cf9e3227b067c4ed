"""Reads the JSON of trace files: one object, a list of them, or one in each line.

Older scripts and other programs write what strict JSON does not know: NaN, a mark of
byte order at the start, numbers of any length. None of it makes a trace unreadable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from geostore.identity import sha256_hex
from geostore.importing.documents import BadFile, kind_of

_PACKED = (
    (b"\x1f\x8b", "gunzip -k"),
    (b"BZh", "bunzip2 -k"),
    (b"\xfd7zXZ", "unxz -k"),
    (b"\x28\xb5\x2f\xfd", "unzstd"),
    (b"PK\x03\x04", "unzip"),
)
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_MOST_DIGITS = 20  # of a number of 64 bits

Document = tuple[str, "dict[str, Any] | BadFile"]
"""Where it stands in its file ("" for the whole file), and the object or what is wrong with it."""


def load_document(data: bytes) -> dict[str, Any]:
    """The JSON object in some bytes. Raises BadFile for anything else.

    NaN and infinity, which Python's json writes, are read as null, and a whole number
    of more than 64 bits as text, because its digits would be lost otherwise.
    """
    return _object(_load(data))


def document_sha256(document: dict[str, Any]) -> str:
    """The hash of one of several objects in a file. Raises BadFile for one nested too deeply."""
    try:
        return sha256_hex(orjson.dumps(document))
    except TypeError as error:
        raise BadFile(
            "malformed", "it cannot be read: its members are nested too deeply"
        ) from error


def load_documents(data: bytes) -> list[Document]:
    """Every JSON object in a file, in order: one, those of a list, or one of each line.

    An entry that is none is its error. Raises BadFile where the whole file is none.
    """
    try:
        value = _load(data)
    except BadFile as error:
        lines = list(_lines(data))
        if len(lines) < 2 or not any(isinstance(entry, dict) for _, entry in lines):
            raise error from None
        return lines
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return [(f"[{place}]", _entry(entry)) for place, entry in enumerate(value)]
    return [("", _object(value))]


def _lines(data: bytes) -> Iterator[Document]:
    # Only line feeds end a line: JSON may hold other separators of lines inside a text.
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            try:
                yield f":{number}", load_document(line)
            except BadFile as error:
                yield f":{number}", error


def _entry(value: Any) -> dict[str, Any] | BadFile:
    try:
        return _object(value)
    except BadFile as error:
        return error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadFile("no_trace", f"it holds {kind_of(value)} and not an object")
    return value


def _load(data: bytes) -> Any:
    if not data.strip():
        raise BadFile("not_json", "the file is empty")
    for start, command in _PACKED:
        if data.startswith(start):
            raise BadFile("packed", f"it is packed; unpack it first, for example with {command}")
    try:
        if not _LONG_NUMBER.search(data):
            return orjson.loads(data)
        strict = None
    except orjson.JSONDecodeError as error:
        strict = error
    try:
        # Dumped and loaded again to refuse what SQLite cannot hold: half a surrogate pair.
        return orjson.loads(orjson.dumps(json.loads(data, parse_int=_whole)))
    except UnicodeDecodeError as error:
        raise BadFile("not_json", f"it is no JSON: its bytes are no UTF-8 ({error})") from error
    except TypeError as error:
        raise BadFile("not_json", f"it is no JSON: a text in it is no Unicode ({error})") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise BadFile("not_json", f"it is no JSON: {strict or error}") from error


def _whole(digits: str) -> int | str:
    if len(digits) > _MOST_DIGITS or not -(2**63) <= int(digits) < 2**64:
        return digits
    return int(digits)
