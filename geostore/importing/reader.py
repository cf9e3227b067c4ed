"""Reads one trace file into rows: finds its form, and the dataset row that it is about.

A reader never touches the store, so several processes can read at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from geostore.errors import DatasetError
from geostore.identity import sha256_hex
from geostore.importing.documents import BadFile
from geostore.importing.exported import ExportReader, Unproven, is_ours
from geostore.importing.json_text import document_sha256, load_documents
from geostore.importing.manifest import NO_MANIFEST, read_manifest
from geostore.importing.older import is_trace, read_older
from geostore.importing.origin import Origin
from geostore.importing.packed_rows import PACKED, PackedRows
from geostore.importing.training import TrainingExport, training_format, why_no_trace
from geostore.records import Sample
from geostore.store.imports import ImportedTrace

if TYPE_CHECKING:
    from geostore.importing.box_frames import FrameName
    from geostore.importing.places import Places

Match = Literal["index", "coordinates"]

_MOST_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read."""

    dataset_path: str | None = None
    """The dataset that the traces were made from; None: its photos count as not seen."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Role to column name, as for `PhotoDataset.open`."""
    model: str | None = None
    """The teacher of files that do not name it."""
    label: str | None = None
    """What keeps the recipes of this import apart from others; None: the folder of each file."""
    tools: bool | None = None
    """Whether tools were offered, for files that do not say which; None: a recipe with a call in
    one of its traces has tools."""
    bbox_frame: FrameName | None = None
    """The frame of the boxes in the files; None: it is inferred."""
    match: Match = "index"
    """``index`` skips a file whose coordinates are not those of its row; ``coordinates`` looks for
    the one row that has them."""


@dataclass(frozen=True, slots=True)
class TraceFile:
    """The place of a file to read."""

    path: str
    """Absolute."""
    folder: str = ""
    """Its folder, relative to the one that is imported; "" there."""
    manifest: str | None = None
    """The path of the manifest of the export that it belongs to; None where it is in none."""
    line: int | None = None
    """The number of the line to read, from 1; None for the whole file."""
    start: int = 0
    """How many bytes stand before that line."""
    length: int = 0
    """Of that line, in bytes."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that holds a trace."""

    sha256: str
    """The hash of its bytes, in hex; of a row of training data with the name of its trace."""
    trace: ImportedTrace
    """Its rows."""
    unproven: str | None = None
    """Why a file of geostore's did not prove itself; None for one that did, and for others'."""
    place: str = ""
    """Where it stands in a file that holds several, such as ``[3]`` or ``:4``; "" for a whole file
    or line."""
    others: tuple[ReadFile, ...] = ()
    """Of a row of training data: the other traces whose row is the same."""


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that holds no trace that can be imported."""

    kind: str
    """A stable word, as in `BadFile`."""
    why: str
    """What is wrong, in a sentence."""
    place: str = ""
    """As in `ReadFile`."""


class FileReader:
    """Reads files under the same options; opens the dataset when the first file needs it."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._exports: dict[str | None, ExportReader] = {}
        self._packed = PackedRows()
        self._training: dict[str, TrainingExport | None] = {}
        self._why_no_trace: dict[str | None, str | None] = {}

    def read(self, file: TraceFile) -> list[ReadFile | SkippedFile]:
        """The traces of a file or line, each with its rows or why it has none.

        Nearly every file holds one. Raises DatasetError.
        """
        if file.manifest not in self._why_no_trace:
            self._why_no_trace[file.manifest] = why_no_trace(file.manifest)
        if (why := self._why_no_trace[file.manifest]) is not None:
            return [SkippedFile("no_trace", why)]
        try:
            data = self._bytes(file)
            sha256 = sha256_hex(data)
            documents = load_documents(data)
        except BadFile as error:
            return [SkippedFile(error.kind, str(error))]
        except MemoryError:
            return [SkippedFile("malformed", "it is too large for the memory there is")]
        results: list[ReadFile | SkippedFile] = []
        for place, document in documents:
            try:
                if isinstance(document, BadFile):
                    raise document
                own = document_sha256(document) if place else sha256
                results.append(self._read(file, document, own, place))
            except BadFile as error:
                results.append(SkippedFile(error.kind, str(error), place))
            except (RecursionError, MemoryError, orjson.JSONEncodeError) as error:
                # orjson writes no messages that are nested more than 254 deep.
                why = f"it cannot be read: {type(error).__name__}"
                if not isinstance(error, MemoryError):
                    why = "it cannot be read: its members are nested too deeply"
                results.append(SkippedFile("malformed", why, place))
        return results

    def _bytes(self, file: TraceFile) -> bytes:
        if PACKED.search(file.path):
            try:
                # Without a number, no row could be found: reading the first says why.
                return self._packed.row(file.path, file.line or 1)
            except OSError as error:
                raise BadFile("unreadable", f"it cannot be read: {error}") from error
        return _bytes(file)

    def _read(self, file: TraceFile, document: dict[str, Any], sha256: str, place: str) -> ReadFile:
        export = self._training_export(file.manifest)
        if export is None:
            return self._read_trace(file, document, sha256, place)
        readings = [
            self._read_trace(file, row.record, f"{sha256}:{row.trace}", place, row.unproven)
            for row in export.readings(file.path, file.line or 1, document)
        ]
        return replace(readings[0], others=tuple(readings[1:]))

    def _read_trace(
        self,
        file: TraceFile,
        document: dict[str, Any],
        sha256: str,
        place: str,
        unproven: str | None = None,
    ) -> ReadFile:
        """The rows of a trace record. unproven: why it proves nothing; None: it may."""
        if is_ours(document) and unproven is None:
            try:
                trace = self._export(file.manifest).read(document)
                return ReadFile(sha256, self._own_dataset(trace), None, place)
            except Unproven as error:
                unproven = str(error)
        if not is_trace(document):
            raise BadFile(
                "no_trace",
                "it is JSON without a conversation_history or conversation_log (its members: "
                f"{_names(document)})",
            )
        options = self._options
        label = file.folder or None if options.label is None else options.label
        origin = Origin(
            stem=Path(file.path).stem,
            label=label,
            model=options.model,
            tools=options.tools,
            dataset_path=options.dataset_path,
            is_one_of_many=bool(place) or file.line is not None,
        )
        trace = read_older(document, origin)
        return ReadFile(sha256, self._placed(trace), unproven, place)

    def _training_export(self, manifest: str | None) -> TrainingExport | None:
        """The export that a file belongs to, where a trainer reads it."""
        if manifest is None:
            return None
        if manifest not in self._training:
            is_training = training_format(manifest) is not None
            self._training[manifest] = TrainingExport(manifest) if is_training else None
        return self._training[manifest]

    def _export(self, manifest: str | None) -> ExportReader:
        if manifest not in self._exports:
            content = NO_MANIFEST if manifest is None else read_manifest(Path(manifest))
            self._exports[manifest] = ExportReader(content)
        return self._exports[manifest]

    @cached_property
    def _places(self) -> Places | None:
        options = self._options
        if options.dataset_path is None:
            return None
        # Imported here, because only this needs numpy.
        from geostore.importing.places import Places

        return Places.open(options.dataset_path, options.columns)

    def _own_dataset(self, trace: ImportedTrace) -> ImportedTrace:
        """A trace of ours, in the dataset that the user named; unchanged where he named none."""
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
        """A trace in its row of the dataset that the user named; unchanged where he named none."""
        places, stated = self._places, trace.sample
        if places is None:
            return trace
        row = stated.sample_index
        if not places.has(row, stated.lat, stated.lon):
            row = self._row_elsewhere(places, trace)
        try:
            sample = places.dataset.read_sample(row)
        except DatasetError as error:
            raise BadFile("row_mismatch", str(error)) from error
        return replace(
            trace,
            dataset=places.dataset.facts,
            dataset_seen=True,
            sample=_with_file_columns(sample, stated),
        )

    def _row_elsewhere(self, places: Places, trace: ImportedTrace) -> int:
        """The one row with a file's coordinates, if the options ask for it. Raises BadFile."""
        stated = trace.sample
        rows = places.rows_at(stated.lat, stated.lon)
        if self._options.match == "coordinates" and len(rows) == 1:
            return rows[0]
        if not rows:
            elsewhere = "no row has them"
        elif len(rows) == 1:
            elsewhere = f"row {rows[0]} has them"
        else:
            elsewhere = f"{len(rows)} rows have them"
        raise BadFile(
            "row_mismatch",
            f"row {stated.sample_index} of the dataset is not at its coordinates {stated.lat}, "
            f"{stated.lon}; {elsewhere}",
        )


def _with_file_columns(sample: Sample, stated: Sample) -> Sample:
    """A row of the dataset with what the file says beside it; the dataset's own values win."""
    return replace(
        sample,
        locatability_score=(
            stated.locatability_score
            if sample.locatability_score is None
            else sample.locatability_score
        ),
        country=sample.country or stated.country,
        columns={**stated.columns, **sample.columns},
    )


def _bytes(file: TraceFile) -> bytes:
    try:
        with open(file.path, "rb") as stream:
            if file.line is not None:
                stream.seek(file.start)
                return stream.read(file.length).strip()
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BadFile("unreadable", f"it cannot be read: {error.strerror or error}") from error
    if len(data) > _MOST_BYTES:
        raise BadFile("malformed", f"it is larger than {_MOST_BYTES:,} bytes")
    return data


def _names(document: Mapping[str, Any]) -> str:
    names = list(document)
    return ", ".join(name[:30] for name in names[:6]) + (", ..." if len(names) > 6 else "")
