"""Explains a fault: whether it is a failure or a warning, its likely cause, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from geostore.store import FileState, UnequalFacts, find_photo, turn_versions
from geostore.verify.findings import Check, Finding
from geostore.verify.proof import Fault

_CODECS = ("pillow", "libjpeg")
_CHECKS: Mapping[str, Check] = {"bytes": "image", "size": "image"}

_ROW_CHANGED = (
    "a row of the trace was changed after it was sent; restore the store from a copy, "
    "or leave the trace out"
)
_TODO: Mapping[str, str] = {
    "photo": (
        "the dataset was changed in place, or the sample's row in the store; put back the one "
        "that was used"
    ),
    "recipe": "the recipe's row was changed; restore the store from a copy",
    "image": "the photo or the row of a call was changed; restore them from a copy",
}


def finding(fault: Fault, path: Path, now: Mapping[str, str]) -> Finding:
    """The finding for a fault of the store at `path`.

    now: the versions of the libraries that derived the images now.
    """
    if fault.kind == "bytes":
        return _other_bytes(fault, turn_versions(path, fault.trace_id, fault.turn or 1), now)
    expected, actual = fault.expected, fault.actual
    if fault.kind in ("photo", "request", "recipe"):
        expected, actual = _short(expected), _short(actual)
    if fault.kind == "photo":
        row = find_photo(path, fault.trace_id, fault.actual)
        actual += "" if row is None else f", the photo of row {row}"
    check = _CHECKS.get(fault.kind, fault.kind)
    todo = _TODO.get(fault.kind, _ROW_CHANGED)
    return Finding(check, "failure", fault.trace, fault.what, expected, actual, todo)  # type: ignore[arg-type]


def facts_finding(unequal: UnequalFacts, *, mended: bool) -> Finding:
    """The finding for a trace whose facts are not what its rows give.

    mended: whether they were written anew.
    """
    if not unequal.has_row:
        expected, actual = "a row", "none"
    elif not unequal.is_closed:
        expected, actual = "none, because it is not closed", "a row"
    else:
        expected, actual = "what its rows give", f"another {' and '.join(unequal.columns[:3])}"
    todo = "another program changed rows of the trace, and questions showed it as it was before"
    todo += (
        "; its facts are written anew"
        if mended
        else "; write its facts anew with: geostore verify --mend"
    )
    severity: Literal["failure", "warning"] = "warning" if mended else "failure"
    return Finding("facts", severity, unequal.trace, "trace_facts", expected, actual, todo)


def file_findings(state: FileState) -> list[Finding]:
    """The findings for the faults that SQLite finds in the file."""
    damage_todo = "the file is damaged; restore it from a copy"
    reference_todo = (
        "rows were deleted by hand, or the file was damaged; restore it from a copy, or delete "
        "these rows too"
    )
    return [
        *(
            Finding("file", "failure", None, "integrity", "ok", sentence, damage_todo)
            for sentence in state.damage
        ),
        *(
            Finding(
                "reference",
                "failure",
                None,
                f"{reference.table} row {'?' if reference.rowid is None else reference.rowid}",
                f"a row of {reference.parent}",
                "none",
                reference_todo,
            )
            for reference in state.broken
        ),
    ]


def _other_bytes(fault: Fault, then: Mapping[str, str], now: Mapping[str, str]) -> Finding:
    """The finding for an image whose bytes differ.

    It is a warning where only the JPEG encoder differs, and a failure where the pixels
    differ or no hash of them is known.

    then, now: the versions when the image was sent and now; empty where not known.
    """
    before, here = _codecs(then), _codecs(now)
    other_codecs = bool(then) and before != here
    severity: Literal["failure", "warning"] = "failure"
    actual = _short(fault.actual)
    if fault.pixels == "same":
        actual += ", same pixels"
        # The pixel hash alone proves little: somebody may have changed the row's hash of the bytes.
        # So a request with a right hash must name that hash, or the codecs must be others.
        if fault.attested or other_codecs:
            severity = "warning"
            todo = (
                f"the same pixels, encoded by another JPEG encoder: {before} then, {here} now; "
                "to export these bytes or go on with the trace, install the versions of then"
            )
        else:
            todo = f"the same pixels and {here} then and now; the hash in the row was changed"
    elif fault.pixels == "other":
        actual += ", other pixels"
        todo = (
            f"{before} then, {here} now, which may decode or resize otherwise; verify again with "
            "the versions of then"
            if other_codecs
            else f"other pixels, though {here} made both; the photo, or the row of a call (its "
            "source, box or angle), was changed"
        )
    else:
        actual += ", pixels not recorded"
        todo = (
            "no hash of the pixels was kept, so the encoder or the pixels may differ: "
            f"{before} then, {here} now; verify again with the versions of then"
        )
    return Finding("image", severity, fault.trace, fault.what, _short(fault.expected), actual, todo)


def _codecs(versions: Mapping[str, str]) -> str:
    if not versions:
        return "unknown versions"
    return " and ".join(f"{name} {versions.get(name, 'unknown')}" for name in _CODECS)


def _short(sha256: str) -> str:
    return sha256[:12]
