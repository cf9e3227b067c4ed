"""Rows of Arrow and Parquet files of an export, each as the line of JSON that would hold it.

So a row of a dataset or of Parquet is read, hashed and remembered as a line of JSONL is. An image
becomes a data URL, where its place stands in the messages.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from geostore.dataset.packed import count_packed_rows, packed_batches
from geostore.importing.documents import BadFile

if TYPE_CHECKING:
    import pyarrow

PACKED = re.compile(r"\.(arrow|parquet)\Z")
"""The names of such files."""

_MAGIC = ((b"\x89PNG", "image/png"), (b"RIFF", "image/webp"))


class PackedRows:
    """Reads one row after another; keeps the place in the last file."""

    def __init__(self) -> None:
        self._path: str | None = None
        self._batches: Iterator[pyarrow.RecordBatch] = iter(())
        self._batch: pyarrow.RecordBatch | None = None
        self._before = 0
        """Rows before the batch."""

    def row(self, path: str, number: int) -> bytes:
        """A row by its number from 1. Raises BadFile, OSError where it cannot be read."""
        if path != self._path or number <= self._before:
            self._path, self._batches = path, _batches(path)
            self._batch, self._before = None, 0
        while self._batch is None or number > self._before + self._batch.num_rows:
            self._before += 0 if self._batch is None else self._batch.num_rows
            self._batch = next(self._batches, None)
            if self._batch is None:
                raise BadFile("unreadable", f"{path} has no row {number} any more")
        return _json_of(self._batch, number - self._before - 1)


def packed_rows(path: str) -> Iterator[bytes]:
    """The rows of a file as JSON. Raises BadFile, OSError where it cannot be read."""
    for batch in _batches(path):
        for number in range(batch.num_rows):
            yield _json_of(batch, number)


def count_rows(path: str) -> int:
    """How many rows a file has; 0 where it cannot be read."""
    try:
        return count_packed_rows(path)
    except (ValueError, OSError):
        return 0


def _batches(path: str) -> Iterator[pyarrow.RecordBatch]:
    try:
        yield from packed_batches(path)
    except ValueError as error:
        raise BadFile("unreadable", f"it cannot be read: {error}") from error


def _json_of(batch: pyarrow.RecordBatch, number: int) -> bytes:
    """A row of a batch by its number from 0."""
    try:
        return _as_json(batch.slice(number, 1).to_pylist()[0])
    except (ValueError, TypeError, LookupError) as error:
        raise BadFile("unreadable", f"it cannot be read: {error}") from error


def _as_json(row: dict[str, Any]) -> bytes:
    messages = [
        _parsed(message) for message in row.get("messages") or row.get("conversations") or ()
    ]
    images = [_image_part(image) for image in row.get("images") or ()]
    waiting = iter(images)
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            message["content"] = [
                next(waiting, part)
                if isinstance(part, dict) and part.get("type") == "image"
                else part
                for part in content
            ]
    # Where places stand in the text, the images are taken from here.
    urls = [part["image_url"]["url"] for part in waiting]
    tools = [_parsed(tool) for tool in row.get("tools") or ()]
    members = {"trace": row.get("trace"), "messages": messages, "images": urls, "tools": tools}
    return orjson.dumps(members, default=repr)


def _parsed(value: Any) -> Any:
    """A message; some columns hold it as JSON."""
    if isinstance(value, str):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _image_part(image: Any) -> dict[str, Any]:
    image = _parsed(image)
    if not isinstance(image, dict):
        return {"type": "image_url", "image_url": {"url": ""}}
    data = image.get("bytes")
    if isinstance(data, bytes):
        mime = next((name for magic, name in _MAGIC if data.startswith(magic)), "image/jpeg")
        url = f"data:{mime};base64,{base64.b64encode(data).decode()}"
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "image_url", "image_url": {"url": str(image.get("url") or image.get("path"))}}
