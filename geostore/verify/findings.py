"""What `verify` finds, and how it is told: as text for a person, as JSON for a program."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from geostore.text.tables import QueryResult, format_table

Check = Literal["file", "reference", "dataset", "photo", "image", "request", "recipe", "trace"]
"""What was compared: SQLite's file, its foreign keys, a dataset's fingerprint, the stored bytes of
a photo, an image that was sent, a request, a recipe's hash, the rows of a trace with each other."""

MOST_LISTED = 1000
"""How many findings of a severity are kept; the others are only counted."""

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the store says.

    trace: its name, None where it is not about one. todo: what can be done, a
    sentence without its full stop.
    """

    check: Check
    severity: Literal["failure", "warning"]
    trace: str | None
    what: str
    expected: str
    found: str
    todo: str


@dataclass(slots=True)
class Report:
    """What was checked and what was found.

    traces, turns, photos, images: checked; each image is counted once for each
    trace that shows it. unverified_traces: of `traces`, those with images that
    could not be derived, because the dataset is not there or its photo is another.
    imported_traces: of `traces`, those whose files say no hashes; only their photo
    is compared, where its dataset is known.
    versions: with which the images were derived now. failures, warnings: by check;
    `findings` lists at most `MOST_LISTED` of each.
    """

    path: str
    versions: dict[str, str]
    traces: int = 0
    turns: int = 0
    photos: int = 0
    images: int = 0
    unverified_traces: int = 0
    imported_traces: int = 0
    seconds: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it if there is room."""
        counted = self.failures if finding.severity == "failure" else self.warnings
        if counted.total() < MOST_LISTED:
            self.findings.append(finding)
        counted[finding.check] += 1

    def holds(self, *, strict: bool = False) -> bool:
        """Whether nothing failed; strict: whether nothing was found at all."""
        return not self.failures and not (strict and self.warnings)


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
            f"nothing to prove: {_counted(report.imported_traces, 'trace')} that were imported "
            "without hashes of requests and images"
        )
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
    # Not asdict of the whole, which fails on counters before Python 3.12.
    value: dict[str, Any] = {place.name: getattr(report, place.name) for place in fields(report)}
    value["seconds"] = round(report.seconds, 3)
    value["findings"] = [asdict(finding) for finding in report.findings]
    value["holds"] = report.holds()
    return json.dumps(value, ensure_ascii=False, indent=2)


def _listed(report: Report, severity: str, heading: str, counts: Mapping[str, int]) -> list[str]:
    findings = [finding for finding in report.findings if finding.severity == severity]
    shown = findings[:_SHOWN]
    total = sum(counts.values())
    of_each = ", ".join(f"{check} {count:,}" for check, count in sorted(counts.items()))
    columns = ("check", "trace", "what", "expected", "found")
    rows = [tuple(getattr(finding, name) for name in columns) for finding in shown]
    lines = [f"{heading}: {of_each}", format_table(QueryResult(columns, rows))]
    if total > len(shown):
        lines.append(f"and {total - len(shown):,} more; --json lists up to {MOST_LISTED:,}")
    lines += [
        f"{check}: {todo}." for check, todo in dict.fromkeys((f.check, f.todo) for f in shown)
    ]
    return lines


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
