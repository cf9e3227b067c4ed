"""Imports trace files: those of older scripts, in both their forms, and exports of geostore.

A file holds one trace, a list of them, or one a line.

Files are listed as a stream, read by a few processes, and written by this one in
large transactions, so that memory does not grow with their number. A file that
was imported already is not read again. A file that cannot be used is reported and
skipped. A trace that the store holds is never written over. Where an import is
stopped, the next one goes on from there.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from geostore.errors import TraceImportError
from geostore.importing.again import LeftOut, ReadFrame, RemakeResult, remake_images
from geostore.importing.files import FoundFile, count_files, find_files, path_text
from geostore.importing.manifest import read_manifest
from geostore.importing.pool import Batch, ReaderProcesses, Results
from geostore.importing.reader import FileReader, Match, ReadFile, ReadOptions, SkippedFile
from geostore.one_line import OneLine
from geostore.rewards import (
    KINDS,
    RewardSpec,
    adopt_default_spec,
    ensure_default_spec,
    ensure_spec,
    place_missing,
    rescore,
)
from geostore.rewards.specs import IMPORTED, stored_spec
from geostore.store import Store
from geostore.store.imports import Conflict, ImportedFile, ImportWriter, known_files
from geostore.store.rewards import default_spec

__all__ = [
    "IMPORTED_REWARD",
    "ImportResult",
    "LeftOut",
    "Match",
    "Problem",
    "ReadFrame",
    "ReadOptions",
    "RemakeResult",
    "import_traces",
]

IMPORTED_REWARD = RewardSpec(IMPORTED, IMPORTED, {}, code_version=1)
"""The spec of the rewards that files carry; nothing computes it."""

BATCH_FILES = 128
"""Files that are read by one process at a time and written in one transaction."""
_BATCH_BYTES = 8_000_000
_NAMED = 10
_MOST_PROCESSES = 8


@dataclass(frozen=True, slots=True, repr=False)
class Problem(OneLine):
    """A file that was skipped, or one of several traces of a file."""

    path: str
    """Where the file is, and in a file of several the place: ``<path>:<line>``, ``<path>[<n>]``."""
    kind: str
    """A stable word for reports, as in `importing.documents.BadFile`."""
    why: str
    """What is wrong, in a sentence for a person."""

    def to_json(self) -> dict[str, str]:
        """The same as an object of JSON."""
        return {"path": self.path, "kind": self.kind, "why": self.why}


@dataclass(frozen=True, slots=True, repr=False)
class ImportResult(OneLine):
    """The counts of an import."""

    files: int
    """JSON files in the folder and below it, of one trace or of several."""
    imported: int
    """Traces that were written."""
    known: int
    """Traces of files that were in the store already."""
    skipped: Counter[str] = field(hash=False)
    """Files, or traces of a file of several, that were skipped, by the kind of their problem."""
    problems: tuple[Problem, ...]
    """The first ten of them."""
    moved: int
    """Imported traces whose dataset row was found by their coordinates."""
    unproven: int
    """Files of geostore's that did not prove themselves and were imported as other scripts' are."""
    unproven_why: str | None
    """Why the first of those did not; None where there was none."""
    rewards: int
    """Rewards that were computed under the store's default spec."""
    remade: RemakeResult
    """The images of imported traces that were made again."""
    without_dataset: int
    """Traces of files that were known before, and came in without the dataset that is named now."""


def import_traces(
    store: Store,
    source: str | os.PathLike[str],
    *,
    options: ReadOptions | None = None,
    processes: int | None = None,
    batch_files: int = BATCH_FILES,
    leave_out: Path | None = None,
    on_problem: Callable[[Problem], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    on_remade: Callable[[int, int], None] | None = None,
) -> ImportResult:
    """Import one file, or all trace files in a folder and below; score them, make images again.

    options: see `ReadOptions`. processes: how many read files, None for one per
    core; where there are few files, this one reads them. batch_files: how many files
    are written in one transaction, at most. leave_out: a file that is no trace file, such
    as the report that is being written. on_problem: called with each file that is
    skipped. on_progress: called with how many files and lines of files are done, of how
    many; on_remade: the same of traces whose images are made again. A store without a
    default reward gets that of the export, or geoguessr.

    Raises TraceImportError (no such file or folder, nothing in it), DatasetError,
    StoreError; what was committed by then stays in the store.
    """
    options = options or ReadOptions()
    files, entries = count_files(Path(source), leave_out)
    if not files:
        raise TraceImportError(
            f"{source} holds no trace files (no .json or .jsonl files in it or below)"
        )
    has_dataset = options.dataset_path is not None
    run = _Import(store, files, entries, has_dataset, on_problem, on_progress)
    batches = _batches(find_files(Path(source), leave_out), batch_files)
    unread = (batch for batch in map(run.leave_out_known, batches) if batch)
    # Starting processes takes longer than reading one batch here.
    first = list(islice(unread, 2))
    with ExitStack() as stack:
        if len(first) > 1:
            count = processes or min(_MOST_PROCESSES, os.cpu_count() or 1)
            readers = stack.enter_context(ReaderProcesses(options, count))
            read_batches = readers.read(chain(first, unread))
        else:
            read_batches = _read_here(FileReader(options), first)
        for batch, results in read_batches:
            run.write(batch, results)
    run.score()
    # After all rows are in: the frame of boxes is found in the whole batch.
    remade = remake_images(store, frame=options.bbox_frame, source=source, on_progress=on_remade)
    return run.result(remade)


class _Import:
    """One import: counts what it does, and writes into the store."""

    def __init__(
        self,
        store: Store,
        files: int,
        entries: int,
        has_dataset: bool,
        on_problem: Callable[[Problem], None] | None,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self._store = store
        self._files = files
        self._entries = entries
        self._imported = 0
        self._known = 0
        self._skipped: Counter[str] = Counter()
        self._problems: list[Problem] = []
        self._moved = 0
        self._unproven = 0
        self._unproven_why: str | None = None
        self._rewards = 0
        self._has_dataset = has_dataset
        self._without_dataset = 0
        self._on_problem = on_problem
        self._on_progress = on_progress
        self._seen = 0
        self._manifests: set[str] = set()
        with store.db.transaction():
            spec_id = ensure_spec(store.db, IMPORTED_REWARD)
        self._writer = ImportWriter(store, spec_id=spec_id)

    def leave_out_known(self, batch: list[FoundFile]) -> list[FoundFile]:
        """The files of a batch that no import has read, or that were changed since."""
        paths = [entry.path for entry in batch]
        known = known_files(self._store.db, paths)
        unread = []
        for entry, path in zip(batch, paths, strict=True):
            file = known.get(path)
            if file is None or file.stamp != entry.stamp:
                unread.append(entry)
            else:
                self._without_dataset += self._has_dataset and not file.is_seen
        self._known += len(batch) - len(unread)
        self._progress(len(batch) - len(unread))
        return unread

    def write(self, batch: Batch, results: Results) -> None:
        """Write the traces that were read from a batch of files, in one transaction."""
        problems = []
        with self._store.db.transaction():
            for entry, in_file in zip(batch, results, strict=True):
                self._adopt_reward(entry)
                for result in in_file:
                    skipped = self._put(entry, result) if isinstance(result, ReadFile) else result
                    if skipped is not None:
                        place = entry.path + result.place
                        problems.append(Problem(place, skipped.kind, skipped.why))
        # Reported once the batch is committed, so that a report never names files of a batch that
        # was rolled back.
        for problem in problems:
            self._skipped[problem.kind] += 1
            if len(self._problems) < _NAMED:
                self._problems.append(problem)
            if self._on_problem is not None:
                self._on_problem(problem)
        self._progress(len(batch))

    def score(self) -> None:
        """Compute missing places, and missing rewards of a default spec that is a formula."""
        db = self._store.db
        if default_spec(db) is None:
            with db.transaction():
                ensure_default_spec(db)
        stored = default_spec(db)
        # Nothing computes the rewards of files, and a function of the user's is for `rescore`.
        if stored is not None and stored.kind in KINDS:
            self._rewards = rescore(db, stored_spec(stored)).computed
        else:
            place_missing(db)

    def result(self, remade: RemakeResult) -> ImportResult:
        """What the import did."""
        return ImportResult(
            files=self._files,
            imported=self._imported,
            known=self._known,
            skipped=self._skipped,
            problems=tuple(self._problems),
            moved=self._moved,
            unproven=self._unproven,
            unproven_why=self._unproven_why,
            rewards=self._rewards,
            remade=remade,
            without_dataset=self._without_dataset,
        )

    def _put(self, entry: FoundFile, read: ReadFile) -> SkippedFile | None:
        """Write a trace; None, or why its file is skipped."""
        path = entry.path + read.place
        if read.others and entry.file.manifest is not None:
            # Each of the equal rows of an export takes another of the traces that have such a row.
            folder = path_text(os.path.dirname(entry.file.manifest))
            is_free = (
                one
                for one in (read, *read.others)
                if not self._writer.is_taken(ImportedFile(path, one.sha256, ""), folder)
            )
            read = next(is_free, read)
        file = ImportedFile(path, read.sha256, entry.stamp)
        try:
            outcome = self._writer.put(file, read.trace)
        except ValueError as error:
            return SkippedFile("malformed", f"it holds what no store takes: {error}")
        if isinstance(outcome, Conflict):
            return SkippedFile("conflict", outcome.why)
        if outcome is None:
            self._known += 1
            if self._has_dataset:  # its trace may have come in from another file, without one
                known = known_files(self._store.db, [file.path]).values()
                self._without_dataset += sum(not other.is_seen for other in known)
            return None
        self._imported += 1
        self._moved += read.trace.sample.sample_index != read.trace.stated_index
        if read.unproven is not None:
            self._unproven += 1
            self._unproven_why = self._unproven_why or read.unproven
        return None

    def _adopt_reward(self, entry: FoundFile) -> None:
        """Give a store without a default reward the one of the export that a file belongs to."""
        manifest = entry.file.manifest
        if manifest is None or manifest in self._manifests:
            return
        self._manifests.add(manifest)
        spec = read_manifest(Path(manifest)).reward_spec
        if spec is not None:
            adopt_default_spec(self._store.db, spec)

    def _progress(self, files: int) -> None:
        self._seen += files
        if self._on_progress is not None and files:
            self._on_progress(self._seen, max(self._entries, self._seen))


def _batches(files: Iterable[FoundFile], batch_files: int) -> Iterator[list[FoundFile]]:
    """Files in batches of at most so many, and fewer where they are large."""
    batch: list[FoundFile] = []
    size = 0
    for entry in files:
        batch.append(entry)
        size += entry.size
        if len(batch) >= batch_files or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read_here(reader: FileReader, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Results]]:
    for batch in batches:
        yield batch, [reader.read(entry.file) for entry in batch]
