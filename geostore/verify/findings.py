"""What `verify` finds: a report that is text for a person and JSON for a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from geostore.one_line import OneLine
from geostore.text.json_lines import json_text
from geostore.text.tables import QueryResult, format_table

Check = Literal[
    "file", "reference", "dataset", "photo", "image", "request", "recipe", "trace", "facts"
]
"""What was compared: SQLite's file, its foreign keys, a dataset's fingerprint, the stored bytes of
a photo, an image that was sent, a request, a recipe's hash, the rows of a trace with each other,
its row of `trace_facts` with the rows that it stands for."""

MOST_LISTED = 1000
"""How many findings of a severity a report lists; the others are only counted."""

_SHOWN = 50
_COUNT = 14  # columns
_PROVEN: Mapping[str, str] = {
    "exact": "exact: every pixel is the file's",
    "near": "near: they show what the file's show",
    "unseen": "unseen: the file holds none to compare with",
    "not": "not proven: other images, or none could be made",
}
"""What a person reads of each `proofs.ProofKind`."""


@dataclass(frozen=True, slots=True, repr=False)
class Finding(OneLine):
    """One thing that differs from what the store says."""

    check: Check
    """What was compared."""
    severity: Literal["failure", "warning"]
    """A warning can be explained without a change of what was sent, as by another JPEG encoder."""
    trace: str | None
    """The trace's name; None where it is not about one."""
    what: str
    """The thing that differs, in a few words, such as ``image 2``."""
    expected: str
    """What the store says: the start of a hash, a size, or words."""
    found: str
    """What there is instead."""
    todo: str
    """What can be done about it, a sentence without its full stop."""


@dataclass(frozen=True, slots=True, repr=False)
class Report(OneLine):
    """What was checked and what was found."""

    path: str
    """The store's file."""
    versions: Mapping[str, str]
    """Of the libraries with which the images were derived now, by name."""
    traces: int
    """Traces that were checked."""
    turns: int
    """Turns whose request was rebuilt."""
    photos: int
    """Photos from which images were derived."""
    images: int
    """Images that were derived, each once for each trace that shows it."""
    unverified_traces: int
    """Of `traces`, those with images that could not be derived, because the dataset is not there or
    its photo is another."""
    imported_traces: int
    """Of `traces`, those that were imported without hashes of their requests; only their photo and
    images are compared, and these where the dataset is known."""
    imported_images: Mapping[str, int]
    """Images of imported traces by what was proven of them when they were imported
    (`proofs.ProofKind`)."""
    seconds: float
    """How long the check took."""
    failures: Mapping[str, int]
    """How many by check, listed or not."""
    warnings: Mapping[str, int]
    """How many by check, listed or not."""
    findings: tuple[Finding, ...]
    """In the order in which they were found, at most `MOST_LISTED` of each severity."""

    def holds(self, *, strict: bool = False) -> bool:
        """Whether nothing failed; strict: whether there is no warning either."""
        # Warnings alone pass: nothing is wrong with the data, and an upgrade of Pillow would
        # otherwise fail every store.
        return not self.failures and not (strict and self.warnings)

    def to_json(self) -> dict[str, Any]:
        """The fields by name, and ``holds``; seconds are rounded to milliseconds."""
        document: dict[str, Any] = {part.name: getattr(self, part.name) for part in fields(self)}
        document["seconds"] = round(self.seconds, 3)
        document["findings"] = [asdict(finding) for finding in self.findings]
        document["holds"] = self.holds()
        return document


@dataclass(slots=True)
class ReportDraft:
    """What a check has counted and found so far. The counts are those of `Report`."""

    path: str
    """The store's file."""
    versions: dict[str, str]
    """Of the libraries that derive the images, by name."""
    traces: int = 0
    """Traces that were checked."""
    turns: int = 0
    """Turns whose request was rebuilt."""
    photos: int = 0
    """Photos from which images were derived."""
    images: int = 0
    """Images that were derived, each once for each trace that shows it."""
    unverified_traces: int = 0
    """Of `traces`, those with images that could not be derived."""
    imported_traces: int = 0
    """Of `traces`, those that were imported without hashes of their requests."""
    imported_images: Counter[str] = field(default_factory=Counter)
    """Images of imported traces by what was proven of them."""
    failures: Counter[str] = field(default_factory=Counter)
    """How many by check."""
    warnings: Counter[str] = field(default_factory=Counter)
    """How many by check."""
    findings: list[Finding] = field(default_factory=list)
    """At most `MOST_LISTED` of each severity, so that a store that is all wrong still fits."""

    def add(self, finding: Finding) -> None:
        """Count a finding, and list it if there is room."""
        counts = self.failures if finding.severity == "failure" else self.warnings
        if counts.total() < MOST_LISTED:
            self.findings.append(finding)
        counts[finding.check] += 1

    def report(self, seconds: float) -> Report:
        """All of it as a value. seconds: how long the check took."""
        return Report(
            path=self.path,
            versions=self.versions,
            traces=self.traces,
            turns=self.turns,
            photos=self.photos,
            images=self.images,
            unverified_traces=self.unverified_traces,
            imported_traces=self.imported_traces,
            imported_images=dict(self.imported_images),
            seconds=seconds,
            failures=dict(self.failures),
            warnings=dict(self.warnings),
            findings=tuple(self.findings),
        )


def format_text(report: Report) -> str:
    """What was checked, then a table of what failed, then what can be done about it."""
    lines = [
        f"{_counted(report.traces, 'trace')}: {_counted(report.turns, 'request')} rebuilt, "
        f"{_counted(report.images, 'image')} derived from {_counted(report.photos, 'photo')}, "
        f"in {report.seconds:.1f} s"
    ]
    if report.unverified_traces:
        lines.append(
            f"not verified: the images of {_counted(report.unverified_traces, 'trace')}, "
            "whose photos could not be had"
        )
    if report.imported_traces:
        lines.append(
            f"nothing to prove: the requests of {_counted(report.imported_traces, 'trace')} that "
            "were imported without their hashes"
        )
    if report.imported_images:
        lines += ["images of imported traces, as they were compared with their files at import:"]
        lines += [
            f"  {_counted(count, 'image'):>{_COUNT}}  {_PROVEN[kind]}"
            for kind in _PROVEN
            if (count := report.imported_images.get(kind))
        ]
    for severity, heading, counts in (
        ("failure", "failed", report.failures),
        ("warning", "warnings", report.warnings),
    ):
        if counts:
            lines += ["", *_listed(report, severity, heading, counts)]
    if not report.failures:
        lines.append("nothing failed" if report.traces else "nothing failed; nothing was there")
    return "\n".join(lines)


def format_json(report: Report) -> str:
    """The whole report as one JSON object."""
    return json_text(report.to_json(), indent=2)


def _listed(report: Report, severity: str, heading: str, counts: Mapping[str, int]) -> list[str]:
    findings = [finding for finding in report.findings if finding.severity == severity]
    shown = findings[:_SHOWN]
    total = sum(counts.values())
    counts_by_check = ", ".join(f"{check} {count:,}" for check, count in sorted(counts.items()))
    columns = ("check", "trace", "what", "expected", "found")
    rows = [tuple(getattr(finding, name) for name in columns) for finding in shown]
    table = format_table(QueryResult(columns, rows), with_count=False)
    lines = [f"{heading}: {counts_by_check}", table]
    if total > len(shown):
        lines.append(f"and {total - len(shown):,} more; --json lists up to {MOST_LISTED:,}")
    lines += [
        f"{check}: {todo}." for check, todo in dict.fromkeys((f.check, f.todo) for f in shown)
    ]
    return lines


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
