"""Audits of a store: checks for what would spoil training data, kept as rows to filter on.

docs/audit.md says what each check sees and what it cannot see. A flag is a row of
``trace_flags``. ``audits`` says which traces were looked at, so that a trace
without flags differs from one that nobody checked.
"""

from geostore.audit.checks import CHECKS, VERSIONS, Check
from geostore.audit.report import format_checks, format_json, format_text
from geostore.audit.run import AuditResult, audit

__all__ = [
    "CHECKS",
    "VERSIONS",
    "AuditResult",
    "Check",
    "audit",
    "format_checks",
    "format_json",
    "format_text",
]
