"""Proves a store: derives again all that its teachers were sent, and compares (`run`)."""

from geostore.verify.findings import Finding, Report, format_json, format_text
from geostore.verify.run import verify

__all__ = ["Finding", "Report", "format_json", "format_text", "verify"]
