"""What an export would write, without writing it: the counts are exact, the sizes are estimated.

Some of the traces are written into a folder for temporary files and measured there. They are
all traces of some of its samples, chosen by a hash, so that a format that compares the rollouts
of a photo finds them together. Where they are all that there are, nothing is estimated.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geostore.conversation.again import why_not
from geostore.errors import ExportError
from geostore.export.checks import check_audited, check_order, checked_filter
from geostore.export.files.folder import ExportFolder
from geostore.export.files.leftovers import SUMS
from geostore.export.formats import writer_of
from geostore.export.images import shown_images
from geostore.export.left_out import left_out_text
from geostore.export.options import ExportOptions, checked_options
from geostore.export.splits import Splits
from geostore.export.stream import ExportStream
from geostore.export.student.for_student import for_student
from geostore.export.writer import FormatWriter
from geostore.one_line import OneLine
from geostore.records import ImportedRecipe, SentImage, StoredTrace
from geostore.rewards import with_named_reward
from geostore.store import EVERY, Choice, Chosen, Filter, Snapshot, Store, open_snapshot
from geostore.text.phrases import format_number_of, format_size

MEASURED = 60
"""About how many traces are measured."""


@dataclass(frozen=True, slots=True, repr=False)
class ExportPlan(OneLine):
    """What an export would write."""

    count: int
    """Traces that would be written. Unless all were measured, those that the conditions keep, of
    which the format may leave out some; see `written`."""
    written: int
    """Traces that the format takes of them; an estimate unless all were measured."""
    left_out: str | None
    """How many of the store's traces would not be written, and why; None where all would. Unless
    all were measured, without those that the format leaves out."""
    splits: str | None
    """How many traces each split would hold, counted as `count` is; None without splits."""
    measured: int
    """Traces that were written for a try."""
    is_estimate: bool
    """Whether these were not all, so that the numbers below are estimates."""
    rows: int
    """Rows that it would have."""
    images: int
    """Images in the rows; one that two rows show counts twice."""
    size: int
    """Bytes of its rows and images in files."""
    without_photos: str | None
    """Why `size` is without the images: the photos cannot be read here, and why; None: it is with
    them, or the format carries none."""
    unwritten: str | None
    """How many of the measured traces the format leaves out, and why, in a sentence; None where it
    takes all, and where all were measured: then `left_out` says it."""

    def text(self) -> str:
        """In a sentence."""
        if not self.count:
            return "would write nothing: no trace is left"
        traces = format_number_of(self.count, "trace")
        if self.written != self.count:
            traces = f"up to {traces}, about {self.written:,} of them"
        about = "about " if self.is_estimate else ""
        holds = (
            f"{about}{format_number_of(self.rows, 'row')}, "
            f"{about}{format_number_of(self.images, 'image')}, {about}{format_size(self.size)}"
        )
        how = "" if not about else f" (estimated from {format_number_of(self.measured, 'trace')})"
        without = (
            ""
            if self.without_photos is None
            else f", without the bytes of the images ({self.without_photos}; --dataset-path says "
            "where the photos are)"
        )
        return f"would write {traces}: {holds}{how}{without}"


def plan_export(
    store: Store,
    *,
    options: ExportOptions,
    filters: Filter | None = None,
    choice: Choice = EVERY,
    splits: Splits | None = None,
) -> ExportPlan:
    """What `geostore.export.export` would write with the same arguments. Writes no export.

    Raises as it does, but for the target and for photos that cannot be read.
    """
    writer = writer_of(options)
    options = checked_options(options, writer.rules)
    filters = with_named_reward(store.db, checked_filter(filters or Filter()))
    check_order(writer, options, choice)
    with open_snapshot(store.path) as snapshot:
        check_audited(snapshot, filters)
        chosen = snapshot.choose(
            filters, choice, with_turns=True, with_images=options.images != "reference"
        )
        counts = snapshot.left_out(filters) + chosen.left_out
        if chosen.without_images:
            counts["images"] = chosen.without_images
        some = snapshot.spread(chosen, about=MEASURED)
        is_whole = some.count == chosen.count
        measure = _Measure(snapshot, filters, writer, options, some, splits if is_whole else None)
        without_photos = None
        try:
            # A format may not be able to write nothing.
            measured = measure.run(ExportStream) if some.count else _Measured()
        except ExportError as error:
            if options.images == "reference" or error.__cause__ is None:
                raise
            # Behind it stands what lies near by, for a person whose export ends here.
            without_photos = str(error).partition("; ")[0]
            measured = measure.run(_WithoutPhotos)
        count = chosen.count
        unwritten = None
        if is_whole:
            counts += measured.unwritten
            count = measured.written
            split_text = measured.splits
        else:
            split_text = None if splits is None else _split_text(snapshot, chosen, splits)
            if measured.unwritten:
                why = left_out_text(measured.unwritten, measured.written, filters)
                unwritten = f"of those for the estimate the format leaves out {why}"
    scale = chosen.count / some.count if measured.written else 0.0
    return ExportPlan(
        count=count,
        written=round(measured.written * scale),
        left_out=left_out_text(counts, count, filters, choice) if counts else None,
        splits=split_text,
        measured=some.count,
        is_estimate=not is_whole,
        rows=round(measured.rows * scale),
        images=round(measured.images * scale),
        size=round(measured.size * scale),
        without_photos=without_photos,
        unwritten=unwritten,
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    written: int = 0
    rows: int = 0
    images: int = 0
    size: int = 0
    unwritten: Counter[str] = field(default_factory=Counter)
    splits: str | None = None


class _WithoutPhotos(ExportStream):
    """One that reads no photo: the images of its traces are empty."""

    def _with_images(
        self, traces: Iterable[StoredTrace]
    ) -> Iterator[tuple[StoredTrace, bytes, list[SentImage]]]:
        for trace in traces:
            why = why_not(trace) if isinstance(trace.recipe, ImportedRecipe) else None
            if why is not None:
                self.unwritten.add(trace.name, "images", why)
                continue
            shown = shown_images(trace)
            facts = {number: image for number, image, _ in shown}
            last = max(facts, default=-1)
            # A number whose image was not shown stands for nothing here.
            images = [_empty(facts.get(number, facts[0])) for number in range(last + 1)]
            yield trace, b"", images


def _empty(facts: Any) -> SentImage:
    return SentImage(
        facts.sha256,
        facts.width,
        facts.height,
        facts.full_width,
        facts.full_height,
        facts.pixels_xxh128,
        data=b"",
        mime="image/jpeg",
    )


@dataclass(frozen=True, slots=True)
class _Measure:
    """Writes some traces for a try."""

    snapshot: Snapshot
    filters: Filter
    writer: FormatWriter
    options: ExportOptions
    some: Chosen
    splits: Splits | None

    def run(self, kind: type[ExportStream]) -> _Measured:
        with (
            tempfile.TemporaryDirectory(prefix="geostore-plan-") as path,
            closing(ExportFolder(Path(path))) as folder,
        ):
            traces = kind(
                self.snapshot,
                self.filters,
                folder,
                options=self.options,
                splits=self.splits,
                choose=self.writer.choose,
                chosen=self.some,
            )
            recipes = traces.scope.recipes.values()
            if self.writer.guide is not None:
                traces.for_student = for_student(self.options, self.writer.rules, recipes)
            written = self.writer.write(traces, folder)
            size = sum(
                file.stat().st_size
                for file in Path(path).rglob("*")
                if file.is_file() and file.name not in (SUMS, "README.md")
            )
            return _Measured(
                written,
                folder.rows,
                folder.images,
                size,
                traces.unwritten.counts,
                _splits_of(traces),
            )


def _splits_of(traces: ExportStream) -> str | None:
    """How many of its traces each split holds; None without splits."""
    if traces.splits is None:
        return None
    return traces.splits.text(traces.split_counts, traces.without_value)


def _split_text(snapshot: Snapshot, chosen: Chosen, splits: Splits) -> str:
    splits.check_column(snapshot.chosen_scope(chosen).datasets)
    counts: Counter[str] = Counter()
    without_value = 0
    for sample, dataset in snapshot.chosen_samples(chosen):
        counts[splits.of(sample, dataset)] += 1
        without_value += not splits.has_value(sample, dataset)
    return splits.text(counts, without_value)
