"""Verifies a store: reads its traces and photos, checks them on all cores, reports differences.

Only this process knows the store and the datasets. Memory grows by only 16 bytes a
trace. Rows and photos are read a few at a time, in short transactions, so that a
`generate` that writes the store does not wait.
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

from geostore.children import Crew
from geostore.errors import ChildEnded, StoreError
from geostore.records import StoredTrace
from geostore.store import (
    FileCheck,
    Store,
    TraceIds,
    iter_trace_ids,
    iter_unequal_facts,
    mend_facts,
    open_snapshot,
)
from geostore.store.runs import versions
from geostore.verify.explain import facts_finding, file_findings, finding
from geostore.verify.findings import Finding, Report, ReportDraft
from geostore.verify.proof import Outcome, PhotoTask, check_photos
from geostore.verify.sources import Photos

_PHOTOS_AT_ONCE = 4
_WORTH_A_WORKER = 24  # traces; starting a process takes about as long as checking these


Progress = Callable[[int, int, str], None]
"""Called with the number of traces checked so far, the number of all, and a few words.

The words give the images a second, and the failures if there are any.
"""


def verify(
    path: str | os.PathLike[str],
    *,
    sample: int | None = None,
    dataset_path: str | None = None,
    workers: int | None = None,
    mend: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Prove that a store's rows are what was sent to its teachers; a report of the differences.

    It opens every dataset and compares its fingerprint, hashes every photo's stored
    bytes, derives every image again and compares its hash, rebuilds the request of
    every turn and compares its hash, hashes the recipes, compares what questions read
    (`trace_facts`) with the rows that it follows from, and lets SQLite check the file and its
    foreign keys. No request holds the last response of a trace, so nothing
    proves its words.

    sample: the number of traces to check, chosen by a hash of their ids, so that it
        is the same traces every time. None: all that hold a response.
    dataset_path: where the dataset is now; other datasets of the store are expected
        where they were last.
    workers: processes; None: one a core, or fewer where there is little to check.
    mend: write the rows of `trace_facts` anew that are not what they stand for; then they are
        warnings. Nothing else that differs follows from other rows, so nothing else is changed.
    progress: called after every few photos.
    Raises StoreError where the file is not a store.
    """
    began = time.monotonic()
    # Keep the store open until the end: connections that only read need the -wal and -shm files
    # beside it, and cannot make them.
    with Store.open(path) as store:
        draft = ReportDraft(str(store.path), versions())
        with FileCheck(store.path) as file_check:
            _check_traces(draft, sample, dataset_path, workers, progress)
            _check_facts(draft, store, mend=mend)
            for file_finding in file_findings(file_check.result()):
                draft.add(file_finding)
    return draft.report(seconds=time.monotonic() - began)


def _check_traces(
    draft: ReportDraft,
    sample: int | None,
    dataset_path: str | None,
    workers: int | None,
    progress: Progress | None,
) -> None:
    path, began = Path(draft.path), time.monotonic()
    try:
        ids = list(iter_trace_ids(path))
    except StoreError as error:
        draft.add(_unreadable("the list of traces", error))
        return
    photos = Photos(dataset_path, several=len(ids) > 1, report=draft.add)
    if sample is not None:
        ids = _sampled(ids, sample)
    count = sum(len(of_dataset.traces) for of_dataset in ids)
    if workers is None:
        workers = min(cores(), 1 + count // _WORTH_A_WORKER)
    tasks = _tasks(path, ids, photos, draft)
    with ExitStack() as stack:
        if workers > 1:
            crew = stack.enter_context(Crew(_make_check, workers))
            crew.start()
            outcomes = crew.run(tasks)
        else:
            outcomes = ((task, check_photos(task)) for task in tasks)
        for task, outcome in outcomes:
            _count(draft, _died(draft, task) if isinstance(outcome, ChildEnded) else outcome)
            if progress is not None:
                progress(draft.traces, count, _state(draft, time.monotonic() - began))
    photos.finish()


def _check_facts(draft: ReportDraft, store: Store, *, mend: bool) -> None:
    """Compare the facts of all traces with their rows; they take a minute for a million."""
    try:
        for unequal in iter_unequal_facts(store.path):
            if mend:
                mend_facts(store.db, [unequal.trace_id])
            draft.add(facts_finding(unequal, mended=mend))
    except StoreError as error:
        draft.add(_unreadable("the facts of traces", error))


def _state(draft: ReportDraft, seconds: float) -> str:
    state = f"{draft.images / max(seconds, 1e-9):.0f} images/s"
    failures = draft.failures.total()
    return f"{state}, {failures:,} failed" if failures else state


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _make_check() -> Callable[[tuple[PhotoTask, ...]], Outcome]:
    return check_photos


def _tasks(
    path: Path, ids: Sequence[TraceIds], photos: Photos, draft: ReportDraft
) -> Iterator[tuple[PhotoTask, ...]]:
    """All traces to check, a few photos at a time."""
    for of_dataset in ids:
        batch: list[PhotoTask] = []
        pairs_of_ids = zip(of_dataset.samples, of_dataset.traces, strict=True)
        by_sample = groupby(pairs_of_ids, lambda pair: pair[0])
        for _, pairs in by_sample:
            traces = tuple(_read(path, [trace_id for _, trace_id in pairs], draft))
            if traces:
                batch.append(PhotoTask(photos.of(traces[0][1]), traces))
            if len(batch) == _PHOTOS_AT_ONCE:
                yield tuple(batch)
                batch = []
        if batch:
            yield tuple(batch)


def _read(
    path: Path, trace_ids: Sequence[int], draft: ReportDraft
) -> list[tuple[int, StoredTrace]]:
    """The traces of one photo, without those whose rows cannot be read."""
    try:
        with open_snapshot(path) as snapshot:
            return snapshot.traces_of(trace_ids)
    except (StoreError, LookupError, TypeError, ValueError) as error:
        # One damaged row fails the whole batch, so read the traces one by one.
        if len(trace_ids) > 1:
            return [pair for trace_id in trace_ids for pair in _read(path, [trace_id], draft)]
        draft.add(_unreadable(f"rows of the trace with id {trace_ids[0]}", error))
        draft.traces += 1
        draft.unverified_traces += 1
        return []


def _count(draft: ReportDraft, outcome: Outcome) -> None:
    draft.traces += outcome.traces
    draft.turns += outcome.turns
    draft.photos += outcome.photos
    draft.images += outcome.images
    draft.unverified_traces += outcome.unverified_traces
    draft.imported_traces += outcome.imported_traces
    draft.imported_images.update(outcome.imported_images)
    for fault in outcome.faults:
        draft.add(finding(fault, Path(draft.path), draft.versions))


def _died(draft: ReportDraft, tasks: tuple[PhotoTask, ...]) -> Outcome:
    """The outcome of photos whose process died while it checked them."""
    traces = [trace for task in tasks for _, trace in task.traces]
    rows = sorted({trace.sample.sample_index for trace in traces})
    draft.add(
        Finding(
            "image",
            "failure",
            traces[0].name,
            f"images of rows {', '.join(map(str, rows))}",
            "images that can be derived",
            "the process that derived them died",
            "look in the system's log whether memory ran out or a decoder crashed on a photo",
        )
    )
    return Outcome(traces=len(traces), unverified_traces=len(traces))


def _unreadable(what: str, error: Exception) -> Finding:
    todo = "the store is damaged; restore it from a copy"
    reason = str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
    return Finding("trace", "failure", None, what, "rows that can be read", reason, todo)


def _sampled(ids: Sequence[TraceIds], count: int) -> list[TraceIds]:
    """`count` of the traces, in their order: those whose ids have the smallest hashes."""
    every = (trace_id for of_dataset in ids for trace_id in of_dataset.traces)
    chosen = set(nsmallest(count, every, key=lambda n: sha256(str(n).encode()).digest()))
    sampled = []
    for of_dataset in ids:
        part = TraceIds(of_dataset.dataset_id, array("q"), array("q"))
        for trace_id, sample_id in zip(of_dataset.traces, of_dataset.samples, strict=True):
            if trace_id in chosen:
                part.traces.append(trace_id)
                part.samples.append(sample_id)
        sampled.append(part)
    return sampled
