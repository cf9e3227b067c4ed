"""An audit's result as text for people and JSON for programs."""

from __future__ import annotations

from geostore.audit.checks import CHECKS
from geostore.audit.run import AuditResult
from geostore.text.json_lines import json_text
from geostore.text.tables import QueryResult, format_table
from geostore.text.terminal import format_entries


def format_text(result: AuditResult) -> str:
    """A table with a line for each check: traces, their share of those audited, examples."""
    rows = [
        (name, count.traces, result.share(name), ", ".join(count.examples))
        for name, count in result.flags.items()
    ]
    columns = ("check", "traces", "share", "such as")
    return format_table(QueryResult(columns, list(rows)), with_count=False)


def format_json(result: AuditResult) -> str:
    """The same as indented JSON; shares are 0..1, null where nothing was audited."""
    return json_text(result.to_json(), indent=2)


def format_checks(width: int | None = None) -> str:
    """Every check with what its flag means. width: columns of a line; None: no limit."""
    return format_entries(((check.name, check.meaning) for check in CHECKS.values()), width)
