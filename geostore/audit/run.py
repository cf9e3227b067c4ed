"""Runs the checks on the traces that need it, a batch at a time, and counts what is flagged.

All checks look at traces that were closed since the last audit, whose answer was
read by a newer parser, or whose recipe has meanwhile been asked of a second photo.
Only checks whose version is new look at the others. So an audit that was stopped
goes on where it was, and after many audits a store holds the same flags as after a
single one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geostore.audit.audited_text import AuditedText
from geostore.audit.checks import CHECKS, SAME_RESPONSE, Check
from geostore.audit.wording import response_key
from geostore.one_line import OneLine
from geostore.records import ImportedRecipe, Recipe
from geostore.store import Store
from geostore.store.audits import (
    Audited,
    Flag,
    FlagCount,
    PendingTrace,
    Reading,
    flag_counts,
    flag_same_responses,
    other_suites,
    put_audits,
    put_suite,
    reading,
)

_BATCH = 500


@dataclass(frozen=True, slots=True, repr=False)
class AuditResult(OneLine):
    """What is flagged in a store."""

    newly_audited: int
    """Traces that this audit looked at."""

    audited: int
    """Traces that any audit looked at and that did not change since."""

    flags: Mapping[str, FlagCount]
    """For every check, by its name: how many traces are flagged, and some of them."""

    versions: Mapping[str, int]
    """The version of every check, by its name."""

    def share(self, check: str) -> float | None:
        """The share of the audited traces that a check flagged, 0..1; None where there are none."""
        return self.flags[check].traces / self.audited if self.audited else None

    def to_json(self) -> dict[str, Any]:
        """The result as plain values for JSON."""
        return {
            "audited": self.audited,
            "newly_audited": self.newly_audited,
            "checks": [
                {
                    "check": name,
                    "version": self.versions[name],
                    "traces": count.traces,
                    "share": self.share(name),
                    "examples": list(count.examples),
                }
                for name, count in self.flags.items()
            ],
        }


def audit(store: Store, *, batch: int = _BATCH) -> AuditResult:
    """Check the closed traces of a store that need it. May run beside a generate.

    Open traces are left to an audit after their end. Memory holds the text of one
    trace at a time. A second audit of the same store changes nothing. Raises
    StoreError.
    """
    return run_checks(store, CHECKS, batch=batch)


def run_checks(store: Store, checks: Mapping[str, Check], *, batch: int = _BATCH) -> AuditResult:
    """`audit` with these checks, by name. Flags of other checks are removed."""
    versions = {name: check.version for name, check in checks.items()}
    suite_id = put_suite(store.db, versions)
    recipes: dict[int, Recipe | ImportedRecipe] = {}
    newly_audited = _pass(store, suite_id, None, list(checks.values()), recipes, batch=batch)
    for older_suite, older_versions in other_suites(store.db, suite_id).items():
        stale = [c for c in checks.values() if older_versions.get(c.name) != c.version]
        staying = checks.keys() - {check.name for check in stale}
        newly_audited += _pass(
            store, suite_id, older_suite, stale, recipes, batch=batch, staying=staying
        )
    same = checks.get(SAME_RESPONSE)
    if same is not None:
        flag_same_responses(store.db, same.name, same.version)
    audited, counts = flag_counts(store.db)
    nothing = FlagCount(0, ())
    return AuditResult(
        newly_audited=newly_audited,
        audited=audited,
        flags={name: counts.get(name, nothing) for name in checks},
        versions=versions,
    )


def _pass(
    store: Store,
    suite_id: int,
    older_suite: int | None,
    checks: Sequence[Check],
    recipes: dict[int, Recipe | ImportedRecipe],
    *,
    batch: int,
    staying: Collection[str] = (),
) -> int:
    """Run some checks on all traces that need them; how many traces those were.

    older_suite: None for traces that are new or have changed, else for those last
    audited with that set of checks. staying: checks whose flags stay as they are.
    """
    with_keys = any(check.name == SAME_RESPONSE for check in checks)
    # Which traces share a response is known only after the last batch.
    staying = {*staying, SAME_RESPONSE}
    last_id, count = 0, 0
    while True:
        with reading(store.db, recipes) as source:
            pending = source.pending(after=last_id, batch=batch, older_suite=older_suite)
            audited = _look_at(source, pending, checks)
        if not pending:
            return count
        count += put_audits(
            store.db, suite_id, audited, skipped_checks=staying, with_keys=with_keys
        )
        last_id = pending[-1].trace_id


def _look_at(
    source: Reading, pending: Sequence[PendingTrace], checks: Sequence[Check]
) -> list[Audited]:
    ids = [trace.trace_id for trace in pending]
    by_sql = [c for c in checks if c.find is None and c.name != SAME_RESPONSE]
    by_text = [check for check in checks if check.find is not None]
    with_keys = any(check.name == SAME_RESPONSE for check in checks)
    keys: dict[int, str | None] = {}
    flags: dict[int, list[Flag]] = {trace_id: [] for trace_id in ids}
    for check in by_sql:
        for trace_id, detail in source.check(check.name, ids).items():
            flags[trace_id].append(Flag(check.name, check.version, detail))
    if by_text or with_keys:
        for trace, (_, turns, calls) in zip(pending, source.texts(ids), strict=True):
            text = AuditedText(trace, turns, calls)
            keys[trace.trace_id] = response_key(text) if with_keys else None
            for check in by_text:
                assert check.find is not None
                text_detail = check.find(text)
                if text_detail is not None:
                    flags[trace.trace_id].append(Flag(check.name, check.version, text_detail))
    return [
        Audited(trace, keys.get(trace.trace_id), tuple(flags[trace.trace_id])) for trace in pending
    ]
