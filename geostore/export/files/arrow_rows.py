"""Files of rows as `datasets.save_to_disk` writes them: a folder for each split."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from geostore.dataset.saved import SPLITS, SavedColumns, SavedSplit, fingerprint_of, splits_file
from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import FileLimits, RowFiles, Sink, WriteRow, row_size
from geostore.export.options import ExportOptions
from geostore.export.stream import ExportedTrace

BATCH_BYTES = 16 * 1024 * 1024
"""About how many bytes of values are written at a time; memory holds a few times as many."""

FILE_BYTES = 500 * 1000 * 1000
"""Bytes of values in a file at most, as in the library's own files."""


@dataclass(slots=True)
class ArrowRows:
    """The rows of a saved dataset, while they are written. Made by `arrow_rows`."""

    files: RowFiles
    """Its files of rows."""
    by_split: dict[str, SavedSplit] = field(default_factory=dict)
    """By name: the splits so far, in the order of their first rows."""

    @property
    def count(self) -> int:
        """Rows so far."""
        return sum(split.rows for split in self.by_split.values())

    def write(self, row: dict[str, Any], exported: ExportedTrace) -> None:
        """Append the row of a trace to its split."""
        self.files.write(row, exported.split, exported.trace)
        name = exported.split or self.files.stem
        written = self.by_split.setdefault(name, SavedSplit(name))
        written.rows += 1
        written.size += row_size(row)


@contextmanager
def arrow_rows(
    folder: ExportFolder, columns: SavedColumns, options: ExportOptions
) -> Iterator[ArrowRows]:
    """A saved dataset in the export: ``train/data.arrow``, or a folder with the name of each split.

    A row is a dict with a value for every column; the option `shard_size` holds.
    `datasets.load_from_disk` reads the export's folder, and `datasets.load_dataset` by its card.
    """
    hashes: dict[str, str] = {}

    @contextmanager
    def open_file(name: str) -> Iterator[WriteRow]:
        with folder.stream(name) as file, columns.writer(Sink(file)) as arrow:
            waiting: list[dict[str, Any]] = []
            size = 0

            def write(row: dict[str, Any]) -> None:
                nonlocal size
                waiting.append(row)
                size += row_size(row)
                if size >= BATCH_BYTES:
                    arrow.write(waiting)
                    waiting.clear()
                    size = 0

            yield write
            if waiting:
                arrow.write(waiting)
        hashes[name] = file.sha256

    limits = FileLimits(size=FILE_BYTES)
    files = RowFiles(
        folder, "train", ".arrow", options.shard_size, limits, open_file, "/data", measure=row_size
    )
    with files.closing():
        yield ArrowRows(files)
    for split, names in files.by_split.items():
        short = [PurePosixPath(name).name for name in names]
        fingerprint = fingerprint_of([hashes[name] for name in names])
        for name, data in columns.split_files(split, short, fingerprint).items():
            folder.add(f"{split}/{name}", data)
    folder.add(SPLITS, splits_file(list(files.by_split)))
