"""Checks of what an export is asked for, before anything is written."""

from __future__ import annotations

from dataclasses import replace

from geostore.audit import VERSIONS
from geostore.errors import ExportError, FilterError
from geostore.export.options import ExportOptions
from geostore.export.writer import FormatWriter
from geostore.store import ENDED, Choice, Filter, Snapshot
from geostore.text.nearest import did_you_mean


def check_order(writer: FormatWriter, options: ExportOptions, choice: Choice) -> None:
    """Raise ExportError for an order in which a format would not find what belongs together."""
    if writer.choose is not None and choice.order != "dataset":
        raise ExportError(
            f"the format {options.format} compares the rollouts of a photo, which stand together "
            "only as in the dataset; leave out --order"
        )


def check_flags(filters: Filter) -> None:
    """Raise FilterError for a flag that no check of an audit has."""
    for flag in (*filters.flags, *filters.exclude_flags):
        if flag not in VERSIONS:
            raise FilterError(
                f"there is no check {flag!r}{did_you_mean(flag, VERSIONS)}; there are "
                f"{', '.join(VERSIONS)}"
            )


def checked_filter(filters: Filter) -> Filter:
    """A filter for an export, its flags in one order, so that the same choice has one manifest."""
    check_flags(filters)
    statuses = filters.statuses
    if statuses is None or not set(statuses) <= set(ENDED):
        raise ExportError(f"only traces that ended can be exported: {' or '.join(ENDED)}")
    return replace(
        filters,
        statuses=tuple(status for status in ENDED if status in statuses),
        flags=tuple(sorted(set(filters.flags))),
        exclude_flags=tuple(sorted(set(filters.exclude_flags))),
    )


def check_audited(snapshot: Snapshot, filters: Filter) -> None:
    """Raise ExportError where a trace has no flags only because it was not audited."""
    checks = {flag: VERSIONS[flag] for flag in (*filters.flags, *filters.exclude_flags)}
    if not checks:
        return
    if missing := snapshot.unaudited(filters, checks):
        raise ExportError(
            f"{missing:,} of the traces were not audited for {', '.join(checks)} as they are now; "
            "run geostore audit first"
        )
