"""Reads the rows of an export back from its files, one at a time, whatever the format."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from geostore.dataset.packed import packed_batches
from geostore.export.files.folder import listed_files

_LISTS = frozenset({"dataset_info.json", "dataset_dict.json", "state.json"})
"""JSON files of exports that hold no rows."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of an export, or why one cannot be read."""

    file: str
    """Its file, with ``/``, from the export's folder."""
    number: int
    """Its number in the file, from 1."""
    values: dict[str, Any]
    """Its columns; empty where there is a problem."""
    problem: str | None = None
    """What is wrong with it; None where it could be read."""

    @property
    def place(self) -> str:
        """Where it stands, such as ``train.jsonl, row 3``."""
        return f"{self.file}, row {self.number}"


def read_rows(folder: Path) -> Iterator[Row]:
    """The rows of an export, file by file in the order of SHA256SUMS; missing files have none."""
    for _, name in listed_files(folder):
        if not (folder / name).is_file():
            continue
        number = 0
        try:
            for number, values in enumerate(_values(folder / name, name), start=1):
                if isinstance(values, dict):
                    yield Row(name, number, values)
                else:
                    yield Row(name, number, {}, "is no object")
        except (ValueError, EOFError, zlib.error, OSError) as error:
            # What a damaged file can hold.
            why = next(iter(str(error).splitlines()), type(error).__name__)
            yield Row(name, number + 1, {}, f"cannot be read: {why}")


def _values(path: Path, name: str) -> Iterator[Any]:
    parts = Path(name).name.split(".")
    if "jsonl" in parts[1:]:
        with _lines(path) as stream:
            for line in stream:
                yield orjson.loads(line)
    elif parts[-1] in ("parquet", "arrow"):
        for batch in packed_batches(str(path)):
            yield from batch.to_pylist()
    elif parts[-1] == "json" and parts[0].startswith("trace_") and Path(name).name not in _LISTS:
        yield orjson.loads(path.read_bytes())


@contextmanager
def _lines(path: Path) -> Iterator[BinaryIO | io.BufferedReader]:
    if path.suffix == ".gz":
        with gzip.open(path) as stream:
            yield stream  # type: ignore[misc]  # it gives lines of bytes
    elif path.suffix == ".zst":
        import pyarrow

        with pyarrow.OSFile(str(path)) as file, pyarrow.CompressedInputStream(file, "zstd") as data:
            yield io.BufferedReader(data)
    else:
        with path.open("rb") as stream:
            yield stream
