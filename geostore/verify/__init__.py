"""Proves a store: derives again everything that was sent to its teachers, and compares."""

from geostore.verify.findings import Finding, Report, format_json, format_text
from geostore.verify.run import verify

__all__ = ["Finding", "Report", "format_json", "format_text", "verify"]
