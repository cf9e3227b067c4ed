"""Runs the checks on the traces that need it, a batch at a time, and says what is flagged.

Traces that were closed since the last audit, whose answer was read by a newer
parser, or whose recipe has meanwhile been asked of a second photo, are looked at
by all checks; the others only by checks whose version is new. So an audit that
is stopped goes on where it was, and the last of many leaves what a first one
over the same store would.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from geostore.audit.audited_text import Subject
from geostore.audit.checks import CHECKS, SAME_RESPONSE, Check
from geostore.audit.wording import response_key
from geostore.records import ImportedRecipe, Recipe
from geostore.store import Store
from geostore.store.audits import (
    Audited,
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


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What is flagged in a store. flags: by check, in the order of `CHECKS`, all of them.

    newly_audited: traces that this audit looked at. audited: all that ever were.
    """

    newly_audited: int
    audited: int
    flags: Mapping[str, FlagCount]


def audit(store: Store, *, batch: int = _BATCH) -> AuditResult:
    """Check the closed traces of a store that need it. Safe beside a running generate.

    Open traces are left to the audit after their end. Memory holds the text of
    one trace at a time. Doing it twice changes nothing. Raises StoreError.
    """
    return run_checks(store, CHECKS, batch=batch)


def run_checks(store: Store, checks: Mapping[str, Check], *, batch: int = _BATCH) -> AuditResult:
    """`audit` with these checks, by name; flags of others go."""
    suite_id = put_suite(store.db, {check.name: check.version for check in checks.values()})
    recipes: dict[int, Recipe | ImportedRecipe] = {}
    looked_at = _pass(store, suite_id, None, list(checks.values()), recipes, batch=batch)
    for older, known in other_suites(store.db, suite_id).items():
        stale = [check for check in checks.values() if known.get(check.name) != check.version]
        kept = checks.keys() - {check.name for check in stale}
        looked_at += _pass(store, suite_id, older, stale, recipes, batch=batch, kept=kept)
    same = checks.get(SAME_RESPONSE)
    if same is not None:
        flag_same_responses(store.db, same.name, same.version)
    audited, counts = flag_counts(store.db)
    nothing = FlagCount(0, ())
    return AuditResult(
        newly_audited=looked_at,
        audited=audited,
        flags={name: counts.get(name, nothing) for name in checks},
    )


def _pass(
    store: Store,
    suite_id: int,
    older: int | None,
    checks: Sequence[Check],
    recipes: dict[int, Recipe | ImportedRecipe],
    *,
    batch: int,
    kept: Collection[str] = (),
) -> int:
    """Run some checks on all traces that need them; how many traces those were.

    older: None for traces that are new or have changed, else for those last
    audited with that set of checks. kept: checks whose flags stay as they are.
    """
    with_keys = any(check.name == SAME_RESPONSE for check in checks)
    after, looked_at = 0, 0
    while True:
        with reading(store.db, recipes) as source:
            pending = source.pending(after=after, batch=batch, older_suite=older)
            audited = _look_at(source, pending, checks)
        if not pending:
            return looked_at
        # What two traces share is known only after the last of them.
        staying = {*kept, SAME_RESPONSE}
        looked_at += put_audits(store.db, suite_id, audited, kept=staying, with_keys=with_keys)
        after = pending[-1].trace_id


def _look_at(
    source: Reading, pending: Sequence[PendingTrace], checks: Sequence[Check]
) -> list[Audited]:
    ids = [trace.trace_id for trace in pending]
    by_sql = {
        check: source.check(check.name, ids)
        for check in checks
        if check.find is None and check.name != SAME_RESPONSE
    }
    by_text = [check for check in checks if check.find is not None]
    with_keys = any(check.name == SAME_RESPONSE for check in checks)
    keys: dict[int, str | None] = {}
    flags: dict[int, list[tuple[str, int, str]]] = {trace_id: [] for trace_id in ids}
    for check, found in by_sql.items():
        for trace_id, detail in found.items():
            flags[trace_id].append((check.name, check.version, detail))
    if by_text or with_keys:
        for trace, (_, turns, calls) in zip(pending, source.texts(ids), strict=True):
            subject = Subject(trace, turns, calls)
            keys[trace.trace_id] = response_key(subject) if with_keys else None
            for check in by_text:
                assert check.find is not None
                if (noticed := check.find(subject)) is not None:
                    flags[trace.trace_id].append((check.name, check.version, noticed))
    return [
        Audited(trace, keys.get(trace.trace_id), tuple(flags[trace.trace_id])) for trace in pending
    ]
