"""Reads one trace file into rows: which form it has, and which dataset row it is about.

A reader holds what its files have in common. It touches no store, so several
processes can read at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from geostore.errors import DatasetError
from geostore.identity import sha256_hex
from geostore.importing.documents import BadFile, load_document
from geostore.importing.exported import ExportReader, Unproven, is_ours
from geostore.importing.manifest import NO_MANIFEST, read_manifest
from geostore.importing.older import Batch, is_trace, read_older
from geostore.store.imports import ImportedTrace

if TYPE_CHECKING:
    from geostore.importing.places import Places

Match = Literal["index", "coordinates"]

_MOST_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read.

    dataset_path: of the dataset they were made from; None: only their own word is known.
    columns: role to column name, as for `PhotoDataset.open`.
    model, label: what older files do not say. match: ``index`` leaves out a file whose
    coordinates are not those of its row; ``coordinates`` looks for the one row that has them.
    """

    dataset_path: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    label: str | None = None
    match: Match = "index"


@dataclass(frozen=True, slots=True)
class TraceFile:
    """A file to read: its path, the folder it was found in from where the search began ("" there),
    and the manifest of the export it stands in, if it stands in one."""

    path: str
    folder: str = ""
    manifest: str | None = None


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that makes a trace. unproven: why a file of ours is not taken at its word."""

    sha256: str
    trace: ImportedTrace
    unproven: str | None = None


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that makes none; kind as in `BadFile`."""

    kind: str
    why: str


class FileReader:
    """Reads files under the same options; opens the dataset when the first needs it."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._exports: dict[str | None, ExportReader] = {}

    def read(self, file: TraceFile) -> ReadFile | SkippedFile:
        """The rows of a file, or why it has none. Raises DatasetError for the dataset alone."""
        try:
            return self._read(file)
        except BadFile as error:
            return SkippedFile(error.kind, str(error))
        except (RecursionError, MemoryError) as error:
            return SkippedFile("malformed", f"it cannot be read: {type(error).__name__}")

    def _read(self, file: TraceFile) -> ReadFile:
        data = _bytes(Path(file.path))
        sha256 = sha256_hex(data)
        document = load_document(data)
        unproven = None
        if is_ours(document):
            try:
                trace = self._export(file.manifest).read(document)
                return ReadFile(sha256, self._own_dataset(trace))
            except Unproven as error:
                unproven = str(error)
        if not is_trace(document):
            raise BadFile("no_trace", f"it is JSON but no trace (members: {_names(document)})")
        options = self._options
        label = file.folder or None if options.label is None else options.label
        trace = read_older(document, Batch(Path(file.path).stem, label, options.model))
        return ReadFile(sha256, self._placed(trace), unproven)

    def _export(self, manifest: str | None) -> ExportReader:
        if manifest not in self._exports:
            found = NO_MANIFEST if manifest is None else read_manifest(Path(manifest))
            self._exports[manifest] = ExportReader(found)
        return self._exports[manifest]

    @cached_property
    def _places(self) -> Places | None:
        options = self._options
        if options.dataset_path is None:
            return None
        # Imported here: numpy is needed for this alone.
        from geostore.importing.places import Places

        return Places.open(options.dataset_path, options.columns)

    def _own_dataset(self, trace: ImportedTrace) -> ImportedTrace:
        """A trace of ours, whose dataset is the one that was named, if one was."""
        places = self._places
        if places is None:
            return trace
        facts = places.dataset.facts
        if trace.dataset.fingerprint is None:
            return self._placed(trace)
        if facts.fingerprint != trace.dataset.fingerprint:
            raise BadFile(
                "other_dataset",
                f"it was made from a dataset with fingerprint {trace.dataset.fingerprint}, and "
                f"{facts.path} has {facts.fingerprint}",
            )
        return replace(trace, dataset=facts, dataset_seen=True)

    def _placed(self, trace: ImportedTrace) -> ImportedTrace:
        """A trace whose row is one of the dataset, if one was named."""
        places, said = self._places, trace.sample
        if places is None:
            return trace
        row = said.sample_index
        if not places.has(row, said.lat, said.lon):
            row = self._row_elsewhere(places, trace)
        try:
            sample = places.dataset.read_sample(row)
        except DatasetError as error:
            raise BadFile("row_mismatch", str(error)) from error
        return replace(trace, dataset=places.dataset.facts, dataset_seen=True, sample=sample)

    def _row_elsewhere(self, places: Places, trace: ImportedTrace) -> int:
        """The one row with a file's coordinates, where that is asked for. Raises BadFile."""
        said = trace.sample
        rows = places.rows_at(said.lat, said.lon)
        found = {0: "no row has them", 1: f"row {rows[0]} has them" if rows else ""}.get(
            len(rows), f"{len(rows)} rows have them"
        )
        if self._options.match == "coordinates" and len(rows) == 1:
            return rows[0]
        raise BadFile(
            "row_mismatch",
            f"row {said.sample_index} of the dataset is not at its coordinates {said.lat}, "
            f"{said.lon}; {found}",
        )


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BadFile("unreadable", f"it cannot be read: {error.strerror or error}") from error
    if len(data) > _MOST_BYTES:
        raise BadFile("malformed", f"it is larger than {_MOST_BYTES:,} bytes")
    return data


def _names(document: Mapping[str, Any]) -> str:
    names = list(document)
    return ", ".join(name[:30] for name in names[:6]) + (", ..." if len(names) > 6 else "")
