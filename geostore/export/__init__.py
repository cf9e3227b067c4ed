"""Exports: writes a store's traces as files. One stream feeds all formats.

An export is a function of the store and the options: it has the same bytes every
time, whatever the order in which the rows were written. It is always a folder, and
holds beside its data

- ``SHA256SUMS``: the hash of every data file, in the order of the export
  (dataset name, row number, recipe hash, rollout); ``sha256sum --check`` reads it;
- ``manifest.json``: count, format, options, the reward, datasets and recipes in full,
  and ``sha256``, which is the hash of ``SHA256SUMS`` and so of the whole export.

It holds the traces that ended with a response (status ``answered`` or ``exhausted``)
and that the filter keeps. `layout` names their files; `stream` is what a format gets.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geostore.errors import ExportError
from geostore.export.checks import check_audited, check_flags, check_order, checked_filter
from geostore.export.files.folder import check_target, partial_folder, publishing
from geostore.export.files.manifest import SCHEMA_VERSION, manifest_of, unwritten_in
from geostore.export.files.readme import readme
from geostore.export.files.unchanged import Origin, find_unchanged
from geostore.export.formats import FORMATS, writer_of
from geostore.export.images import ImagesMode
from geostore.export.left_out import Unwritten, left_out_text
from geostore.export.messages import MessagesMode
from geostore.export.options import (
    ExportOptions,
    Format,
    PairsAs,
    PairsFor,
    ReasoningMode,
    checked_options,
)
from geostore.export.pairs import UNPAIRED
from geostore.export.splits import Splits, make_splits
from geostore.export.stream import ExportedTrace, ExportStream
from geostore.export.student.for_student import for_student
from geostore.export.student.students import StudentFrame, StudentName
from geostore.one_line import OneLine
from geostore.rewards import with_named_reward
from geostore.store import ENDED, EVERY, Choice, Filter, Store, open_snapshot

__all__ = [
    "ENDED",
    "FORMATS",
    "QUALITY_KM",
    "QUALITY_SCORE",
    "SCHEMA_VERSION",
    "ExportOptions",
    "ExportResult",
    "ExportStream",
    "ExportedTrace",
    "Filter",
    "Format",
    "ImagesMode",
    "MessagesMode",
    "PairsAs",
    "PairsFor",
    "ReasoningMode",
    "Splits",
    "StudentFrame",
    "StudentName",
    "check_flags",
    "export",
    "make_splits",
    "open_snapshot",
]

USUAL_OPTIONS = ExportOptions()

QUALITY_SCORE = math.nextafter(0.3, 1)
"""The least score of the older scripts' quality filter, which kept scores above 0.3."""

QUALITY_KM = 5_000.0
"""That filter kept smaller distances alone."""


@dataclass(frozen=True, slots=True, repr=False)
class ExportResult(OneLine):
    """What was written."""

    count: int
    """Traces."""
    sha256: str
    """The hash of the export, as in its manifest, in hex."""
    path: Path
    """Its folder, links followed."""
    left_out: str | None = None
    """How many of the store's traces the filter does not keep, and why, such as
    ``29 of 48: 19 below 0.3, 10 without coordinates``; None where it keeps all."""
    unwritten: tuple[Unwritten, ...] = ()
    """The first ten traces that the filter keeps and that could not be written, such as imported
    ones whose images cannot be made again."""
    unproven: int = 0
    """Of `count`, imported traces with images that were made again and that no file proves; 0 where
    the images are references."""
    splits: str | None = None
    """How many traces each split holds, such as ``train 98, val 2 (by cell:5, seed 0)``; None
    without splits."""
    unchanged: bool = False
    """Whether the export at the target is this one already, so that nothing was written."""
    damaged: tuple[str, ...] = ()
    """Files of that export that were missing or not what had been written, so that all was written
    anew."""
    length: str | None = None
    """The tokens of the longest row and the setting in which it fits, such as ``longest row about
    7,912 tokens; set cutoff_len to at least 9,216``; None where the format is for no student."""
    notes: tuple[str, ...] = ()
    """What has to be known of its files before they are given to their reader, such as that one has
    fewer rows than that takes."""


def export(
    store: Store,
    out: str | os.PathLike[str],
    *,
    options: ExportOptions = USUAL_OPTIONS,
    filters: Filter | None = None,
    choice: Choice = EVERY,
    splits: Splits | None = None,
) -> ExportResult:
    """Write the traces that the filter keeps into the folder `out`, all or nothing.

    options: how they are written. filters: None keeps every trace that ended with a response.
    choice: which of them, compared with one another, and in which order. splits: how they are
    split, each split in files of its own; None: not at all.
    An earlier export at `out` is replaced; anything else there is left alone and
    raises an error. Where that export is what would be written (`unchanged`), nothing is. Each
    export that is written adds a row to the table ``exports``.
    Images other than references are read again from the photos.

    Raises ExportError (an option, the target, a trace that cannot be written, the disk, a filter
    that keeps no trace, a status of traces that did not end, traces that were not audited for a
    flag), FilterError (a flag that no check has, a condition that is no expression, a column that
    no trace has),
    RewardError (the filter names a reward that the store does not have), StoreError.
    """
    writer = writer_of(options)
    options = checked_options(options, writer.rules)
    filters = with_named_reward(store.db, checked_filter(filters or Filter()))
    check_order(writer, options, choice)
    asked = {"filter": filters.to_json(), **options.to_json()}
    if choice != EVERY:
        asked["choice"] = choice.to_json()
    if splits is not None:
        asked["splits"] = splits.to_json()
    origin = Origin(asked, options)
    try:
        target = check_target(Path(out))
        earlier = find_unchanged(store, target, origin)
        if earlier is not None and not earlier.damaged:
            return _as_it_was(earlier.manifest, target, filters, choice, splits)
        # Put before the rows are read: a change that comes later takes it away.
        store.exports.put_mark()
        with partial_folder(target) as folder, open_snapshot(store.path) as snapshot:
            check_audited(snapshot, filters)
            traces = ExportStream(
                snapshot,
                filters,
                folder,
                options=options,
                choice=choice,
                splits=splits,
                choose=writer.choose,
            )
            if writer.guide is not None:
                recipes = traces.scope.recipes.values()
                traces.for_student = for_student(options, writer.rules, recipes)
            count = writer.write(traces, folder)
            counts = snapshot.left_out(filters, kept=traces.kept)
            counts += traces.not_chosen + traces.unwritten.counts
            left_out = left_out_text(counts, count, filters, choice) if counts else None
            if not count:
                unknown = store.recipes.explain_unknown(recipe=filters.recipe, model=filters.model)
                raise ExportError(
                    f"no trace is left to export; left out {left_out}"
                    f"{traces.unwritten.first_text()}{_pairs_text(traces)}"
                    f"{'; ' if unknown else ''}{unknown or ''}"
                    if left_out
                    else f"{store.path} holds no trace yet, so there is nothing to export"
                )
            student = traces.for_student
            length = None if student is None else student.lengths.summary()
            manifest = manifest_of(
                traces,
                folder,
                count=count,
                asked=asked,
                filters=filters,
                left_out=counts,
                length=length,
            )
            if writer.guide is not None:
                text = readme(
                    traces,
                    guide=writer.guide(traces),
                    sections=[] if student is None else [student.sections()],
                    manifest=manifest,
                    rules=writer.rules,
                    choice=choice,
                    left_out=left_out,
                )
                folder.add("README.md", text)
            sealed = folder.seal(manifest)
            with publishing(folder, target) as publish, store.db.transaction():
                store.exports.put_export(
                    format=options.format,
                    options=asked,
                    trace_count=count,
                    sha256=folder.sha256,
                    path=target,
                    made_from=origin.hash(snapshot, sealed),
                )
                publish()
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error.strerror or error}") from error
    return ExportResult(
        count,
        folder.sha256,
        target,
        left_out,
        unwritten=tuple(traces.unwritten.named),
        unproven=traces.unproven,
        splits=None if splits is None else splits.text(traces.split_counts, traces.without_value),
        length=length,
        notes=tuple(traces.notes),
        damaged=() if earlier is None else earlier.damaged,
    )


def _pairs_text(traces: ExportStream) -> str:
    """What makes a pair, in words that end a sentence; empty where none is missing."""
    if not traces.unwritten.counts[UNPAIRED]:
        return ""
    return (
        "; a pair needs two rollouts of one photo whose scores are at least "
        f"{traces.options.min_gap:g} apart: "
        "geostore generate --rollouts 4"
    )


def _as_it_was(
    manifest: Mapping[str, Any],
    target: Path,
    filters: Filter,
    choice: Choice,
    splits: Splits | None,
) -> ExportResult:
    """The result of an export that was left as it is, as its manifest has it."""
    traces, count = manifest["traces"], manifest["count"]
    counts, without = traces["left_out"], traces["without_value"]
    return ExportResult(
        count,
        manifest["sha256"],
        target,
        left_out_text(counts, count, filters, choice) if counts else None,
        unwritten=unwritten_in(manifest),
        unproven=traces["unproven"],
        splits=None if splits is None else splits.text(manifest["traces_by_split"], without),
        length=manifest["length"],
        notes=tuple(manifest.get("notes", ())),
        unchanged=True,
    )
