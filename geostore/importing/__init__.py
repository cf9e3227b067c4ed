"""Imports trace files: those of older scripts, in both their forms, and exports of geostore.

Files are found as a stream, read by a few processes, and written by this one in
large transactions, so that memory does not grow with their number. A file that
is in already is not read again; one that cannot be used is told and skipped; a
trace that is there is never written over. Stopped at any moment, the next import
goes on where this one was.
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
from geostore.importing.files import FoundFile, count_files, find_files, path_text
from geostore.importing.manifest import read_manifest
from geostore.importing.pool import Batch, ReaderProcesses, Results
from geostore.importing.reader import FileReader, Match, ReadFile, ReadOptions, SkippedFile
from geostore.rewards import (
    KINDS,
    RewardSpec,
    adopt_default_spec,
    ensure_default_spec,
    ensure_spec,
    find_default_spec,
    rescore,
)
from geostore.store import Store
from geostore.store.imports import Conflict, ImportedFile, ImportWriter, known_stamps

__all__ = [
    "IMPORTED_REWARD",
    "ImportResult",
    "Match",
    "Problem",
    "ReadOptions",
    "import_traces",
]

IMPORTED_REWARD = RewardSpec("imported", "imported", {}, code_version=1)
"""The spec under which the numbers stand that files carry; nothing computes it."""

_BATCH_FILES = 128
_BATCH_BYTES = 8_000_000
_NAMED = 10
_MOST_PROCESSES = 8


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that was skipped; kind: a stable word, as in `importing.documents.BadFile`."""

    path: str
    kind: str
    why: str


@dataclass(slots=True)
class ImportResult:
    """What an import did.

    files: found. imported: traces written. known: files whose trace was there.
    skipped: other files by kind; problems: the first few of them. moved: traces
    whose row was found by coordinates. unproven: files of geostore that could
    not prove themselves and were imported as others' are, and why the first
    could not. rewards: computed under the store's default spec.
    """

    files: int = 0
    imported: int = 0
    known: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    moved: int = 0
    unproven: int = 0
    unproven_why: str | None = None
    rewards: int = 0


def import_traces(
    store: Store,
    directory: str | os.PathLike[str],
    *,
    options: ReadOptions | None = None,
    processes: int | None = None,
    on_problem: Callable[[Problem], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ImportResult:
    """Import every trace file in a folder and below it; then score what was imported.

    options: see `ReadOptions`. processes: that read files, None for one per
    core; few files are read in this one. on_problem: told each file that is
    skipped. on_progress: told how many files were seen, of how many.
    A store without a default reward gets that of the export, or geoguessr.

    Raises TraceImportError (no such folder, nothing in it), DatasetError,
    StoreError; what was committed before stays.
    """
    given = options or ReadOptions()
    folder = Path(directory)
    result = ImportResult(files=count_files(folder))
    if not result.files:
        raise TraceImportError(f"{directory} holds no trace files (no .json files in it or below)")
    run = _Import(store, result, on_problem, on_progress)
    batches = _batches(find_files(folder))
    unread = (batch for batch in map(run.leave_out_known, batches) if batch)
    # Known is only now whether there are more than a batch, for which processes pay.
    first = list(islice(unread, 2))
    with ExitStack() as stack:
        if len(first) > 1:
            count = processes or min(_MOST_PROCESSES, os.cpu_count() or 1)
            readers = stack.enter_context(ReaderProcesses(given, count))
            read = readers.read(chain(first, unread))
        else:
            read = _read_here(FileReader(given), first)
        for batch, results in read:
            run.write(batch, results)
    run.score()
    return result


class _Import:
    """One import: what it has done so far, and its way into the store."""

    def __init__(
        self,
        store: Store,
        result: ImportResult,
        on_problem: Callable[[Problem], None] | None,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self._store = store
        self._result = result
        self._on_problem = on_problem
        self._on_progress = on_progress
        self._seen = 0
        self._manifests: set[str] = set()
        with store.transaction():
            spec_id = ensure_spec(store.connection, IMPORTED_REWARD)
        self._writer = ImportWriter(store, spec_id=spec_id)

    def leave_out_known(self, batch: list[FoundFile]) -> list[FoundFile]:
        """The files of a batch that have to be read: no import has seen them as they are."""
        stamps = known_stamps(self._store, [path_text(found.file.path) for found in batch])
        unread = [found for found in batch if stamps.get(path_text(found.file.path)) != found.stamp]
        self._result.known += len(batch) - len(unread)
        self._progress(len(batch) - len(unread))
        return unread

    def write(self, batch: Batch, results: Results) -> None:
        """Write what was read of a batch, in one transaction."""
        problems = []
        with self._store.transaction():
            for found, read in zip(batch, results, strict=True):
                self._adopt_reward(found)
                skipped = self._put(found, read) if isinstance(read, ReadFile) else read
                if skipped is not None:
                    problems.append(Problem(path_text(found.file.path), skipped.kind, skipped.why))
        for problem in problems:
            self._result.skipped[problem.kind] += 1
            if len(self._result.problems) < _NAMED:
                self._result.problems.append(problem)
            if self._on_problem is not None:
                self._on_problem(problem)
        self._progress(len(batch))

    def score(self) -> None:
        """Compute the rewards of the store's default spec that are missing, if it is a formula."""
        connection = self._store.connection
        if find_default_spec(connection) is None:
            with self._store.transaction():
                ensure_default_spec(connection)
        spec = find_default_spec(connection)
        if spec is not None and spec.kind in KINDS:
            self._result.rewards = rescore(connection, spec).computed

    def _put(self, found: FoundFile, read: ReadFile) -> SkippedFile | None:
        """Write a trace; what to tell where it is not written."""
        result = self._result
        file = ImportedFile(path_text(found.file.path), read.sha256, found.stamp)
        try:
            outcome = self._writer.put(file, read.trace)
        except ValueError as error:
            return SkippedFile("malformed", f"it holds what no store takes: {error}")
        if isinstance(outcome, Conflict):
            return SkippedFile("conflict", outcome.why)
        if outcome is None:
            result.known += 1
            return None
        result.imported += 1
        result.moved += read.trace.sample.sample_index != read.trace.stated_index
        if read.unproven is not None:
            result.unproven += 1
            result.unproven_why = result.unproven_why or read.unproven
        return None

    def _adopt_reward(self, found: FoundFile) -> None:
        """Give a store without a default reward that of the export a file stands in."""
        manifest = found.file.manifest
        if manifest is None or manifest in self._manifests:
            return
        self._manifests.add(manifest)
        spec = read_manifest(Path(manifest)).reward_spec
        if spec is not None:
            adopt_default_spec(self._store.connection, spec)

    def _progress(self, files: int) -> None:
        self._seen += files
        if self._on_progress is not None and files:
            self._on_progress(self._seen, max(self._result.files, self._seen))


def _batches(files: Iterable[FoundFile]) -> Iterator[list[FoundFile]]:
    """Files by the hundred, fewer where they are large."""
    batch: list[FoundFile] = []
    size = 0
    for found in files:
        batch.append(found)
        size += found.size
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read_here(reader: FileReader, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Results]]:
    for batch in batches:
        yield batch, [reader.read(found.file) for found in batch]
