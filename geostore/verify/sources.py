"""Reads the photos of traces from their datasets, and reports missing ones."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from geostore.conversation.images import PhotoSource
from geostore.errors import DatasetError, MachineError
from geostore.records import DatasetFacts, StoredTrace
from geostore.verify.findings import Finding

if TYPE_CHECKING:
    from geostore.dataset import PhotoDataset

_WHERE = "say where the dataset is now with --dataset-path, or put it back as it was"


class Photos:
    """Reads the stored bytes of photos; opens each dataset once and compares its fingerprint.

    dataset_path: where the dataset is now; None: where the store saw it last.
    several: whether the store holds several datasets; those that are not at
        `dataset_path` are then expected where the store saw them last.
    report: called with each finding.
    """

    def __init__(
        self, dataset_path: str | None, *, several: bool, report: Callable[[Finding], None]
    ) -> None:
        self._dataset_path = dataset_path
        self._at_path = PhotoSource(dataset_path)
        self._where_last_seen = PhotoSource()
        self._several = several
        self._report = report
        self._open: dict[str, PhotoDataset | None] = {}
        self._why_not: dict[str, str] = {}
        self._reported: set[str] = set()
        self._path_was_used = dataset_path is None

    def of(self, trace: StoredTrace) -> bytes | None:
        """The bytes of a trace's photo in its dataset now, unchecked; None without them.

        A copy of the photo in another dataset serves where the dataset itself is gone.
        """
        facts = trace.dataset
        if facts.fingerprint is None or trace.sample.photo is None:
            return None  # imported without its dataset
        found = self._found(trace, facts, facts.fingerprint)
        if found is None:
            return None
        dataset, row = found
        try:
            return dataset.photo_bytes(row)
        except MachineError as error:
            if not error.alone:
                raise  # each further photo would only be reported alike
            self._report_photo(trace, row, str(error))
            return None
        except Exception as error:  # a damaged Arrow file fails in many ways
            self._report_photo(trace, row, f"{error}; put back the dataset that was used")
            return None

    def finish(self) -> None:
        """Report a `dataset_path` at which no dataset of the store was found."""
        if not self._path_was_used and any(self._open.values()):
            what = f"--dataset-path {self._dataset_path}"
            todo = f"the datasets were found where the store saw them last; {_WHERE}"
            self._put(what, "a dataset of the store", "another, or none", todo)

    def _report_photo(self, trace: StoredTrace, row: int, todo: str) -> None:
        what = f"stored photo of row {row}"
        self._report(Finding("photo", "failure", trace.name, what, "its bytes", "none", todo))

    def _found(
        self, trace: StoredTrace, facts: DatasetFacts, fingerprint: str
    ) -> tuple[PhotoDataset, int] | None:
        """The trace's dataset, or one that holds a copy of its photo, and the row there."""
        if fingerprint not in self._open:
            self._open[fingerprint], self._why_not[fingerprint] = self._opened(facts)
        dataset = self._open[fingerprint]
        if dataset is not None:
            return dataset, trace.sample.sample_index
        copy = self._at_path.copy_of(trace) or self._where_last_seen.copy_of(trace)
        if copy is None and fingerprint not in self._reported:
            self._reported.add(fingerprint)
            expected = f"{facts.num_rows:,} rows, {fingerprint[:12]}"
            todo = f"{self._why_not[fingerprint]}; {_WHERE}"
            self._put(f"dataset {facts.name}", expected, "not there, or another", todo)
        return copy

    def _opened(self, facts: DatasetFacts) -> tuple[PhotoDataset | None, str]:
        """A dataset, or why it cannot be had."""
        try:
            dataset = self._at_path.dataset(facts)
            self._path_was_used = True
            return dataset, ""
        except DatasetError as error:
            reason = str(error)
        if self._several and self._dataset_path is not None:
            with suppress(DatasetError):
                return self._where_last_seen.dataset(facts), ""
        return None, reason

    def _put(self, what: str, expected: str, actual: str, todo: str) -> None:
        self._report(Finding("dataset", "failure", None, what, expected, actual, todo))
