"""Verifies a store: reads its traces and photos, has them checked on all cores, says what it means.

Only this process knows the store and the datasets. Memory does not grow with the
store but for sixteen bytes a trace: rows and photos are read a few at a time, each
time in a transaction of its own, so that a store that is being written is not held up.
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from hashlib import sha256
from heapq import nsmallest
from itertools import groupby
from pathlib import Path
from typing import Protocol

from geostore.children import Crew
from geostore.errors import ChildEnded, StoreError
from geostore.records import StoredTrace
from geostore.store import FileCheck, Store, TraceIds, iter_trace_ids, open_snapshot
from geostore.store.runs import versions
from geostore.verify.explain import file_findings, finding
from geostore.verify.findings import Finding, Report
from geostore.verify.proof import Outcome, PhotoTask, check_photos
from geostore.verify.sources import Photos

_PHOTOS_AT_ONCE = 4
_WORTH_A_WORKER = 24  # traces; to start a process takes about as long as to check so many


class Watcher(Protocol):
    """Who is told how a check goes."""

    def planned(self, traces: int) -> None:
        """How many traces will be checked."""

    def checked(self, *, traces: int, images: int, failures: int) -> None:
        """How many have been, in all, and what was found on the way."""


def verify(
    path: str | os.PathLike[str],
    *,
    sample: int | None = None,
    dataset_path: str | None = None,
    workers: int | None = None,
    watcher: Watcher | None = None,
) -> Report:
    """Prove that a store's rows are what its teachers were sent; what could not be proven.

    Every dataset is opened and its fingerprint compared; every photo's stored
    bytes are hashed; every image is derived again and compared by hash; every
    request of every turn is rebuilt and compared by hash; recipes are hashed;
    SQLite checks the file and its foreign keys. The last response of a trace is
    in no request, so its words are proven by nothing.

    sample: check only so many traces, chosen by a hash of their ids: the same
        ones every time. None: all that hold a response.
    dataset_path: where the dataset is now; datasets of the store that are not
        there are looked for where they were last.
    workers: processes; None: as many as there are cores and enough work for.
    Raises StoreError where the file is no store.
    """
    began = time.monotonic()
    # Held open all the while: this keeps the files beside it that a connection which only reads
    # could not make.
    with Store.open(path) as store:
        report = Report(str(store.path), versions())
        with FileCheck(store.path) as file_check:
            _check_traces(report, sample, dataset_path, workers, watcher)
            for found in file_findings(file_check.result()):
                report.add(found)
    report.seconds = time.monotonic() - began
    return report


def _check_traces(
    report: Report,
    sample: int | None,
    dataset_path: str | None,
    workers: int | None,
    watcher: Watcher | None,
) -> None:
    path = Path(report.path)
    try:
        ids = list(iter_trace_ids(path))
    except StoreError as error:
        report.add(_unreadable("the list of traces", error))
        return
    photos = Photos(dataset_path, several=len(ids) > 1, found=report.add)
    if sample is not None:
        ids = _sampled(ids, sample)
    count = sum(len(found.traces) for found in ids)
    if watcher is not None:
        watcher.planned(count)
    if workers is None:
        workers = min(cores(), 1 + count // _WORTH_A_WORKER)
    tasks = _tasks(path, ids, photos, report)
    with ExitStack() as stack:
        if workers > 1:
            crew = stack.enter_context(Crew(_make_check, workers))
            crew.start()
            outcomes = crew.run(tasks)
        else:
            outcomes = ((task, check_photos(task)) for task in tasks)
        for task, outcome in outcomes:
            _count(report, _died(report, task) if isinstance(outcome, ChildEnded) else outcome)
            if watcher is not None:
                watcher.checked(
                    traces=report.traces, images=report.images, failures=report.failures.total()
                )
    photos.finish()


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _make_check() -> Callable[[tuple[PhotoTask, ...]], Outcome]:
    return check_photos


def _tasks(
    path: Path, ids: Sequence[TraceIds], photos: Photos, report: Report
) -> Iterator[tuple[PhotoTask, ...]]:
    """All there is to check, some photos at a time."""
    for found in ids:
        batch: list[PhotoTask] = []
        by_sample = groupby(zip(found.samples, found.traces, strict=True), lambda pair: pair[0])
        for _, pairs in by_sample:
            traces = tuple(_read(path, [trace_id for _, trace_id in pairs], report))
            if traces:
                batch.append(PhotoTask(photos.of(traces[0][1]), traces))
            if len(batch) == _PHOTOS_AT_ONCE:
                yield tuple(batch)
                batch = []
        if batch:
            yield tuple(batch)


def _read(path: Path, trace_ids: Sequence[int], report: Report) -> list[tuple[int, StoredTrace]]:
    """The traces of one photo. Rows that cannot be read spoil their own trace only."""
    try:
        with open_snapshot(path) as snapshot:
            return snapshot.traces_of(trace_ids)
    except (StoreError, LookupError, TypeError, ValueError) as error:
        if len(trace_ids) > 1:
            return [pair for trace_id in trace_ids for pair in _read(path, [trace_id], report)]
        report.add(_unreadable(f"rows of the trace with id {trace_ids[0]}", error))
        report.traces += 1
        report.unverified_traces += 1
        return []


def _count(report: Report, outcome: Outcome) -> None:
    report.traces += outcome.traces
    report.turns += outcome.turns
    report.photos += outcome.photos
    report.images += outcome.images
    report.unverified_traces += outcome.unverified_traces
    report.imported_traces += outcome.imported_traces
    for fault in outcome.faults:
        report.add(finding(fault, Path(report.path), report.versions))


def _died(report: Report, tasks: tuple[PhotoTask, ...]) -> Outcome:
    """What to put down where the process that checked some photos is gone."""
    traces = [trace for task in tasks for _, trace in task.traces]
    rows = sorted({trace.sample.sample_index for trace in traces})
    report.add(
        Finding(
            "image",
            "failure",
            traces[0].name,
            f"images of rows {', '.join(map(str, rows))}",
            "images that can be derived",
            "the process that derived them died",
            "look in the system's log whether memory ran out, or a decoder crashed on a photo",
        )
    )
    return Outcome(traces=len(traces), unverified_traces=len(traces))


def _unreadable(what: str, error: Exception) -> Finding:
    todo = "the store is damaged; restore it from a copy"
    found = str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
    return Finding("trace", "failure", None, what, "rows that can be read", found, todo)


def _sampled(ids: Sequence[TraceIds], count: int) -> list[TraceIds]:
    """So many of the traces, in their order: those whose ids have the least hashes."""
    every = (trace_id for found in ids for trace_id in found.traces)
    chosen = set(nsmallest(count, every, key=lambda n: sha256(str(n).encode()).digest()))
    sampled = []
    for found in ids:
        kept = TraceIds(found.dataset_id, array("q"), array("q"))
        for trace_id, sample_id in zip(found.traces, found.samples, strict=True):
            if trace_id in chosen:
                kept.traces.append(trace_id)
                kept.samples.append(sample_id)
        sampled.append(kept)
    return sampled
