"""Compares the rows of an export with the lines of its index, which `geostore import` needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from geostore.export.files.row_hash import row_sha256
from geostore.export.files.row_images import count_replies
from geostore.export.files.row_index import INDEX
from geostore.export.files.row_reader import Row


class IndexCheck:
    """Looks whether each row has its line. stated: lines that the manifest says; 0: no index."""

    def __init__(self, folder: Path, stated: int) -> None:
        self._stated = stated
        self._lines: dict[tuple[str, int], tuple[int, str]] = {}
        """From a row's file and number to the turns of its trace, and the hash of the row."""
        self._problems: list[str] = []
        if stated:
            try:
                with (folder / INDEX).open("rb") as lines:
                    self._read(lines)
            except OSError:
                self._stated = 0  # its lines cannot be missed one by one
                self._problems.append(f"{INDEX} is missing, so the rows cannot be imported")

    def _read(self, lines: Any) -> None:
        traces: set[str] = set()
        for number, line in enumerate(lines, start=1):
            try:
                entry = orjson.loads(line)
                name = str(entry["metadata"]["trace"])
                line_of_row = len(entry["turns"]), str(entry["row_sha256"])
                self._lines[entry["file"], entry["row"]] = line_of_row
            except (LookupError, TypeError, ValueError):
                self._problems.append(f"{INDEX}, line {number}, is about no row")
                continue
            if name in traces:
                self._problems.append(f"{INDEX}, line {number}, is about {name} once more")
            traces.add(name)

    def of_row(self, row: Row, *, compare: bool) -> Iterator[str]:
        """What is wrong with a row. compare: also what it says with the hash in its line."""
        if not self._stated:
            return
        line = self._lines.pop((row.file, row.number), None)
        if line is None:
            yield f"{row.place}: {INDEX} has no line about it"
            return
        turns, sha256 = line
        if (replies := count_replies(row.values)) != turns:
            yield f"{row.place}: {replies} replies, and {INDEX} says {turns}"
        elif compare and row_sha256(row.values) != sha256:
            yield f"{row.place}: its words or images are not those of its line in {INDEX}"

    def at_end(self) -> Iterator[str]:
        """What is wrong with the index, when all rows were read."""
        yield from self._problems
        for file, number in self._lines:
            yield f"{INDEX} is about {file}, row {number}, which is not there"


def wrong_name(name: str, sha256: str) -> str | None:
    """Why an image's file is not what its name says; None where it is. sha256: of its bytes."""
    path = Path(name)
    is_hash = len(path.stem) == 64 and path.parts[0] == "images"
    if is_hash and path.stem != sha256:
        return f"{name} holds another image than its name says"
    return None


def stated_lines(manifest: Mapping[str, Any]) -> int:
    """The lines of an index that a manifest says."""
    counts = manifest.get("counts")
    lines = counts.get("indexed") if isinstance(counts, dict) else None
    return lines if isinstance(lines, int) else 0
