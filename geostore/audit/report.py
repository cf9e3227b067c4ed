"""An audit's result as text for people and JSON for programs."""

from __future__ import annotations

import json
import textwrap

from geostore.audit.checks import CHECKS
from geostore.audit.run import AuditResult
from geostore.text.tables import QueryResult, format_table

_WIDTH = 100


def format_text(result: AuditResult) -> str:
    """A table with a line for each check: traces, their share of those audited, examples."""
    rows = [
        (name, count.traces, result.share(name), ", ".join(count.examples))
        for name, count in result.flags.items()
    ]
    return format_table(QueryResult(("check", "traces", "share", "such as"), list(rows)))


def format_json(result: AuditResult) -> str:
    """The same as indented JSON; shares are 0..1, null where nothing was audited."""
    return json.dumps(result.to_json(), indent=2, ensure_ascii=False)


def format_checks() -> str:
    """Every check with what its flag means."""
    lines = []
    for check in CHECKS.values():
        lines += textwrap.wrap(
            check.meaning,
            _WIDTH,
            initial_indent=f"{check.name:26}",
            subsequent_indent=" " * 26,
        )
    return "\n".join(lines)
